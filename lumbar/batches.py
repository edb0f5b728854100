"""Batches for `fit`: their order and augmentation depend on (seed, epoch, position) alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lumbar.augment import AugmentSettings, augment
from lumbar.compute.devices import BatchShard
from lumbar.core.backend import keras
from lumbar.geometry import SIZE, Affine
from lumbar.preprocess import Prepared

if TYPE_CHECKING:
    import tensorflow as tf

_TO_UNIT = Affine.unit()

OUTSIDE = -4.0 * SIZE
"""Coordinate, pixels of the 256 frame, of a point of which nothing is known but that it lies outside the image; no
augmentation moves it into the image."""


class Batches(keras.utils.PyDataset):
    """Prepared images, batch by batch.

    Each batch is a pair: images, float32 (batch, 256, 256, 1) from 0 to 1, and points, float32 (batch, K, 2) in unit
    coordinates, NaN where missing. A training that resumes at some epoch gets the batches that it would have got
    without the break.

    Args:
        prepared: Images and points.
        batch_size: Images per batch; the last batch may be smaller.
        seed: Seed of order and augmentation.
        shuffle: Whether each epoch has an order of its own.
        augment: How to change the images; None leaves them as they are.
        keep_outside: Whether points outside the image have coordinates there: those that leave it, and those that are
            known to be absent, `OUTSIDE`. Otherwise they are NaN.
        shard: The part of each batch that this process feeds to its devices, if several devices share the batch.
    """

    def __init__(
        self,
        prepared: Prepared,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = False,
        augment: AugmentSettings | None = None,
        keep_outside: bool = False,
        shard: BatchShard | None = None,
    ):
        # Keras uses these workers if it takes batches from the object itself, see `for_fit`. With one worker on
        # TensorFlow it wraps the object in a tf.data pipeline, whose tuning thread takes up to ten seconds to end. With
        # several workers it uses a queue of its own, which on the other backends would carry batches over from one
        # epoch to the next.
        workers = 2 if keras.backend.backend() == "tensorflow" else 1
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=4)
        self.prepared, self.batch_size, self.seed, self.shuffle = prepared, batch_size, seed, shuffle
        self.shard, self.keep_outside = shard or BatchShard(), keep_outside
        self.settings = augment if augment is not None and augment.strength > 0 else None
        self.epoch = 0

    def __len__(self) -> int:
        return -(-len(self.prepared.images) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a batch of the current epoch, see `batch`."""
        return self.batch(self.epoch, index)

    def batch(self, epoch: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return one batch of one epoch; it does not depend on the calls before.

        Args:
            epoch: Number of the epoch, from 0.
            index: Position of the batch in the epoch, from 0.

        Returns:
            Images float32 (batch, 256, 256, 1), from 0 to 1, and points float32 (batch, K, 2), unit coordinates.
        """
        positions = self._order(epoch)[index * self.batch_size : (index + 1) * self.batch_size]
        positions, copied = self.shard.select(positions)
        images = np.empty((len(positions), SIZE, SIZE, 1), np.float32)
        points = np.empty((len(positions), len(self.prepared.channels), 2), np.float32)
        for row, position in enumerate(positions):
            image, xy_256 = self.prepared.images[position], self.prepared.points[position]
            if self.keep_outside and self.prepared.absent is not None:
                xy_256 = np.where(self.prepared.absent[position][:, None], OUTSIDE, xy_256)
            if self.settings:
                rng = np.random.default_rng((self.seed, epoch, int(position)))
                how = {"channels": self.prepared.channels, "keep_outside": self.keep_outside}
                image, xy_256 = augment(image, xy_256, rng, self.settings, **how)
            np.multiply(image, np.float32(1 / 255), out=images[row, ..., 0])
            points[row] = np.nan if copied[row] else _TO_UNIT.points(xy_256)
        return images, points

    def for_fit(self, epochs: range) -> dict[str, Any]:
        """Return the arguments of `fit` that feed a network with the batches of some epochs.

        On TensorFlow two threads make the next batches while the network computes, and those of the next epoch while
        the network is validated and saved. On the other backends Keras asks this object for each batch when the network
        needs it. There a training of several epochs must set `epoch` at the beginning of each, as
        `lumbar.training.checkpoints.RunKeeper` does.

        Args:
            epochs: The epochs, counted from 0.

        Returns:
            Keyword arguments of `keras.Model.fit`: x, steps_per_epoch, initial_epoch, epochs and shuffle.
        """
        self.epoch = epochs.start
        feed, steps = self, None
        if keras.backend.backend() == "tensorflow":
            feed, steps = self._stream(epochs), len(self)
        return {
            "x": feed,
            "steps_per_epoch": steps,
            "initial_epoch": epochs.start,
            "epochs": epochs.stop,
            "shuffle": False,  # the batches are in their order already
        }

    def _stream(self, epochs: range) -> tf.data.Dataset:
        """Return the batches of some epochs, one after the other, made ahead by two threads."""
        import tensorflow as tf

        def made(number: tf.Tensor) -> tuple[tf.Tensor, ...]:
            batch = tf.numpy_function(lambda it: self.batch(*divmod(it, len(self))), [number], (tf.float32, tf.float32))
            return tuple(tf.ensure_shape(each, shape) for each, shape in zip(batch, shapes, strict=True))

        shapes = ((None, SIZE, SIZE, 1), (None, len(self.prepared.channels), 2))
        numbers = tf.data.Dataset.range(epochs.start * len(self), epochs.stop * len(self))
        options = tf.data.Options()
        options.autotune.enabled = False  # its thread would end late, see `__init__`
        return numbers.map(made, num_parallel_calls=2).prefetch(1).with_options(options)

    def _order(self, epoch: int) -> np.ndarray:
        count = len(self.prepared.images)
        return np.random.default_rng((self.seed, epoch)).permutation(count) if self.shuffle else np.arange(count)


class CorrectMeanLosses(keras.callbacks.Callback):
    """Corrects an epoch's mean losses: over images in training, over points in validation.

    Keras weights the loss of each batch by its number of rows. These include the copies in a last batch that several
    devices share (see `lumbar.compute.devices.BatchShard.select`). The validation loss is a mean over the points that
    are present in a batch, so where points are missing, weighting by rows would make it depend on the batch size. The
    training loss remains the mean of the losses that the batches were trained with: augmentation may remove points from
    any of them. The metrics need no correction: they count points, and copies have none.

    Args:
        training: The batches that the network is trained on.
        validation: The batches that it is validated on after each epoch; they are neither shuffled nor augmented.
    """

    def __init__(self, training: Batches, validation: Batches):
        super().__init__()
        self.rows, self.weights, self.means = {}, {}, {}
        images = np.ones(len(training.prepared.images), int)
        points = (~np.isnan(validation.prepared.points).any(axis=-1)).sum(axis=-1)
        for name, batches, weights in (("loss", training, images), ("val_loss", validation, points)):
            size = batches.batch_size
            parts = [weights[start : start + size] for start in range(0, len(weights), size)]
            self.rows[name] = np.array([batches.shard.rows(len(part)) for part in parts])
            self.weights[name] = np.array([part.sum() for part in parts])

    def on_train_batch_end(self, batch: int, logs=None) -> None:
        """Note the mean training loss where the weight of a row changes."""
        self._note("loss", batch, logs)

    def on_test_batch_end(self, batch: int, logs=None) -> None:
        """Note the mean validation loss where the weight of a row changes."""
        self._note("val_loss", batch, logs)

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        """Replace the mean losses over rows; they stay as they are, to the last bit, if all rows weigh the same."""
        for name, means in self.means.items():
            ends = [*means, len(self.rows[name]) - 1]
            rows, weights = self.rows[name].cumsum()[ends], self.weights[name].cumsum()[ends]
            sums = np.array([*means.values(), logs[name]]) * rows
            of_parts = np.diff(sums, prepend=0) / np.diff(rows, prepend=0)
            logs[name] = float(np.average(of_parts, weights=np.diff(weights, prepend=0)))
        self.means = {}

    def _note(self, name: str, batch: int, logs) -> None:
        rows, weights = self.rows[name][batch : batch + 2], self.weights[name][batch : batch + 2]
        if len(rows) == 2 and weights[0] * rows[1] != weights[1] * rows[0]:
            self.means.setdefault(name, {})[batch] = float(logs["loss"])
