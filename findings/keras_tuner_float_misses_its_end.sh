#!/usr/bin/env bash
# Keras Tuner: a stepped range of floats may leave out its largest value and hold values that nobody wrote.
#
# Float("dropout", 0.0, 0.5, step=0.1) never proposes 0.5, and proposes 0.30000000000000004: the number of steps is
# computed by a division that binary fractions do not survive, and the values are computed by multiplication. With other
# bounds the same step reaches the end. Choice([0.0, 0.1, ...]) does not have the problem.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet --disable-pip-version-check keras==3.15.1 keras-tuner==1.4.8 jax==0.9.0 six==1.17.0 2>/dev/null
cd "$work"
KERAS_BACKEND=jax env/bin/python -W ignore - <<'PY'
import importlib.metadata

import keras_tuner

print("keras-tuner", importlib.metadata.version("keras-tuner"), "keras", importlib.metadata.version("keras"))
holds_its_end = {}
for low, high, step in [(0.0, 0.5, 0.1), (0.0, 0.4, 0.1), (0.0, 0.3, 0.1), (0.1, 0.7, 0.1), (0.0, 0.5, 0.25)]:
    range_ = keras_tuner.engine.hyperparameters.Float("dropout", low, high, step=step)
    values = list(range_.values)
    holds_its_end[low, high, step] = values[-1] == high
    print(f"Float({low}, {high}, step={step}): {values}")
assert holds_its_end[0.0, 0.5, 0.1] is False, "the behaviour has changed"
assert holds_its_end[0.0, 0.5, 0.25] is True, "the behaviour has changed"
PY
