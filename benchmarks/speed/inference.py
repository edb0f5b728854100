"""Milliseconds a picture when a released network is asked, beside other engines and a network for photographs."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.speed.figure import Figure, Goal, compared
from benchmarks.speed.plan import Plan, told
from benchmarks.speed.side import Side, in_turns

OWN, EFFICIENTNET, ONNX, OPENVINO = "lumbar", "EfficientNetV2-S", "ONNX Runtime, our network", "OpenVINO, our network"
SECONDS = 1.0
"""A measurement repeats a question for about so long, and takes the median."""

CHANNELS = 7
"""Points of the released networks."""


def measure(plan: Plan) -> Iterator[Figure]:
    """The rows of the table: one core and all, one picture and 64 at a time."""
    every = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for cores in (1,) if plan.quick else dict.fromkeys((1, every)):
        for batch in (1,) if plan.quick else (1, 64):
            yield from _compared(plan, cores, batch)


def _compared(plan: Plan, cores: int, batch: int) -> Iterator[Figure]:
    options = {"cores": cores, "batch": batch, "seconds": 0.0 if plan.quick else SECONDS}
    sides = [Side(OWN, "inference:ours", **options), Side(ONNX, "inference:onnx_runtime", **options)]
    if not plan.quick:
        sides.append(Side(OPENVINO, "inference:openvino", **options))
        sides.append(Side(EFFICIENTNET, "inference:efficientnet", **options))
        sides.append(Side("read-out", "inference:read_out", **options))
    found, missing = in_turns(sides, plan.rounds, told)
    what = f"inference, phantom+mr, batch {batch}, {cores} {'core' if cores == 1 else 'cores'}"
    shared = {"unit": "ms/picture", "more_is_better": False}
    read = found.pop("read-out", None)
    note = f"reading the maps out takes {sorted(read)[len(read) // 2]:.2f} ms more, on any engine" if read else ""
    own = tuple(found.get(OWN, ()))
    yield Figure(what, values=own, goal=Goal(most=5), note=missing.get(OWN, note), **shared)
    engine = "TensorFlow computes bias and gelu by themselves; the others do with the convolution"
    yield compared(found, missing, what, OWN, ONNX, goal=Goal(1.0, of="ratio"), limit=engine, **shared)
    if not plan.quick:
        yield compared(found, missing, what, OWN, OPENVINO, **shared)
        yield compared(found, missing, what, OWN, EFFICIENTNET, **shared)


def ours(batch: int, seconds: float) -> Callable[[], float]:
    """The released network as `lumbar.inference.predict_with_probability` asks it, without the read-out."""
    import numpy as np

    from lumbar import inference

    network, pictures = _network(), _pictures(batch)

    def ask() -> None:
        for begin in range(0, batch, inference.BATCH_SIZE):
            np.asarray(network.predict_on_batch(pictures[begin : begin + inference.BATCH_SIZE]))

    return _timed(ask, batch, seconds)


def onnx_runtime(batch: int, seconds: float) -> Callable[[], float]:
    """The same network on ONNX Runtime, with as many threads as cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    with _exported() as file:
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    pictures = _channels_first(batch)
    _check(session.run(None, {"picture": pictures})[0])
    return _timed(lambda: session.run(None, {"picture": pictures}), batch, seconds)


def openvino(batch: int, seconds: float) -> Callable[[], float]:
    """The same network on OpenVINO, in float32."""
    import openvino

    how = {"INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0)), "INFERENCE_PRECISION_HINT": "f32"}
    with _exported() as file:
        network = openvino.Core().compile_model(file, "CPU", how)
    pictures = _channels_first(batch)
    _check(network(pictures)[0])
    return _timed(lambda: network(pictures), batch, seconds)


def efficientnet(batch: int, seconds: float) -> Callable[[], float]:
    """A network for photographs, as Keras asks it."""
    from benchmarks.speed import efficientnet

    network, pictures = efficientnet.regression(CHANNELS), _pictures(batch)
    return _timed(lambda: network.predict_on_batch(pictures), batch, seconds)


def read_out(batch: int, seconds: float) -> Callable[[], float]:
    """From the network's maps to points with confidences."""
    import numpy as np

    from lumbar import landmarks
    from lumbar.decoding import decode as read

    maps = np.asarray(_network().predict_on_batch(_pictures(1)))[0]
    channels = landmarks.channels(("sagittal", "coronal", "axial"))
    return _timed(lambda: [read(maps, "sagittal", channels) for _ in range(batch)], batch, seconds)


def _network():
    from lumbar import inference, models, weights
    from lumbar.weights import safe_loading

    return models.heatmaps(inference.fold_for_inference(safe_loading.load(weights.find().file)))


def _pictures(batch: int):
    import numpy as np

    return np.random.default_rng(0).random((batch, 256, 256, 1), dtype=np.float32)


def _channels_first(batch: int):
    import numpy as np

    return np.ascontiguousarray(_pictures(batch).transpose(0, 3, 1, 2))


def _exported():
    """The network as an ONNX file, which goes when it has been read; made in a process without TensorFlow's threads."""
    import contextlib
    import subprocess
    import sys

    @contextlib.contextmanager
    def made() -> Iterator[str]:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "network.onnx"
            subprocess.run([sys.executable, "-m", __name__, str(file)], check=True, stdout=subprocess.DEVNULL)
            yield str(file)

    return made()


def _check(maps) -> None:
    import numpy as np

    if not np.allclose(maps.sum((2, 3)), 1, atol=1e-3):
        raise ValueError("the engine's maps are no chances")


def _timed(ask: Callable[[], object], count: int, seconds: float) -> Callable[[], float]:
    ask()

    def measure() -> float:
        import statistics

        times: list[float] = []
        while sum(times) < seconds or not times:
            begin = time.perf_counter()
            ask()
            times.append(time.perf_counter() - begin)
        return 1000 * statistics.median(times) / count

    return measure


if __name__ == "__main__":
    import sys

    from benchmarks.speed.onnx_network import export

    export(_network(), Path(sys.argv[1]))
