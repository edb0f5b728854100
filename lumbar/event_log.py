"""A run's history for TensorBoard, without gaps or doublets however often the training was stopped."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import tensorflow as tf

from lumbar.backend import keras


class EventLog(keras.callbacks.Callback):
    """Writes what stands in the run's history, under the names and folders that Keras's own callback uses.

    That one adds to the log whatever it is given: the epochs that a killed training had not written out are missing in
    it, those that are trained again stand in it twice. Here a training that goes on writes the log anew.

    Args:
        folder: The log's, with ``train`` and ``validation`` in it.
        history: Gives the rows of the finished epochs, see `lumbar.run_files.read_history`.
    """

    def __init__(self, folder: Path, history: Callable[[], pd.DataFrame]):
        super().__init__()
        self.folder, self.history = folder, history

    def on_train_begin(self, logs=None) -> None:
        """Write the epochs that are finished."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.writers = {
            part: tf.summary.create_file_writer(str(self.folder / part)) for part in ("train", "validation")
        }
        for row in self.history().to_dict("records"):
            self._write(row)

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        """Write an epoch; the history must have it already."""
        self._write(self.history().iloc[-1].to_dict())

    def on_train_end(self, logs=None) -> None:
        """Close the log."""
        for writer in self.writers.values():
            writer.close()

    def _write(self, row: dict[str, float]) -> None:
        epoch = int(row["epoch"])
        for name, value in row.items():
            if name in ("epoch", "seconds"):
                continue
            part = "validation" if name.startswith("val_") else "train"
            with self.writers[part].as_default():
                tf.summary.scalar(f"epoch_{name.removeprefix('val_')}", value, step=epoch)
        for writer in self.writers.values():
            writer.flush()
