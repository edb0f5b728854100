"""Milliseconds per image of a released network, beside other engines and a network made for photographs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from benchmarks.speed.figure import Figure, Goal, compared
from benchmarks.speed.plan import Plan, log
from benchmarks.speed.side import Side, in_turns

OWN, KERAS, EFFICIENTNET = "lumbar", "with Keras", "EfficientNetV2-S"
ONNX, OPENVINO = "ONNX Runtime, called bare", "OpenVINO, called bare"
SECONDS = 1.0
"""A measurement repeats the prediction for about so long, and takes the median."""

CHANNELS = 11
"""Number of points of the released networks, with the discs next to the levels."""


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield the rows of the table: on one core and on all, one image and 64 at a time."""
    every = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for cores in (1,) if plan.quick else dict.fromkeys((1, every)):
        for batch in (1,) if plan.quick else (1, 64):
            yield from _compared(plan, cores, batch)


def _compared(plan: Plan, cores: int, batch: int) -> Iterator[Figure]:
    options = {"cores": cores, "batch": batch, "seconds": 0.0 if plan.quick else SECONDS}
    sides = [Side(OWN, "inference:ours", **options), Side(ONNX, "inference:onnx_runtime", **options)]
    sides.append(Side(KERAS, "inference:ours", engine="keras", **options))
    if not plan.quick:
        sides.append(Side(OPENVINO, "inference:openvino", **options))
        sides.append(Side(EFFICIENTNET, "inference:efficientnet", **options))
        sides.append(Side("decoding", "inference:decoding", **options))
    found, missing = in_turns(sides, plan.rounds, log)
    what = f"inference, phantom+mr, batch {batch}, {cores} {'core' if cores == 1 else 'cores'}"
    shared = {"unit": "ms/image", "more_is_better": False}
    decoded = found.pop("decoding", None)
    note = f"decoding takes {sorted(decoded)[len(decoded) // 2]:.2f} ms more, with any engine" if decoded else ""
    own = tuple(found.get(OWN, ()))
    yield Figure(what, values=own, goal=Goal(most=5), note=missing.get(OWN, note), **shared)
    yield compared(found, missing, what, OWN, ONNX, goal=Goal(0.95, of="ratio"), **shared)
    yield compared(found, missing, what, OWN, KERAS, **shared)
    if not plan.quick:
        yield compared(found, missing, what, OWN, OPENVINO, goal=Goal(0.95, of="ratio"), **shared)
        yield compared(found, missing, what, OWN, EFFICIENTNET, **shared)


def ours(batch: int, seconds: float, engine: str = "onnx") -> Callable[[], float]:
    """Prepare the released network, called as `lumbar.inference.predict_with_probability` does, without decoding."""
    from lumbar import engines, inference, weights

    network, images = engines.start(weights.find().file, engine), _images(batch)[..., 0]

    def predict() -> None:
        for begin in range(0, batch, inference.BATCH_SIZE):
            network.answer(images[begin : begin + inference.BATCH_SIZE])

    return _timed(predict, batch, seconds)


def onnx_runtime(batch: int, seconds: float) -> Callable[[], float]:
    """Prepare the same network on ONNX Runtime, with as many threads as cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = onnxruntime.InferenceSession(_file(), options, providers=["CPUExecutionProvider"])
    images = _channels_first(batch)
    return _timed(lambda: session.run(None, {"image": images}), batch, seconds)


def openvino(batch: int, seconds: float) -> Callable[[], float]:
    """Prepare the same network on OpenVINO, in float32."""
    import openvino

    how = {"INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0)), "INFERENCE_PRECISION_HINT": "f32"}
    network = openvino.Core().compile_model(_file(), "CPU", how)
    images = _channels_first(batch)
    return _timed(lambda: network(images), batch, seconds)


def efficientnet(batch: int, seconds: float) -> Callable[[], float]:
    """Prepare a network made for photographs, on Keras."""
    from benchmarks.speed import efficientnet

    network, images = efficientnet.regression(CHANNELS), _images(batch)
    return _timed(lambda: network.predict_on_batch(images), batch, seconds)


def decoding(batch: int, seconds: float) -> Callable[[], float]:
    """Prepare the decoding of the network's heatmaps, to points with probabilities."""
    import numpy as np

    from lumbar import engines, inference, weights
    from lumbar.decoding import decode

    network = engines.start(weights.find().file)
    maps = network.answer(_images(1)[..., 0])

    def decode_all() -> None:
        for begin in range(0, batch, inference.DECODED_AT_ONCE):
            few = min(batch - begin, inference.DECODED_AT_ONCE)
            decode(maps.repeat(few, axis=0), np.zeros(few, int), network.points, may_be_absent=True)

    return _timed(decode_all, batch, seconds)


def _file() -> str:
    """Return the ONNX file of the default released network."""
    from lumbar import weights

    return str(weights.find().file.with_suffix(".onnx"))


def _images(batch: int):
    """Return random images, float32 (batch, 256, 256, 1); what they show does not change the time."""
    import numpy as np

    return np.random.default_rng(0).random((batch, 256, 256, 1), dtype=np.float32)


def _channels_first(batch: int):
    import numpy as np

    return np.ascontiguousarray(_images(batch).transpose(0, 3, 1, 2))


def _timed(predict: Callable[[], object], count: int, seconds: float) -> Callable[[], float]:
    """Return the function that measures a prediction of `count` images, in milliseconds per image."""
    predict()

    def measure() -> float:
        import statistics

        times: list[float] = []
        while sum(times) < seconds or not times:
            begin = time.perf_counter()
            predict()
            times.append(time.perf_counter() - begin)
        return 1000 * statistics.median(times) / count

    return measure
