"""Files of the first release name the modules and arguments of then; they load, weights, loss and metric included."""

import json
import zipfile

import numpy as np
import pytest

from lumbar import losses, models
from lumbar.core.backend import keras
from lumbar.core.errors import WeightsError
from lumbar.weights import safe_loading

RENAMED = {
    '"module": "lumbar.layers"': '"module": "lumbar.models"',
    '"module": "lumbar.losses", "class_name": "MeanAbsoluteErrorPixels"': (
        '"module": "lumbar.metrics", "class_name": "MeanAbsoluteErrorPixels"'
    ),
    '"sigma": ': '"spot": ',
}
"""Text of a description → the same in the first release."""


def test_a_checkpoint_of_the_first_release_loads_with_loss_and_metric(tmp_path):
    model = models.build("heatmap", 5, width=4, depth=3)
    model.compile("adam", losses.MapCrossEntropy(sigma=0.6), metrics=[losses.MeanAbsoluteErrorPixels()])
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "now.keras")
    with zipfile.ZipFile(tmp_path / "now.keras") as now, zipfile.ZipFile(tmp_path / "then.keras", "w") as then:
        for part in now.namelist():
            content = now.read(part)
            if part == "config.json":
                text = json.dumps(json.loads(content))
                for new, old in RENAMED.items():
                    assert new in text
                    text = text.replace(new, old)
                content = text.encode()
            then.writestr(part, content)
    loaded = safe_loading.load(tmp_path / "then.keras", compile=True)
    assert loaded.loss.sigma == 0.6
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_old_module_names_open_no_other_door(tmp_path):
    """Only our classes may be named under them."""
    model = keras.Sequential([keras.Input((256, 256, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.save(tmp_path / "now.keras")
    with zipfile.ZipFile(tmp_path / "now.keras") as now, zipfile.ZipFile(tmp_path / "odd.keras", "w") as odd:
        for part in now.namelist():
            content = now.read(part)
            if part == "config.json":
                text = content.decode()
                assert '"module": "keras.layers", "class_name": "Flatten"' in text
                text = text.replace(
                    '"module": "keras.layers", "class_name": "Flatten"',
                    '"module": "lumbar.models", "class_name": "Flatten"',
                )
                content = text.encode()
            odd.writestr(part, content)
    with pytest.raises(WeightsError):
        safe_loading.load(tmp_path / "odd.keras")
