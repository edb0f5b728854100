"""Read the weights that PyTorch saved as a state dict in its legacy format, with NumPy alone.

Such a file is a sequence of pickles: a magic number, the version of the format, facts about the machine, the state
dict, and the keys of its storages. Behind them lie the storages themselves, raw numbers, in the order of the keys
(``torch.serialization._legacy_save``). The state dict says for each tensor in which storage it lies, where, and in
which shape.

A pickle may name any function of any module, and `pickle.load` calls it. The unpickler here knows the few names that a
state dict needs, gives harmless stand-ins for them, and refuses every other name before anything is called. It calls
nothing of PyTorch, which need not be installed.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from lumbar.core.digests import digest_of
from lumbar.core.errors import WeightsError

MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of a file in the legacy format."""

PROTOCOL = 1001
"""The second one: the version of the format."""


def read(file: Path, sha256: str) -> dict[str, np.ndarray]:
    """Return the tensors of a state dict.

    Args:
        file: The file, on a CPU of any kind (its numbers are little-endian).
        sha256: Fingerprint that the file must have, 64 hexadecimal digits.

    Returns:
        Name of the tensor → array, float32 or int64, in the order of the file.

    Raises:
        WeightsError: If the file is missing or another one, is damaged, or names anything but parts of a state dict.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise WeightsError("the file of weights cannot be read", file=file, found=error) from error
    if (found := digest_of([content], 64)) != sha256:
        raise WeightsError(
            "the file of weights is not the published one",
            file=file,
            field="SHA-256",
            found=found,
            expected=sha256,
            remedy="do not use it; install the package that it belongs to again",
        )
    try:
        return _tensors(content)
    except (WeightsError, MemoryError):
        raise
    except Exception as error:  # a damaged pickle can make the unpickler raise anything
        raise WeightsError("the file of weights is damaged", file=file, found=repr(error)) from error


def _tensors(content: bytes) -> dict[str, np.ndarray]:
    stream = io.BytesIO(content)
    storages: dict[str, np.ndarray] = {}

    def unpickled() -> Any:
        return _Unpickler(stream, storages, len(content)).load()

    magic, version, machine = unpickled(), unpickled(), unpickled()
    if (magic, version, machine["little_endian"]) != (MAGIC, PROTOCOL, True):
        raise ValueError("this is not PyTorch's legacy format, little-endian")
    tensors = unpickled()
    for key in unpickled():
        storage = storages[key]
        if int.from_bytes(stream.read(8), "little") != storage.size:
            raise ValueError(f"storage {key} has another size than its tensors say")
        storage[:] = np.frombuffer(stream.read(storage.nbytes), storage.dtype)
    return dict(tensors)


class _Unpickler(pickle.Unpickler):
    """Unpickles a state dict whose storages, still empty, are kept under their keys, and refuses everything else."""

    def __init__(self, stream: io.BytesIO, storages: dict[str, np.ndarray], most_bytes: int):
        super().__init__(stream)
        self.storages, self.most_bytes = storages, most_bytes

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of a name that a state dict needs."""
        if (module, name) not in _STAND_INS:
            raise WeightsError(
                "the file of weights names something that no state dict needs; loading it could run a stranger's code",
                found=f"{module}.{name}",
                expected=", ".join(".".join(known) for known in _STAND_INS),
                remedy="do not use this file",
            )
        return _STAND_INS[module, name]

    def persistent_load(self, pid: tuple) -> np.ndarray:
        """Return the storage of a tensor, which is filled later."""
        kind, dtype, key, _, count, _ = pid
        if kind != "storage" or not 0 <= count * dtype.itemsize <= self.most_bytes:
            raise ValueError(f"a storage of {count} numbers does not fit into the file")
        return self.storages.setdefault(key, np.zeros(count, dtype))


def _tensor(storage: np.ndarray, offset: int, shape: tuple, strides: tuple, *_: Any) -> np.ndarray:
    """Return the view of a storage that a tensor is: its strides count numbers, and none leads out of the storage."""
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if min(offset, *shape, *strides, 0) < 0 or last >= storage.size:
        raise ValueError(f"a tensor of shape {shape} and strides {strides} lies outside its storage")
    in_bytes = [stride * storage.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, in_bytes, writeable=False)


_STAND_INS = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "LongStorage"): np.dtype("<i8"),
}
"""Module and name → what stands in for it."""
