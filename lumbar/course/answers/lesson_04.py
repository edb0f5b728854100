"""Lesson 04: Training, watched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from lumbar.course.riddles import Riddle
from lumbar.geometry import SIZE

if TYPE_CHECKING:
    import pandas as pd

STEP = {"weights": [1.0, -2.0], "velocity": [0.3, 0.1], "gradient": [0.5, -0.4], "rate": 0.1, "momentum": 0.9}
"""The step that momentum is tried on."""


def exercise_1(pixels: float) -> Riddle:
    """What is this error as a fraction of the picture?

    Args:
        pixels: The error, pixels of the 256 frame.
    """
    return Riddle(
        pixels / SIZE,
        f"{SIZE} pixels are 1, so one pixel is 1 / {SIZE}",
        {
            "that is the error in pixels, without its unit": [pixels],
            "a fraction of the picture is smaller than the number of pixels: divide": [pixels * SIZE],
            "that is how often the error fits into the picture": [SIZE / pixels],
            "those are per cent; as a fraction, the whole picture is 1": [100 * pixels / SIZE],
            "that is a single pixel": [1 / SIZE],
        },
        tolerance=0.003,
    )


def _step(push: Callable[..., np.ndarray], move: Callable[..., np.ndarray] = lambda weights, old, new: weights + new):
    """Return one step of training.

    Args:
        push: (old velocity, rate × gradient, momentum) → new velocity.
        move: (weights, old velocity, new velocity) → new weights.
    """

    def step(weights, velocity, gradient, rate, momentum):
        new = push(velocity, rate * gradient, momentum)
        return move(weights, velocity, new), new

    return step


_RIGHT = _step(lambda old, push, momentum: momentum * old - push)


def _of_gradients(weights, velocity, gradient, rate, momentum):
    velocity = momentum * velocity + gradient
    return weights - rate * velocity, velocity


_WRONG = {
    "a sign is wrong: the gradient points uphill, so the velocity is pushed *against* it": [
        _step(lambda old, push, momentum: momentum * old + push)
    ],
    "a sign is wrong: the minus stands before the gradient already, and the weights move *with* the velocity": [
        _step(lambda old, push, momentum: momentum * old - push, lambda weights, old, new: weights - new)
    ],
    "the old velocity is forgotten; that is plain gradient descent": [_step(lambda old, push, momentum: -push)],
    "the ball never slows down: the *old velocity* is multiplied by `momentum`": [
        _step(lambda old, push, momentum: old - push)
    ],
    "`momentum` belongs to the old velocity, not to the gradient": [
        _step(lambda old, push, momentum: old - momentum * push),
        _step(lambda old, push, momentum: momentum * (old - push)),
    ],
    "the order: first the new velocity, then the weights move by the *new* one": [
        _step(lambda old, push, momentum: momentum * old - push, lambda weights, old, new: weights + old)
    ],
    "some libraries also multiply the gradient by 1 - momentum; here it counts in full, times the rate": [
        _step(lambda old, push, momentum: momentum * old - (1 - momentum) * push)
    ],
    "PyTorch's velocity is like that, made of gradients, and it works as well; here the rate comes in earlier, so that "
    "the velocity is what the weights move by": [_of_gradients],
    "the weights come first, then the velocity": [lambda *given: _RIGHT(*given)[::-1]],
    "that is the velocity; the weights have to move by it, and both are needed for the next step": [
        lambda *given: _RIGHT(*given)[1]
    ],
    "return the velocity, too: the next step needs it": [lambda *given: _RIGHT(*given)[0]],
}


def exercise_2() -> Riddle:
    """One step of gradient descent with momentum: the new weights and the new velocity."""
    return Riddle(
        _RIGHT,
        "write the two sentences of the task as two lines of code, in their order, and return both results",
        _WRONG,
        tolerance=1e-6,
        tried=lambda step: step(*(np.array(value) if isinstance(value, list) else value for value in STEP.values())),
    )


def exercise_3(history: pd.DataFrame) -> Riddle:
    """Which epoch had the lowest validation error in pixels?

    Args:
        history: The history of a run, see `lumbar.runs.read_history`.
    """
    numbered = history.set_index("epoch")
    best = int(numbered["val_mae_px"].idxmin())
    return Riddle(
        best,
        "look for the lowest `val_mae_px`, and read the number in the column `epoch`",
        {
            "that is the row, and rows count from 0; epochs count from 1": [best - 1],
            "that is how large the error was; in which epoch?": [float(numbered["val_mae_px"].min())],
            "that epoch has the lowest *training* error; the question is for the validation patients": [
                int(numbered["mae_px"].idxmin())
            ],
            "that epoch has the lowest validation *loss*; the error in pixels is another column": [
                int(numbered["val_loss"].idxmin())
            ],
            "that is the last epoch; did the error fall to the end?": [int(history["epoch"].iloc[-1])],
        },
        tolerance=1e-6,
    )


def exercise_4(gaps: Mapping[str, float]) -> Riddle:
    """Which of these networks learnt its training pictures by heart?

    Args:
        gaps: Name of the trial → validation error minus training error at the end.
    """
    largest = max(gaps, key=gaps.get)
    wrong = {
        "bare": "without dropout and augmentation one would expect it; but compare the two lines where they end",
        "dropout": "a unit that may be off at any step is a poor place to store a picture; look where its lines end",
        "augmentation": "its training error stayed high: it never saw the same picture twice",
        "both": "with both, training is even harder than validation: look which of its lines ends higher",
    }
    return Riddle(
        largest,
        f"look for the panel whose two lines end farthest apart: {', '.join(gaps)}",
        {
            **{hint: [name] for name, hint in wrong.items() if name != largest},
            "that is a gap, in pixels; which trial has it?": [gaps[largest]],
        },
        tolerance=1e-6,
    )
