"""A network's file may come from a stranger: ours load, and those that could run code are refused before they do."""

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from lumbar import losses, models, weights
from lumbar.core.backend import keras
from lumbar.core.errors import WeightsError
from lumbar.weights import safe_loading

SMALL = {"width": 2, "depth": 3}
NETWORKS = [
    ("baseline", SMALL),
    ("residual", SMALL),
    ("heatmap", SMALL),
    pytest.param("transfer", SMALL, marks=pytest.mark.slow),
]


@pytest.fixture(scope="module")
def ours(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("ours") / "best.keras"
    model = models.build("heatmap", 5, width=4, depth=3)
    model.compile("adam", losses.MapCrossEntropy(), metrics=[losses.MeanAbsoluteErrorPixels()])
    model.save(file)
    return file


def rewritten(ours: Path, file: Path, change) -> Path:
    """Copy a file with another description: `change` alters the parsed config.json."""
    with zipfile.ZipFile(ours) as before, zipfile.ZipFile(file, "w") as after:
        for part in before.namelist():
            content = before.read(part)
            if part == "config.json":
                description = json.loads(content)
                content = json.dumps(change(description) or description).encode()
            after.writestr(part, content)
    return file


@pytest.mark.parametrize(("name", "options"), NETWORKS, ids=str)
def test_every_network_of_ours_loads(name, options, tmp_path):
    model = models.build(name, 5, **options)
    rate = keras.optimizers.schedules.CosineDecay(0.001, 10, warmup_target=0.1, warmup_steps=2)
    loss = losses.MaskedL1() if name in ("baseline", "residual") else losses.MapCrossEntropy()
    model.compile(keras.optimizers.Adam(rate), loss, metrics=[losses.MeanAbsoluteErrorPixels()])
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "best.keras")
    assert safe_loading.load(tmp_path / "best.keras", compile=True).count_params() == model.count_params()


@pytest.mark.parametrize("name", weights.released())
def test_the_released_networks_load(name):
    assert safe_loading.load(weights.find(name).file).input_shape == (None, 256, 256, 1)


def test_a_lambda_layer_is_refused_and_its_code_does_not_run(tmp_path, recwarn):
    marker = str(tmp_path / "ran")
    inputs = keras.Input((256, 256, 1))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(10, 3)(inputs))
    x = keras.layers.Lambda(lambda x: (open(marker, "w").close(), x)[1])(x)  # noqa: PTH123
    keras.Model(inputs, keras.layers.Reshape((5, 2))(x)).save(tmp_path / "best.keras")
    Path(marker).unlink()  # building the model has run it
    with pytest.raises(WeightsError, match="run a stranger's code") as refusal:
        safe_loading.load(tmp_path / "best.keras")
    assert "Lambda" in str(refusal.value)
    assert not Path(marker).exists()


@pytest.mark.parametrize(
    ("module", "name", "registered"),
    [
        ("keras.layers", "Lambda", None),
        ("keras.layers", "TorchModuleWrapper", None),
        ("keras.layers", "TFSMLayer", None),
        ("keras.layers", "StringLookup", None),
        ("os", "system", "function"),
        ("builtins", "eval", "builtins"),
        ("keras.utils", "get_file", "get_file"),
        ("lumbar.models", "Gate", "strange>Gate"),
        (None, "__lambda__", None),
    ],
    ids=str,
)
def test_an_unknown_part_is_refused(ours, tmp_path, module, name, registered):
    def change(description):
        layer = next(each for each in description["config"]["layers"] if each["class_name"] == "Activation")
        layer |= {"module": module, "class_name": name, "registered_name": registered}

    with pytest.raises(WeightsError, match="does not know"):
        safe_loading.load(rewritten(ours, tmp_path / "best.keras", change))


def test_an_unknown_part_deep_in_the_description_is_refused(ours, tmp_path):
    def change(description):
        conv = next(each for each in description["config"]["layers"] if each["class_name"] == "Conv2D")
        lambda_ = {"class_name": "__lambda__", "config": {"value": "AAAA"}}
        conv["config"]["kernel_regularizer"] = {"any": [{"thing": lambda_}]}

    with pytest.raises(WeightsError, match="does not know"):
        safe_loading.load(rewritten(ours, tmp_path / "best.keras", change))


def test_a_layer_that_would_take_all_memory_is_refused_unbuilt(ours, tmp_path):
    def change(description):
        next(each for each in description["config"]["layers"] if each["class_name"] == "Conv2D")["config"][
            "filters"
        ] = 10**9

    with pytest.raises(WeightsError, match="absurdly large"):
        safe_loading.load(rewritten(ours, tmp_path / "best.keras", change))


def test_deeply_nested_json_is_refused(ours, tmp_path):
    with zipfile.ZipFile(ours) as before, zipfile.ZipFile(tmp_path / "best.keras", "w") as after:
        for part in before.namelist():
            after.writestr(part, "[" * 10**6 if part == "config.json" else before.read(part))
    with pytest.raises(WeightsError, match="cannot be read"):
        safe_loading.load(tmp_path / "best.keras")


def test_a_description_that_unpacks_to_megabytes_is_refused(ours, tmp_path):
    with zipfile.ZipFile(ours) as before, zipfile.ZipFile(tmp_path / "best.keras", "w", zipfile.ZIP_DEFLATED) as after:
        for part in before.namelist():
            after.writestr(
                part, b" " * (safe_loading.LARGEST_CONFIG + 1) if part == "config.json" else before.read(part)
            )
    with pytest.raises(WeightsError, match="absurd size"):
        safe_loading.load(tmp_path / "best.keras")


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04nothing", b"\x80\x04\x95pickle", b"\x89HDF\r\n\x1a\n" + b"\0" * 500]
)
def test_what_is_not_a_keras_file_is_an_error(tmp_path, content):
    (tmp_path / "best.keras").write_bytes(content)
    with pytest.raises(WeightsError, match="cannot be read"):
        safe_loading.load(tmp_path / "best.keras")


def test_half_a_file_is_an_error(ours, tmp_path):
    (tmp_path / "best.keras").write_bytes(ours.read_bytes()[: ours.stat().st_size // 2])
    with pytest.raises(WeightsError, match="cannot be read"):
        safe_loading.load(tmp_path / "best.keras")


def test_a_further_file_in_the_archive_is_refused(ours, tmp_path):
    copy = rewritten(ours, tmp_path / "best.keras", lambda description: None)
    with zipfile.ZipFile(copy, "a") as archive:
        archive.writestr("../../outside.txt", "x")
    with pytest.raises(WeightsError, match="not a network that lumbar has written"):
        safe_loading.load(copy)


def test_weights_that_lie_in_another_file_are_refused(ours, tmp_path):
    """HDF5 can link to any file of the machine, and the numbers in it would become weights."""
    (tmp_path / "weights.h5").write_bytes(zipfile.ZipFile(ours).read("model.weights.h5"))
    with h5py.File(tmp_path / "weights.h5", "r+") as file:
        name = next(path for path in _datasets(file) if path.endswith("vars/0"))
        del file[name]
        file[name] = h5py.ExternalLink(str(tmp_path / "private.h5"), "/x")
    with zipfile.ZipFile(ours) as before, zipfile.ZipFile(tmp_path / "best.keras", "w") as after:
        for part in before.namelist():
            after.writestr(part, (tmp_path / "weights.h5").read_bytes() if part.endswith(".h5") else before.read(part))
    with h5py.File(tmp_path / "private.h5", "w") as private:
        private["x"] = np.zeros(3)
    with pytest.raises(WeightsError, match="cannot be read"):
        safe_loading.load(tmp_path / "best.keras")


def _datasets(file: h5py.File) -> list[str]:
    found = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found
