"""What the tests of the engines share."""

import json

import pytest

from lumbar import models
from lumbar.core.schema import to_dict
from lumbar.runs.settings import TrainingSettings


@pytest.fixture
def run(tmp_path):
    """The folder of a run, with a network that was hardly trained."""
    (tmp_path / "config.json").write_text(json.dumps({"settings": to_dict(TrainingSettings(views=("sagittal",)))}))
    models.build("heatmap", 5, width=4, depth=3).save(tmp_path / "best.keras")
    return tmp_path
