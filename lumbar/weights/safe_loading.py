"""Load a network from a file that may come from a stranger, without running any code of theirs.

A .keras file is a ZIP archive of a description (config.json) and the weights. Keras builds whatever the description
names, and some of that runs code: a Lambda layer holds Python bytecode, and other layers load further files. Keras's
own `safe_mode` refuses Lambda layers, but ways around it have been found (CVE-2025-1550, -8747, -9905, -9906). This
module therefore works with a list of what is allowed: before Keras opens the file, it refuses every file that names
anything but the parts of our own networks.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumbar.core.errors import WeightsError
from lumbar.geometry import SIZE

if TYPE_CHECKING:
    import keras

PARTS = {"metadata.json", "config.json", "model.weights.h5"}
"""The files of the archive; there must be no others."""

LARGEST_CONFIG = 2**24
LARGEST_WEIGHTS = 2**31
"""Bytes. The largest of our networks has a description of half a megabyte, and weights of 300 MB."""

MOST_FILTERS = 2**14
"""Filters or units of one layer; with more, the weights of the layer alone could take all memory."""

KNOWN = {
    "layers": (
        *("Activation", "Add", "BatchNormalization", "Concatenate", "Conv2D", "Dense", "DepthwiseConv2D", "Dropout"),
        *("Flatten", "GlobalAveragePooling2D", "InputLayer", "MaxPooling2D", "Multiply", "Normalization", "ReLU"),
        *("Rescaling", "Reshape", "SpatialDropout2D", "UpSampling2D", "ZeroPadding2D"),
    ),
    "initializers": ("Constant", "GlorotUniform", "Ones", "RandomNormal", "VarianceScaling", "Zeros"),
    "optimizers": ("Adam",),
    "optimizers.schedules": ("CosineDecay",),
    "src.models.functional": ("Functional",),
    "src.ops.numpy": ("Add", "Multiply"),
    "": ("DTypePolicy",),
}
"""The Keras classes that our networks consist of: module below `keras` → names of classes."""

_KNOWN = {(f"keras.{module}".rstrip("."), name) for module, names in KNOWN.items() for name in names}
_OURS = {
    "lumbar.layers": ("AgainstAbsent", "BatchNormalization", "Gate", "SoftArgmax"),
    "lumbar.losses": ("MaskedMSE", "MaskedL1", "MapCrossEntropy", "MeanAbsoluteErrorPixels"),
    # Files of the first release name the modules that held these classes then.
    "lumbar.models": ("BatchNormalization", "Gate", "SoftArgmax"),
    "lumbar.metrics": ("MeanAbsoluteErrorPixels",),
}
_KNOWN |= {(module, name) for module, names in _OURS.items() for name in names}


def load(file: Path, *, compile: bool = False) -> keras.Model:
    """Load a network from its .keras file.

    Args:
        file: The file, of a run or released with the package.
        compile: Also restore optimizer, loss and metrics.

    Returns:
        The network: float32 (batch, 256, 256, 1) → points or heatmaps, see `lumbar.models.build`.

    Raises:
        WeightsError: If the file is damaged, is not a network of ours, or names anything that might run code.
    """
    from lumbar import layers, losses  # noqa: F401  registers the classes that the file may name
    from lumbar.core.backend import keras

    if file.suffix == ".onnx":
        raise WeightsError(
            "a network in an .onnx file can only answer, and Keras cannot load it",
            file=file,
            remedy="give the run or the .keras file that it was made from; to get points, leave out --engine keras",
        )
    _check(file)
    try:
        network = keras.saving.load_model(file, compile=compile, safe_mode=True)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can make Keras and HDF5 raise anything
        raise _damaged(file, error) from error
    if network.input_shape != (None, SIZE, SIZE, 1) or not isinstance(network.output_shape, tuple):
        raise WeightsError(
            "the network does not take images of the size that lumbar prepares",
            file=file,
            field="input shape",
            found=network.input_shape,
            expected=f"(None, {SIZE}, {SIZE}, 1)",
        )
    return network


def damage(file: Path) -> str | None:
    """Return what is wrong with the archive of a checkpoint; None if all its parts agree with their checksums."""
    try:
        with zipfile.ZipFile(file) as archive:
            torn = archive.testzip()
    except FileNotFoundError:
        return "it is missing"
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        return str(error)
    return torn and f"its part {torn} is damaged"


def _check(file: Path) -> None:
    """Refuse a file whose archive or description is not that of a network of ours; nothing is built from it."""
    try:
        with zipfile.ZipFile(file) as archive:
            sizes = {part.filename: part.file_size for part in archive.infolist()}
            if sorted(part.filename for part in archive.infolist()) != sorted(PARTS):
                raise WeightsError(
                    "the file is not a network that lumbar has written",
                    file=file,
                    found=", ".join(sizes),
                    expected=", ".join(sorted(PARTS)),
                )
            if sizes["config.json"] > LARGEST_CONFIG or sizes["model.weights.h5"] > LARGEST_WEIGHTS:
                raise WeightsError("the file would unpack to an absurd size", file=file, found=f"{sizes} bytes")
            description = json.loads(archive.read("config.json"))
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, EOFError, NotImplementedError, RecursionError) as error:
        raise _damaged(file, error) from error
    for part in _parts(description):
        _check_part(file, part)


def _damaged(file: Path, error: Exception) -> WeightsError:
    return WeightsError(
        "the network's file cannot be read",
        file=file,
        found=(str(error).strip() or type(error).__name__).splitlines()[0],
        expected="a .keras file that lumbar has written",
        remedy="copy it again, or train the network again",
    )


def _parts(description: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a description, however deep."""
    waiting = [description]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)


def _check_part(file: Path, part: dict[str, Any]) -> None:
    """Refuse an object of a description that is not part of our networks, or whose layer is too large."""
    name = part.get("class_name")
    if name is not None and name != "__keras_tensor__":
        known = (part.get("module"), name) in _KNOWN
        registered = part.get("registered_name") in (None, name, f"lumbar>{name}")
        if not (known and registered):
            raise WeightsError(
                "the network's file names a part that lumbar does not know; loading it could run a stranger's code",
                file=file,
                field="config.json",
                found=f"{part.get('module')}.{name}",
                expected="parts of the networks that lumbar builds",
                remedy="do not use this file; networks that lumbar has trained load without this error",
            )
    for size in ("filters", "units"):
        if isinstance(part.get(size), int) and part[size] > MOST_FILTERS:
            raise WeightsError(
                "a layer of the network is absurdly large",
                file=file,
                field=size,
                found=part[size],
                expected=MOST_FILTERS,
            )
