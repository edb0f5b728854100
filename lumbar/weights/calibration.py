"""From the probabilities in a network's heatmaps to calibrated ones: scaling and shifting of the log odds.

Points are calibrated by Platt scaling. A count has three outcomes (as found, one disc higher, one lower), and is
calibrated by the same two numbers on the log odds of each of the last two against the first.

What is calibrated may be arrays of NumPy, or of any library with the Python array API standard, see `lumbar.decoding`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def confidence(probability: Any, slope: float, offset: float) -> Any:
    """Scale and shift the log odds of probabilities; the results lie between 0 and 1, NaN stays NaN."""
    xp = probability.__array_namespace__()
    return 1 / (1 + xp.exp(-(slope * log_odds(probability) + offset)))


def log_odds(probability: Any) -> Any:
    """Return ln(p / (1 - p)); finite for probabilities of 0 and 1, too."""
    xp = probability.__array_namespace__()
    probability = xp.clip(probability, 1e-6, 1 - 1e-6)
    return xp.log(probability / (1 - probability))


def fit_platt(probability: np.ndarray, correct: np.ndarray) -> tuple[float, float]:
    """Find the slope and offset that turn probabilities into confidences: a logistic regression on the log odds.

    Args:
        probability: (n,) from 0 to 1, as the heatmaps have it.
        correct: (n,) whether the point was within reach of the true one.

    Returns:
        Slope and offset (Platt, 1999, "Probabilistic outputs for support vector machines").
    """
    odds = log_odds(probability)
    # Platt's targets keep a few certain points from pulling the slope to infinity.
    yes, no = correct.sum(), (~correct).sum()
    target = np.where(correct, (yes + 1) / (yes + 2), 1 / (no + 2))

    def cross_entropy(numbers: np.ndarray) -> float:
        z = numbers[0] * odds + numbers[1]
        return float(np.mean(np.logaddexp(0, z) - target * z))

    return _least(cross_entropy)


def count_probability(miscounted: Any, slope: float, offset: float) -> Any:
    """Calibrate the probabilities that all levels lie one disc higher, and one lower, than was found.

    Args:
        miscounted: (N, 2), see `lumbar.decoding.Decoded`.
        slope: Factor of the log odds of each of the two against the count as found.
        offset: What is added to them.

    Returns:
        (N, 2), from 0 to 1, with a sum of less than 1; NaN stays NaN.
    """
    xp = miscounted.__array_namespace__()
    odds = xp.exp(slope * _log_odds_of_count(miscounted) + offset)
    return odds / (1 + xp.sum(odds, axis=1, keepdims=True))


def fit_count(miscounted: np.ndarray, shifts: np.ndarray) -> tuple[float, float]:
    """Find the slope and offset for `count_probability`: a logistic regression with three outcomes.

    Args:
        miscounted: (N, 2), as the heatmaps have it.
        shifts: (N,), the truth: 1 if the levels do lie one disc higher, -1 if one lower, 0 if they lie as found; see
            `lumbar.metrics.level_shifts`.
    """
    odds = _log_odds_of_count(miscounted)
    outcomes = np.column_stack([shifts == 0, shifts == 1, shifts == -1])
    # Platt's targets, for three outcomes: where no image is miscounted, the next one may be.
    sure = (outcomes.sum(axis=0) + 1) / (outcomes.sum(axis=0) + 2)
    target = np.where(outcomes, sure, (1 - outcomes @ sure)[:, None] / 2)

    def cross_entropy(numbers: np.ndarray) -> float:
        z = np.column_stack([np.zeros(len(odds)), numbers[0] * odds + numbers[1]])
        return float(np.mean(np.logaddexp.reduce(z, axis=1) - (target * z).sum(axis=1)))

    return _least(cross_entropy)


RELIABILITY_EDGES = (0.0, 0.02, 0.1, 0.5, 0.9, 0.98, 1.0)
"""Bounds of the groups of probabilities in `reliability`, narrow at both ends, where most probabilities lie."""


def reliability(
    probability: np.ndarray,
    happened: np.ndarray,
    *,
    edges: Sequence[float] = RELIABILITY_EDGES,
    patient_of: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Compare probabilities with how often the thing happened, in groups of similar probability.

    Args:
        probability: (n,), from 0 to 1.
        happened: (n,), whether it did.
        edges: Bounds of the groups, from 0 to 1.
        patient_of: (n,), the patient of each. An interval then takes each patient in its group for one observation,
            as if all that happens to a patient happened together: the cautious extreme, as points of one patient are
            not independent. Without it, an interval takes the n for independent, and is too narrow for such points.

    Returns:
        For each group that is not empty: count, predicted (mean probability), observed (share), and low and high, the
        95 % interval of the share (Wilson, 1927).
    """
    group = np.clip(np.digitize(probability, edges) - 1, 0, len(edges) - 2)
    rows = []
    for number in np.unique(group):
        inside = group == number
        count, share = int(inside.sum()), float(happened[inside].mean())
        low, high = _wilson(share, count if patient_of is None else len(set(np.asarray(patient_of)[inside])))
        predicted = float(probability[inside].mean())
        rows.append({"count": count, "predicted": predicted, "observed": share, "low": low, "high": high})
    return rows


def _least(cost: Callable[[np.ndarray], float]) -> tuple[float, float]:
    """Return the slope and offset of the least cost."""
    from scipy.optimize import minimize  # takes a quarter of a second, and answering needs none of it

    slope, offset = minimize(cost, (1.0, 0.0), method="Nelder-Mead").x
    return float(slope), float(offset)


def _wilson(share: float, count: int) -> tuple[float, float]:
    z = 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * (share * (1 - share) / count + z * z / (4 * count**2)) ** 0.5 / (1 + z * z / count)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _log_odds_of_count(miscounted: Any) -> Any:
    xp = miscounted.__array_namespace__()
    as_found = 1 - xp.sum(miscounted, axis=1, keepdims=True)
    return xp.log(xp.maximum(miscounted, 1e-6)) - xp.log(xp.maximum(as_found, 1e-6))
