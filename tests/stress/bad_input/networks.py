"""Untrusted networks: run folders whose files are damaged or would run code."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lumbar import weights
from lumbar.core.schema import to_dict
from lumbar.runs.settings import TrainingSettings
from tests.stress.bad_input import REFUSED, Case, Words
from tests.stress.bad_input.pictures import NOISE
from tests.stress.bad_input.scans import predict

if TYPE_CHECKING:
    import onnx

SETTINGS = {"settings": to_dict(TrainingSettings())}


def run(config: str, network: Callable[[Path], None]) -> Callable[[Path], Words]:
    """Make a run folder with this config.json, and with best.keras made by `network`."""

    def build(folder: Path) -> Words:
        (folder / "run").mkdir()
        (folder / "run" / "config.json").write_text(config)
        network(folder / "run" / "best.keras")
        NOISE.save(folder / "a.png")
        return predict(folder / "a.png", folder=folder, flags=["--weights", folder / "run"])

    return build


def alone(content: Callable[[], bytes]) -> Callable[[Path], Words]:
    """Give an .onnx file with this content as the network."""

    def build(folder: Path) -> Words:
        (folder / "network.onnx").write_bytes(content())
        NOISE.save(folder / "a.png")
        return predict(folder / "a.png", folder=folder, flags=["--weights", folder / "network.onnx"])

    return build


def released() -> bytes:
    return weights.find().file.with_suffix(".onnx").read_bytes()


def foreign(change: Callable[[onnx.ModelProto], object]) -> Callable[[], bytes]:
    """A released network with a change."""

    def content() -> bytes:
        import onnx

        model = onnx.load_from_string(released())
        change(model)
        return model.SerializeToString()

    return content


def another_size(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 512


def another_operator(model: onnx.ModelProto) -> None:
    model.graph.node[-1].op_type = "Sin"


def with_lambda(file: Path) -> None:
    """Write a real Keras file whose Lambda layer writes a file when it is built."""
    from lumbar.core.backend import keras

    marker = str(file.with_name("ran"))
    inputs = keras.Input((256, 256, 1))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(10, 3)(inputs))
    x = keras.layers.Lambda(lambda x: (open(marker, "w").close(), x)[1])(x)  # noqa: PTH123
    keras.Model(inputs, keras.layers.Reshape((5, 2))(x)).save(file)
    Path(marker).unlink()  # building the model has run the layer


def has_not_run(folder: Path) -> None:
    assert not (folder / "run" / "ran").exists()


def holds(content: bytes) -> Callable[[Path], None]:
    return lambda file: file.write_bytes(content)


GOOD = json.dumps(SETTINGS)
PICKLE = pickle.dumps({"weights": [1.0, 2.0]})

CASES = [
    Case("network", "a Lambda layer", run(GOOD, with_lambda), REFUSED, "run a stranger's code", 1, has_not_run),
    Case("network", "a pickle", run(GOOD, holds(PICKLE)), REFUSED, "cannot be read", 1),
    Case("network", "an HDF5 file", run(GOOD, holds(b"\x89HDF\r\n\x1a\n" + bytes(600))), REFUSED, "cannot be read", 1),
    Case("network", "an empty file", run(GOOD, holds(b"")), REFUSED, "cannot be read", 1),
    Case("network", "an .onnx file that is none", alone(lambda: PICKLE), REFUSED, "cannot be read", 1),
    Case("network", "half an .onnx file", alone(lambda: released()[:90_000]), REFUSED, "cannot be read|does not", 1),
    Case("network", "an .onnx file for larger images", alone(foreign(another_size)), REFUSED, "images of the size", 1),
    Case("network", "a foreign operator", alone(foreign(another_operator)), REFUSED, "operators", 1),
    Case("network", "settings that are not JSON", run("{", holds(b"")), REFUSED, "settings cannot be read", 1),
    Case("network", "no settings", run("{}", holds(b"")), REFUSED, "settings cannot be read", 1),
    Case("network", "an unknown setting", run('{"settings": {"layers": 9}}', holds(b"")), REFUSED, "no setting", 1),
]
