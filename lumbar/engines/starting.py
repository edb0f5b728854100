"""Start the engine that is asked for; the last networks are kept, for a command asks the same one several times."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from lumbar.core.constants import ENGINES
from lumbar.engines.network import Network


def start(file: Path, engine: str = ENGINES[0]) -> Network:
    """Return a network that is ready to answer.

    Args:
        file: The network: a .keras file, or an .onnx file that lumbar has written.
        engine: One of `lumbar.core.constants.ENGINES`.

    Raises:
        WeightsError: If the file is not a network of ours, or the engine cannot run it.
        SettingsError: If the engine is not installed.
    """
    file = file.resolve()
    state = file.stat() if file.exists() else None
    return _start(file, engine, state and (state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=2)
def _start(file: Path, engine: str, state: tuple[int, int] | None) -> Network:
    """Start an engine; `state` is that of the file, so that a network that is trained anew is loaded anew."""
    if engine == "keras":
        from lumbar.engines import keras

        return keras.start(file)
    from lumbar.engines import onnx_runtime

    return onnx_runtime.start(file)
