"""Checkpoints that cannot be torn, and a training that goes on where it stopped."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from lumbar import layers
from lumbar.batches import Batches
from lumbar.compute import devices
from lumbar.core.backend import keras
from lumbar.core.errors import RunError
from lumbar.runs.folder import HISTORY, read_history
from lumbar.runs.settings import TrainingSettings
from lumbar.storage.files import atomic_write, write_table
from lumbar.weights import safe_loading

CHECKPOINTS = ("last.keras", "best.keras")
"""Network and optimizer as they were after the last epoch, and after the one with the lowest validation error."""


def save(model: keras.Model, path: Path) -> None:
    """Save a network; Keras itself writes in place, and a kill would leave half a file."""
    with atomic_write(path) as temporary, devices.local_only():
        model.save(temporary)


def _layers(model: keras.Model) -> Iterator[keras.Layer]:
    """The layers of a network, then those of networks inside it."""
    yield from model.layers
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)


class RunKeeper(keras.callbacks.Callback):
    """Keeps history and checkpoints after each epoch, and gives each epoch random numbers of its own.

    The history is written first, then ``best.keras``, then ``last.keras``. Whatever moment a process is killed at, the
    checkpoint's step count says how many epochs it holds; later rows of the history are dropped and come out the same
    the next time, and so does a ``best.keras`` of such an epoch, for it is compared with the rows that are left.
    """

    def __init__(self, run: Path, settings: TrainingSettings, batches: Batches, progress: bool):
        super().__init__()
        self.run, self.settings, self.batches = run, settings, batches
        self.wrong: dict[str, str] = {}
        try:
            self.history = read_history(run)
        except RunError as error:
            self.history = pd.DataFrame(columns=list(HISTORY))
            self.wrong["history.csv"] = str(error.found)
        self.bar = tqdm(total=settings.epochs, desc=f"training {settings.model}", unit="epoch", disable=not progress)

    @property
    def finished_epochs(self) -> int:
        """Epochs that history and checkpoint hold."""
        return len(self.history)

    def restored(self) -> keras.Model | None:
        """The network of the last checkpoint with its optimizer; None if the training begins anew.

        If ``last.keras`` is damaged or does not fit the history, ``best.keras`` holds an earlier epoch just as well.
        Without a whole ``best.keras`` the lowest validation error's weights are lost, and everything is trained again.
        Damaged files are set aside, and what happens is told.
        """
        last, best = (self.run / name for name in CHECKPOINTS)
        there = [file for file in (last, best) if file.is_file()]
        self.wrong |= {file.name: problem for file in there if (problem := safe_loading.damage(file))}
        if there == [last]:
            self.wrong[best.name] = "it is missing"
        model = None
        if best in there and best.name not in self.wrong:
            model = next(filter(None, map(self._restored_from, there)), None)
        if model is None:
            self.history = self.history.head(0)
        if self.wrong:
            self._tell()
        for file in there:
            if file.name in self.wrong and devices.writes():
                file.replace(file.with_name(f"{file.name}.damaged"))
        if model is not None and not last.is_file() and devices.writes():
            with atomic_write(last) as temporary:  # it may be the last epoch's already, and none left to write it
                shutil.copyfile(best, temporary)
        self.bar.update(self.finished_epochs)
        return model

    def _restored_from(self, file: Path) -> keras.Model | None:
        if file.name in self.wrong:
            return None
        model = safe_loading.load(file, compile=True)
        epochs = int(model.optimizer.iterations) // len(self.batches)
        if epochs > len(self.history):
            self.wrong[file.name] = f"it holds {epochs} epochs, and history.csv only {len(self.history)}"
            return None
        self.history = self.history.head(epochs)
        return model

    def _tell(self) -> None:
        problems = "; ".join(f"{name}: {problem}" for name, problem in self.wrong.items())
        goes_on = f"goes on after epoch {self.finished_epochs}" if self.finished_epochs else "begins anew"
        print(
            f"note: files of {self.run} are not as this training left them ({problems}). It {goes_on}; what is trained "
            "again comes out the same. Checkpoints that are not used are kept as *.damaged.",
            file=sys.stderr,
        )

    def on_epoch_begin(self, epoch: int, logs=None) -> None:
        """Order, augmentation and dropout follow from (seed, epoch); a frozen backbone may thaw."""
        self.began = time.perf_counter()
        self.batches.epoch = epoch  # for the backends on which `Batches.for_fit` leaves that to us
        for number, layer in enumerate(_layers(self.model)):
            if isinstance(layer, layers.Gate):
                layer.opened.assign(float(epoch >= self.settings.frozen_epochs))
            if hasattr(layer, "seed_generator"):
                layer.seed_generator.state.assign([self.settings.seed + 1000 * number, epoch])

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        """Keep what the epoch brought."""
        if not all(map(pd.notna, logs.values())):
            raise RunError(
                "the loss is not a number any more",
                file=self.run,
                found=f"epoch {epoch + 1}: {logs}",
                remedy="try a smaller --learning-rate",
            )
        row = {"epoch": epoch + 1, **logs, "learning_rate": float(self.model.optimizer.learning_rate)}
        row["seconds"] = round(time.perf_counter() - self.began, 3)
        best = self.history["val_mae_px"].min() if self.finished_epochs else float("inf")
        self.history = pd.DataFrame([*self.history.to_dict("records"), row], columns=self.history.columns)
        if devices.writes():
            write_table(self.run / "history.csv", self.history)
            if row["val_mae_px"] < best:
                save(self.model, self.run / "best.keras")
            save(self.model, self.run / "last.keras")
        self.bar.update()
        self.bar.set_postfix_str(f"validation MAE {row['val_mae_px']:.2f} px")

    def on_train_end(self, logs=None) -> None:
        """Close the bar."""
        self.bar.close()
