"""Run a network in ONNX Runtime."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np

from lumbar.core.digests import digest_of_file
from lumbar.core.errors import OutputError, RunError, WeightsError
from lumbar.engines.network import Network
from lumbar.geometry import SIZE
from lumbar.weights import onnx_file, registry


def start(file: Path) -> Network:
    """Load a network, see `lumbar.engines.start`."""
    if file.suffix == ".onnx":
        onnx_file.check(file)
        return _run(file)
    twin = twin_of(file)
    if twin is not None:
        return _run(twin)
    try:
        return _run(_write(file, file.with_suffix(".onnx")))
    except OutputError:  # a folder that is not ours to write to
        with tempfile.TemporaryDirectory() as scratch:
            return _run(_write(file, Path(scratch) / "network.onnx"))


def twin_of(file: Path) -> Path | None:
    """Return the ONNX file beside a .keras file if it holds the same network; otherwise None."""
    twin = file.with_suffix(".onnx")
    if not (twin.exists() and file.exists()):
        return None
    if file.parent == registry.HERE:  # a test sees to it that the two of a released network are the same
        return twin
    try:
        return twin if onnx_file.check(twin).get("made_from") == digest_of_file(file) else None
    except WeightsError:
        return None


def _write(network: Path, file: Path) -> Path:
    """Write a network of Keras as an ONNX file; it says what a run knows about it."""
    try:
        known = registry.known_about(registry.find(network.parent))
    except RunError:  # not a run's folder
        known = {}
    return registry.write_onnx(network, known, file)


def _run(file: Path) -> Network:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Left to itself, ONNX Runtime takes every core, also those that this process may not use.
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    options.intra_op_num_threads = usable or 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a class of its own for each of its error codes
        raise onnx_file.damaged(file, error) from error
    about = onnx_file.parse_about(file, session.get_modelmeta().custom_metadata_map)
    (result,) = session.get_outputs()

    def answer(images: np.ndarray) -> np.ndarray:
        (found,) = session.run(None, {onnx_file.IMAGE: images.reshape(-1, 1, SIZE, SIZE)})
        return found

    return Network(
        answer,
        count=result.shape[1],
        has_heatmaps=about["answer"] == "probabilities",
        may_be_absent=about["may_be_absent"],
        points=tuple(about["points"]),
    )
