"""A run's history for TensorBoard, without gaps or duplicates however often the training was stopped."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import tensorflow as tf

from lumbar.core.backend import keras
from lumbar.core.errors import OutputError
from lumbar.storage.files import check_writable


class TensorBoardLog(keras.callbacks.Callback):
    """Writes the run's history under the names and folders that Keras's own callback uses.

    Keras's callback appends: epochs that a killed training had not flushed are missing from its log, and epochs that
    are trained again appear twice. This one writes the log anew whenever a training goes on.

    Args:
        folder: Folder of the log, with ``train`` and ``validation`` in it.
        history: Returns the rows of the finished epochs, see `lumbar.runs.folder.read_history`.
    """

    def __init__(self, folder: Path, history: Callable[[], pd.DataFrame]):
        super().__init__()
        self.folder, self.history = folder, history

    def on_train_begin(self, logs=None) -> None:
        """Write the epochs that are finished.

        Raises:
            OutputError: If the log cannot be written.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        with self._describing_errors():
            self.writers = {
                part: tf.summary.create_file_writer(str(self.folder / part)) for part in ("train", "validation")
            }
        for row in self.history().to_dict("records"):
            self._write(row)

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        """Write an epoch; the history must have it already.

        Raises:
            OutputError: If the log cannot be written.
        """
        self._write(self.history().iloc[-1].to_dict())

    def on_train_end(self, logs=None) -> None:
        """Close the log."""
        for writer in self.writers.values():
            writer.close()

    def _write(self, row: dict[str, float]) -> None:
        epoch = int(row["epoch"])
        with self._describing_errors():
            for name, value in row.items():
                if name in ("epoch", "seconds"):
                    continue
                part = "validation" if name.startswith("val_") else "train"
                with self.writers[part].as_default():
                    tf.summary.scalar(f"epoch_{name.removeprefix('val_')}", value, step=epoch)
            for writer in self.writers.values():
                writer.flush()

    @contextmanager
    def _describing_errors(self) -> Iterator[None]:
        """Raise an OutputError in place of TensorFlow's, whose text names C++ functions first."""
        try:
            yield
        except tf.errors.OpError as error:
            check_writable(self.folder / "tried")  # raises with the operating system's reason, if it is still there
            raise OutputError(
                "the TensorBoard log cannot be written",
                file=self.folder,
                found=str(error.message).rpartition(";")[2].strip(),
                remedy="free some space, or train with --no-tensorboard; finished epochs are kept",
            ) from error
