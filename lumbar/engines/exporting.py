"""A network as a file of another runtime: ONNX, OpenVINO, LiteRT (TensorFlow Lite) or TensorFlow's SavedModel.

Each file answers as `lumbar.engines.Network.answer` does. ONNX and OpenVINO have the channel first: images (batch, 1,
256, 256), heatmaps (batch, K, 64, 64). The other two have it last. A file of the form pixels-to-points does all else
besides, see `lumbar.engines.pixels_to_points`.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from lumbar.core import extras
from lumbar.core.errors import OutputError, SettingsError
from lumbar.engines import onnx_runtime, pixels_to_points
from lumbar.storage.files import atomic_folder, atomic_write
from lumbar.weights import Weights, onnx_file, registry, safe_loading


def export(network: Weights, form: str, out: Path) -> Path:
    """Write a network for another runtime.

    Args:
        network: The network.
        form: One of `FORMS`.
        out: The file to write, or the folder of a SavedModel.

    Returns:
        What was written.

    Raises:
        SettingsError: If a package is missing that writes this format.
        WeightsError: If the network is in an .onnx file and another form than ONNX or OpenVINO is asked for.
        OutputError: If the file cannot be written.
    """
    FORMS[form](network, out)
    return out


def _onnx(network: Weights, out: Path) -> None:
    ready = network.file if network.file.suffix == ".onnx" else onnx_runtime.twin_of(network.file)
    if ready is None:
        registry.write_onnx(network.file, registry.known_about(network), out)
    else:
        with atomic_write(out) as temporary:
            shutil.copyfile(ready, temporary)


def _pixels_to_points(network: Weights, out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _onnx(network, source := Path(folder) / "network.onnx")
        pixels_to_points.write(network, source, out)


def _openvino(network: Weights, out: Path) -> None:
    extras.require("openvino", "write OpenVINO files")
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        _onnx(network, source := Path(folder) / "network.onnx")
        model = openvino.convert_model(source)
        model.set_rt_info(json.dumps(onnx_file.check(source)), [onnx_file.META])
        openvino.save_model(model, made := Path(folder) / "network.xml", compress_to_fp16=False)
        for suffix in (".bin", ".xml"):  # the .xml comes last: it needs the other
            with atomic_write(out.with_suffix(suffix)) as temporary:
                shutil.copyfile(made.with_suffix(suffix), temporary)


def _litert(network: Weights, out: Path) -> None:
    with atomic_write(out) as temporary:
        _export_by_keras(network, temporary, "litert")


def _saved_model(network: Weights, out: Path) -> None:
    if out.exists():
        raise OutputError(
            "there is something of this name already", file=out, remedy="remove it, or choose another --out"
        )
    with atomic_folder(out) as temporary:
        _export_by_keras(network, temporary, "tf_saved_model")


def _export_by_keras(network: Weights, out: Path, form: str) -> None:
    from lumbar import models
    from lumbar.core.backend import keras

    if keras.backend.backend() != "tensorflow":
        raise SettingsError(
            "TensorFlow writes this format",
            field="the environment variable KERAS_BACKEND",
            found=keras.backend.backend(),
            expected="tensorflow",
        )
    model = safe_loading.load(network.file)
    (models.heatmaps(model) if len(model.output_shape) == 4 else model).export(out, format=form, verbose=False)


FORMS: dict[str, Callable[[Weights, Path], None]] = {
    "onnx": _onnx,
    "pixels-to-points": _pixels_to_points,
    "openvino": _openvino,
    "litert": _litert,
    "saved-model": _saved_model,
}
"""Format → the function that writes it."""
