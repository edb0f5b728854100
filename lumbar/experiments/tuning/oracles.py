"""Keras Tuner's oracles, which choose the next trial, made to survive a kill at any moment.

Its own files are written in place and one after the other, a trial is counted before the oracle has noted it, and the
Bayesian oracle's source of chance starts anew. Here each file appears whole or not at all, ``oracle.json`` alone says
which trials there are, and the source of chance goes on: a search that was killed makes the trials it would have made.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumbar.storage.files import write_json

if TYPE_CHECKING:
    import keras_tuner

STATE = "oracle.json"
"""The file in a search's project folder that says which trials were begun and ended."""


def oracle(algorithm: str, *, trials: int, epochs: int, seed: int, **common: Any) -> keras_tuner.Oracle:
    """An oracle that survives.

    Args:
        algorithm: "random", "hyperband" or "bayesian".
        trials: At most; hyperband decides for itself.
        epochs: Of the longest trial, for hyperband.
        seed: From 0; the same seed chooses the same trials.
        common: Of any oracle: objective, hyperparameters.
    """
    import keras_tuner

    kinds = keras_tuner.oracles
    common |= {
        "seed": seed + 1,  # Keras Tuner takes 0 for "any"
        "max_consecutive_failed_trials": sys.maxsize,  # a run of bad luck does not throw away the good trials
    }
    if algorithm == "hyperband":
        return _surviving(kinds.HyperbandOracle)(max_epochs=epochs, factor=3, **common)
    kind = kinds.BayesianOptimizationOracle if algorithm == "bayesian" else kinds.RandomSearchOracle
    return _surviving(kind)(max_trials=trials, **common)


def _surviving(kind: type[keras_tuner.Oracle]) -> type[keras_tuner.Oracle]:
    class Surviving(kind):
        def save(self) -> None:
            write_json(Path(self._get_oracle_fname()), self.get_state())

        def _save_trial(self, trial) -> None:
            write_json(Path(self._get_trial_dir(trial.trial_id)) / "trial.json", trial.get_state())

        def get_state(self) -> dict[str, Any]:
            state = super().get_state()
            if hasattr(self, "_random_state"):
                state["random_state"] = self._random_state.get_state(legacy=False) | {}
                state["random_state"]["state"] = {
                    name: value.tolist() if hasattr(value, "tolist") else value
                    for name, value in state["random_state"]["state"].items()
                }
            return state

        def set_state(self, state: dict[str, Any]) -> None:
            # In the order they were begun, as without the break; one begun but not noted will be begun again.
            self.trials = {trial: self.trials[trial] for trial in state["start_order"]}
            super().set_state(state)
            if "random_state" in state:
                self._random_state.set_state(state["random_state"])

    return Surviving
