"""Our networks as ONNX graphs, with channels first and one node per layer: the fastest form for the other engines.

Keras exports through tf2onnx, which does not support the Erfc of an exact GELU (tf2onnx 1.17) and puts transpositions
around each convolution. This module turns each layer into the ONNX operator of the same meaning.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

OPSET = 20
"""ONNX operator set; this is the first one with a Gelu operator."""

ACTIVATIONS = {"relu": "Relu", "gelu": "Gelu", "elu": "Elu"}


def export(model: keras.Model, file: Path) -> None:
    """Write a heatmap network, with or without the softmax of `lumbar.models.heatmaps`.

    Args:
        model: The network, as `lumbar.models` builds it.
        file: The ONNX file; its graph maps float32 (batch, 1, 256, 256) to (batch, K, 64, 64).

    Raises:
        ValueError: For a layer that our heatmap networks do not have.
    """
    import onnx

    graph = _Graph()
    names = {model.input.name: "image"}
    for layer in model.layers:
        if type(layer).__name__ == "InputLayer":
            continue
        sources = layer.input if isinstance(layer.input, list) else [layer.input]
        names[layer.output.name] = graph.add(layer, [names[source.name] for source in sources])
    answer = names[model.output.name]
    maps = onnx.helper.make_tensor_value_info(answer, onnx.TensorProto.FLOAT, ["batch", None, 64, 64])
    image = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["batch", 1, 256, 256])
    proto_graph = onnx.helper.make_graph(graph.nodes, "heatmap", [image], [maps], graph.constants)
    proto = onnx.helper.make_model(proto_graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=10)
    onnx.checker.check_model(proto)
    onnx.save(proto, file)


class _Graph:
    """The nodes and constants of a graph; layers are added in the order in which data pass through them."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def add(self, layer: keras.layers.Layer, sources: list[str]) -> str:
        """Add a layer, and return the name of its output."""
        kind, weights = type(layer).__name__, layer.get_weights()
        if kind == "Conv2D":
            kernel = weights[0].transpose(3, 2, 0, 1)
            options = {"kernel_shape": kernel.shape[2:], "strides": layer.strides, "auto_pad": "SAME_UPPER"}
            x = self._node("Conv", [*sources, self._constant(kernel), *map(self._constant, weights[1:])], **options)
            return x if layer.activation.__name__ == "linear" else self._activation(layer.activation, [x])
        if kind == "Activation":
            return self._activation(layer.activation, sources)
        if kind == "MaxPooling2D":
            return self._node("MaxPool", sources, kernel_shape=layer.pool_size, strides=layer.strides)
        if kind == "UpSampling2D":
            scales = self._constant(np.array([1, 1, *layer.size], np.float32))
            options = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
            return self._node("Resize", [*sources, "", scales], **options)
        if kind == "Add":
            return self._node("Add", sources)
        if kind in ("SpatialDropout2D", "Dropout"):
            return sources[0]
        if kind == "Reshape":
            return self._reshaped(layer.target_shape, sources)
        if kind == "Softmax":
            return self._node("Softmax", sources, axis=2)
        raise ValueError(f"this layer cannot be exported: {kind}")

    def _reshaped(self, shape: tuple[int, ...], sources: list[str]) -> str:
        """Add a reshape between (height × width, K) and (height, width, K), with the channels first."""
        shape = np.array([0, shape[-1], *shape[:-1]], np.int64)
        return self._node("Reshape", [*sources, self._constant(shape)])

    def _activation(self, function, sources: list[str]) -> str:
        if function.__name__ == "_gelu":  # of `lumbar.weights.folding.fold_for_inference`
            return self._node("Gelu", sources)
        if function.__name__ == "silu":
            return self._node("Mul", [*sources, self._node("Sigmoid", sources)])
        return self._node(ACTIVATIONS[function.__name__], sources)

    def _node(self, operator: str, sources: list[str], **options) -> str:
        import onnx

        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(operator, sources, [name], name=name, **options))
        return name

    def _constant(self, values: np.ndarray) -> str:
        import onnx

        name = f"constant_{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name
