"""Both engines give the same answers, whatever the network; ONNX Runtime answers without Keras."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from lumbar import datasets, engines, models, weights
from lumbar.core.constants import ENGINES
from lumbar.core.digests import digest_of_file
from lumbar.core.errors import OutputError
from lumbar.datasets.preparation import prepare
from lumbar.geometry import Affine
from lumbar.inference import PreparedScan, find_points, predict_with_probability
from lumbar.phantom import PhantomSettings, write_dataset
from lumbar.weights import onnx_file, registry
from tests.support.prepared import spots
from tests.support.real_mri import REAL_MRI, write_kaggle_layout

SMALL = {"width": 4, "depth": 3}
NETWORKS = [
    *(("baseline", SMALL | {"activation": each}) for each in ("relu", "gelu", "silu", "elu")),
    ("baseline", SMALL | {"batch_norm": False}),
    ("residual", SMALL),
    ("heatmap", SMALL | {"activation": "gelu", "dropout": 0.5}),
    ("heatmap", SMALL | {"absent": list("abcde")}),
    pytest.param("transfer", {"width": 8}, marks=pytest.mark.slow),
    pytest.param("transfer", {"backbone": "EfficientNetV2B0", "absent": list("abcde")}, marks=pytest.mark.slow),
    pytest.param("transfer", {"backbone": "EfficientNetV2S", "activation": "silu"}, marks=pytest.mark.slow),
    pytest.param("transfer", {"backbone": "EfficientNetLite0"}, marks=pytest.mark.slow),
]


IMAGES = np.random.default_rng(1).random((3, 256, 256), np.float32) * np.float32([[[1]], [[0.5]], [[0.1]]])


def shaken(model):
    """Move every weight of a fresh network, so that no part of it is 0, 1 or symmetric, and let the image count in it.

    Without the statistics of its batch normalisation a deep fresh network answers the same for every image.
    """
    rng = np.random.default_rng(0)
    for weight in model.weights:
        values = np.asarray(weight)
        moved = values * rng.uniform(0.8, 1.2, values.shape)
        weight.assign(moved if values.ndim > 1 else moved + rng.uniform(0, 0.02, values.shape))
    for layer in model.layers:
        for part in getattr(layer, "layers", [layer]):
            if hasattr(part, "momentum"):
                part.momentum = 0.0
    model(IMAGES[..., None], training=True)
    return model


@pytest.mark.parametrize(("name", "options"), NETWORKS, ids=str)
def test_the_engines_agree_on_every_network(name, options, tmp_path):
    shaken(models.build(name, 5, **options)).save(tmp_path / "best.keras")
    onnx, keras = (engines.start(tmp_path / "best.keras", engine) for engine in ENGINES)
    expected = keras.answer(IMAGES)
    # A map of a fresh network is flat, and its probabilities are small.
    assert np.abs(onnx.answer(IMAGES) - expected).max() < 1e-4 * np.abs(expected).max()
    facts = [(each.count, each.has_heatmaps, each.may_be_absent, each.points) for each in (onnx, keras)]
    assert facts[0] == facts[1]
    assert not np.allclose(expected[0], expected[1], rtol=1e-4, atol=0), "the network does not look at the image"


@pytest.mark.parametrize("name", weights.released())
def test_a_released_network_is_the_same_in_both_files(name):
    known = weights.find(name)
    about = onnx_file.check(known.file.with_suffix(".onnx"))
    assert about["made_from"] == digest_of_file(known.file)
    as_file = weights.find(known.file.with_suffix(".onnx"))
    assert registry.known_about(as_file) == registry.known_about(known)


@pytest.mark.slow
@pytest.mark.parametrize("name", weights.released())
def test_the_engines_answer_the_same_for_synthetic_and_real_patients(name, tmp_path):
    known = weights.find(name)
    folders = [write_dataset(tmp_path / "phantoms", PhantomSettings(patients=50, seed=99), progress=False)]
    if REAL_MRI.is_dir():
        folders.append(write_kaggle_layout(tmp_path / "real"))
    for folder in folders:
        part = prepare(datasets.load(folder), views=known.views, progress=False)
        scans = [
            PreparedScan(image, view, Affine(np.eye(2, 3)), "")
            for image, view in zip(part.images, part.index["view"], strict=True)
        ]
        assert len(scans) >= 140
        onnx, keras = (find_points(weights.find(name, engine), scans, progress=False).points for engine in ENGINES)
        for mine, theirs in zip(onnx, keras, strict=True):
            np.testing.assert_allclose(mine.xy_native, theirs.xy_native, atol=0.01)
            np.testing.assert_allclose(mine.confidence, theirs.confidence, atol=1e-3)
            assert (mine.flagged, mine.doubts) == (theirs.flagged, theirs.doubts)
        images = part.images[:16] * np.float32(1 / 255)
        maps = [engines.start(known.file, engine).answer(images) for engine in ENGINES]
        np.testing.assert_allclose(*maps, atol=1e-4)


def test_an_answer_needs_no_keras(tmp_path):
    noise = tmp_path / "noise.png"
    cv2.imwrite(str(noise), np.random.default_rng(0).integers(0, 255, (99, 99), np.uint8))
    program = (
        "import sys, lumbar\n"
        f"assert len(lumbar.predict({str(noise)!r})) == 5\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'scipy.optimize', 'pandera', 'matplotlib', 'onnx'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


@pytest.fixture
def run(tmp_path) -> Path:
    """A folder with a network, named as a run names it."""
    models.build("heatmap", 5, **SMALL).save(tmp_path / "best.keras")
    return tmp_path


def test_a_network_is_written_as_onnx_once_and_again_when_it_has_changed(run):
    network, twin = run / "best.keras", run / "best.onnx"
    before = engines.start(network).answer(np.ones((1, 256, 256), np.float32))
    written = twin.stat().st_mtime_ns
    os.utime(network)
    engines.start(network)
    assert twin.stat().st_mtime_ns == written
    shaken(models.build("heatmap", 5, **SMALL)).save(network)
    after = engines.start(network).answer(np.ones((1, 256, 256), np.float32))
    assert onnx_file.check(twin)["made_from"] == digest_of_file(network)
    assert np.abs(before - after).max() > 1e-6


def test_a_damaged_twin_is_written_again(run):
    engines.start(run / "best.keras")
    (run / "best.onnx").write_bytes((run / "best.onnx").read_bytes()[:5000])
    os.utime(run / "best.keras")
    engines.start(run / "best.keras")
    onnx_file.check(run / "best.onnx")


def test_a_folder_that_cannot_be_written_to_stays_as_it_is(run, monkeypatch):
    write = registry.write_onnx

    def only_elsewhere(network, known, file):
        if file.parent == run:
            raise OutputError("the result cannot be written", file=file)
        return write(network, known, file)

    monkeypatch.setattr(registry, "write_onnx", only_elsewhere)
    assert engines.start(run / "best.keras").count == 5
    assert [each.name for each in run.iterdir()] == ["best.keras"]


def test_the_file_of_a_network_travels_alone(tmp_path):
    file = shutil.copy(weights.find("phantom").file.with_suffix(".onnx"), tmp_path / "mine.onnx")
    part = spots(2, views=weights.find("phantom").views)
    alone = predict_with_probability(weights.find(file).file, part, progress=False)
    np.testing.assert_array_equal(
        alone.points, predict_with_probability(weights.find("phantom").file, part, progress=False).points
    )
