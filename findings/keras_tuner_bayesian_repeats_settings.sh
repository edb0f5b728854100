#!/usr/bin/env bash
# Keras Tuner: a Bayesian search over a small discrete space trains the same settings several times.
#
# The Bayesian search proposes settings again, and goes on to the last of max_trials, so that a space of 12 settings
# costs 20 trainings and is still not covered. The random search does not repeat settings. But it gives up after some
# draws in a row that bring nothing new, and so may end with a setting left.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet --disable-pip-version-check keras==3.15.1 keras-tuner==1.4.8 jax==0.9.0 scikit-learn==1.8.0 scipy==1.17.1 six==1.17.0 2>/dev/null
cd "$work"
KERAS_BACKEND=jax env/bin/python -W ignore - <<'PY'
import importlib.metadata

import keras_tuner

print("keras-tuner", importlib.metadata.version("keras-tuner"), "keras", importlib.metadata.version("keras"))


class Search(keras_tuner.Tuner):
    def run_trial(self, trial, *_, **__):
        return (trial.hyperparameters.get("depth") - 3) ** 2 + trial.hyperparameters.get("width") / 64


def different_settings(oracle):
    space = keras_tuner.HyperParameters()
    space.Int("depth", 2, 5)
    space.Choice("width", [16, 32, 64])
    options = {"objective": keras_tuner.Objective("default_objective", "min"), "max_trials": 20, "seed": 1}
    tuner = Search(oracle(hyperparameters=space, **options), directory=oracle.__name__, overwrite=True, hypermodel=lambda hp: None)
    tuner.search(verbose=0)
    trials = [tuple(sorted(trial.hyperparameters.values.items())) for trial in tuner.oracle.trials.values()]
    print(f"{oracle.__name__}: {len(trials)} trials, {len(set(trials))} different settings of 12")
    return len(trials), len(set(trials))


oracles = keras_tuner.oracles
trials, different = different_settings(oracles.BayesianOptimizationOracle)
assert trials == 20 and different < 12, "the behaviour has changed"
trials, different = different_settings(oracles.RandomSearchOracle)
assert trials == different < 12, "the behaviour has changed"
PY
