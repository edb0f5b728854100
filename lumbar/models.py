"""The four networks: a 256×256 image in; K points, or one heatmap a point, out. `keras.ops` only, for any backend.

`baseline` and `residual` answer with coordinates. `heatmap` and `transfer` answer with heatmaps, which give for each
pixel how likely the point lies there; `lumbar.layers.SoftArgmax` turns them into points during training, and
`lumbar.decoding` decodes all the heatmaps of an image together.
"""

from __future__ import annotations

from collections.abc import Sequence

from lumbar.backbones.efficientnet_lite import efficientnet_lite0
from lumbar.core.backend import keras
from lumbar.core.constants import BACKBONES
from lumbar.core.errors import LumbarError, RunError
from lumbar.geometry import SIZE
from lumbar.layers import AgainstAbsent, BatchNormalization, Gate, log_total

layers = keras.layers

NETWORKS = {
    "baseline": "the documented network: convolution blocks, then dense layers that answer with coordinates",
    "residual": "the documented network made deeper, with skip connections",
    "heatmap": "a small U-Net that answers with one heatmap a point",
    "transfer": "a backbone that may be pretrained on photographs, and heatmaps computed from its features",
}

BATCH_NORM_MOMENTUM = 0.9
"""Keras's default of 0.99 needs hundreds of steps to learn the statistics; a small data set has fewer."""


def build(name: str, channels: int, **options) -> keras.Model:
    """Build a network with fresh weights.

    Args:
        name: One of `NETWORKS`.
        channels: Number of points (K), see `lumbar.landmarks.channels`.
        options: Passed to the function of that name; see there.

    Returns:
        Functional model: float32 (batch, 256, 256, 1) from 0 to 1 → an answer that `lumbar.layers.to_points`
        understands: float32 (batch, K, 2), unit coordinates, or (batch, 64, 64, K), heatmaps whose softmax is the
        probability of each pixel.

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
        channels: Number of points.
        depth: Blocks; each halves the image.
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
    """The documented network, deeper: four convolutions a block, with residual connections (He et al., CVPR 2016).

    A residual (skip) connection adds the input of two convolutions to their output: they only learn a correction, and
    gradients reach the first layers undiminished.

    Args:
        channels: Number of points.
        depth: Blocks; each halves the image.
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
            shortcut = x
            if strides > 1 or x.shape[-1] != filters:
                shortcut = _convolution(x, filters, "linear", batch_norm, size=1, strides=strides)
            y = _convolution(x, filters, activation, batch_norm, strides=strides)
            y = _convolution(y, filters, "linear", batch_norm)
            x = layers.Activation(activation)(layers.Add()([shortcut, y]))
    return keras.Model(inputs, _coordinates(x, channels, dense, activation, dropout), name="residual")


def _coordinates(x, channels: int, dense: int, activation: str, dropout: float):
    """Add the documented end: a dense layer, dropout, and the points."""
    x = layers.Flatten()(x)
    x = layers.Dense(dense, activation=activation)(x)
    x = layers.Dropout(dropout)(x)
    # An untrained network answers near the middle of the image. If it started far off, the first steps would shrink the
    # dense layer until most of its units are dead.
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
    absent: Sequence[str] | None = None,
) -> keras.Model:
    """A U-Net (Ronneberger et al., MICCAI 2015) with one 64×64 heatmap a point.

    Args:
        channels: Number of points.
        depth: Scales, 64×64 being the first; each further one is half as wide.
        width: Filters of the first scale; they double from scale to scale, up to eight times as many.
        activation: Name of the activation function.
        batch_norm: Batch normalisation after each convolution.
        dropout: Share of the narrowest scale's filters switched off in training.
        absent: Names of the points, for a network that can answer that a point is not in the image, see
            `lumbar.layers.AgainstAbsent`; None for one that cannot.
    """

    def convolution(x, filters, **options):
        return _convolution(x, filters, activation, batch_norm, **options)

    inputs = keras.Input((SIZE, SIZE, 1), name="picture")
    x = convolution(inputs, 2 * width, size=8, strides=4)
    skipped = []
    for step in range(depth):
        filters = min(2**step, 8) * width
        x = convolution(convolution(layers.MaxPooling2D()(x) if step else x, filters), filters)
        skipped.append(x)
    x = layers.SpatialDropout2D(dropout)(skipped.pop())
    for finer in reversed(skipped):
        x = convolution(x, finer.shape[-1], size=1)
        x = layers.Add()([layers.UpSampling2D(interpolation="bilinear")(x), finer])
        x = convolution(x, finer.shape[-1])
    return keras.Model(inputs, _maps(x, channels, absent), name="heatmap")


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
    absent: Sequence[str] | None = None,
) -> keras.Model:
    """A backbone made for photographs, and on its 8×8 features convolutions that compute one heatmap a point.

    Args:
        channels: Number of points.
        depth: How often the features are doubled in size: 3 for 64×64 heatmaps.
        width: Filters of the convolutions on top.
        activation: Name of the activation function on top; the backbone keeps its own.
        batch_norm: Batch normalisation after each convolution on top.
        dropout: Share of the backbone's features switched off in training.
        backbone: One of `BACKBONES`.
        backbone_weights: "imagenet" (downloaded by Keras; for EfficientNetLite0 those of an installed package), a local
            .h5 file, or None for fresh ones.
        absent: As for `heatmap`.

    Raises:
        RunError: If the weights cannot be downloaded or read, or are in a package that is not installed.
    """
    features = _backbone(backbone, backbone_weights)
    inputs = keras.Input((SIZE, SIZE, 1), name="picture")
    # The backbones take colours from 0 to 255 and scale them themselves. A pretrained one keeps the statistics of its
    # batch normalisation, which a few grey images should not overwrite.
    colours = layers.Concatenate()([layers.Rescaling(255.0)(inputs)] * 3)
    x = features(colours, training=False) if backbone_weights else features(colours)
    x = layers.SpatialDropout2D(dropout)(Gate(name="gate")(x))
    for _ in range(depth):
        x = _convolution(layers.UpSampling2D(interpolation="bilinear")(x), width, activation, batch_norm)
    return keras.Model(inputs, _maps(x, channels, absent), name="transfer")


def _maps(x, channels: int, absent: Sequence[str] | None):
    """Add the end of a network that answers with heatmaps; their scores are relative to "absent" if points may be."""
    maps = layers.Conv2D(channels, 1, name="maps")(x)
    return maps if absent is None else AgainstAbsent(absent, name="against_absent")(maps)


def _backbone(name: str, weights: str | None) -> keras.Model:
    try:
        if name == "EfficientNetLite0":
            backbone = efficientnet_lite0(weights, (SIZE, SIZE, 3))
        else:
            built = getattr(keras.applications, name)
            backbone = built(include_top=False, weights=weights, input_shape=(SIZE, SIZE, 3))
    except LumbarError:
        raise
    except Exception as error:  # Keras passes on whatever the download or the file's reader raises
        raise RunError(
            "the backbone's weights cannot be downloaded or read",
            field="backbone_weights",
            found=f"{weights}: {error}",
            remedy=f"give the .h5 file of {name} without top as --backbone-weights, or leave it out for fresh weights",
        ) from error
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM  # its own, 0.999, needs thousands of steps to learn the statistics
    return backbone


def knows_absent(model: keras.Model) -> bool:
    """Whether a network can answer that a point is not in the image."""
    return isinstance(model.layers[-1], AgainstAbsent)


def point_names(model: keras.Model) -> tuple[str, ...]:
    """Return the names of a network's points, if it keeps them; otherwise none."""
    return model.layers[-1].names if knows_absent(model) else ()


def heatmaps(model: keras.Model) -> keras.Model:
    """Return a network's heatmaps as probabilities.

    Args:
        model: Built by `heatmap` or `transfer`, trained or not.

    Returns:
        Model: (batch, 256, 256, 1) → (batch, 64, 64, K); each map is not negative and adds up to 1, or to the
        probability that the point is in the image if the network can answer that it is absent.
    """
    if knows_absent(model):
        return keras.Model(model.input, keras.ops.exp(model.output - log_total(model.output)))
    height, width, channels = model.output.shape[1:]
    probabilities = layers.Softmax(axis=1)(layers.Reshape((height * width, channels))(model.output))
    return keras.Model(model.input, layers.Reshape((height, width, channels))(probabilities))


def _convolution(x, filters: int, activation: str, batch_norm: bool, *, size: int = 3, strides: int = 1):
    """Add a convolution, batch normalisation if wanted (its shift then replaces the bias), and the activation."""
    x = layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=not batch_norm)(x)
    if batch_norm:
        x = BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x)
    return layers.Activation(activation)(x)
