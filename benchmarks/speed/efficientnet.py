"""What public solutions of the same task do: a network made for photographs that answers with coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def regression(points: int = 5) -> keras.Model:
    """EfficientNetV2-S (Tan & Le, ICML 2021) as `keras.applications` has it, global pooling, a dense layer.

    Its weights are fresh: those that know photographs are a download, and make a step no faster.

    Args:
        points: Points to answer with.

    Returns:
        Model: float32 (batch, 256, 256, 1) from 0 to 1 → (batch, points, 2), unit coordinates.
    """
    from lumbar.core.backend import keras

    layers = keras.layers
    eyes = keras.applications.EfficientNetV2S(include_top=False, weights=None, input_shape=(256, 256, 3))
    inputs = keras.Input((256, 256, 1))
    colours = layers.Concatenate()([layers.Rescaling(255.0)(inputs)] * 3)
    x = layers.GlobalAveragePooling2D()(eyes(colours))
    x = layers.Dense(2 * points, bias_initializer=keras.initializers.Constant(0.5))(x)
    return keras.Model(inputs, layers.Reshape((points, 2))(x))


def compiled(points: int = 5) -> keras.Model:
    """The same, with our masked loss and Adam."""
    from lumbar.core.backend import keras
    from lumbar.losses import MaskedMSE, MeanAbsoluteErrorPixels

    model = regression(points)
    model.compile(keras.optimizers.Adam(0.001), MaskedMSE(), metrics=[MeanAbsoluteErrorPixels()], jit_compile=False)
    return model
