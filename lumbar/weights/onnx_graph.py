"""A network as an ONNX file: one node a layer, channels first, all that a program must know in its metadata.

Keras exports through tf2onnx, which writes an operator for the exact gelu that ONNX Runtime lacks (tf2onnx 1.17), puts
transpositions around each convolution, and needs TensorFlow. Here each layer becomes the ONNX operator of the same
meaning, whatever backend Keras runs on. The graph's input is a prepared image, float32 (batch, 1, 256, 256) from 0 to
1. Its output is float32, either (batch, K, 64, 64): for each pixel the probability that the point lies there; or
(batch, K, 2): unit coordinates.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lumbar import models
from lumbar.core.errors import RunError
from lumbar.geometry import SIZE
from lumbar.preprocess import PreprocessSettings
from lumbar.storage.files import atomic_write
from lumbar.weights.onnx_file import ANSWERS, IMAGE, META, OPSET

if TYPE_CHECKING:
    import keras

IR_VERSION = 10
"""Version of the file format: that of ONNX 1.16, which runtimes of the last years read."""

WINDOW = PreprocessSettings()

TAKES = {
    "input": f"images, float32 (batch, 1, {SIZE}, {SIZE}), from 0 (black) to 1 (white)",
    "preparation": "turn the image as radiologists show its plane: sagittal ones face left, coronal ones are seen from "
    f"the front, axial ones from the feet; make the percentiles {WINDOW.low} and {WINDOW.high} of its values black and "
    "white; resize it by averaging, stretched to the square or in its own proportions with black borders (see resize)",
    "frame": f"pixels of the {SIZE} × {SIZE} image, x to the right, y down, the centre of the first is (0, 0)",
    "licence": "MIT; not for diagnosis",
}
"""What a program must know to use the file, in words."""

GIVES_MAPS = {
    "output": f"float32 (batch, points, {SIZE // 4}, {SIZE // 4}): the probability that the point lies in each square "
    "of 4 × 4 pixels; pixel (row i, column j) of it has its centre at x = 4 j + 1.5, y = 4 i + 1.5"
}
GIVES_POINTS = {"output": f"float32 (batch, points, 2): x and y; multiplied by {SIZE}, less 0.5, they are in the frame"}

ACTIVATIONS = {
    "relu": ("Relu", {}),
    "elu": ("Elu", {}),
    "gelu": ("Gelu", {}),
    "sigmoid": ("Sigmoid", {}),
    "hard_silu": ("HardSwish", {}),
}
"""Keras's activation functions → ONNX operator, and its options."""


def write(model: keras.Model, points: Sequence[str], about: dict[str, Any], file: Path) -> None:
    """Write a network as an ONNX file.

    Weights that half precision holds exactly, such as those of the released networks, are stored in it.

    Args:
        model: Any network of `lumbar.models`.
        points: Names of its K points.
        about: Further metadata, values that JSON can hold.
        file: Where to write it.

    Raises:
        RunError: For a layer that has no counterpart here.
    """
    import onnx

    graph = _Graph()
    answer = graph.add_model(model, IMAGE)
    shape = model.output.shape[1:]
    maps = len(shape) == 3
    if maps:
        answer = _probabilities(graph, answer, shape, may_be_absent=models.knows_absent(model))
        shape = (shape[-1], *shape[:-1])
    known = {
        **(TAKES | (GIVES_MAPS if maps else GIVES_POINTS)),
        "answer": ANSWERS[0] if maps else ANSWERS[1],
        "may_be_absent": models.knows_absent(model),
        "points": list(points),
    }
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    proto = helper.make_graph(
        graph.nodes,
        model.name,
        [helper.make_tensor_value_info(IMAGE, real, ["batch", 1, SIZE, SIZE])],
        [helper.make_tensor_value_info(answer, real, ["batch", *shape])],
        graph.constants,
    )
    whole = helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    whole.producer_name = "lumbar"
    helper.set_model_props(whole, {META: json.dumps(about | known, ensure_ascii=False)})
    onnx.checker.check_model(whole)
    with atomic_write(file) as temporary:
        onnx.save(whole, temporary)


class _Graph:
    """The nodes and constants of a graph. Layers are added in the order in which data pass through them."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def add_model(self, model: keras.Model, source: str) -> str:
        """Add all layers of a functional model, and return the name of its output."""
        operations = {each.name: each for each in model.operations}
        described = model.get_config()
        names = {described["input_layers"][0]: source}
        for part in described["layers"]:
            if part["name"] not in names:
                (call,) = part["inbound_nodes"]
                names[part["name"]] = self._add(operations[part["name"]], list(_sources(call["args"], names)))
        return names[described["output_layers"][0]]

    def _add(self, layer: keras.layers.Layer, sources: list[str | float]) -> str:
        kind = type(layer).__name__
        if kind not in _WRITERS:
            raise RunError("the network has a layer that cannot be exported", field=layer.name, found=kind)
        return _WRITERS[kind](self, layer, *sources)

    def node(self, operator: str, *sources: str | float | np.ndarray, **options) -> str:
        """Add an operator, and return the name of its output; sources that are no names become constants."""
        import onnx

        named = [source if isinstance(source, str) else self._constant(np.asarray(source)) for source in sources]
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(operator, named, [name], name=name, **options))
        return name

    def _constant(self, values: np.ndarray) -> str:
        import onnx

        name = f"constant_{len(self.constants)}"
        values = np.ascontiguousarray(values, None if values.dtype.kind == "i" else np.float32)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        exact = values.dtype == np.float32 and values.size > 16 and np.array_equal(half.astype(np.float32), values)
        self.constants.append(onnx.numpy_helper.from_array(half if exact else values, name))
        return self.node("Cast", name, to=onnx.TensorProto.FLOAT) if exact else name


def _sources(arguments: Any, names: dict[str, str]):
    """Yield what a layer is called with, as its description has it: names of outputs, and numbers."""
    for each in arguments:
        if isinstance(each, list):
            yield from _sources(each, names)
        else:
            yield names[each["config"]["keras_history"][0]] if isinstance(each, dict) else each


def _probabilities(graph: _Graph, maps: str, shape: tuple[int, ...], *, may_be_absent: bool) -> str:
    """Add the end of `lumbar.models.heatmaps`: from scores to the probability of each pixel."""
    height, width, channels = shape
    if may_be_absent:
        total = graph.node("Softplus", graph.node("ReduceLogSumExp", maps, np.array([2, 3]), keepdims=1))
        return graph.node("Exp", graph.node("Sub", maps, total))
    flat = graph.node("Softmax", graph.node("Reshape", maps, np.array([0, channels, -1])), axis=2)
    return graph.node("Reshape", flat, np.array([0, channels, height, width]))


def _activation(graph: _Graph, layer, x: str) -> str:
    name = layer.activation.__name__
    if name == "linear":
        return x
    if name == "silu":
        return graph.node("Mul", x, graph.node("Sigmoid", x))
    if name not in ACTIVATIONS:
        raise RunError("the network has an activation that cannot be exported", field=layer.name, found=name)
    operator, options = ACTIVATIONS[name]
    return graph.node(operator, x, **options)


def _convolution(graph: _Graph, layer, x: str) -> str:
    kernel, *bias = layer.get_weights()
    by_channel = type(layer).__name__ == "DepthwiseConv2D"
    kernel = kernel.transpose((2, 3, 0, 1) if by_channel else (3, 2, 0, 1))
    options = {
        "kernel_shape": kernel.shape[2:],
        "strides": layer.strides,
        "group": len(kernel) if by_channel else 1,
        "auto_pad": {"same": "SAME_UPPER", "valid": "VALID"}[layer.padding],
    }
    return _activation(graph, layer, graph.node("Conv", x, kernel, *bias, **options))


def _dense(graph: _Graph, layer, x: str) -> str:
    return _activation(graph, layer, graph.node("Gemm", x, *layer.get_weights()))


def _batch_normalization(graph: _Graph, layer, x: str) -> str:
    return graph.node("BatchNormalization", x, *layer.get_weights(), epsilon=layer.epsilon)


def _max_pooling(graph: _Graph, layer, x: str) -> str:
    return graph.node("MaxPool", x, kernel_shape=layer.pool_size, strides=layer.strides)


def _up_sampling(graph: _Graph, layer, x: str) -> str:
    scales = np.array([1, 1, *layer.size], np.float32)
    return graph.node("Resize", x, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")


def _zero_padding(graph: _Graph, layer, x: str) -> str:
    (top, bottom), (left, right) = layer.padding
    return graph.node("Pad", x, np.array([0, 0, top, left, 0, 0, bottom, right]))


def _flatten(graph: _Graph, layer, x: str) -> str:
    return graph.node("Reshape", graph.node("Transpose", x, perm=[0, 2, 3, 1]), np.array([0, -1]))


def _reshape(graph: _Graph, layer, x: str) -> str:
    shape = layer.target_shape
    if len(shape) == 3:
        if len(layer.input.shape) != 2 or shape[:2] != (1, 1):
            raise RunError("the network has a layer that cannot be exported", field=layer.name, found="Reshape")
        shape = (shape[-1], *shape[:-1])
    return graph.node("Reshape", x, np.array([0, *shape]))


def _global_average(graph: _Graph, layer, x: str) -> str:
    mean = graph.node("GlobalAveragePool", x)
    return mean if layer.keepdims else graph.node("Reshape", mean, np.array([0, -1]))


def _relu(graph: _Graph, layer, x: str) -> str:
    x = graph.node("Relu", x)
    return x if layer.max_value is None else graph.node("Min", x, float(layer.max_value))


def _rescaling(graph: _Graph, layer, x: str) -> str:
    x = graph.node("Mul", x, float(layer.scale))
    return graph.node("Add", x, float(layer.offset)) if layer.offset else x


def _normalization(graph: _Graph, layer, x: str) -> str:
    mean, variance = (np.reshape(each, (-1, 1, 1)) for each in (layer.mean, layer.variance))
    return graph.node("Div", graph.node("Sub", x, mean), np.sqrt(variance))


def _against_absent(graph: _Graph, layer, x: str) -> str:
    return graph.node("Sub", x, layer.get_weights()[0].reshape(-1, 1, 1))


def _operator(name: str, **options) -> Callable:
    return lambda graph, layer, *sources: graph.node(name, *sources, **options)


def _unchanged(graph: _Graph, layer, x: str) -> str:
    return x


_WRITERS: dict[str, Callable[..., str]] = {
    "Activation": _activation,
    "Add": _operator("Add"),
    "AgainstAbsent": _against_absent,
    "BatchNormalization": _batch_normalization,
    "Concatenate": _operator("Concat", axis=1),
    "Conv2D": _convolution,
    "Dense": _dense,
    "DepthwiseConv2D": _convolution,
    "Dropout": _unchanged,
    "Flatten": _flatten,
    "Functional": lambda graph, layer, x: graph.add_model(layer, x),
    "Gate": _unchanged,
    "GlobalAveragePooling2D": _global_average,
    "MaxPooling2D": _max_pooling,
    "Multiply": _operator("Mul"),
    "Normalization": _normalization,
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "SpatialDropout2D": _unchanged,
    "UpSampling2D": _up_sampling,
    "ZeroPadding2D": _zero_padding,
}
"""Keras's layers and operations, and our own → the function that writes each."""
