"""Losses in which a missing landmark (NaN) counts for nothing."""

from __future__ import annotations

from lumbar.backend import keras
from lumbar.models import points

ops = keras.ops


def masked_difference(y_true, y_pred):
    """What is present, and how far the predictions are off there.

    Chosen twice with `where`, not multiplied by zero: NaN times zero is NaN, in the gradient too. Where a landmark is
    missing the difference is a constant, so that no gradient flows on any backend (in JAX, |x| has the slope 1 at 0).

    Args:
        y_true: (batch, points, 2) unit coordinates, NaN where missing.
        y_pred: (batch, points, 2) unit coordinates.

    Returns:
        (batch, points, 2) of 0 and 1, and true - predicted of the same shape, 0 where missing.
    """
    missing = ops.isnan(y_true)
    difference = ops.where(missing, 0.0, y_true) - y_pred
    return ops.cast(ops.logical_not(missing), y_pred.dtype), ops.where(missing, 0.0, difference)


class _Masked(keras.losses.Loss):
    """Mean of an elementwise error over the coordinates that are present."""

    def __init__(self, name=None, reduction="sum", **kwargs):
        # Each call returns one number already: the mean over present coordinates of the whole batch.
        super().__init__(name=name or type(self).__name__.lower(), reduction="sum", **kwargs)

    def call(self, y_true, y_pred):
        present, difference = masked_difference(y_true, points(y_pred))
        return ops.sum(self.error(difference)) / ops.maximum(ops.sum(present), 1)


@keras.saving.register_keras_serializable("lumbar")
class MaskedMSE(_Masked):
    """Mean squared error, the documented loss; unit coordinates squared."""

    def error(self, difference):
        """Of each coordinate."""
        return ops.square(difference)


@keras.saving.register_keras_serializable("lumbar")
class MaskedL1(_Masked):
    """Mean absolute error; unit coordinates. Less impressed by single large errors than MSE."""

    def error(self, difference):
        """Of each coordinate."""
        return ops.abs(difference)


@keras.saving.register_keras_serializable("lumbar")
class MapCrossEntropy(keras.losses.Loss):
    """How far the maps' chances are from a small spot at the true point: cross-entropy, 0 at best.

    A network that errs between two discs learns to say so, with two peaks; one asked for coordinates would answer with
    the place between them. The spot is a Gaussian, as in heatmap regression (Tompson et al., NeurIPS 2014).

    Args:
        spot: Standard deviation of the spot, pixels of the map. The smaller it is, the more a misplaced map costs; but
            below 0.4 or so a spot on the grid of pixels has no longer the middle of the Gaussian.
    """

    def __init__(self, spot: float = 0.45, name="map_cross_entropy", reduction="sum", **kwargs):
        super().__init__(name=name, reduction="sum", **kwargs)
        self.spot = spot

    def call(self, y_true, y_pred):
        """Mean over the points that are present; `y_true` (batch, K, 2) unit coordinates, `y_pred` the maps."""
        height, width, channels = y_pred.shape[1:]
        missing = ops.any(ops.isnan(y_true), axis=-1)
        place = ops.where(ops.isnan(y_true), 0.5, y_true)
        chances = ops.log_softmax(ops.reshape(y_pred, (-1, height * width, channels)), axis=1)
        chances = ops.reshape(chances, (-1, height, width, channels))
        columns, rows = self._spot(place[..., 0], width), self._spot(place[..., 1], height)
        across = ops.einsum("bkx,byxk->byk", columns, chances)
        # A perfect map would leave the spot's own entropy.
        each = -ops.einsum("bky,byk->bk", rows, across) - _entropy(columns) - _entropy(rows)
        present = ops.cast(ops.logical_not(missing), each.dtype)
        return ops.sum(each * present) / ops.maximum(ops.sum(present), 1)

    def _spot(self, place, size: int):
        grid = (ops.arange(size, dtype="float32") + 0.5) / size
        near = ops.exp(-0.5 * ops.square((grid - place[..., None]) * (size / self.spot)))
        return near / ops.sum(near, axis=-1, keepdims=True)

    def get_config(self):
        """What the loss is built from again."""
        return super().get_config() | {"spot": self.spot}


def _entropy(chances):
    """Of each row of chances that add up to 1, in nats."""
    return -ops.sum(chances * ops.log(ops.maximum(chances, 1e-30)), axis=-1)


LOSSES = {"mse": MaskedMSE, "l1": MaskedL1, "crossentropy": MapCrossEntropy}
