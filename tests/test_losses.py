"""A landmark that is not known counts for nothing: not in the loss, not in its gradient, not in the metrics."""

import numpy as np
import pytest

from lumbar import losses
from lumbar.core.backend import keras
from lumbar.layers import AgainstAbsent, log_total

TRUE = np.array([[[0.5, 0.5], [0.25, 0.75]], [[0.1, 0.2], [np.nan, np.nan]]], "float32")
PREDICTED = np.array([[[0.5, 0.6], [0.25, 0.75]], [[0.3, 0.2], [0.9, 0.9]]], "float32")


@pytest.mark.parametrize(("loss", "expected"), [("mse", (0.1**2 + 0.2**2) / 6), ("l1", (0.1 + 0.2) / 6)])
def test_the_mean_is_over_present_coordinates(loss, expected):
    value = losses.LOSSES[loss]()(TRUE, PREDICTED)
    assert float(value) == pytest.approx(expected, rel=1e-5)


OF_POINTS = ("mse", "l1")


@pytest.mark.parametrize("loss", OF_POINTS)
def test_nothing_present_is_zero(loss):
    assert float(losses.LOSSES[loss]()(np.full_like(TRUE, np.nan), PREDICTED)) == 0


@pytest.mark.parametrize("loss", OF_POINTS)
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
    mae = losses.MeanAbsoluteErrorPixels()
    for rows in (slice(0, 1), slice(1, 2)):
        mae.update_state(TRUE[rows], PREDICTED[rows])
    assert float(mae.result()) == pytest.approx(256 * 0.3 / 6, rel=1e-5)


SPREAD = losses.MapCrossEntropy().sigma


def spot(x, y, spread=SPREAD):
    """A map whose softmax is a Gaussian at (x, y), unit coordinates; (16, 16)."""
    grid = (np.arange(16) + 0.5) / 16
    return -0.5 * (((grid - x) ** 2 + (grid[:, None] - y) ** 2) * (16 / spread) ** 2)


def test_cross_entropy_is_least_for_the_spot_itself():
    loss = losses.MapCrossEntropy()
    true = np.array([[[0.5, 0.4]]], "float32")

    def value(x, y, spread=SPREAD):
        return float(loss(true, spot(x, y, spread)[None, ..., None].astype("float32")))

    assert value(0.5, 0.4) == pytest.approx(0, abs=1e-4)
    elsewhere, wider_or_narrower = ((0.53, 0.4), (0.5, 0.37)), (1.5 * SPREAD, 0.7 * SPREAD)
    worse = [value(*place) for place in elsewhere] + [value(0.5, 0.4, spread) for spread in wider_or_narrower]
    assert value(0.5, 0.4) < min(worse)


def test_cross_entropy_of_a_map_torn_between_two_places_is_less_than_of_one_in_between():
    loss, true = losses.MapCrossEntropy(), np.array([[[0.25, 0.5]]], "float32")
    torn = np.logaddexp(spot(0.25, 0.5), spot(0.75, 0.5))
    between = spot(0.5, 0.5)
    torn, between = (float(loss(true, each[None, ..., None].astype("float32"))) for each in (torn, between))
    assert torn < 0.2 * between


def test_a_missing_point_counts_for_nothing_in_the_cross_entropy_and_its_gradient():
    true = np.array([[[0.5, 0.4], [np.nan, np.nan]]], "float32")
    maps = np.stack([spot(0.3, 0.3), spot(0.1, 0.9)], axis=-1)[None].astype("float32")
    loss = losses.MapCrossEntropy()
    assert float(loss(true, maps)) == pytest.approx(float(loss(true[:, :1], maps[..., :1])), rel=1e-5)
    model = keras.Sequential([keras.Input((16, 16, 2)), keras.layers.Conv2D(2, 1)])
    model.compile(keras.optimizers.SGD(0.1), loss=loss)
    kernel = model.get_weights()[0].copy()
    model.train_on_batch(maps, true)
    after = model.get_weights()[0]
    assert np.isfinite(after).all()
    assert not np.array_equal(kernel[..., 0], after[..., 0])
    np.testing.assert_array_equal(kernel[..., 1], after[..., 1])


OUTSIDE = np.array([[[0.5, 1.02], [0.5, 0.4]], [[-0.3, 0.5], [np.nan, np.nan]]], "float32")


@pytest.mark.parametrize("loss", [*OF_POINTS, "crossentropy"])
def test_a_point_outside_the_image_counts_as_missing_unless_the_network_can_say_absent(loss):
    rng = np.random.default_rng(0)
    answer = rng.random((2, 16, 16, 2) if loss == "crossentropy" else (2, 2, 2), np.float32)
    forgotten = np.where(((OUTSIDE < 0) | (OUTSIDE > 1)).any(-1, keepdims=True), np.nan, OUTSIDE).astype("float32")
    values = [float(losses.LOSSES[loss]()(true, answer)) for true in (OUTSIDE, forgotten)]
    assert values[0] == values[1] > 0
    mae = losses.MeanAbsoluteErrorPixels()
    mae.update_state(OUTSIDE, np.full((2, 2, 2), 0.5, "float32"))
    assert float(mae.result()) == pytest.approx(256 * 0.1 / 2, rel=1e-4)


def scores(maps, absent):
    """What a network that can answer "absent" gives for the scores of its maps (batch, 16, 16, K)."""
    layer = AgainstAbsent()
    layer.build(maps.shape)
    layer.absent.assign(absent)
    return layer(maps)


def test_the_probability_of_all_pixels_and_of_being_absent_is_one():
    maps = np.random.default_rng(1).normal(0, 3, (2, 16, 16, 2)).astype("float32")
    absent = np.array([4.0, 12.0], "float32")
    relative = scores(maps, absent)
    found = np.exp(np.asarray(keras.ops.convert_to_numpy(relative - log_total(relative)), np.float64))
    odds = np.exp(maps.astype(np.float64)).sum(axis=(1, 2)) / np.exp(absent)
    np.testing.assert_allclose(found.sum(axis=(1, 2)), odds / (1 + odds), rtol=1e-4)
    softmax = np.exp(maps) / np.exp(maps).sum(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(found / found.sum(axis=(1, 2), keepdims=True), softmax, rtol=1e-3)
    even = scores(np.zeros((1, 16, 16, 1), "float32"), np.log(np.float32([256])))
    total = keras.ops.convert_to_numpy(log_total(even))
    assert np.exp(-total).item() == pytest.approx(0.5, rel=1e-4), "at first a point is as likely there as not"


def test_a_network_learns_from_points_outside_that_they_are_absent():
    loss = losses.MapCrossEntropy(absent=True)
    maps = np.stack([spot(0.5, 0.4)] * 2, axis=-1)[None].astype("float32")
    there, away = np.array([[[0.5, 0.4]] * 2], "float32"), np.array([[[0.5, 1.4]] * 2], "float32")

    def value(true, absent):
        return float(loss(true, scores(maps, np.full(2, absent, "float32"))))

    assert value(there, -20) == pytest.approx(0, abs=1e-3)
    assert value(away, 20) == pytest.approx(0, abs=1e-3)
    assert value(there, -20) < value(there, 0) < value(there, 5)
    assert value(away, 20) < value(away, 0) < value(away, -5)
    total = np.log(np.exp(maps.astype(np.float64)).sum(axis=(1, 2))).mean()
    probability = 1 / (1 + np.exp(total - 1.5))
    assert value(away, 1.5) == pytest.approx(-np.log(probability), rel=1e-3)
    mixed = np.concatenate([there[:, :1], np.full((1, 1, 2), np.nan, "float32")], axis=1)
    assert value(mixed, 1.5) == pytest.approx(value(there, 1.5), rel=1e-4), "what is not known counts for nothing"


@pytest.mark.parametrize("sure", [10.0, 15.3, 20.0, 60.0, 200.0])
def test_however_sure_a_network_is_of_a_point_that_is_not_there_it_learns(sure):
    """The probability of being absent may be zero in single precision; its logarithm and the gradient are not."""
    inputs = keras.Input((16, 16, 1))
    model = keras.Model(inputs, AgainstAbsent()(keras.layers.Conv2D(1, 1, kernel_initializer="ones")(inputs)))
    model.compile(keras.optimizers.SGD(1e-5), loss=losses.MapCrossEntropy(absent=True))
    maps = (spot(0.5, 0.4)[None, ..., None] + sure).astype("float32")
    absent = model.get_weights()[-1].item()
    away = np.array([[[0.5, 1.4]]], "float32")
    values = [float(model.train_on_batch(maps, away)) for _ in range(2)]
    assert all(np.isfinite(each).all() for each in model.get_weights())
    assert values[1] < values[0]
    assert model.get_weights()[-1].item() > absent
