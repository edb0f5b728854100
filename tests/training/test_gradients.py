"""Backpropagation: it agrees with nudging a weight, with what `fit` does, and from one backend to another."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from lumbar import losses, models
from lumbar.batches import Batches
from lumbar.core.backend import keras
from lumbar.core.paths import REPOSITORY
from lumbar.training.gradients import loss_and_gradients
from tests.support.prepared import spots

LOSS = losses.MaskedMSE()


def small() -> keras.Model:
    """A small network whose weights are the same on each backend."""
    model = models.build("baseline", 5, depth=3, width=2, dense=8, dropout=0.0)
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        fan_in = max(np.prod(variable.shape[:-1]), 1)
        variable.assign(random.normal(0.1, 1, variable.shape) / np.sqrt(fan_in))
    return model


def trained_by_hand(model: keras.Model, batches: Batches, epochs: int) -> None:
    optimizer = keras.optimizers.SGD(0.002, momentum=0.9)
    for epoch in range(epochs):
        for index in range(len(batches)):
            _, gradients = loss_and_gradients(model, LOSS, *batches.batch(epoch, index))
            optimizer.apply(gradients, model.trainable_variables)


def trained_by_fit(model: keras.Model, batches: Batches, epochs: int) -> None:
    model.compile(keras.optimizers.SGD(0.002, momentum=0.9), LOSS, jit_compile=False)
    follow = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: setattr(batches, "epoch", epoch))
    model.fit(**batches.for_fit(range(epochs)), callbacks=[follow], verbose=0)


def measured() -> dict[str, list[float]]:
    """Return what must be the same on each backend."""
    model, batches = small(), Batches(spots(6), 4, seed=1, shuffle=True)
    loss, gradients = loss_and_gradients(model, LOSS, *batches.batch(0, 0))
    fitted, by_hand = small(), small()
    trained_by_fit(fitted, batches, 3)
    trained_by_hand(by_hand, batches, 3)
    return {
        "loss": [loss],
        "gradients": [float(keras.ops.max(keras.ops.abs(gradient))) for gradient in gradients],
        "averages": [float(keras.ops.sum(each)) for each in model.non_trainable_variables],
        "fitted": np.concatenate([weight.ravel() for weight in fitted.get_weights()]).tolist(),
        "by hand": np.concatenate([weight.ravel() for weight in by_hand.get_weights()]).tolist(),
    }


def test_the_gradient_is_what_nudging_a_weight_does_to_the_loss():
    model = small()
    images, points = Batches(spots(4), 4).batch(0, 0)
    points[0, 1] = np.nan
    loss, gradients = loss_and_gradients(model, LOSS, images, points)
    assert loss == pytest.approx(float(LOSS(points, model(images, training=True))), rel=1e-5)
    assert [tuple(each.shape) for each in gradients] == [tuple(each.shape) for each in model.trainable_variables]
    for variable, gradient in zip(model.trainable_variables[-2:], gradients[-2:], strict=True):
        kept, nudge, around = variable.numpy(), np.zeros(variable.shape, "float32"), []
        nudge.flat[3] = 0.02
        for changed in (kept + nudge, kept - nudge):
            variable.assign(changed)
            around.append(float(LOSS(points, model(images, training=True))))
        variable.assign(kept)
        assert np.ravel(gradient)[3] == pytest.approx((around[0] - around[1]) / 0.04, rel=0.02)


def test_batch_normalisation_follows_the_batch():
    model = small()
    before = [each.numpy() for each in model.non_trainable_variables]
    loss_and_gradients(model, LOSS, *Batches(spots(4), 4).batch(0, 0))
    assert not any(np.array_equal(*pair) for pair in zip(before, model.non_trainable_variables, strict=True))


def test_a_loop_by_hand_ends_where_fit_ends():
    values = measured()
    np.testing.assert_allclose(values["by hand"], values["fitted"], atol=1e-4)
    assert not np.allclose(values["by hand"], np.concatenate([each.ravel() for each in small().get_weights()]))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_find_the_same_gradients(backend):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    code = "import json; from tests.training.test_gradients import measured; print(json.dumps(measured()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env=os.environ | {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    theirs, ours = json.loads(done.stdout.splitlines()[-1]), measured()
    for name in ("loss", "gradients", "averages"):
        np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-3, err_msg=name)
    np.testing.assert_allclose(theirs["by hand"], theirs["fitted"], atol=1e-4)
