"""The trials of a search: a subclass of Keras Tuner's tuner that trains each trial as a run."""

from __future__ import annotations

import contextlib
import io
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lumbar.core import paths
from lumbar.core.errors import OutputError
from lumbar.experiments.tuning import oracles, pool
from lumbar.experiments.tuning.leaderboard import OBJECTIVE
from lumbar.experiments.tuning.space import space
from lumbar.runs.folder import read_history
from lumbar.runs.settings import TrainingSettings, TuningSettings
from lumbar.training import train

if TYPE_CHECKING:
    pass


def run_trials(settings: TuningSettings, training: TrainingSettings, folder: Path, *, progress: bool) -> None:
    """Run the trials that are left, in the only process of a search, or as the one that the environment names.

    Args:
        settings: What to search, and for how long.
        training: Settings common to all trials.
        folder: The search's folder.
        progress: Show progress.

    Raises:
        OutputError: If a result cannot be written.
        grpc.RpcError: If this process is a worker, and its chief does not answer any longer.
    """
    from lumbar.core.backend import keras  # before keras_tuner, which would start TensorFlow with all its messages

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
    """Return a tuner that trains each trial as a run."""
    import grpc
    import keras_tuner
    from keras_tuner.engine import base_tuner  # the basic tuner: it runs trials and builds no model

    deaths = int(os.environ.get(pool.DEATHS, 0))

    class RunTuner(base_tuner.BaseTuner):
        def run_trial(self, trial, *_, **__):
            nonlocal deaths
            if deaths >= pool.GIVE_UP:
                deaths = 0
                raise keras_tuner.errors.FailedTrialError(f"its process was killed {pool.GIVE_UP} times")
            deaths = 0
            values = dict(trial.hyperparameters.values)
            epochs = values.get("tuner/epochs", settings.trial_epochs)
            chosen = {name: value for name, value in values.items() if not name.startswith("tuner/")}
            run = run_of(trial.trial_id, folder)
            try:
                train(replace(training, **chosen, epochs=epochs, name=run), progress=progress)
            except OutputError as error:  # a full disk is not the trial's fault
                raise keras_tuner.errors.FatalError from error
            except Exception as error:  # settings that diverge or need too much memory; the next trial may do better
                reason = " ".join(str(error).split()) or type(error).__name__
                raise keras_tuner.errors.FailedTrialError(reason) from error
            return {OBJECTIVE: float(read_history(paths.runs() / run)[OBJECTIVE].min())}

        def _run_and_update_trial(self, trial, *options, **named):
            try:
                super()._run_and_update_trial(trial, *options, **named)
            except grpc.RpcError as error:  # neither is a chief that is gone
                raise keras_tuner.errors.FatalError from error

        def pre_create_trial(self):
            if self._is_worker():
                time.sleep(0.1)  # limits how often an idle worker asks the chief for a trial

        def load_model(self, trial):
            raise NotImplementedError("a trial's network is best.keras of its run folder")

        # The oracle's state is all that has to be saved, and a worker has none.
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


def run_of(trial: str, folder: Path) -> str:
    """Return the name of a trial's run under runs/."""
    return f"{folder.name}/trials/{trial}"
