"""Run a search, from its settings to its winner."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd

from lumbar import figures
from lumbar.core import paths
from lumbar.core.errors import RunError
from lumbar.core.schema import to_dict
from lumbar.evaluation import evaluate
from lumbar.experiments.tuning import pool
from lumbar.experiments.tuning.leaderboard import OBJECTIVE, leaderboard
from lumbar.experiments.tuning.space import combinations, space
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
    """Search for the best settings, write the leaderboard, and train the best settings for `training.epochs` epochs.

    The folder ``runs/<name>/`` holds ``config.json``, ``leaderboard.csv``, ``leaderboard.png``, one run folder per
    trial under ``trials/``, and the winner, trained again and evaluated, in ``best/``. A search that was stopped
    resumes when it is called again: finished trials are not repeated, and an unfinished one resumes after its last
    epoch. In a random search several workers make the same trials as one process, to the last bit if each has as many
    threads. In the other searches the next trial depends on those finished before, and so on the speed of the workers.

    No settings are tried twice, except by hyperband, which trains the best again for more epochs. A search that has
    tried all combinations of its settings ends, and a note says so.

    Args:
        settings: What to search, and for how long.
        training: Settings common to all trials, and the epochs of the final training.
        where: The processes that run trials; this process if left out.
        progress: Show progress.

    Returns:
        The run folder of the winner.

    Raises:
        RunError: If the folder holds a search with other settings, another process is at work in it, or no trial was
            completed.
        OutputError: If a result cannot be written.
        LumbarError: If the data cannot be read.
    """
    folder = paths.runs() / settings.name
    prepared_parts(training, progress=progress)  # data that cannot be read must not count as failed trials
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
        _report_used_up(table, settings)
        _write_leaderboard(table, folder)
        return _train_winner(table["trial"].iloc[0], training, folder, progress)


def _report_used_up(table: pd.DataFrame, settings: TuningSettings) -> None:
    """Print a note if the search ended because all combinations of the searched settings were tried."""
    tried = len(table[list(settings.search)].drop_duplicates())
    if settings.algorithm == "hyperband":
        asked, used_up = "", tried == len(combinations(space(settings.search)) or ())
    else:
        asked, used_up = f" of {settings.trials}", len(table) < settings.trials
    if used_up:
        print(
            f"note: the search ended after {len(table)}{asked} trials, because all {tried} combinations of the "
            f"searched settings ({', '.join(settings.search)}) were tried",
            file=sys.stderr,
        )


def _write_leaderboard(table: pd.DataFrame, folder: Path) -> None:
    write_table(folder / "leaderboard.csv", table)
    figures.search_results(table, OBJECTIVE).savefig(folder / "leaderboard.png")


def _train_winner(trial: str, training: TrainingSettings, folder: Path, progress: bool) -> Path:
    """Train the settings of a trial for all epochs, evaluate the run, and return its folder."""
    best = load_settings(paths.runs() / run_of(trial, folder))
    run = train(replace(best, epochs=training.epochs, name=f"{folder.name}/best"), progress=progress)
    evaluate(EvaluationSettings(run=run), progress=progress)
    return run
