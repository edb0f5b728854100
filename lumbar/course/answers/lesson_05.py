"""Lesson 05: How good is it, honestly?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lumbar.course.riddles import Riddle
from lumbar.intervals import INTERVAL

Interval = Callable[[np.ndarray, np.ndarray, int, np.random.Generator], Any]
"""What exercise 3 asks for: errors (n,), the patient of each (n,), number of resamples, source of random numbers →
lower and upper bound of the 95 % interval of the mean."""

_TIMES = 20_000
"""Resamples when a function is tried out: with so many, the bounds hardly depend on the random numbers."""


def exercise_1(radial: np.ndarray) -> Riddle:
    """Which share of the points lies within 3 px?

    Args:
        radial: Radial errors, (N, K), pixels of the 256 frame; NaN where there is no true point.
    """
    known = radial[np.isfinite(radial)]
    within = float(np.mean(known <= 3))
    return Riddle(
        within,
        "`radial <= 3` is an array of True and False, and True counts as 1",
        {
            "that is how many points they are; a share lies between 0 and 1": [np.sum(known <= 3)],
            "that is in percent; the exercise asks for a number from 0 to 1": [100 * within],
            "that is the share of those that lie farther away": [1 - within],
            "that is still one True or False a point; which share of them is True?": [radial <= 3],
            "those are pictures whose *mean* error is small; PCK counts points": [
                np.mean(np.nanmean(radial, axis=1) <= 3)
            ],
        },
        tolerance=1e-4,
    )


def exercise_2() -> Riddle:
    """How many pixels of the 256 frame are 0.02 in unit coordinates?"""
    return Riddle(
        0.02 * 256,
        "from 0 to 1 it is the whole picture, which is 256 pixels wide",
        {
            "that way a pixel becomes a unit coordinate; you want to go back": [0.02 / 256],
            "those are percent of the picture's width; how many pixels are two percent of 256?": [0.02 * 100],
            "255 steps lead from the first centre to the last, but the picture is 256 pixels wide": [0.02 * 255],
            "an MAE is a length along one axis, not an area": [0.02 * 256**2],
        },
        tolerance=0.005,
    )


def exercise_3() -> Riddle:
    """Which interval of the mean does a bootstrap over patients give?

    The function is tried on patients of our own, of whom a few are much worse than the others.
    """
    patients, errors = _patients()
    right = _bootstrap(errors, patients, _TIMES, np.random.default_rng(1))
    width = right[1] - right[0]

    def outcome(interval: Interval) -> Any:
        """Return the bounds; for an interval that cannot be one of the mean, what it must be instead."""
        found = interval(errors, patients, _TIMES, np.random.default_rng(0))
        if found is None:
            return None
        low, high = map(float, found)
        if np.isclose(low, high):
            return "the mean" if np.isclose(low, errors.mean()) else "one other mean"
        return "single errors" if high - low > 1.8 * width else [low, high]

    return Riddle(
        _bootstrap,
        "`times` times, choose as many patients as there are, with replacement, and note the mean of their errors; "
        "return the 2.5th and the 97.5th percentile of those means",
        {
            "the same patients every time, in another order: choose *with replacement*": [_without_replacement],
            "you resampled once; the interval comes from many means": [_once],
            "that is how far single errors lie apart; the interval is one of their *mean*, which is far more certain": [
                _spread,
                lambda errors, patients, times, rng: np.percentile(errors, INTERVAL),
            ],
            "too narrow: you resampled points, as if those of one patient were independent": [_of_points],
            "those percentiles enclose 90 % of the means; leave out 2.5 % at each end": [
                lambda *given: _bootstrap(*given, percentiles=(5, 95))
            ],
            "a patient who was chosen twice has to count twice": [_each_once],
            "that is the formula with the standard error, always symmetric; the percentiles of the means need not be": [
                _formula
            ],
            "the lower bound comes first": [lambda *given: _bootstrap(*given)[::-1]],
        },
        tolerance=0.03 * width,
        tried=outcome,
    )


def exercise_4() -> Riddle:
    """Which sentence goes into the abstract?"""
    return Riddle(
        "b",
        "look for a unit, an interval, a comparison, and on whom it was measured; the answer is one letter in quotes",
        {
            "0.008 of what? Without a unit that may be two pixels or a thousandth of one": ["a"],
            "whoever chooses the best of ten on the test patients has used them up; on others it will be worse": ["c"],
            "the median does not see the failures, however bad they are; alone in an abstract it hides them": ["d"],
        },
    )


def _patients() -> tuple[np.ndarray, np.ndarray]:
    """Return the patient and the radial error of 240 points of 24 patients, in no order."""
    random = np.random.default_rng(5)
    of_patients = np.exp(random.normal(0.4, 0.9, 24))
    errors = (of_patients[:, None] * random.uniform(0.8, 1.2, (24, 10))).ravel()
    order = random.permutation(errors.size)
    return np.repeat([f"patient {number}" for number in range(24)], 10)[order], errors[order]


def _means(errors: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """Return the mean error of each patient."""
    return np.array([errors[patients == patient].mean() for patient in np.unique(patients)])


def _bootstrap(
    errors: np.ndarray,
    patients: np.ndarray,
    times: int,
    rng: np.random.Generator,
    *,
    percentiles: tuple[float, float] = INTERVAL,
) -> np.ndarray:
    means = _means(errors, patients)
    return np.percentile(rng.choice(means, (times, len(means))).mean(axis=1), percentiles)


def _of_points(errors: np.ndarray, patients: np.ndarray, times: int, rng: np.random.Generator) -> np.ndarray:
    return _bootstrap(errors, np.arange(len(errors)), times, rng)


def _without_replacement(errors: np.ndarray, patients: np.ndarray, times: int, rng: np.random.Generator) -> np.ndarray:
    return np.percentile([rng.permutation(errors).mean() for _ in range(10)], INTERVAL)


def _once(errors: np.ndarray, patients: np.ndarray, times: int, rng: np.random.Generator) -> np.ndarray:
    return _bootstrap(errors, patients, 1, rng)


def _spread(errors: np.ndarray, patients: np.ndarray, times: int, rng: np.random.Generator) -> list[float]:
    return [errors.mean() - 1.96 * errors.std(), errors.mean() + 1.96 * errors.std()]


def _formula(errors: np.ndarray, patients: np.ndarray, times: int, rng: np.random.Generator) -> list[float]:
    means = _means(errors, patients)
    half = 1.96 * means.std(ddof=1) / len(means) ** 0.5
    return [means.mean() - half, means.mean() + half]


def _each_once(errors: np.ndarray, patients: np.ndarray, times: int, rng: np.random.Generator) -> np.ndarray:
    means = _means(errors, patients)
    chosen = rng.integers(len(means), size=(times, len(means)))
    taken = np.zeros((times, len(means)))
    np.put_along_axis(taken, chosen, 1, axis=1)
    return np.percentile(taken @ means / taken.sum(axis=1), INTERVAL)
