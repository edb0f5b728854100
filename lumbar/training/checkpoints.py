"""Checkpoints that are whole or absent whenever a training is killed, and a training that resumes from them."""

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
"""Files of network and optimizer after the last epoch, and after the epoch with the lowest validation error."""


def save(model: keras.Model, path: Path) -> None:
    """Save a network atomically. Keras itself writes in place, where a kill would leave half a file.

    Raises:
        OutputError: If the file cannot be written.
    """
    with atomic_write(path) as temporary, devices.local_only():
        model.save(temporary)


def copy_checkpoint(file: Path, to: Path) -> None:
    """Copy a checkpoint atomically, which takes a small part of the time of saving the network again.

    Raises:
        OutputError: If the copy cannot be written.
    """
    with atomic_write(to) as temporary:
        shutil.copyfile(file, temporary)


def _layers(model: keras.Model) -> Iterator[keras.Layer]:
    """Yield the layers of a network, then those of the networks inside it."""
    yield from model.layers
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)


class RunKeeper(keras.callbacks.Callback):
    """Writes history and checkpoints after each epoch, and seeds the random numbers of each epoch.

    The history is written first, then ``best.keras``, then ``last.keras``. A process may be killed at any moment: the
    step count in a checkpoint shows how many epochs it holds. Later rows of the history are dropped, and training these
    epochs again gives the same rows. A ``best.keras`` of a dropped epoch is written again, too, because the epoch is
    compared with the rows that are left.

    Args:
        run: The run's folder.
        settings: Settings of the training, resolved.
        batches: The batches that the network is trained on.
        progress: Show a progress bar over the epochs.
    """

    def __init__(self, run: Path, settings: TrainingSettings, batches: Batches, progress: bool):
        super().__init__()
        self.run, self.settings, self.batches = run, settings, batches
        self.problems: dict[str, str] = {}
        try:
            self.history = read_history(run)
        except RunError as error:
            self.history = pd.DataFrame(columns=list(HISTORY))
            self.problems["history.csv"] = str(error.found)
        self.bar = tqdm(total=settings.epochs, desc=f"training {settings.model}", unit="epoch", disable=not progress)

    @property
    def finished_epochs(self) -> int:
        """Number of epochs that history and checkpoint hold."""
        return len(self.history)

    def restored(self) -> keras.Model | None:
        """Return the network of the last checkpoint with its optimizer; None if the training starts from the beginning.

        If ``last.keras`` is damaged or does not fit the history, the training resumes from ``best.keras``, which holds
        an earlier epoch. If ``best.keras`` is damaged, the weights with the lowest validation error are lost, and
        everything is trained again. Unusable checkpoints are renamed, and a note reports them.

        Raises:
            WeightsError: If a checkpoint is undamaged, but is not a network of ours.
        """
        last, best = (self.run / name for name in CHECKPOINTS)
        present = [file for file in (last, best) if file.is_file()]
        self.problems |= {file.name: problem for file in present if (problem := safe_loading.damage(file))}
        if present == [last]:
            self.problems[best.name] = "it is missing"
        model = None
        if best in present and best.name not in self.problems:
            model = next(filter(None, map(self._restored_from, present)), None)
        if model is None:
            self.history = self.history.head(0)
        if self.problems:
            self._report_problems()
        for file in present:
            if file.name in self.problems and devices.writes():
                file.replace(file.with_name(f"{file.name}.damaged"))
        if model is not None and not last.is_file() and devices.writes():
            copy_checkpoint(best, last)  # if no epoch is left to train, nothing else would write it
        self.bar.update(self.finished_epochs)
        return model

    def _restored_from(self, file: Path) -> keras.Model | None:
        """Return the network of a checkpoint, and cut the history to its epochs; None if the file cannot be used."""
        if file.name in self.problems:
            return None
        model = safe_loading.load(file, compile=True)
        epochs = int(model.optimizer.iterations) // len(self.batches)
        if epochs > len(self.history):
            self.problems[file.name] = f"it holds {epochs} epochs, and history.csv only {len(self.history)}"
            return None
        self.history = self.history.head(epochs)
        return model

    def _report_problems(self) -> None:
        problems = "; ".join(f"{name}: {problem}" for name, problem in self.problems.items())
        begins = f"resumes after epoch {self.finished_epochs}" if self.finished_epochs else "starts from the beginning"
        print(
            f"note: files of {self.run} cannot be used ({problems}). The training {begins}, and the result is the same "
            "as without the damage. Unused checkpoints are kept as *.damaged.",
            file=sys.stderr,
        )

    def on_epoch_begin(self, epoch: int, logs=None) -> None:
        """Seed order, augmentation and dropout by (seed, epoch), and unfreeze the backbone when its time has come."""
        self.began = time.perf_counter()
        self.batches.epoch = epoch  # needed on backends other than TensorFlow, see `Batches.for_fit`
        for number, layer in enumerate(_layers(self.model)):
            if isinstance(layer, layers.Gate):
                layer.opened.assign(float(epoch >= self.settings.frozen_epochs))
            if hasattr(layer, "seed_generator"):
                layer.seed_generator.state.assign([self.settings.seed + 1000 * number, epoch])

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        """Add the epoch to the history, and write the checkpoints.

        Raises:
            RunError: If the loss is no longer a number.
            OutputError: If a file cannot be written.
        """
        if not all(map(pd.notna, logs.values())):
            raise RunError(
                "the loss is no longer a number",
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
                copy_checkpoint(self.run / "best.keras", self.run / "last.keras")
            else:
                save(self.model, self.run / "last.keras")
        self.bar.update()
        self.bar.set_postfix_str(f"validation MAE {row['val_mae_px']:.2f} px")

    def on_train_end(self, logs=None) -> None:
        """Close the progress bar."""
        self.bar.close()
