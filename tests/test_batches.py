"""Batches depend on (seed, epoch, position) alone, hold each image once per epoch, and use unit coordinates."""

import numpy as np
import pytest

from lumbar.augment import AugmentSettings
from lumbar.batches import Batches, CorrectMeanLosses
from lumbar.core.backend import keras
from lumbar.losses import LOSSES
from tests.support.prepared import spots


def test_shapes_and_units():
    prepared = spots(10)
    prepared.points[3, 1] = np.nan
    images, points = Batches(prepared, 4)[0]
    assert (images.shape, images.dtype) == ((4, 256, 256, 1), np.float32)
    assert (points.shape, points.dtype) == ((4, 5, 2), np.float32)
    assert images.min() >= 0
    assert images.max() == 1
    np.testing.assert_allclose(points[0], (prepared.points[0] + 0.5) / 256, rtol=1e-6)
    assert np.isnan(points[3, 1]).all()
    assert np.isnan(points).sum() == 2


def test_each_epoch_has_every_image_once_in_another_order():
    prepared = spots(11)
    batches = Batches(prepared, 4, seed=5, shuffle=True)
    orders = []
    for epoch in range(2):
        batches.epoch = epoch
        seen = np.concatenate([batches[index][1] for index in range(len(batches))])
        orders.append([int(np.argmin(abs((prepared.points + 0.5) / 256 - each).sum((1, 2)))) for each in seen])
        assert sorted(orders[-1]) == list(range(11))
    assert orders[0] != orders[1]


def test_a_batch_does_not_depend_on_earlier_calls():
    how = {"seed": 1, "shuffle": True, "augment": AugmentSettings()}
    straight, resumed = Batches(spots(9), 4, **how), Batches(spots(9), 4, **how)
    for straight.epoch in range(4):
        for index in range(len(straight)):
            straight[index]
    resumed.epoch = 3
    for ours, theirs in zip(straight[2], resumed[2], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert len(resumed[2][0]) == 1


def test_augmentation_changes_from_epoch_to_epoch():
    batches = Batches(spots(4), 4, augment=AugmentSettings())
    first = batches[0][0]
    batches.epoch += 1
    assert not np.array_equal(first, batches[0][0])


def test_if_keras_asks_for_each_batch_it_begins_with_the_first_remaining_epoch(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    batches = Batches(spots(9), 4, seed=1, shuffle=True)
    arguments = batches.for_fit(range(2, 4))
    assert (arguments["initial_epoch"], arguments["epochs"]) == (2, 4)
    for ours, theirs in zip(arguments["x"][0], batches.batch(2, 0), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_fit_gets_the_remaining_epochs_one_after_another():
    batches = Batches(spots(9), 4, seed=1, shuffle=True, augment=AugmentSettings())
    arguments = batches.for_fit(range(2, 4))
    assert (arguments["initial_epoch"], arguments["epochs"], arguments["steps_per_epoch"]) == (2, 4, 3)
    given = [[each.numpy() for each in batch] for batch in arguments["x"]]
    expected = [batches.batch(epoch, index) for epoch in (2, 3) for index in range(3)]
    for ours, theirs in zip(given, expected, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


def validated(prepared, loss, batch_size, *, corrected=True):
    """Return the validation loss that Keras reports after an epoch in which nothing is learned."""
    keras.utils.set_random_seed(0)
    answer = [keras.layers.Conv2D(5, 1)] if loss == "crossentropy" else []
    if not answer:
        answer = [keras.layers.Flatten(), keras.layers.Dense(10, "sigmoid"), keras.layers.Reshape((5, 2))]
    model = keras.Sequential([keras.Input((256, 256, 1)), keras.layers.AveragePooling2D(16), *answer])
    model.compile(keras.optimizers.SGD(0.0), loss=LOSSES[loss]())
    training, validation = Batches(spots(4), 4), Batches(prepared, batch_size)
    callbacks = [CorrectMeanLosses(training, validation)] if corrected else []
    history = model.fit(training, validation_data=validation, callbacks=callbacks, verbose=0).history
    return history["val_loss"][0]


def with_missing_points():
    """Twelve images, of which the fourth has no point, and the others one point fewer from one to the next."""
    prepared = spots(12)
    for image in range(12):
        prepared.points[image, : image % 5] = np.nan
    prepared.points[3] = np.nan
    return prepared


@pytest.mark.parametrize("loss", LOSSES)
def test_the_validation_loss_is_a_mean_over_points_whatever_the_batch_size(loss):
    prepared = with_missing_points()
    in_one_batch = validated(prepared, loss, 12, corrected=False)
    for batch_size in (1, 2, 5):
        assert validated(prepared, loss, batch_size) == pytest.approx(in_one_batch, rel=1e-5)
    assert validated(prepared, loss, 1, corrected=False) != pytest.approx(in_one_batch, rel=1e-3), "Keras's own mean"


def test_without_missing_points_the_validation_loss_is_keras_s_own_to_the_last_bit():
    assert validated(spots(12), "mse", 5) == validated(spots(12), "mse", 5, corrected=False)
