"""Losses on unit coordinates in which a missing landmark (NaN) counts for nothing."""

from __future__ import annotations

from lumbar.backend import keras

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
        present, difference = masked_difference(y_true, y_pred)
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


LOSSES = {"mse": MaskedMSE, "l1": MaskedL1}
