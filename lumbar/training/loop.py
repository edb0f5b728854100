"""The training loop: build the network, compile it, and fit it on the batches of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lumbar.augment import AugmentSettings
from lumbar.batches import Batches, CorrectMeanLosses
from lumbar.compute import devices
from lumbar.core.backend import keras
from lumbar.imaging.modality import kinds_of
from lumbar.preprocess import VERSION
from lumbar.runs.folder import write_config
from lumbar.training.checkpoints import RunKeeper
from lumbar.training.data import index_of
from lumbar.training.mlflow import MlflowLog
from lumbar.training.optimization import compiled

if TYPE_CHECKING:
    from lumbar.training.job import TrainingJob


def fit(job: TrainingJob, *, progress: bool = True) -> None:
    """Train the network of a job, from its last checkpoint if there is one.

    Args:
        job: What to train on what; its run's folder is written.
        progress: Show a progress bar over the epochs.

    Raises:
        RunError: If the network to start from has another architecture, or the loss stops being a number.
        SettingsError: If the settings make no network.
        OutputError: If the run cannot be written.
    """
    settings = job.resolved
    keras.utils.set_random_seed(settings.seed)
    batches = Batches(
        job.parts["train"],
        settings.batch_size,
        seed=settings.seed,
        shuffle=True,
        augment=AugmentSettings(
            strength=settings.augmentation,
            contrast_remap=settings.contrast_remap,
            field_of_view=settings.field_of_view,
        ),
        keep_outside=settings.absent,
        shard=job.shard,
    )
    validation = Batches(job.parts["validation"], settings.batch_size, shard=job.shard)
    keeper = RunKeeper(job.run, settings, batches, progress)
    model = keeper.restored() or compiled(settings, job.parts["train"].channels, len(batches), job.start)
    if devices.in_job():
        devices.assert_equal(finished_epochs=keeper.finished_epochs)
    callbacks = [CorrectMeanLosses(batches, validation), keeper]
    if devices.writes():
        write_config_of(job, keeper.finished_epochs)
        callbacks += _recorders(job, keeper)
    model.fit(
        **batches.for_fit(range(keeper.finished_epochs, settings.epochs)),
        validation_data=validation,
        callbacks=callbacks,
        verbose=0,
    )


def write_config_of(job: TrainingJob, finished_epochs: int) -> None:
    """Write config.json and split.csv of a job, or add a start to them, see `lumbar.runs.folder.write_config`."""
    data = {"fingerprint": job.fingerprint, "preparation": VERSION, "modalities": _modalities(job)}
    start = {
        "started_from": job.start and job.start.digest,
        "synthetic": job.start is None or job.start.network.synthetic,
    }
    write_config(job.run, job.settings, index_of(job.parts), data, start, finished_epochs)


def _modalities(job: TrainingJob) -> tuple[str, ...]:
    """Return the kinds of imaging that the network has learned from, now or before; empty if not all are known."""
    here = kinds_of(job.parts["train"].index["contrast"])
    before = job.start.network.modalities if job.start else here
    return tuple(sorted({*here, *before})) if here and before else ()


def _recorders(job: TrainingJob, keeper: RunKeeper) -> list[keras.callbacks.Callback]:
    """Return the callbacks that record the history outside of history.csv."""
    recorders: list[keras.callbacks.Callback] = []
    if job.settings.tensorboard:
        from lumbar.training.tensorboard import TensorBoardLog

        recorders.append(TensorBoardLog(job.run / "tensorboard", lambda: keeper.history))
    if job.settings.mlflow:
        recorders.append(MlflowLog(job.run, lambda: keeper.history))
    return recorders
