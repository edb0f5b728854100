"""Backpropagation on any backend: the loss of a network on a batch, and its gradient for each trainable weight.

`fit` does this inside Keras. Lessons do it by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lumbar.core.backend import keras


def loss_and_gradients(
    model: keras.Model, loss: keras.losses.Loss, images: np.ndarray, points: np.ndarray
) -> tuple[float, list[Any]]:
    """Return the loss of a network on one batch, and how it changes with each weight.

    The network answers as in training: dropout is on, and batch normalisation updates its running averages.

    Args:
        model: The network.
        loss: One of `lumbar.losses`.
        images: float32 (batch, 256, 256, 1), from 0 to 1.
        points: float32 (batch, K, 2), unit coordinates, NaN where missing.

    Returns:
        The loss, and for each of `model.trainable_variables` a tensor of the backend, of the variable's shape.
    """
    ways = {"tensorflow": _with_tensorflow, "jax": _with_jax, "torch": _with_torch}
    value, gradients = ways[keras.backend.backend()](model, loss, images, points)
    return float(keras.ops.stop_gradient(value)), list(gradients)


def _with_tensorflow(model: keras.Model, loss: keras.losses.Loss, images, points) -> tuple[Any, Sequence[Any]]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        value = loss(points, model(images, training=True))
    return value, tape.gradient(value, [variable.value for variable in model.trainable_variables])


def _with_torch(model: keras.Model, loss: keras.losses.Loss, images, points) -> tuple[Any, Sequence[Any]]:
    import torch

    value = loss(points, model(images, training=True))
    return value, torch.autograd.grad(value, [variable.value for variable in model.trainable_variables])


def _with_jax(model: keras.Model, loss: keras.losses.Loss, images, points) -> tuple[Any, Sequence[Any]]:
    import jax

    def forward(trainable, others):
        answer, others = model.stateless_call(trainable, others, images, training=True)
        return loss(points, answer), others

    state = (
        [each.value for each in variables] for variables in (model.trainable_variables, model.non_trainable_variables)
    )
    (value, others), gradients = jax.value_and_grad(forward, has_aux=True)(*state)
    for variable, new in zip(model.non_trainable_variables, others, strict=True):
        variable.assign(new)
    return value, gradients
