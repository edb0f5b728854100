"""Keras Tuner's oracles, which choose the next trial, changed so that they survive a kill at any moment.

Keras Tuner writes its files in place and one after the other, creates a trial's file before the oracle records the
trial, and restarts the random numbers of the Bayesian oracle. Here each file is written atomically, ``oracle.json``
alone determines which trials exist, and the state of the random numbers is kept. A search that was killed therefore
makes the trials that it would have made without the kill.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumbar.storage.files import write_json

if TYPE_CHECKING:
    import keras_tuner

STATE = "oracle.json"
"""Name of the file in a search's project folder that lists the trials that were begun and ended."""


def oracle(algorithm: str, *, trials: int, epochs: int, seed: int, **common: Any) -> keras_tuner.Oracle:
    """Return an oracle that survives a kill at any moment.

    Args:
        algorithm: "random", "hyperband" or "bayesian".
        trials: Largest number of trials; hyperband derives its own from `epochs`.
        epochs: Epochs of the longest trial, for hyperband.
        seed: Seed, from 0; the same seed chooses the same trials.
        common: Arguments that every oracle takes: objective, hyperparameters.
    """
    import keras_tuner

    kinds = keras_tuner.oracles
    common |= {
        "seed": seed + 1,  # for Keras Tuner 0 means a random seed
        "max_consecutive_failed_trials": sys.maxsize,  # several failures in a row must not end the search
    }
    if algorithm == "hyperband":
        return _surviving(kinds.HyperbandOracle)(max_epochs=epochs, factor=3, **common)
    kind = kinds.BayesianOptimizationOracle if algorithm == "bayesian" else kinds.RandomSearchOracle
    return _surviving(kind)(max_trials=trials, **common)


def _surviving(kind: type[keras_tuner.Oracle]) -> type[keras_tuner.Oracle]:
    """Return a subclass of an oracle that writes its files atomically and restores its whole state."""

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
            # In the order in which they were begun. A trial that was begun but not recorded will be begun again.
            self.trials = {trial: self.trials[trial] for trial in state["start_order"]}
            super().set_state(state)
            if "random_state" in state:
                self._random_state.set_state(state["random_state"])

    return Surviving
