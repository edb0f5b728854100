"""The metric shown while training; missing landmarks (NaN) count for nothing. `lumbar.evaluation` measures in full."""

from __future__ import annotations

from lumbar.backend import keras
from lumbar.geometry import SIZE
from lumbar.losses import masked_difference
from lumbar.models import points
from lumbar.readout import PEAK_REACH

ops = keras.ops


@keras.saving.register_keras_serializable("lumbar")
class MeanAbsoluteErrorPixels(keras.metrics.Metric):
    """Mean absolute error per axis, pixels of the 256 frame."""

    def __init__(self, name="mae_px", **kwargs):
        super().__init__(name=name, **kwargs)
        self.total = self.add_variable((), initializer="zeros", name="total")
        self.count = self.add_variable((), initializer="zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch: true points (batch, K, 2) in unit coordinates, and a network's answer (see `models.points`)."""
        predicted = points(y_pred, reach=PEAK_REACH)
        present, difference = masked_difference(ops.cast(y_true, predicted.dtype), predicted)
        self.total.assign_add(ops.sum(ops.abs(difference)) * SIZE)
        self.count.assign_add(ops.sum(present))

    def result(self):
        """The mean over all that was added."""
        return self.total / ops.maximum(self.count, 1)
