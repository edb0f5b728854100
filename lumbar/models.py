"""The networks: a 256×256 picture in, K points in unit coordinates out. `keras.ops` only, so any backend runs them."""

from __future__ import annotations

from lumbar.backend import keras
from lumbar.geometry import SIZE

layers, ops = keras.layers, keras.ops

NETWORKS = {
    "baseline": "the documented network: convolution blocks, then dense layers that answer with coordinates",
    "heatmap": "a small U-shaped network that draws one map a point and answers with the map's centre of mass",
}


def build(name: str, channels: int, **options) -> keras.Model:
    """Build a network with fresh weights.

    Args:
        name: One of `NETWORKS`.
        channels: Points to answer with (K), see `lumbar.landmarks.channels`.
        options: Passed to `baseline` or `heatmap`; see there.

    Returns:
        Functional model: float32 (batch, 256, 256, 1) from 0 to 1 → float32 (batch, K, 2), unit coordinates.

    Raises:
        ValueError: For an unknown name.
    """
    if name not in NETWORKS:
        raise ValueError(f"there is no network {name!r}; there are {', '.join(NETWORKS)}")
    return {"baseline": baseline, "heatmap": heatmap}[name](channels, **options)


def baseline(
    channels: int,
    *,
    depth: int = 5,
    width: int = 8,
    dense: int = 128,
    activation: str = "relu",
    batch_norm: bool = True,
    dropout: float = 0.3,
) -> keras.Model:
    """The documented network: `depth` blocks of convolution and max-pooling, a dense layer, dropout, the points.

    Args:
        channels: Points to answer with.
        depth: Blocks; each halves the picture.
        width: Filters of the first block; they double from block to block, up to eight times as many.
        dense: Units of the dense layer.
        activation: Name of the activation function.
        batch_norm: Batch normalisation after each convolution.
        dropout: Share of the dense layer's units switched off in training.
    """
    inputs = keras.Input((SIZE, SIZE, 1), name="picture")
    x = inputs
    for block in range(depth):
        x = _convolution(x, min(2**block, 8) * width, activation, batch_norm)
        x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    x = layers.Dense(dense, activation=activation)(x)
    x = layers.Dropout(dropout)(x)
    # Untrained, the answer is near the middle of the picture. Starting far off, the first steps would shrink the dense
    # layer until most of its units are dead.
    x = layers.Dense(
        channels * 2,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        bias_initializer=keras.initializers.Constant(0.5),
    )(x)
    return keras.Model(inputs, layers.Reshape((channels, 2), name="points")(x), name="baseline")


def heatmap(
    channels: int,
    *,
    depth: int = 4,
    width: int = 24,
    activation: str = "relu",
    batch_norm: bool = True,
    dropout: float = 0.0,
) -> keras.Model:
    """A U-shaped network (Ronneberger et al., MICCAI 2015) with one 64×64 map a point, read out by soft-argmax.

    Args:
        channels: Points to answer with.
        depth: Scales, 64×64 being the first; each further one is half as wide.
        width: Filters of the first scale; they double from scale to scale, up to four times as many.
        activation: Name of the activation function.
        batch_norm: Batch normalisation after each convolution.
        dropout: Share of the narrowest scale's filters switched off in training.
    """

    def scale(x, filters):
        for _ in range(2):
            x = _convolution(x, filters, activation, batch_norm)
        return x

    inputs = keras.Input((SIZE, SIZE, 1), name="picture")
    x = scale(_convolution(inputs, width, activation, batch_norm, size=7, strides=4), width)
    passed_over = []
    for step in range(1, depth):
        passed_over.append(x)
        x = scale(layers.MaxPooling2D()(x), min(2**step, 4) * width)
    x = layers.SpatialDropout2D(dropout)(x)
    for finer in reversed(passed_over):
        x = layers.Concatenate()([layers.UpSampling2D(interpolation="bilinear")(x), finer])
        x = scale(x, finer.shape[-1])
    maps = layers.Conv2D(channels, 1, name="maps")(x)
    return keras.Model(inputs, SoftArgmax(name="points")(maps), name="heatmap")


def heatmaps(model: keras.Model) -> keras.Model:
    """The maps behind a heatmap network's points.

    Args:
        model: Built by `heatmap`, trained or not.

    Returns:
        Model: (batch, 256, 256, 1) → (batch, 64, 64, K); each map is not negative and adds up to 1.
    """
    maps = model.get_layer("maps").output
    height, width, channels = maps.shape[1:]
    weights = layers.Softmax(axis=1)(layers.Reshape((height * width, channels))(maps))
    return keras.Model(model.input, layers.Reshape((height, width, channels))(weights))


@keras.saving.register_keras_serializable("lumbar")
class SoftArgmax(layers.Layer):
    """From maps to points: the centre of mass of each map's softmax, in unit coordinates.

    A map's pixel (i, j) of a height×width grid has its centre at ((j + 0.5) / width, (i + 0.5) / height). Unlike the
    place of the maximum it moves smoothly with the map, so it can be trained through and is finer than the grid
    (Luvizon et al., Computers & Graphics 2019; Nibali et al. 2018).

    Input (batch, height, width, K), any real numbers; output (batch, K, 2).
    """

    def call(self, maps):
        """Centres of mass of `maps`."""
        height, width, channels = maps.shape[1:]
        weights = ops.softmax(ops.reshape(maps, (-1, height * width, channels)), axis=1)
        x = ops.tile((ops.arange(width, dtype="float32") + 0.5) / width, [height])
        y = ops.repeat((ops.arange(height, dtype="float32") + 0.5) / height, width)
        return ops.einsum("bpc,pd->bcd", weights, ops.stack([x, y], axis=-1))

    def compute_output_shape(self, input_shape):
        """(batch, K, 2)."""
        return (input_shape[0], input_shape[3], 2)


def _convolution(x, filters: int, activation: str, batch_norm: bool, *, size: int = 3, strides: int = 1):
    """Convolution, batch normalisation if wanted (its shift then replaces the bias), activation."""
    x = layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=not batch_norm)(x)
    if batch_norm:
        # Keras' default of 0.99 needs hundreds of steps to know the statistics; a small data set has not so many.
        x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.Activation(activation)(x)
