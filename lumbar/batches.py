"""Batches for `fit`: order and augmentation follow from (seed, epoch, position) alone."""

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


class Batches(keras.utils.PyDataset):
    """Prepared pictures, batch by batch.

    Each batch is a pair: pictures float32 (batch, 256, 256, 1) from 0 to 1, and points float32 (batch, K, 2) in unit
    coordinates, NaN where missing. A run that resumes at some epoch sees what it would have seen without the break.

    Args:
        prepared: Pictures and points.
        batch_size: Pictures a batch; the last one may be smaller.
        seed: Of order and augmentation.
        shuffle: Whether each epoch has its own order.
        augment: How to change the pictures; None leaves them as they are.
        shard: The part of each batch that this process gives, if several devices share it.
    """

    def __init__(
        self,
        prepared: Prepared,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = False,
        augment: AugmentSettings | None = None,
        shard: BatchShard | None = None,
    ):
        # Where Keras takes batches from the object itself, see `for_fit`: with one worker and TensorFlow it leaves them
        # to a stream of tf.data whose tuning thread notices only after up to ten seconds that it is at its end. With
        # several it has a queue of its own, which on the other backends carries batches from one epoch to the next.
        workers = 2 if keras.backend.backend() == "tensorflow" else 1
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=4)
        self.prepared, self.batch_size, self.seed, self.shuffle = prepared, batch_size, seed, shuffle
        self.shard = shard or BatchShard()
        self.settings = augment if augment is not None and augment.strength > 0 else None
        self.epoch = 0

    def __len__(self) -> int:
        return -(-len(self.prepared.images) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.batch(self.epoch, index)

    def batch(self, epoch: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The batch at this place of this epoch, whatever was asked before."""
        positions = self._order(epoch)[index * self.batch_size : (index + 1) * self.batch_size]
        positions, copied = self.shard.select(positions)
        pictures = np.empty((len(positions), SIZE, SIZE, 1), np.float32)
        points = np.empty((len(positions), len(self.prepared.channels), 2), np.float32)
        for place, position in enumerate(positions):
            picture, moved = self.prepared.images[position], self.prepared.points[position]
            if self.settings:
                rng = np.random.default_rng((self.seed, epoch, int(position)))
                picture, moved = augment(picture, moved, rng, self.settings, self.prepared.channels)
            np.multiply(picture, np.float32(1 / 255), out=pictures[place, ..., 0])
            points[place] = np.nan if copied[place] else _TO_UNIT.points(moved)
        return pictures, points

    def for_fit(self, epochs: range) -> dict[str, Any]:
        """Arguments of `fit` that show a network these epochs, counted from 0.

        On TensorFlow the next batches are made while the network computes, those of the next epoch while this one is
        validated and saved. On the other backends Keras takes each from the object itself when the network needs it,
        and who trains several epochs sets `epoch` as each begins, as `lumbar.training.checkpoints.RunKeeper` does.
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
            "shuffle": False,  # the batches see to that themselves
        }

    def _stream(self, epochs: range) -> tf.data.Dataset:
        import tensorflow as tf

        def made(number: tf.Tensor) -> tuple[tf.Tensor, ...]:
            batch = tf.numpy_function(lambda it: self.batch(*divmod(it, len(self))), [number], (tf.float32, tf.float32))
            return tuple(tf.ensure_shape(each, shape) for each, shape in zip(batch, shapes, strict=True))

        shapes = ((None, SIZE, SIZE, 1), (None, len(self.prepared.channels), 2))
        numbers = tf.data.Dataset.range(epochs.start * len(self), epochs.stop * len(self))
        options = tf.data.Options()
        options.autotune.enabled = False  # its thread would be late, see `__init__`
        return numbers.map(made, num_parallel_calls=2).prefetch(1).with_options(options)

    def _order(self, epoch: int) -> np.ndarray:
        count = len(self.prepared.images)
        return np.random.default_rng((self.seed, epoch)).permutation(count) if self.shuffle else np.arange(count)


class CountCopiesOnce(keras.callbacks.Callback):
    """Mends the epoch's mean losses where devices share a last batch that had to be repeated, see `BatchShard.select`.

    Keras weighs the loss of each batch by its rows, copies included. The metrics know better: copies have no points.

    Args:
        training: Batches of the training.
        validation: Batches of the validation after each epoch.
    """

    def __init__(self, training: Batches, validation: Batches):
        super().__init__()
        self.batches = {"loss": training, "val_loss": validation}
        self.means = {}

    def on_train_batch_end(self, batch: int, logs=None) -> None:
        """Notes the mean loss so far."""
        self._note("loss", batch, logs)

    def on_test_batch_end(self, batch: int, logs=None) -> None:
        """Notes the mean loss so far."""
        self._note("val_loss", batch, logs)

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        """Puts the mean over pictures in place of that over rows."""
        for name, batches in self.batches.items():
            before = (len(batches) - 1) * batches.batch_size
            last = len(batches.prepared.images) - before
            rows = batches.shard.rows(last)
            if rows != last:
                of_last = (logs[name] * (before + rows) - self.means.get(name, 0.0) * before) / rows
                logs[name] = (self.means.get(name, 0.0) * before + of_last * last) / (before + last)

    def _note(self, name: str, batch: int, logs) -> None:
        if batch == len(self.batches[name]) - 2:
            self.means[name] = float(logs["loss"])
