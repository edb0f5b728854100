"""A missing landmark counts for nothing: not in the loss, not in its gradient, not in the metrics."""

import numpy as np
import pytest

from lumbar import losses, metrics
from lumbar.backend import keras

TRUE = np.array([[[0.5, 0.5], [0.25, 0.75]], [[0.1, 0.2], [np.nan, np.nan]]], "float32")
PREDICTED = np.array([[[0.5, 0.6], [0.25, 0.75]], [[0.3, 0.2], [0.9, 0.9]]], "float32")


@pytest.mark.parametrize(("loss", "expected"), [("mse", (0.1**2 + 0.2**2) / 6), ("l1", (0.1 + 0.2) / 6)])
def test_the_mean_is_over_present_coordinates(loss, expected):
    value = losses.LOSSES[loss]()(TRUE, PREDICTED)
    assert float(value) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", losses.LOSSES)
def test_nothing_present_is_zero(loss):
    assert float(losses.LOSSES[loss]()(np.full_like(TRUE, np.nan), PREDICTED)) == 0


@pytest.mark.parametrize("loss", losses.LOSSES)
@pytest.mark.parametrize("targets", [TRUE, np.full_like(TRUE, np.nan)])
def test_a_step_on_missing_points_leaves_finite_weights(loss, targets):
    model = keras.Sequential([keras.Input((2, 2)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.1), loss=losses.LOSSES[loss]())
    before = [weights.copy() for weights in model.get_weights()]
    model.train_on_batch(PREDICTED, targets)
    assert all(np.isfinite(weights).all() for weights in model.get_weights())
    moved = any(not np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))
    assert moved == bool(np.isfinite(targets).any())


def test_the_metric_is_in_pixels_and_pools_batches_of_any_size():
    mae = metrics.MeanAbsoluteErrorPixels()
    for rows in (slice(0, 1), slice(1, 2)):
        mae.update_state(TRUE[rows], PREDICTED[rows])
    assert float(mae.result()) == pytest.approx(256 * 0.3 / 6, rel=1e-5)
