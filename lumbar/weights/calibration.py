"""From the probabilities in a network's heatmaps to calibrated confidences: Platt scaling of the log odds."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize


def confidence(probability: np.ndarray, slope: float, offset: float) -> np.ndarray:
    """Scale and shift the log odds of probabilities; the results lie between 0 and 1, NaN stays NaN."""
    return 1 / (1 + np.exp(-(slope * log_odds(probability) + offset)))


def log_odds(probability: np.ndarray) -> np.ndarray:
    """Return ln(p / (1 - p)); finite for probabilities of 0 and 1, too."""
    probability = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.log(probability / (1 - probability))


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

    slope, offset = minimize(cross_entropy, (1.0, 0.0), method="Nelder-Mead").x
    return float(slope), float(offset)
