"""The networks: a 256×256 picture in; K points, or a map for each of them, out. `keras.ops` only, for any backend.

A network that answers with points is asked for them directly. One that answers with maps says for each place how likely
the point lies there; `points` reads such maps out while training, and `lumbar.readout` does so for a whole picture.
"""

from __future__ import annotations

import math

from lumbar.backend import keras
from lumbar.errors import RunError
from lumbar.geometry import SIZE
from lumbar.names import BACKBONES

layers, ops = keras.layers, keras.ops

NETWORKS = {
    "baseline": "the documented network: convolution blocks, then dense layers that answer with coordinates",
    "residual": "the documented network made deeper, with ways around its convolutions",
    "heatmap": "a small U-shaped network that answers with one map a point",
    "transfer": "a backbone that may know photographs, and maps drawn from what it sees",
}

BATCH_NORM_MOMENTUM = 0.9
"""Keras' default of 0.99 needs hundreds of steps to know the statistics; a small data set has not so many."""


def build(name: str, channels: int, **options) -> keras.Model:
    """Build a network with fresh weights.

    Args:
        name: One of `NETWORKS`.
        channels: Points to answer with (K), see `lumbar.landmarks.channels`.
        options: Passed to the function of that name; see there.

    Returns:
        Functional model: float32 (batch, 256, 256, 1) from 0 to 1 → an answer that `points` understands: float32
        (batch, K, 2), unit coordinates, or (batch, 64, 64, K), maps whose softmax is the chance of each place.

    Raises:
        ValueError: For an unknown name.
    """
    if name not in NETWORKS:
        raise ValueError(f"there is no network {name!r}; there are {', '.join(NETWORKS)}")
    return {"baseline": baseline, "residual": residual, "heatmap": heatmap, "transfer": transfer}[name](
        channels, **options
    )


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
    return keras.Model(inputs, _coordinates(x, channels, dense, activation, dropout), name="baseline")


def residual(
    channels: int,
    *,
    depth: int = 5,
    width: int = 8,
    dense: int = 128,
    activation: str = "relu",
    batch_norm: bool = True,
    dropout: float = 0.3,
) -> keras.Model:
    """The documented network, deeper: four convolutions a block, and ways around them (He et al., CVPR 2016).

    A way around adds what goes into two convolutions to what comes out, so that they learn a correction only, and
    gradients reach the first layers undiminished.

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
        filters = min(2**block, 8) * width
        for strides in (2, 1):
            around = x
            if strides > 1 or x.shape[-1] != filters:
                around = _convolution(x, filters, "linear", batch_norm, size=1, strides=strides)
            y = _convolution(x, filters, activation, batch_norm, strides=strides)
            y = _convolution(y, filters, "linear", batch_norm)
            x = layers.Activation(activation)(layers.Add()([around, y]))
    return keras.Model(inputs, _coordinates(x, channels, dense, activation, dropout), name="residual")


def _coordinates(x, channels: int, dense: int, activation: str, dropout: float):
    """The documented end: a dense layer, dropout, and the points."""
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
    return layers.Reshape((channels, 2), name="points")(x)


def heatmap(
    channels: int,
    *,
    depth: int = 5,
    width: int = 16,
    activation: str = "relu",
    batch_norm: bool = True,
    dropout: float = 0.0,
) -> keras.Model:
    """A U-shaped network (Ronneberger et al., MICCAI 2015) with one 64×64 map a point.

    Args:
        channels: Points to answer with.
        depth: Scales, 64×64 being the first; each further one is half as wide.
        width: Filters of the first scale; they double from scale to scale, up to eight times as many.
        activation: Name of the activation function.
        batch_norm: Batch normalisation after each convolution.
        dropout: Share of the narrowest scale's filters switched off in training.
    """

    def convolution(x, filters, **options):
        return _convolution(x, filters, activation, batch_norm, **options)

    inputs = keras.Input((SIZE, SIZE, 1), name="picture")
    x = convolution(inputs, 2 * width, size=8, strides=4)
    passed_over = []
    for step in range(depth):
        filters = min(2**step, 8) * width
        x = convolution(convolution(layers.MaxPooling2D()(x) if step else x, filters), filters)
        passed_over.append(x)
    x = layers.SpatialDropout2D(dropout)(passed_over.pop())
    for finer in reversed(passed_over):
        x = convolution(x, finer.shape[-1], size=1)
        x = layers.Add()([layers.UpSampling2D(interpolation="bilinear")(x), finer])
        x = convolution(x, finer.shape[-1])
    return keras.Model(inputs, layers.Conv2D(channels, 1, name="maps")(x), name="heatmap")


def transfer(
    channels: int,
    *,
    depth: int = 3,
    width: int = 64,
    activation: str = "relu",
    batch_norm: bool = True,
    dropout: float = 0.0,
    backbone: str = BACKBONES[0],
    backbone_weights: str | None = None,
) -> keras.Model:
    """A backbone made for photographs, and on top of its 8×8 features convolutions that draw one map a point.

    Args:
        channels: Points to answer with.
        depth: How often the features are enlarged to twice the size: 3 for 64×64 maps.
        width: Filters of the convolutions on top.
        activation: Name of the activation function on top; the backbone keeps its own.
        batch_norm: Batch normalisation after each convolution on top.
        dropout: Share of the backbone's features switched off in training.
        backbone: One of `BACKBONES`.
        backbone_weights: "imagenet" (downloaded by Keras), a local .h5 file, or None for fresh ones.

    Raises:
        RunError: If the weights cannot be had.
    """
    eyes = _backbone(backbone, backbone_weights)
    inputs = keras.Input((SIZE, SIZE, 1), name="picture")
    # The backbones take colours from 0 to 255 and scale them themselves. What one knows includes the statistics of its
    # batch normalisation, which a few grey pictures should not overwrite.
    colours = layers.Concatenate()([layers.Rescaling(255.0)(inputs)] * 3)
    x = eyes(colours, training=False) if backbone_weights else eyes(colours)
    x = layers.SpatialDropout2D(dropout)(Gate(name="gate")(x))
    for _ in range(depth):
        x = _convolution(layers.UpSampling2D(interpolation="bilinear")(x), width, activation, batch_norm)
    return keras.Model(inputs, layers.Conv2D(channels, 1, name="maps")(x), name="transfer")


def _backbone(name: str, weights: str | None) -> keras.Model:
    try:
        eyes = getattr(keras.applications, name)(include_top=False, weights=weights, input_shape=(SIZE, SIZE, 3))
    except Exception as error:  # Keras lets through whatever the download or the file's reader raises
        raise RunError(
            "the backbone's weights cannot be had",
            field="backbone_weights",
            found=f"{weights}: {error}",
            remedy=f"give the .h5 file of {name} without top as --backbone-weights, or leave it out for fresh weights",
        ) from error
    for layer in eyes.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM  # theirs, 0.999, needs thousands of steps to know the statistics
    return eyes


@keras.saving.register_keras_serializable("lumbar")
class Gate(layers.Layer):
    """Passes its input on, but lets a gradient back only while it is open: what lies before it is frozen until then.

    Whether it is open (1) or not (0) is a weight, so a checkpoint keeps it, and opening needs no new compilation.
    """

    def build(self, input_shape):
        """One number, not trained."""
        self.opened = self.add_weight(name="opened", shape=(), initializer="ones", trainable=False)

    def call(self, x):
        """The same values."""
        return self.opened * x + (1 - self.opened) * ops.stop_gradient(x)

    def compute_output_shape(self, input_shape):
        """The input's."""
        return input_shape


def heatmaps(model: keras.Model) -> keras.Model:
    """The chances that a heatmap network gives each place.

    Args:
        model: Built by `heatmap`, trained or not.

    Returns:
        Model: (batch, 256, 256, 1) → (batch, 64, 64, K); each map is not negative and adds up to 1.
    """
    height, width, channels = model.output.shape[1:]
    chances = layers.Softmax(axis=1)(layers.Reshape((height * width, channels))(model.output))
    return keras.Model(model.input, layers.Reshape((height, width, channels))(chances))


def answering(model: keras.Model) -> keras.Model:
    """The same network for questions only, some two fifths faster with gelu; answers differ by 1e-6.

    Batch normalisation goes into the weights of the convolution before it. TensorFlow makes gelu of erfc, which takes
    its processors twice the time of erf.

    Args:
        model: Any of the networks; it stays as it is.

    Returns:
        A copy.
    """
    norms = {layer.input._keras_history.operation: layer for layer in model.layers if _follows_convolution(layer)}

    def layer_for(layer):
        if layer in norms:
            return layers.Conv2D.from_config(layer.get_config() | {"use_bias": True})
        if isinstance(layer, layers.Activation) and layer.activation is keras.activations.gelu:
            return layers.Activation(_gelu, name=layer.name)
        return layer.from_config(layer.get_config())

    def call(layer, *inputs, **options):
        return inputs[0] if layer.name in gone else layer(*inputs, **options)

    gone = {norm.name for norm in norms.values()}
    copy = keras.models.clone_model(model, clone_function=layer_for, call_function=call)
    for layer in model.layers:
        if layer.name not in gone:
            kept = layer.get_weights()
            copy.get_layer(layer.name).set_weights(_joined(kept, norms[layer]) if layer in norms else kept)
    return copy


def _follows_convolution(layer) -> bool:
    return isinstance(layer, layers.BatchNormalization) and isinstance(
        layer.input._keras_history.operation, layers.Conv2D
    )


def _joined(convolution: list, norm) -> list:
    """Weights of one convolution that does what a convolution and the batch normalisation after it did."""
    gamma, beta, mean, variance = norm.get_weights()
    times = gamma / (variance + norm.epsilon) ** 0.5
    kernel, *bias = convolution
    return [kernel * times, beta + (sum(bias) - mean) * times]


def _gelu(x):
    return x * (0.5 + 0.5 * ops.erf(x * math.sqrt(0.5)))


def points(answer, reach: int | None = None):
    """The points that a network's answer means.

    Args:
        answer: Of one of the networks: (batch, K, 2) unit coordinates or (batch, height, width, K) maps.
        reach: As of `SoftArgmax`.

    Returns:
        (batch, K, 2), unit coordinates.
    """
    return answer if len(answer.shape) == 3 else SoftArgmax(reach)(answer)


@keras.saving.register_keras_serializable("lumbar")
class SoftArgmax(layers.Layer):
    """From maps to points: the centre of mass of each map's softmax, in unit coordinates.

    A map's pixel (i, j) of a height×width grid has its centre at ((j + 0.5) / width, (i + 0.5) / height). Unlike the
    place of the maximum it moves smoothly with the map, so it can be trained through and is finer than the grid
    (Luvizon et al., Computers & Graphics 2019; Nibali et al. 2018).

    Input (batch, height, width, K), any real numbers; output (batch, K, 2).

    Args:
        reach: Only what lies at most so many of the map's pixels from its peak counts, so that a map with two peaks
            is not read out between them; None for all of the map.
    """

    def __init__(self, reach: int | None = None, **options):
        super().__init__(**options)
        self.reach = reach

    def call(self, maps):
        """Centres of mass of `maps`."""
        height, width, channels = maps.shape[1:]
        flat = ops.reshape(maps, (-1, height * width, channels))
        x = ops.tile((ops.arange(width, dtype="float32") + 0.5) / width, [height])
        y = ops.repeat((ops.arange(height, dtype="float32") + 0.5) / height, width)
        if self.reach is not None:
            peak = ops.argmax(flat, axis=1)[:, None]
            far = ops.maximum(
                ops.abs(x[:, None] - ops.take(x, peak)) * width, ops.abs(y[:, None] - ops.take(y, peak)) * height
            )
            flat = ops.where(far < self.reach + 0.5, flat, -1e9)
        return ops.einsum("bpc,pd->bcd", ops.softmax(flat, axis=1), ops.stack([x, y], axis=-1))

    def compute_output_shape(self, input_shape):
        """(batch, K, 2)."""
        return (input_shape[0], input_shape[3], 2)

    def get_config(self):
        """What the layer is built from again."""
        return super().get_config() | {"reach": self.reach}


@keras.saving.register_keras_serializable("lumbar")
class BatchNormalization(layers.BatchNormalization):
    """Keras' own, but TensorFlow does it in one operation: a training of `heatmap` is a quarter faster.

    Other backends and number types take Keras' way. Both give the same, but for rounding.
    """

    def call(self, inputs, training=None, mask=None):
        """Pictures (batch, height, width, filters), normalised."""
        if keras.backend.backend() != "tensorflow" or self.compute_dtype != "float32":
            return super().call(inputs, training=training, mask=mask)
        from tensorflow import raw_ops

        given = {"x": inputs, "scale": self.gamma.value, "offset": self.beta.value, "epsilon": self.epsilon}
        if not (training and self.trainable):
            known = {"mean": self.moving_mean.value, "variance": self.moving_variance.value}
            return raw_ops.FusedBatchNormV3(**given, **known, is_training=False).y
        done = raw_ops.FusedBatchNormV3(**given, mean=[], variance=[], is_training=True)
        count = ops.cast(ops.size(inputs) // inputs.shape[-1], "float32")
        found = (done.batch_mean, done.batch_variance * (count - 1) / count)  # undoes Bessel's correction, as Keras
        for kept, now in zip((self.moving_mean, self.moving_variance), found, strict=True):
            kept.assign(self.momentum * kept + (1 - self.momentum) * now)
        return done.y


def _convolution(x, filters: int, activation: str, batch_norm: bool, *, size: int = 3, strides: int = 1):
    """Convolution, batch normalisation if wanted (its shift then replaces the bias), activation."""
    x = layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=not batch_norm)(x)
    if batch_norm:
        x = BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x)
    return layers.Activation(activation)(x)
