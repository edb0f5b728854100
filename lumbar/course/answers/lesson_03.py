"""Lesson 03: Building the network."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from lumbar.course.riddles import Riddle

SCORES = np.array([[0, 1, 0, -1, 0, 0], [0, 3, 1, 0, 0, 0], [1, 0, 0, 0, 2, 0], [0, 0, -1, 0, 0, 1]], float)
"""The map that soft-argmax is tried on: wider than high, with two peaks."""

_KNOWN = np.array([[0.5, 0.2], [0.4, 0.6], [0.7, 0.8]])
_SOME, _NOTHING = _KNOWN.copy(), np.full((3, 2), np.nan)
_SOME[2] = np.nan
ANSWER = np.array([[0.6, 0.25], [0.2, 0.6], [0.4, 0.5]])
LABELS = (_SOME, _KNOWN, _NOTHING)
"""True points that a loss is tried on: one is missing, none is, all are."""


def exercise_1() -> Riddle:
    """How many weights has a 3×3 convolution from 16 to 32 channels, without bias?"""
    return Riddle(
        3 * 3 * 16 * 32,
        "kernel height × kernel width × channels in × channels out",
        {
            "that would do for one channel: each of the 32 filters has a kernel for *each* of the 16": [3 * 3 * 32],
            "that is one filter, and there are 32 of them": [3 * 3 * 16],
            "you joined each channel with each: how many numbers does one kernel hold?": [16 * 32],
            "a kernel is three wide *and* three high": [3 * 16 * 32],
            "that is the bar of the diagram, which also counts the four numbers a channel of the normalisation": [
                3 * 3 * 16 * 32 + 4 * 32
            ],
            "those are the weights and a bias for each filter; this layer has no bias": [(3 * 3 * 16 + 1) * 32],
        },
    )


def exercise_2() -> Riddle:
    """Which (kernel, stride) has the network "heatmap" down to its smallest maps?"""
    start, block = [(8, 4), (3, 1), (3, 1)], [(2, 2), (3, 1), (3, 1)]
    pool = block[:1]
    return Riddle(
        start + block * 4,
        "[(8, 4)] + two pairs, + four times the same three pairs",
        {
            "a pooling counts, too: it is a kernel of 2 that moves on by 2": [start + block[1:] * 4],
            "each of the four rounds has two convolutions": [start + block[:2] * 4, start[:2] + block[:2] * 4],
            "pooling comes first in each of the four rounds, then the two convolutions": [
                start + (block[1:] + pool) * 4
            ],
            "the block after the first convolutions comes four times": [start + block],
            "two 3×3 convolutions follow the first one, before any pooling": [start[:1] + block * 4],
            "a stride of 4 means that each later step is four pixels of the picture long": [
                [(8, 1), *start[1:], *block * 4]
            ],
            "a pair is (kernel, stride): the first number is how wide the kernel is": [
                [(stride, kernel) for kernel, stride in start + block * 4]
            ],
            "that is what its last unit sees; the question is for the list of pairs": [564],
        },
    )


_Loss = Callable[[np.ndarray, np.ndarray], Any]


def _tried(loss: _Loss) -> Any:
    """Return what a loss gives for each of `LABELS`, with -1 in place of NaN, so that it can be compared."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the mean of nothing warns, and is one of the mistakes
        given = [loss(true.copy(), ANSWER.copy()) for true in LABELS]
    return given if all(each is None for each in given) else np.nan_to_num(np.asarray(given, float), nan=-1.0)


def _squares(true: np.ndarray, answer: np.ndarray) -> np.ndarray:
    return (true - answer) ** 2


def _known(errors: np.ndarray) -> np.ndarray:
    return errors[~np.isnan(errors)]


def _masked(of: Callable[[np.ndarray], Any], error: _Loss = _squares) -> list[_Loss]:
    """Return the losses that compute something of the known errors, and give NaN, or else 0, if nothing is known."""

    def loss(true: np.ndarray, answer: np.ndarray) -> Any:
        return of(_known(error(true, answer)))

    return [lambda true, answer: loss(true, answer) if np.isfinite(true).any() else 0.0, loss]


_MASKED_MSE, _MEAN_OF_NOTHING = _masked(np.mean)


def exercise_3() -> Riddle:
    """Mean squared error of points of which some are missing (NaN), both (points, 2); 0 if all are missing."""
    return Riddle(
        _MASKED_MSE,
        "square the differences, keep those of known coordinates, and divide their sum by how many they are",
        {
            "right, but for a picture in which nobody marked anything: there you divide 0 by 0. Divide by at least 1": [
                _MEAN_OF_NOTHING
            ],
            "a single missing point makes it NaN. NaN times 0 is NaN, too, and nothing is equal to NaN: "
            "find the known ones with `np.isnan`, and leave out the others *before* you add up": [
                lambda true, answer: np.mean(_squares(true, answer)),
                lambda true, answer: np.mean(_squares(true, answer)) if np.isfinite(true).any() else 0.0,
            ],
            "0 in place of NaN is a place, too: the upper left corner. "
            "The network would learn to answer it where nobody marked a point": [
                lambda true, answer: np.mean(_squares(np.nan_to_num(true), answer)),
                lambda true, answer: np.sum(_squares(np.nan_to_num(true), answer)) / max(np.isfinite(true).sum(), 1),
            ],
            "you divide by all coordinates, so a missing point counts as a perfect answer: "
            "the less is marked, the better the network looks": [
                lambda true, answer: np.nansum(_squares(true, answer)) / true.size
            ],
            "that is a sum: it grows with the number of marked points. Divide by how many coordinates are known": [
                *_masked(np.sum)
            ],
            "you divide by the number of points, and each known one has two coordinates": _masked(
                lambda errors: 2 * np.mean(errors)
            ),
            "that is the mean of the absolute differences, L1; square them": _masked(
                np.mean, lambda true, answer: np.abs(true - answer)
            ),
            "those are differences with their sign: too far left and too far right cancel. Square them": _masked(
                np.mean, lambda true, answer: true - answer
            )
            + _masked(np.mean, lambda true, answer: answer - true),
            "that is the root of it; the mean of the squares is the loss": _masked(
                lambda errors: np.sqrt(np.mean(errors))
            ),
            "that is an error for each coordinate; a loss is one number": [
                _squares,
                lambda true, answer: np.nan_to_num(_squares(true, answer)),
            ],
        },
        tolerance=1e-6,
        tried=_tried,
    )


def _mean_place(share: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    return float(share.sum(axis=0) @ x), float(share.sum(axis=1) @ y)


def _centres(count: int) -> np.ndarray:
    return (np.arange(count) + 0.5) / count


def _softmax(scores: np.ndarray) -> np.ndarray:
    raised = np.exp(scores)
    return raised / raised.sum()


def _soft_argmax(
    scores: np.ndarray,
    share: Callable[[np.ndarray], np.ndarray] = _softmax,
    places: Callable[[int], np.ndarray] = _centres,
) -> tuple[float, float]:
    height, width = scores.shape
    return _mean_place(share(scores), places(width), places(height))


def _argmax(scores: np.ndarray) -> tuple[float, float]:
    row, column = np.unravel_index(scores.argmax(), scores.shape)
    return (column + 0.5) / scores.shape[1], (row + 0.5) / scores.shape[0]


def _as_if_square(scores: np.ndarray) -> tuple[float, float]:
    height, width = scores.shape
    return _mean_place(_softmax(scores), (np.arange(width) + 0.5) / height, _centres(height))


def exercise_4() -> Riddle:
    """Soft-argmax of a map of scores (rows, columns): (x, y) as fractions of the map."""

    def variant(**changed: Any) -> Callable[[np.ndarray], tuple[float, float]]:
        return lambda scores: _soft_argmax(scores, **changed)

    return Riddle(
        _soft_argmax,
        "softmax over the whole map, then the mean place of the columns (x) and of the rows (y), weighted with it",
        {
            "that is the place of the maximum: it jumps from pixel to pixel, and ignores all the others": [_argmax],
            "x and y are swapped: x counts columns, so sum over the rows first (axis 0)": [
                lambda scores: _soft_argmax(scores)[::-1]
            ],
            "the weights must add up to 1 over the whole map: divide by the sum of all": [
                variant(share=np.exp),
                variant(share=lambda scores: np.exp(scores) / np.exp(scores).sum(axis=0)),
                variant(share=lambda scores: np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)),
            ],
            "those are not shares: a score may be negative, so take `np.exp` of each first": [
                variant(share=lambda scores: scores / scores.sum()),
                variant(share=lambda scores: scores),
            ],
            "a pixel's place is its *centre*: half a pixel is missing": [variant(places=lambda n: np.arange(n) / n)],
            "the centres of the outermost pixels lie half a pixel inside the map, not on its edges": [
                variant(places=lambda n: np.linspace(0, 1, n))
            ],
            "those are pixels; divide by how many there are": [
                variant(places=np.arange),
                variant(places=lambda n: np.arange(n) + 0.5),
            ],
            "this map is wider than high: x is a fraction of its width, `scores.shape[1]`": [_as_if_square],
        },
        tolerance=0.001,
        tried=lambda function: function(SCORES.copy()),
    )
