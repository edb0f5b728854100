"""What else could make training faster: each change is measured beside the default, in turns."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.speed.figure import Figure, compared
from benchmarks.speed.plan import Plan, log
from benchmarks.speed.side import Side, in_turns

DEFAULT = "default"

ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "2"}
TRIED: dict[str, dict[str, Any]] = {
    "network alone, batches made beforehand": {"ready": True},
    "bfloat16 (mixed_bfloat16)": {"policy": "mixed_bfloat16"},
    "XLA (jit_compile)": {"jit_compile": True},
    "batches of 8": {"batch_size": 8},
    "batches of 32": {"batch_size": 32},
    "batches of 64": {"batch_size": 64},
    "one thread per operation, two operations at once": {"environment": ONE_THREAD},
    "two threads per operation, one operation at once": {"environment": {"TF_NUM_INTEROP_THREADS": "1"}},
    "one core": {"cores": 1},
    "without oneDNN (TF_ENABLE_ONEDNN_OPTS=0)": {"environment": {"TF_ENABLE_ONEDNN_OPTS": "0"}},
    "freed memory returned to the system": {
        "environment": {"MALLOC_MMAP_MAX_": "65536", "MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_ARENA_MAX": "16"}
    },
    "JAX backend": {"environment": {"KERAS_BACKEND": "jax"}},
    "PyTorch backend": {"environment": {"KERAS_BACKEND": "torch"}},
    "baseline network, batches of 32": {"model": "baseline", "batch_size": 32},
}
"""Name of a change → options of `training:heatmap` and of `Side`. Row "inference" compares inference engines."""

QUICK = ("batches of 8",)
LAYOUTS = {"channels last": "NHWC", "channels first": "NCHW"}


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield a row for each change."""
    images = 32 if plan.quick else 192
    chosen = {name: TRIED[name] for name in QUICK} if plan.quick else TRIED
    sides = [Side(DEFAULT, "training:heatmap", steps=images // 16)]
    for name, options in chosen.items():
        steps = images // options.get("batch_size", 16)
        sides.append(Side(name, "training:heatmap", steps=steps, **options))
    found, missing = in_turns(sides, plan.rounds, log)
    for name in chosen:
        what = f"tried for training: {name}"
        yield compared(found, missing, what, name, DEFAULT, unit="images/s")
    if not plan.quick:
        sides = [Side(name, "tried:convolution", layout=layout) for name, layout in LAYOUTS.items()]
        found, missing = in_turns(sides, plan.rounds, log)
        what, (last, first) = "tried: 3×3 convolution with channels first, forward and backward", LAYOUTS
        yield compared(found, missing, what, first, last, unit="steps/s")


def convolution(layout: str) -> Callable[[], float]:
    """Prepare the network's largest 3×3 convolution in TensorFlow, forward and backward, in one memory layout."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    shape = (16, 64, 64, 32) if layout == "NHWC" else (16, 32, 64, 64)
    x, kernel = tf.random.normal(shape), tf.random.normal((3, 3, 32, 16))

    @tf.function
    def step(x, kernel):
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            y = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME", data_format=layout))
        return tape.gradient(y, (x, kernel))

    step(x, kernel)

    def measure() -> float:
        begin = time.perf_counter()
        for _ in range(50):
            step(x, kernel)
        return 50 / (time.perf_counter() - begin)

    return measure
