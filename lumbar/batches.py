"""Batches for `fit`: order and augmentation follow from (seed, epoch, position) alone."""

from __future__ import annotations

import numpy as np

from lumbar.augment import AugmentSettings, augment
from lumbar.backend import keras
from lumbar.geometry import SIZE, Affine
from lumbar.preprocess import Prepared

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
    """

    def __init__(
        self,
        prepared: Prepared,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = False,
        augment: AugmentSettings | None = None,
    ):
        # With one worker Keras leaves the batches to tf.data, if TensorFlow is the backend, and tf.data's tuning thread
        # notices only after up to ten seconds that a dataset is at its end. With several, Keras has a queue of its own,
        # which on the other backends carries batches over from one epoch to the next.
        workers = 2 if keras.backend.backend() == "tensorflow" else 1
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=4)
        self.prepared, self.batch_size, self.seed, self.shuffle = prepared, batch_size, seed, shuffle
        self.settings = augment if augment is not None and augment.strength > 0 else None
        self.epoch = 0

    def __len__(self) -> int:
        return -(-len(self.prepared.images) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.batch(self.epoch, index)

    def batch(self, epoch: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The batch at this place of this epoch, whatever was asked before."""
        positions = self._order(epoch)[index * self.batch_size : (index + 1) * self.batch_size]
        pictures = np.empty((len(positions), SIZE, SIZE, 1), np.float32)
        points = np.empty((len(positions), len(self.prepared.channels), 2), np.float32)
        for place, position in enumerate(positions):
            picture, moved = self.prepared.images[position], self.prepared.points[position]
            if self.settings:
                rng = np.random.default_rng((self.seed, epoch, int(position)))
                picture, moved = augment(picture, moved, rng, self.settings, self.prepared.channels)
            np.multiply(picture, np.float32(1 / 255), out=pictures[place, ..., 0])
            points[place] = _TO_UNIT.points(moved)
        return pictures, points

    def on_epoch_end(self) -> None:
        """Keras calls this after each epoch."""
        self.epoch += 1

    def _order(self, epoch: int) -> np.ndarray:
        count = len(self.prepared.images)
        return np.random.default_rng((self.seed, epoch)).permutation(count) if self.shuffle else np.arange(count)
