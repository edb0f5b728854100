"""The losses, and the metric shown during training.

A landmark that is not known (NaN) counts for nothing in any of them. One that is known to lie outside the image, where
augmentation moves some, counts only for `MapCrossEntropy` with `absent`.
"""

from __future__ import annotations

from lumbar.core.backend import keras
from lumbar.decoding import peaks
from lumbar.geometry import SIZE
from lumbar.layers import log_total, to_points

ops = keras.ops


def masked_difference(y_true, y_pred):
    """Return which coordinates lie in the image, and how far the predictions are off there.

    `where` is applied twice, before and after the difference, instead of multiplying by zero: NaN times zero is NaN, in
    the gradient too. Where a landmark is missing the difference is a constant, so no gradient flows on any backend (in
    JAX, |x| has the slope 1 at 0).

    Args:
        y_true: (batch, points, 2) unit coordinates, NaN where not known.
        y_pred: (batch, points, 2) unit coordinates.

    Returns:
        (batch, points, 2) of 0 and 1, and true - predicted of the same shape, 0 where missing.
    """
    missing = ops.logical_not(in_image(y_true))[..., None]
    difference = ops.where(missing, 0.0, y_true) - y_pred
    present = ops.broadcast_to(ops.logical_not(missing), ops.shape(difference))
    return ops.cast(present, y_pred.dtype), ops.where(missing, 0.0, difference)


def in_image(points):
    """Return which points lie in the image: boolean (batch, K) of unit coordinates (batch, K, 2); NaN does not."""
    return ops.all(ops.logical_and(points >= 0, points <= 1), axis=-1)


class _Masked(keras.losses.Loss):
    """Mean of an elementwise error over the coordinates that are present."""

    def __init__(self, name=None, reduction="sum", **kwargs):
        # A call returns a single number already: the mean over the coordinates that are present in the batch.
        super().__init__(name=name or type(self).__name__.lower(), reduction="sum", **kwargs)

    def call(self, y_true, y_pred):
        present, difference = masked_difference(y_true, to_points(y_pred))
        return ops.sum(self.error(difference)) / ops.maximum(ops.sum(present), 1)


@keras.saving.register_keras_serializable("lumbar")
class MaskedMSE(_Masked):
    """Mean squared error, the documented loss; unit coordinates squared."""

    def error(self, difference):
        """Return the squared error of each coordinate."""
        return ops.square(difference)


@keras.saving.register_keras_serializable("lumbar")
class MaskedL1(_Masked):
    """Mean absolute error; unit coordinates. Single large errors weigh less than in MSE."""

    def error(self, difference):
        """Return the absolute error of each coordinate."""
        return ops.abs(difference)


@keras.saving.register_keras_serializable("lumbar")
class MapCrossEntropy(keras.losses.Loss):
    """Cross-entropy between a heatmap's probabilities and a small Gaussian at the true point; 0 at best.

    A network that hesitates between two discs learns to say so, with two peaks; one that answers with coordinates would
    give the point between them. The Gaussian target is that of heatmap regression (Tompson et al., NeurIPS 2014).

    Args:
        sigma: Standard deviation of the Gaussian, pixels of the heatmap. The smaller it is, the more a misplaced peak
            costs; below 0.4 or so the Gaussian sampled on the pixels no longer has its centre at the true point.
        absent: Whether the network ends in `lumbar.layers.AgainstAbsent`: then it also learns which points lie outside
            the image, with the cross-entropy of their being absent.
    """

    def __init__(self, sigma: float = 0.45, absent: bool = False, name="map_cross_entropy", reduction="sum", **kwargs):
        super().__init__(name=name, reduction="sum", **kwargs)
        self.sigma, self.absent = sigma, absent

    def call(self, y_true, y_pred):
        """Return the mean over the points that are known, or without `absent` over those in the image.

        Args:
            y_true: (batch, K, 2) unit coordinates, NaN where not known.
            y_pred: (batch, height, width, K) heatmaps before the softmax.
        """
        height, width, channels = y_pred.shape[1:]
        present = in_image(y_true)
        target = ops.where(present[..., None], y_true, 0.5)
        if self.absent:
            total = log_total(y_pred)
            log_probability = y_pred - total
        else:
            log_probability = ops.log_softmax(ops.reshape(y_pred, (-1, height * width, channels)), axis=1)
            log_probability = ops.reshape(log_probability, (-1, height, width, channels))
        # The Gaussian is a product of one over the columns and one over the rows.
        columns, rows = self._gaussian(target[..., 0], width), self._gaussian(target[..., 1], height)
        across = ops.einsum("bkx,byxk->byk", columns, log_probability)
        # A perfect heatmap would leave the entropy of the Gaussian itself.
        each = -ops.einsum("bky,byk->bk", rows, across) - _entropy(columns) - _entropy(rows)
        known = present
        if self.absent:
            known = ops.logical_not(ops.any(ops.isnan(y_true), axis=-1))
            each = ops.where(present, each, total[:, 0, 0])
        known = ops.cast(known, each.dtype)
        return ops.sum(each * known) / ops.maximum(ops.sum(known), 1)

    def _gaussian(self, centre, size: int):
        grid = (ops.arange(size, dtype="float32") + 0.5) / size
        density = ops.exp(-0.5 * ops.square((grid - centre[..., None]) * (size / self.sigma)))
        return density / ops.sum(density, axis=-1, keepdims=True)

    def get_config(self):
        """Return the arguments from which the loss is built again."""
        return super().get_config() | {"sigma": self.sigma, "absent": self.absent}

    @classmethod
    def from_config(cls, config):
        """Build the loss from its arguments; files of the first release call sigma `spot`."""
        return cls(**{{"spot": "sigma"}.get(name, name): value for name, value in config.items()})


def _entropy(probability):
    """Return the entropy of each row of probabilities, in nats."""
    return -ops.sum(probability * ops.log(ops.maximum(probability, 1e-30)), axis=-1)


@keras.saving.register_keras_serializable("lumbar")
class MeanAbsoluteErrorPixels(keras.metrics.Metric):
    """Mean absolute error per axis, pixels of the 256 frame: the metric shown during training.

    `lumbar.evaluation` measures a trained network in full.
    """

    def __init__(self, name="mae_px", **kwargs):
        super().__init__(name=name, **kwargs)
        self.total = self.add_variable((), initializer="zeros", name="total")
        self.count = self.add_variable((), initializer="zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch: true points (batch, K, 2) in unit coordinates, and a network's answer.

        `lumbar.layers.to_points` says which answers are understood.
        """
        predicted = to_points(y_pred, reach=peaks.REACH)
        present, difference = masked_difference(ops.cast(y_true, predicted.dtype), predicted)
        self.total.assign_add(ops.sum(ops.abs(difference)) * SIZE)
        self.count.assign_add(ops.sum(present))

    def result(self):
        """Return the mean over all batches."""
        return self.total / ops.maximum(self.count, 1)


LOSSES = {"mse": MaskedMSE, "l1": MaskedL1, "crossentropy": MapCrossEntropy}
