"""Keras Tuner's oracles, which choose the next trial, changed so that they survive a kill at any moment.

Keras Tuner writes its files in place and one after the other, creates a trial's file before the oracle records the
trial, and restarts the random numbers of the Bayesian oracle. Here each file is written atomically, ``oracle.json``
alone determines which trials exist, and the state of the random numbers is kept. A search that was killed therefore
makes the trials that it would have made without the kill.

Keras Tuner's Bayesian oracle proposes settings that it has tried already, and its random choice gives up after twenty
such settings in a row, even if some are left. Here no oracle begins a trial with settings that were tried, and a search
ends before its last trial only when all combinations were tried. Where the combinations can be counted, the Bayesian
oracle compares them all; Keras Tuner's searches a continuous space for the best place and rounds it, which takes longer
and is less exact.
"""

from __future__ import annotations

import random
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumbar.experiments.tuning.space import combinations
from lumbar.storage.files import write_json

if TYPE_CHECKING:
    import keras_tuner

_DRAWN = 200
"""Settings that are compared in place of settings that were tried, if the space is too large to compare them all."""

STATE = "oracle.json"
"""Name of the file in a search's project folder that lists the trials that were begun and ended."""


def oracle(algorithm: str, *, trials: int, epochs: int, seed: int, **common: Any) -> keras_tuner.Oracle:
    """Return an oracle that survives a kill at any moment, and tries no settings twice.

    Hyperband alone trains settings again, for more epochs.

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
    if algorithm == "bayesian":
        return _distinct(_surviving(kinds.BayesianOptimizationOracle))(max_trials=trials, **common)
    return _surviving(kinds.RandomSearchOracle)(max_trials=trials, **common)


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

        def _random_values(self) -> dict[str, Any] | None:
            values = super()._random_values()
            if values is None and (untried := self.untried()):  # few are left, and chance did not find them
                values = random.Random(self._seed_state).choice(untried)
                self._seed_state += 1
            return values

        def untried(self) -> list[dict[str, Any]]:
            """Return all settings that were not tried, or some if there are infinitely many."""
            every = combinations(self.hyperparameters)
            if every is None:
                return [self._random_values() for _ in range(_DRAWN)]
            return [values for values in every if not self._duplicate(values)]

    return Surviving


def _distinct(kind: type[keras_tuner.Oracle]) -> type[keras_tuner.Oracle]:
    """Return a subclass of a Bayesian oracle that chooses the most promising of the settings that were not tried."""
    from sklearn.exceptions import ConvergenceWarning

    class Distinct(kind):
        def populate_space(self, trial_id: str) -> dict[str, Any]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # a few trials do not determine the process
                if self._compares_all():
                    self.gpr.fit(*self._vectorize_trials())
                    return self._most_promising()
                proposed = super().populate_space(trial_id)
            if proposed["values"] is None or not self._duplicate(proposed["values"]):
                return proposed
            return self._most_promising()

        def _compares_all(self) -> bool:
            """Whether there are scores enough for a model, and few enough combinations to compare all of them."""
            completed = sum(trial.status == "COMPLETED" for trial in self.trials.values())
            first = self.num_initial_points or max(3 * len(self.hyperparameters.space), 3)  # Keras Tuner's own rule
            return completed >= first and combinations(self.hyperparameters) is not None

        def _most_promising(self) -> dict[str, Any]:
            """Return the untried settings with the lowest bound of confidence of the score."""
            untried = self.untried()
            if not untried:
                return {"status": "STOPPED", "values": None}
            mean, deviation = self.gpr.predict([self._vector(values) for values in untried], return_std=True)
            return {"status": "RUNNING", "values": untried[(mean - self.beta * deviation).argmin()]}

        def _vector(self, values: dict[str, Any]) -> list[float]:
            return [parameter.value_to_prob(values[parameter.name]) for parameter in self.hyperparameters.space]

    return Distinct
