"""The networks: a 256×256 picture in, points in unit coordinates out."""

from __future__ import annotations

from lumbar.backend import keras
from lumbar.geometry import SIZE

layers, ops = keras.layers, keras.ops


def build(name: str, channels: int, **options) -> keras.Model:
    """Build a network by name; see `NETWORKS`. Input (256, 256, 1) in 0..1, output (channels, 2) unit coordinates."""
    return NETWORKS[name](channels, **options)


def baseline(channels, *, depth=5, width=8, activation="relu", batch_norm=True, dropout=0.3, dense=128):
    """The documented network."""
    x = inputs = keras.Input((SIZE, SIZE, 1), name="picture")
    for block in range(depth):
        x = layers.Conv2D(min(width * 2**block, 8 * width), 3, padding="same", use_bias=not batch_norm)(x)
        x = layers.BatchNormalization()(x) if batch_norm else x
        x = layers.Activation(activation)(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    x = layers.Dense(dense, activation=activation)(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(channels * 2, bias_initializer=keras.initializers.Constant(0.5))(x)
    return keras.Model(inputs, layers.Reshape((channels, 2), name="points")(x), name="baseline")


@keras.saving.register_keras_serializable("lumbar")
class SoftArgmax(layers.Layer):
    """Centre of mass of a map's softmax, unit coordinates."""

    def call(self, maps):
        height, width, channels = maps.shape[1:]
        weights = ops.softmax(ops.reshape(maps, (-1, height * width, channels)), axis=1)
        rows, columns = (ops.arange(n, dtype="float32") + 0.5 for n in (height, width))
        x = ops.tile(columns / width, height)
        y = ops.repeat(rows / height, width)
        return ops.einsum("bpc,pd->bcd", weights, ops.stack([x, y], axis=-1))

    def compute_output_shape(self, shape):
        return (shape[0], shape[3], 2)


def heatmap(channels, *, depth=4, width=16, activation="relu", batch_norm=True, dropout=0.0):
    def block(x, filters):
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", use_bias=not batch_norm)(x)
            x = layers.BatchNormalization()(x) if batch_norm else x
            x = layers.Activation(activation)(x)
        return x

    x = inputs = keras.Input((SIZE, SIZE, 1), name="picture")
    x = block(layers.Conv2D(width, 7, strides=4, padding="same")(x), width)
    skips = []
    for scale in range(1, depth):
        skips.append(x)
        x = block(layers.MaxPooling2D()(x), min(width * 2**scale, 4 * width))
    x = layers.Dropout(dropout)(x)
    for skip in reversed(skips):
        x = layers.UpSampling2D()(x)
        x = block(layers.Concatenate()([x, skip]), skip.shape[-1])
    maps = layers.Conv2D(channels, 1, name="maps")(x)
    return keras.Model(inputs, SoftArgmax(name="points")(maps), name="heatmap")


NETWORKS = {"baseline": baseline, "heatmap": heatmap}
