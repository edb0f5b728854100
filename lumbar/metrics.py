"""Metrics shown while training; missing landmarks (NaN) count for nothing. `lumbar.evaluation` measures in full."""

from __future__ import annotations

from lumbar.backend import keras
from lumbar.geometry import SIZE
from lumbar.losses import masked_difference

ops = keras.ops


class _PixelMean(keras.metrics.Metric):
    def __init__(self, name, **kwargs):
        super().__init__(name=name, **kwargs)
        self.total = self.add_variable((), initializer="zeros", name="total")
        self.count = self.add_variable((), initializer="zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        present, difference = masked_difference(ops.cast(y_true, y_pred.dtype), y_pred)
        total, count = self.measure(difference * SIZE, present)
        self.total.assign_add(total)
        self.count.assign_add(count)

    def result(self):
        return self.total / ops.maximum(self.count, 1)


@keras.saving.register_keras_serializable("lumbar")
class MeanAbsoluteErrorPixels(_PixelMean):
    """Mean absolute error per axis, pixels of the 256 frame."""

    def __init__(self, name="mae_px", **kwargs):
        super().__init__(name=name, **kwargs)

    def measure(self, difference, present):
        """Sum over what is present, and how much is."""
        return ops.sum(ops.abs(difference)), ops.sum(present)


@keras.saving.register_keras_serializable("lumbar")
class MeanRadialErrorPixels(_PixelMean):
    """Mean distance between true and predicted point, pixels of the 256 frame."""

    def __init__(self, name="radial_px", **kwargs):
        super().__init__(name=name, **kwargs)

    def measure(self, difference, present):
        """Sum over what is present, and how much is."""
        return ops.sum(ops.sqrt(ops.sum(ops.square(difference), axis=-1))), ops.sum(present[..., 0])
