"""A search from its settings to its winner."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from lumbar import figures
from lumbar.core import paths
from lumbar.core.errors import RunError
from lumbar.core.settings import to_dict
from lumbar.evaluation import evaluate
from lumbar.experiments.tuning import pool
from lumbar.experiments.tuning.leaderboard import OBJECTIVE, leaderboard
from lumbar.experiments.tuning.trials import run_of, run_trials
from lumbar.runs.folder import load_settings
from lumbar.runs.settings import EvaluationSettings, TrainingSettings, TuningSettings, WorkerSettings
from lumbar.storage.claims import claim_folder
from lumbar.storage.files import write_table
from lumbar.storage.locks import exclusive_lock
from lumbar.training import prepared_parts, train


def tune(
    settings: TuningSettings,
    training: TrainingSettings,
    where: WorkerSettings | None = None,
    *,
    progress: bool = True,
) -> Path:
    """Search, write the leaderboard and its picture, then train the best settings for `training.epochs` epochs.

    The folder is ``runs/<name>/``. It gets ``config.json``, ``leaderboard.csv``, ``leaderboard.png``, one run folder a
    trial under ``trials/``, and the winner, trained anew and evaluated, in ``best/``. A search that was stopped goes on
    where it stood: finished trials are not repeated, and one that was cut short resumes at its last epoch. Several
    workers make the same trials in a random search, to the last bit if each has as many threads as one process had; in
    the others the next trial depends on which were finished, and so on the workers' speed.

    Args:
        settings: What to search and for how long.
        training: Settings common to all trials, and the epochs of the final training.
        where: Which processes do it; this one if left out.
        progress: Show what is going on.

    Returns:
        The run folder of the winner.

    Raises:
        RunError: If the folder holds a search with other settings, another process is at work in it, or no trial was
            completed.
        OutputError: If the system will not have the results written: no fault of a trial.
        LumbarError: If the data cannot be read.
    """
    folder = paths.runs() / settings.name
    prepared_parts(training, progress=progress)  # data that cannot be read are not a fault of a trial
    with exclusive_lock(folder):
        claim_folder(
            folder / "config.json",
            {"tuning": to_dict(settings), "training": to_dict(training)},
            RunError(
                "this folder holds a search with other settings",
                file=folder,
                remedy="choose another --name, or remove the folder",
            ),
        )
        if where is not None and where.several:
            total = None if settings.algorithm == "hyperband" else settings.trials
            pool.search(folder, total, where, progress=progress)
        else:
            run_trials(settings, training, folder, progress=progress)
        table = leaderboard(folder)
        if not (table["status"] == "COMPLETED").any():
            raise RunError(
                "no trial of the search was completed",
                file=folder,
                found="; ".join(table["reason"].unique()) or "no trial",
            )
        _write_leaderboard(table, folder)
        return _train_winner(table["trial"].iloc[0], training, folder, progress)


def _write_leaderboard(table: pd.DataFrame, folder: Path) -> None:
    write_table(folder / "leaderboard.csv", table)
    figures.search_results(table, OBJECTIVE).savefig(folder / "leaderboard.png")


def _train_winner(trial: str, training: TrainingSettings, folder: Path, progress: bool) -> Path:
    best = load_settings(paths.runs() / run_of(trial, folder))
    run = train(replace(best, epochs=training.epochs, name=f"{folder.name}/best"), progress=progress)
    evaluate(EvaluationSettings(run=run), progress=progress)
    return run
