#!/usr/bin/env bash
# Keras on TensorFlow: the first fit of a network traces its training step twice.
#
# compile() does not create the optimizer's variables; the first step does, while it is traced. TensorFlow then traces
# the step again, because a function that creates variables must be seen without doing so. A network of twenty
# convolutions waits seconds for that second trace, in every training. If optimizer.build(model.trainable_variables) is
# called between compile and fit, the step is traced once, and the weights that come out are the same to the bit.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet --disable-pip-version-check tensorflow==2.21.0 keras==3.15.1 2>/dev/null
cd "$work"
TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES="" KERAS_BACKEND=tensorflow env/bin/python -W ignore - <<'PY'
import importlib.metadata

import keras
import numpy as np

print("keras", importlib.metadata.version("keras"), "tensorflow", importlib.metadata.version("tensorflow"))
images = np.random.default_rng(0).random((8, 16, 16, 1), np.float32)
targets = images.mean(axis=(1, 2))


class Counting(keras.Model):
    traces = 0

    def train_step(self, *data):
        Counting.traces += 1  # Python runs here only while the step is traced
        return super().train_step(*data)


def fit(built_first):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((16, 16, 1))
    hidden = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, activation="relu")(inputs))
    model = Counting(inputs, keras.layers.Dense(1)(hidden))
    model.compile(optimizer="adam", loss="mse")
    if built_first:
        model.optimizer.build(model.trainable_variables)
    Counting.traces = 0
    model.fit(images, targets, batch_size=4, epochs=3, shuffle=False, verbose=0)
    return Counting.traces, model.get_weights()


(plain, weights), (built, same) = fit(built_first=False), fit(built_first=True)
print(f"traces of the training step: {plain} as it is, {built} with the optimizer built first")
equal = all(np.array_equal(one, other) for one, other in zip(weights, same))
print("the trained weights are the same to the bit:", equal)
assert (plain, built, equal) == (2, 1, True), "the behaviour has changed"
PY
