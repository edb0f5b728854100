"""Search for better settings with Keras Tuner; every trial is an ordinary run, and so is the winner.

A hyperparameter is a training setting under its own name, so a trial's folder holds the same files as any run, is
evaluated and resumed like one, and needs no second description of how a network is built and trained.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumbar import oracles, places, workers
from lumbar.errors import OutputError, RunError
from lumbar.files import held, write_json, write_table
from lumbar.settings import setting, to_dict
from lumbar.training import TrainingSettings
from lumbar.workers import WorkerSettings

if TYPE_CHECKING:
    import keras_tuner
    import pandas as pd

OBJECTIVE = "val_mae_px"
"""What a search makes small: a trial's lowest validation error, mean over both axes, pixels of the 256 frame."""


@dataclass(frozen=True)
class TuningSettings:
    """Settings of a search; what a trial does not vary stands in the training settings."""

    algorithm: str = setting("random", "how the next trial is chosen", choices=("random", "hyperband", "bayesian"))
    trials: int = setting(10, "trials at most; hyperband decides their number from the epochs", at_least=1)
    trial_epochs: int = setting(6, "epochs of one trial (the longest, for hyperband)", at_least=1)
    search: tuple[str, ...] = setting(
        ("model", "depth", "width", "activation", "dropout", "batch_norm", "learning_rate", "augmentation"),
        "settings to vary; the others stay as given",
        choices=("model", "depth", "width", "activation", "dropout", "batch_norm", "learning_rate", "augmentation"),
    )
    name: str = setting("search", "name of the search's folder under runs/")


def space(names: tuple[str, ...]) -> keras_tuner.HyperParameters:
    """The values that each searched setting may take."""
    import keras_tuner

    parameters = keras_tuner.HyperParameters()
    offered = {
        "model": lambda name: parameters.Choice(name, ["baseline", "heatmap"]),
        "depth": lambda name: parameters.Int(name, 3, 5),
        "width": lambda name: parameters.Choice(name, [8, 12, 16, 24]),
        "activation": lambda name: parameters.Choice(name, ["relu", "gelu", "silu"]),
        "dropout": lambda name: parameters.Float(name, 0.0, 0.5, step=0.1),
        "batch_norm": lambda name: parameters.Boolean(name),
        "learning_rate": lambda name: parameters.Float(name, 1e-4, 1e-2, sampling="log"),
        "augmentation": lambda name: parameters.Float(name, 0.0, 1.5, step=0.5),
    }
    for name in names:
        offered[name](name)
    return parameters


def tune(
    settings: TuningSettings,
    training: TrainingSettings,
    where: WorkerSettings | None = None,
    *,
    progress: bool = True,
) -> Path:
    """Search, write the leaderboard and its picture, then train the best settings for `training.epochs` epochs.

    Everything stands in ``runs/<name>/``: ``config.json``, ``leaderboard.csv``, ``leaderboard.png``, one run folder a
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
    from lumbar.training import prepared_parts

    folder = places.runs() / settings.name
    prepared_parts(training, progress=progress)  # data that cannot be read are no matter of a trial
    with held(folder):
        _claim(folder, {"tuning": to_dict(settings), "training": to_dict(training)})
        if where is not None and where.several:
            total = None if settings.algorithm == "hyperband" else settings.trials
            workers.search(folder, total, where, progress=progress)
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


def leaderboard(folder: Path) -> pd.DataFrame:
    """All trials of a search, the best first.

    Args:
        folder: The search's folder.

    Returns:
        DataFrame with columns trial, status, val_mae_px (pixels of the 256 frame; NaN if not completed), epochs, one
        column for each searched setting, and reason ("", or why a trial failed).
    """
    import pandas as pd

    rows = []
    for path in sorted((folder / "trials" / "keras_tuner").glob("*/trial_*/trial.json")):
        trial = json.loads(path.read_text(encoding="utf-8"))
        values = trial["hyperparameters"]["values"]
        rows.append(
            {
                "trial": trial["trial_id"],
                "status": trial["status"],
                OBJECTIVE: trial["score"],
                "epochs": values.get("tuner/epochs"),
                **{name: value for name, value in values.items() if not name.startswith("tuner/")},
                "reason": (trial["message"] or "").strip().rpartition("\n")[2].rpartition("FailedTrialError: ")[2],
            }
        )
    table = pd.DataFrame(rows, columns=None if rows else ["trial", "status", OBJECTIVE, "epochs", "reason"])
    return table.sort_values(OBJECTIVE, na_position="last", ignore_index=True, kind="stable")


def _claim(folder: Path, config: dict[str, Any]) -> None:
    """Make the folder ours, or make sure that it holds this very search."""
    path = folder / "config.json"
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != config:
            raise RunError(
                "this folder holds a search with other settings",
                file=folder,
                remedy="choose another --name, or remove the folder",
            )
        return
    write_json(path, config)


def run_trials(settings: TuningSettings, training: TrainingSettings, folder: Path, *, progress: bool) -> None:
    """Make the trials that are left, as the only process of a search, or as the one that the environment says."""
    from lumbar.backend import keras  # before keras_tuner, which would start TensorFlow with all its chatter

    try:
        _search(settings, training, folder, progress)
    finally:
        keras.backend.clear_session()  # the trials' networks are on disk


def _search(settings: TuningSettings, training: TrainingSettings, folder: Path, progress: bool) -> None:
    import keras_tuner

    try:
        _tuner(settings, training, folder, progress).search()
    except keras_tuner.errors.FatalError as error:
        raise error.__cause__ from None


def _tuner(settings: TuningSettings, training: TrainingSettings, folder: Path, progress: bool):
    """A Keras Tuner whose trials are runs."""
    import grpc
    import keras_tuner
    from keras_tuner.engine import base_tuner  # the plain tuner: no model of its own, only trials

    from lumbar.run_files import read_history
    from lumbar.training import train

    deaths = int(os.environ.get(workers.DEATHS, 0))

    class RunTuner(base_tuner.BaseTuner):
        def run_trial(self, trial, *_, **__):
            nonlocal deaths
            if deaths >= workers.GIVE_UP:
                deaths = 0
                raise keras_tuner.errors.FailedTrialError(f"its process was killed {workers.GIVE_UP} times")
            deaths = 0
            values = dict(trial.hyperparameters.values)
            epochs = values.get("tuner/epochs", settings.trial_epochs)
            chosen = {name: value for name, value in values.items() if not name.startswith("tuner/")}
            run = _run_of(trial.trial_id, folder)
            try:
                train(replace(training, **chosen, epochs=epochs, name=run), progress=progress)
            except OutputError as error:  # a full disk is no trial's fault
                raise keras_tuner.errors.FatalError from error
            except Exception as error:  # settings that diverge or need too much memory; the next trial may do better
                reason = " ".join(str(error).split()) or type(error).__name__
                raise keras_tuner.errors.FailedTrialError(reason) from error
            return {OBJECTIVE: float(read_history(places.runs() / run)[OBJECTIVE].min())}

        def _run_and_update_trial(self, trial, *options, **named):
            try:
                super()._run_and_update_trial(trial, *options, **named)
            except grpc.RpcError as error:  # nor is a chief that is gone
                raise keras_tuner.errors.FatalError from error

        def pre_create_trial(self):
            if self._is_worker():
                time.sleep(0.1)  # while all others are waited for, the chief is asked again and again

        def load_model(self, trial):
            raise NotImplementedError("a trial's network is best.keras of its run folder")

        # All there is to keep is the oracle's state. A worker has none.
        def save(self):
            if not self._is_worker():
                self.oracle.save()

        def reload(self):
            self.oracle.reload()

        def _get_tuner_fname(self):
            return str(Path(self.project_dir) / ("none" if self._is_worker() else oracles.STATE))

    oracle = oracles.oracle(
        settings.algorithm,
        trials=settings.trials,
        epochs=settings.trial_epochs,
        seed=training.seed,
        objective=keras_tuner.Objective(OBJECTIVE, "min"),
        hyperparameters=space(settings.search),
    )
    oracle.verbose = int(progress)
    with contextlib.nullcontext() if progress else contextlib.redirect_stdout(io.StringIO()):
        return RunTuner(oracle, directory=str(folder / "trials" / "keras_tuner"), project_name="search")


def _run_of(trial: str, folder: Path) -> str:
    return f"{folder.name}/trials/{trial}"


def _write_leaderboard(table: pd.DataFrame, folder: Path) -> None:
    from lumbar import figures

    write_table(folder / "leaderboard.csv", table)
    figures.search_results(table, OBJECTIVE).savefig(folder / "leaderboard.png")


def _train_winner(trial: str, training: TrainingSettings, folder: Path, progress: bool) -> Path:
    from lumbar.evaluation import EvaluationSettings, evaluate
    from lumbar.training import load_settings, train

    best = load_settings(places.runs() / _run_of(trial, folder))
    run = train(replace(best, epochs=training.epochs, name=f"{folder.name}/best"), progress=progress)
    evaluate(EvaluationSettings(run=run), progress=progress)
    return run
