"""A run's history for TensorBoard, without gaps or duplicates however often the training was stopped."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from lumbar.core.backend import keras
from lumbar.storage.files import describe_os_error

PARTS = ("train", "validation")


class TensorBoardLog(keras.callbacks.Callback):
    """Writes the run's history under the names and folders that Keras's own callback uses, on any backend.

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
        # TensorBoard reads files with such names; where it is open, it goes on with this one from its beginning.
        self.name = f"events.out.tfevents.{time.time_ns()}.lumbar"
        for part in PARTS:
            self._append(part, file_version="brain.Event:2")
        for row in self.history().to_dict("records"):
            self._write(row)

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        """Write an epoch; the history must have it already.

        Raises:
            OutputError: If the log cannot be written.
        """
        self._write(self.history().iloc[-1].to_dict())

    def _write(self, row: dict[str, float]) -> None:
        for name, value in row.items():
            if name not in ("epoch", "seconds"):
                part = "validation" if name.startswith("val_") else "train"
                scalar = scalar_pb(f"epoch_{name.removeprefix('val_')}", value)
                self._append(part, step=int(row["epoch"]), summary=scalar)

    def _append(self, part: str, **event: Any) -> None:
        file = self.folder / part / self.name
        with describe_os_error(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("ab") as opened:
                RecordWriter(opened).write(Event(wall_time=time.time(), **event).SerializeToString())
