"""Checkpoints that cannot be torn, and a training that goes on where it stopped."""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from lumbar import distribution, models
from lumbar.backend import keras
from lumbar.batches import Batches
from lumbar.errors import RunError
from lumbar.files import replacing, write_table
from lumbar.training import TrainingSettings, read_history
from lumbar.weights import loading


def save(model: keras.Model, path: Path) -> None:
    """Save a network; Keras itself writes in place, and a kill would leave half a file."""
    with replacing(path) as temporary, distribution.alone():
        model.save(temporary)


class RunKeeper(keras.callbacks.Callback):
    """Keeps history and checkpoints after each epoch, and gives each epoch random numbers of its own.

    The history is written before ``last.keras``. Whatever moment a process is killed at, the checkpoint's step count
    says how many epochs it holds; later rows of the history are dropped and come out the same the next time.
    """

    def __init__(self, run: Path, settings: TrainingSettings, batches: Batches, progress: bool):
        super().__init__()
        self.run, self.settings, self.batches = run, settings, batches
        self.history = read_history(run)
        self.bar = tqdm(total=settings.epochs, desc=f"training {settings.model}", unit="epoch", disable=not progress)

    @property
    def finished_epochs(self) -> int:
        """Epochs that history and checkpoint hold."""
        return len(self.history)

    def restored(self) -> keras.Model | None:
        """The network of the last checkpoint with its optimizer; None if there is none."""
        path = self.run / "last.keras"
        if not path.is_file():
            self.history = self.history.head(0)
            return None
        model = loading.load(path, compile=True)
        self.history = self.history.head(int(model.optimizer.iterations) // len(self.batches))
        self.bar.update(self.finished_epochs)
        return model

    def on_epoch_begin(self, epoch: int, logs=None) -> None:
        """Order, augmentation and dropout follow from (seed, epoch); a frozen backbone may thaw."""
        self.began = time.perf_counter()
        self.batches.epoch = epoch
        for number, layer in enumerate(self.model.layers):
            if isinstance(layer, models.Gate):
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
        if distribution.writes():
            write_table(self.run / "history.csv", self.history)
            if row["val_mae_px"] < best:
                save(self.model, self.run / "best.keras")
            save(self.model, self.run / "last.keras")
        self.bar.update()
        self.bar.set_postfix_str(f"validation MAE {row['val_mae_px']:.2f} px")

    def on_train_end(self, logs=None) -> None:
        """Close the bar."""
        self.bar.close()
