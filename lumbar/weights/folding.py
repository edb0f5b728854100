"""A copy of a network that only answers: batch normalisation folded into the weights before it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras


def fold_for_inference(model: keras.Model) -> keras.Model:
    """Return a copy of a network that only answers, some two fifths faster with gelu; answers differ by 1e-6.

    Batch normalisation is folded into the weights of the convolution before it. TensorFlow computes gelu from erfc,
    which takes twice the time of erf on a CPU; the copy uses erf.

    Args:
        model: Any of the networks; it is not changed.
    """
    from lumbar.core.backend import keras

    layers = keras.layers
    norms = _norms_after_convolutions(model)
    folded = {norm.name for norm in norms.values()}

    def layer_for(layer):
        if layer.name in norms:
            return layers.Conv2D.from_config(layer.get_config() | {"use_bias": True})
        if isinstance(layer, layers.Activation) and layer.activation is keras.activations.gelu:
            return layers.Activation(_gelu, name=layer.name)
        return layer.from_config(layer.get_config())

    def call(layer, *inputs, **options):
        return inputs[0] if layer.name in folded else layer(*inputs, **options)

    copy = keras.models.clone_model(model, clone_function=layer_for, call_function=call)
    for layer in model.layers:
        if layer.name not in folded:
            kept = layer.get_weights()
            copy.get_layer(layer.name).set_weights(_folded(kept, norms[layer.name]) if layer.name in norms else kept)
    return copy


def _norms_after_convolutions(model: keras.Model) -> dict[str, keras.Layer]:
    """Return name of a convolution → the batch normalisation that follows it, as the model's configuration states."""
    from lumbar.core.backend import keras

    norms = {}
    for described in model.get_config()["layers"]:
        layer = model.get_layer(described["name"])
        if isinstance(layer, keras.layers.BatchNormalization):
            source = described["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0]
            if isinstance(model.get_layer(source), keras.layers.Conv2D):
                norms[source] = layer
    return norms


def _folded(convolution: list[np.ndarray], norm: keras.Layer) -> list[np.ndarray]:
    """Return the weights of one convolution that computes a convolution and the batch normalisation after it."""
    gamma, beta, mean, variance = norm.get_weights()
    factor = gamma / (variance + norm.epsilon) ** 0.5
    kernel, *bias = convolution
    return [kernel * factor, beta + (sum(bias) - mean) * factor]


def _gelu(x):
    from lumbar.core.backend import keras

    return x * (0.5 + 0.5 * keras.ops.erf(x * math.sqrt(0.5)))
