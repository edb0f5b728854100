"""How close each kind of layer of the heatmap network comes to the limit of this processor.

The limit is the roofline (Williams, Waterman & Patterson, CACM 2009): no layer computes faster than a plain matrix
product, and none reads and writes its arrays faster than a plain sum of two arrays as large as the network's largest.
The forward and backward pass of each layer is timed on its own; its operations and bytes follow from its shapes.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.speed.figure import Figure
from benchmarks.speed.plan import Plan, log
from benchmarks.speed.side import Unmeasured, once

BATCH = 16

WORTH_A_ROW = 0.02
"""Smallest share of the layers' time with which a kind of layer gets a row; speed.json has all kinds."""


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield a row for the whole step, and one for each kind of layer."""
    try:
        found = once("roofline:layers", times=1 if plan.quick else 4 * plan.repeats)
    except Unmeasured as error:
        yield Figure("roofline of the heatmap network", note=str(error))
        return
    product, step = found["product"], found["step"]
    total, bound = (sum(kind[name] for kind in found["kinds"]) for name in ("ms", "bound"))
    roof = f"roof: {product:.0f} GFLOP/s ({found['products']}); sum of arrays of 8 MB, {found['sum']:.0f} GB/s"
    log(roof)
    yield Figure(
        "roofline: training step of 16 images, share of the limit",
        "%",
        (100 * bound / step,),
        limit=f"a step takes {step:.0f} ms; its layers take {total:.0f} ms one by one, and {bound:.0f} ms at their "
        "roofs; the rest of a step is loss, metric, optimizer and dispatch",
        note=roof,
        details=found,
    )
    for kind in sorted(found["kinds"], key=lambda each: -each["ms"]):
        if kind["ms"] >= WORTH_A_ROW * total:
            limit = "compute-bound" if kind["gflop"] / product > kind["gbyte"] / found["sum"] else "memory-bound"
            size = f"{kind['gflop']:.2f} GFLOP, {1000 * kind['gbyte']:.0f} MB"
            yield Figure(
                f"roofline: {kind['name']}, forward and backward",
                "%",
                (100 * kind["bound"] / kind["ms"],),
                limit=f"{limit}: {size}, {1000 * kind['gflop'] / kind['ms']:.0f} GFLOP/s",
                note=f"{kind['layers']} {'layer' if kind['layers'] == 1 else 'layers'}, {kind['ms']:.1f} ms "
                f"({kind['ms'] / total:.0%} of all layers)",
            )


def layers(times: int) -> Callable[[], dict[str, Any]]:
    """Prepare the timing of each kind of layer at each size: operations, bytes, milliseconds, and the limit."""
    from lumbar.core.backend import keras  # noqa: F401  sets TensorFlow up
    from lumbar.models import heatmap

    network = heatmap(5)

    def measure() -> dict[str, Any]:
        products, moved = _products(times), _sum(times)
        product = max(products.values())
        kinds: dict[str, dict[str, Any]] = defaultdict(lambda: dict.fromkeys(("layers", "ms", "gflop", "gbyte"), 0))
        timed: dict[str, float] = {}
        for layer in network.layers[1:]:
            make = str((type(layer).__name__, _arrays(layer), layer.get_config() | {"name": ""}))
            if make not in timed:
                timed[make] = _milliseconds(layer, times)
            kind = kinds[_kind(layer)]
            for name, value in (("layers", 1), ("ms", timed[make]), ("gflop", _gflop(layer)), ("gbyte", _gbyte(layer))):
                kind[name] += value
        for kind in kinds.values():
            kind["bound"] = 1000 * max(kind["gflop"] / product, kind["gbyte"] / moved)
        listed = [{"name": name, **kind} for name, kind in kinds.items()]
        return {
            "product": product,
            "products": ", ".join(f"{name} {speed:.0f}" for name, speed in products.items()),
            "sum": moved,
            "step": _step(times),
            "kinds": listed,
        }

    return measure


def _kind(layer) -> str:
    """Return the kind of a layer: its class and the size of its output."""
    name, size = type(layer).__name__, layer.output.shape[1]
    if name == "Conv2D":
        name = f"convolution {layer.kernel_size[0]}×{layer.kernel_size[1]}"
    return f"{name}, {size}×{size}"


def _arrays(layer) -> tuple[list[tuple[int, ...]], tuple[int, ...]]:
    """Return the shapes of the inputs and of the output."""
    sources = layer.input if isinstance(layer.input, list) else [layer.input]
    return [(BATCH, *source.shape[1:]) for source in sources], (BATCH, *layer.output.shape[1:])


def _gflop(layer) -> float:
    """Count the multiplications and additions of a convolution, in 10⁹; 0 for other layers.

    There are three passes: forward, the gradient of the weights, and that of the input, unless the input is the image.
    """
    sources, output = _arrays(layer)
    if type(layer).__name__ != "Conv2D":
        return 0.0
    passes = 2 if sources[0][-1] == 1 else 3
    return passes * 2 * np.prod(layer.kernel.shape[:3]) * np.prod(output) / 1e9


def _gbyte(layer) -> float:
    """Count the bytes of the float32 arrays that a layer reads and writes, in 10⁹.

    Forward it reads the input and writes the output. Backward it reads the gradient of the output and the input, and
    writes the gradient of the input.
    """
    sources, output = _arrays(layer)
    inputs = sum(int(np.prod(source)) for source in sources)
    weights = sum(int(np.prod(each.shape)) for each in layer.weights)
    if type(layer).__name__ == "Add":  # its gradients are that of the output, unchanged
        return 4 * (inputs + int(np.prod(output))) / 1e9
    return 4 * (3 * inputs + 2 * int(np.prod(output)) + 3 * weights) / 1e9


def _milliseconds(layer, times: int) -> float:
    """Return the milliseconds of a layer's forward and backward pass."""
    import tensorflow as tf

    sources, output = _arrays(layer)
    inputs = [tf.random.normal(source) for source in sources]
    upstream = tf.random.normal(output)
    first = sources[0][-1] == 1

    @tf.function
    def forward_and_backward(inputs, upstream):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            out = layer(inputs if len(inputs) > 1 else inputs[0], training=True)
        wanted = [each.value for each in layer.trainable_weights]
        return tape.gradient(out, wanted if first else [*inputs, *wanted], output_gradients=upstream)

    return 1000 * _median(lambda: forward_and_backward(inputs, upstream), times)


def _products(times: int, size: int = 2048) -> dict[str, float]:
    """Return the GFLOP/s of plain work in float32: matrix products by TensorFlow and NumPy, and a large convolution."""
    import tensorflow as tf

    a, b = tf.random.normal((size, size)), tf.random.normal((size, size))
    left, right = a.numpy(), b.numpy()
    images, kernel = tf.random.normal((BATCH, 32, 32, 128)), tf.random.normal((3, 3, 128, 128))
    multiply, convolve = tf.function(tf.matmul), tf.function(lambda x, k: tf.nn.conv2d(x, k, 1, "SAME"))
    work = {
        "matrix product, TensorFlow": (lambda: multiply(a, b), 2 * size**3),
        "matrix product, NumPy": (lambda: left @ right, 2 * size**3),
        "convolution of 128 channels": (lambda: convolve(images, kernel), 2 * 9 * 128 * 128 * BATCH * 32 * 32),
    }
    return {name: count / _median(do, times) / 1e9 for name, (do, count) in work.items()}


def _sum(times: int, size: int = BATCH * 64 * 64 * 32) -> float:
    """Return the GB/s of a plain sum of two arrays as large as the network's largest one."""
    import tensorflow as tf

    a, b = tf.random.normal((size,)), tf.random.normal((size,))
    add = tf.function(tf.add)
    return 3 * 4 * size / _median(lambda: add(a, b), times) / 1e9


def _step(times: int) -> float:
    """Return the milliseconds of a whole training step on a batch made beforehand."""
    from benchmarks.speed import pictures
    from lumbar.runs.settings import TrainingSettings
    from lumbar.training.optimization import compiled

    batch = pictures.batches(BATCH, BATCH)[0]
    network = compiled(TrainingSettings(model="heatmap"), tuple("12345"), steps=10)
    return 1000 * _median(lambda: network.train_on_batch(*batch), times)


def _median(work: Callable[[], Any], times: int) -> float:
    """Return the median seconds of a call, after two calls that do not count."""
    work()
    work()
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def plot(found: dict[str, Any]):
    """Plot the roof, and each kind of convolution below it.

    Args:
        found: What `layers` has measured.

    Returns:
        A figure of `lumbar.figures`.
    """
    from lumbar.figures.style import BLUE, VERMILION, Drawing, styled

    @styled
    def plotted():
        figure = Drawing(figsize=(8, 5))
        axes = figure.subplots()
        kinds = [kind for kind in found["kinds"] if kind["gflop"]]
        intensity = np.geomspace(0.5, 300)
        axes.loglog(intensity, np.minimum(found["product"], intensity * found["sum"]), color=BLUE)
        for kind in kinds:
            at, speed = kind["gflop"] / kind["gbyte"], 1000 * kind["gflop"] / kind["ms"]
            axes.scatter(at, speed, s=30 + 12 * kind["ms"], color=VERMILION, alpha=0.7, zorder=3)
            axes.annotate(kind["name"].removeprefix("convolution "), (at, speed), xytext=(6, -3), fontsize=8,
                          textcoords="offset points")  # fmt: skip
        axes.set(xlabel="operations per byte (FLOP/byte)", ylabel="GFLOP/s", title="convolutions below the roofline")
        far = min(kinds, key=lambda kind: kind["bound"] / kind["ms"])
        figure.alt = (
            f"Roofline of the heatmap network's convolutions: a matrix product reaches {found['product']:.0f} GFLOP/s; "
            f"the farthest from it is {far['name']}, at {far['bound'] / far['ms']:.0%} of the limit."
        )
        return figure

    return plotted()
