"""The kind of network that public solutions of this task use: made for photographs, it predicts coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def regression(points: int = 5) -> keras.Model:
    """Build EfficientNetV2-S (Tan & Le, ICML 2021) of `keras.applications` with global pooling and a dense layer.

    The weights are fresh: pretrained ones would be a download, and would not make a step faster.

    Args:
        points: Number of points to predict.

    Returns:
        Model: float32 (batch, 256, 256, 1) from 0 to 1 → (batch, points, 2), unit coordinates.
    """
    from lumbar.core.backend import keras

    layers = keras.layers
    backbone = keras.applications.EfficientNetV2S(include_top=False, weights=None, input_shape=(256, 256, 3))
    inputs = keras.Input((256, 256, 1))
    colours = layers.Concatenate()([layers.Rescaling(255.0)(inputs)] * 3)
    x = layers.GlobalAveragePooling2D()(backbone(colours))
    x = layers.Dense(2 * points, bias_initializer=keras.initializers.Constant(0.5))(x)
    return keras.Model(inputs, layers.Reshape((points, 2))(x))


def compiled(points: int = 5) -> keras.Model:
    """Build the same network, and compile it with our masked loss and Adam."""
    from lumbar.core.backend import keras
    from lumbar.losses import MaskedMSE, MeanAbsoluteErrorPixels

    model = regression(points)
    model.compile(keras.optimizers.Adam(0.001), MaskedMSE(), metrics=[MeanAbsoluteErrorPixels()], jit_compile=False)
    return model
