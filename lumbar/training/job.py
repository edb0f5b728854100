"""One training from its settings to a finished run; everything it needs is looked up once and handed on."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from lumbar import figures
from lumbar.compute import devices
from lumbar.compute.devices import BatchShard
from lumbar.core import paths
from lumbar.core.errors import LumbarError, RunError
from lumbar.core.schema import differences, identity
from lumbar.preprocess import Prepared
from lumbar.runs.folder import load_config, load_settings, read_history
from lumbar.runs.settings import TrainingSettings, run_name, validated
from lumbar.storage.locks import LOCK, exclusive_lock
from lumbar.training import data
from lumbar.weights import safe_loading, starting
from lumbar.weights.starting import StartingPoint


@dataclass(frozen=True, eq=False)
class TrainingJob:
    """Everything that a training needs.

    Args:
        run: The run's folder.
        settings: As they were given, open ones included; config.json holds them.
        resolved: The same with the open ones filled in.
        parts: "train", "validation" and "test" → prepared images and points.
        fingerprint: Of all parts, see `lumbar.training.data.fingerprint`.
        start: The network to start from; None for fresh weights.
        shard: The part of each batch that this process feeds to its devices.
    """

    run: Path
    settings: TrainingSettings
    resolved: TrainingSettings
    parts: dict[str, Prepared]
    fingerprint: str
    start: StartingPoint | None
    shard: BatchShard


def train(settings: TrainingSettings, *, repeats: Path | None = None, progress: bool = True) -> Path:
    """Train a network, or finish a training that was stopped.

    The run's folder holds ``config.json``, ``split.csv`` and ``history.csv`` (see `lumbar.runs.folder`), ``best.keras``
    (lowest validation error), ``last.keras``, ``learning_curves.png`` and ``tensorboard/``. A finished run with the
    same settings is returned at once.

    Args:
        settings: What to train, on which data.
        repeats: An earlier run that this training repeats: data and starting network must be the same as its.
        progress: Show progress bars.

    Returns:
        The run's folder.

    Raises:
        SettingsError: If a setting has a value that cannot be used.
        RunError: If the folder holds a run with other settings, or an unfinished one with other data or another network
            to start from; if another process is at work in it; if data or starting network are not those of `repeats`;
            or if the loss stops being a number.
        OutputError: If the run cannot be written. What was finished is kept.
        LumbarError: If the data cannot be read.
    """
    settings = validated(settings)
    run = paths.runs() / run_name(settings)
    if repeats is None and finished(run, settings):
        if (run / LOCK).exists() and devices.writes():  # a process that was killed at the very end left it
            with suppress(LumbarError), exclusive_lock(run):
                pass
        return run
    # Where several processes train together, the first of them holds the folder.
    with exclusive_lock(run) if devices.writes() else nullcontext():
        if repeats is not None or not finished(run, settings):  # another process may have finished it meanwhile
            _train(run, settings, repeats, progress)
    return run


def finished(run: Path, settings: TrainingSettings) -> bool:
    """Return whether the folder holds everything that a training with these settings leaves.

    Args:
        run: The folder; it need not exist.
        settings: As `lumbar.runs.settings.validated` returns them.

    Raises:
        RunError: If the folder holds a run with other settings.
    """
    if not (run / "config.json").is_file():
        return False
    if (found := load_settings(run)) != settings:
        raise RunError(
            "this folder holds a run with other settings",
            file=run,
            found=str(differences(found, settings)),
            remedy="choose another name, or remove the folder",
        )
    if not (run / "learning_curves.png").is_file():
        return False
    try:
        return len(read_history(run)) == settings.epochs and not safe_loading.damage(run / "best.keras")
    except RunError:  # the history is damaged
        return False


def _train(run: Path, settings: TrainingSettings, repeats: Path | None, progress: bool) -> None:
    resolved = settings.resolved()
    # The devices of a job of several processes are known only when all of them have joined.
    shard = None if devices.in_job() else devices.shard(settings.devices, resolved.batch_size)
    with devices.job_scope():
        with devices.joining():
            parts = data.prepared_parts(settings, progress=progress)
        start = starting.starting_point(settings.weights, parts) if settings.weights else None
        shard = shard or devices.shard(settings.devices, resolved.batch_size)
        job = TrainingJob(run, settings, resolved, parts, data.fingerprint(parts), start, shard)
        _check_unchanged(job, repeats)
        if repeats is not None and finished(run, settings):
            return
        if devices.in_job():
            devices.assert_equal(settings=identity(settings), data=job.fingerprint)
        from lumbar.training import loop  # Keras starts here, after everything that could refuse the training

        with devices.scope(shard):
            loop.fit(job, progress=progress)
        if devices.writes():
            figures.learning_curves(read_history(run)).savefig(run / "learning_curves.png")


def _check_unchanged(job: TrainingJob, repeats: Path | None) -> None:
    """Make sure that data and starting network are those that this run began with, and those of the run it repeats."""
    earlier = []
    if (job.run / "config.json").is_file():
        problem = "the data have changed since this run began"
        remedy = "bring the data back as they were, or train under another name"
        earlier.append((job.run, problem, remedy))
    if repeats is not None:
        problem = "the data have changed since this run, so it cannot be repeated"
        remedy = "bring the data back as they were; if they were moved, say where they are now with --data"
        earlier.append((repeats, problem, remedy))
    for run, problem, remedy in earlier:
        config = load_config(run)
        data.check_unchanged(run, config, job.fingerprint, problem=problem, remedy=remedy)
        if job.start is not None:
            starting.check_unchanged(job.start, config.get("started_from"), run)
