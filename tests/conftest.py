"""Fixtures that several rooms' tests share."""

from pathlib import Path

import pytest

from lumbar import places
from lumbar.phantom import PhantomSettings, write_dataset


@pytest.fixture(scope="module")
def few_patients(tmp_path_factory) -> Path:
    """Sixteen synthetic patients, one sagittal picture each, in a home of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUMBAR_HOME", str(tmp_path_factory.mktemp("home")))
        settings = PhantomSettings(patients=16, seed=1, series=("sagittal-t2",))
        yield write_dataset(places.data() / "few", settings, workers=1, progress=False)
