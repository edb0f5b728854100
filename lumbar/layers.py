"""Layers of our own: soft-argmax, absent points, a gate for gradients, batch normalisation in one operation.

They run on any Keras backend.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from lumbar.core.backend import keras

ops = keras.ops


@keras.saving.register_keras_serializable("lumbar")
class SoftArgmax(keras.layers.Layer):
    """From heatmaps to points: the centre of mass of each map's softmax, in unit coordinates.

    Pixel (i, j) of a height×width map has its centre at ((j + 0.5) / width, (i + 0.5) / height). Unlike the position of
    the maximum, the centre of mass moves smoothly with the map, so gradients flow through it and it is finer than the
    grid (Luvizon et al., Computers & Graphics 2019; Nibali et al. 2018).

    Input (batch, height, width, K), any real numbers; output (batch, K, 2).

    Args:
        reach: Only pixels at most this far from the peak count, so that a map with two peaks does not give a point
            between them; None for the whole map.
    """

    def __init__(self, reach: int | None = None, **options):
        super().__init__(**options)
        self.reach = reach

    def call(self, maps):
        """Return the centres of mass of `maps`."""
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
        """Return (batch, K, 2)."""
        return (input_shape[0], input_shape[3], 2)

    def get_config(self):
        """Return the arguments from which the layer is built again."""
        return super().get_config() | {"reach": self.reach}


@keras.saving.register_keras_serializable("lumbar")
class AgainstAbsent(keras.layers.Layer):
    """Scores of heatmaps relative to the score of one more place: "not in this image", which then has the score 0.

    The pixels of a map compete with that place, so that their probabilities add up to less than 1 (see
    `log_total`), and the rest is the probability that the point is absent. The softmax of a map is still the
    probability of each pixel given that the point is in the image.

    Input and output (batch, height, width, K).

    Args:
        names: Names of the K points, kept with the network; some networks of one view have more points than others.
    """

    def __init__(self, names: Sequence[str] = (), **options):
        super().__init__(**options)
        self.names = tuple(names)

    def build(self, input_shape):
        """Create the score of "not in this image" for each of the K points; at first it is as likely as not."""
        even = keras.initializers.Constant(math.log(input_shape[1] * input_shape[2]))
        self.absent = self.add_weight(name="absent", shape=(input_shape[3],), initializer=even)

    def call(self, maps):
        """Return the scores of `maps` relative to that of being absent."""
        return maps - self.absent

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape

    def get_config(self):
        """Return the arguments from which the layer is built again."""
        return super().get_config() | {"names": self.names}


def log_total(maps):
    """Return the logarithm by which scores relative to "absent" are normalised; minus it, the one of being absent.

    Args:
        maps: (batch, height, width, K), from `AgainstAbsent`.

    Returns:
        (batch, 1, 1, K): log(1 + sum of exp(score)).
    """
    return ops.softplus(ops.logsumexp(maps, axis=(1, 2), keepdims=True))


def to_points(answer, reach: int | None = None):
    """Turn a network's answer into points.

    Args:
        answer: Answer of one of the networks: (batch, K, 2) unit coordinates, or (batch, height, width, K) heatmaps.
        reach: See `SoftArgmax`.

    Returns:
        (batch, K, 2), unit coordinates.
    """
    return answer if len(answer.shape) == 3 else SoftArgmax(reach)(answer)


@keras.saving.register_keras_serializable("lumbar")
class Gate(keras.layers.Layer):
    """Passes its input on, but lets gradients back only while it is open: the layers before it are frozen until then.

    The state, open (1) or closed (0), is a weight: a checkpoint keeps it, and opening needs no new compilation.
    """

    def build(self, input_shape):
        """Create the state, one number that is not trained."""
        self.opened = self.add_weight(name="opened", shape=(), initializer="ones", trainable=False)

    def call(self, x):
        """Return the input unchanged."""
        return self.opened * x + (1 - self.opened) * ops.stop_gradient(x)

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape


@keras.saving.register_keras_serializable("lumbar")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's batch normalisation, computed by TensorFlow in one operation: `heatmap` trains a quarter faster.

    Other backends and number types use Keras's own computation. Both give the same, but for rounding.
    """

    def call(self, inputs, training=None, mask=None):
        """Normalise images (batch, height, width, filters)."""
        if keras.backend.backend() != "tensorflow" or self.compute_dtype != "float32":
            return super().call(inputs, training=training, mask=mask)
        from tensorflow import raw_ops

        given = {"x": inputs, "scale": self.gamma.value, "offset": self.beta.value, "epsilon": self.epsilon}
        if not (training and self.trainable):
            known = {"mean": self.moving_mean.value, "variance": self.moving_variance.value}
            return raw_ops.FusedBatchNormV3(**given, **known, is_training=False).y
        done = raw_ops.FusedBatchNormV3(**given, mean=[], variance=[], is_training=True)
        count = ops.cast(ops.size(inputs) // inputs.shape[-1], "float32")
        # Keras's moving variance is the biased one; the operation returns the unbiased (Bessel's correction).
        found = (done.batch_mean, done.batch_variance * (count - 1) / count)
        for kept, now in zip((self.moving_mean, self.moving_variance), found, strict=True):
            kept.assign(self.momentum * kept + (1 - self.momentum) * now)
        return done.y
