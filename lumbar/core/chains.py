"""Chains of things that are each in one of a few states, and whose states depend on those of their neighbours alone.

A path gives each thing a state. Its log-probability is the sum of those of its beginning, its links and its end, all of
them in one of several variants, which a path does not leave.
"""

from __future__ import annotations

import numpy as np


def likeliest_path(first: np.ndarray, links: list[np.ndarray], last: np.ndarray) -> list[int]:
    """Return the state of each thing on the likeliest path of any variant (Viterbi's algorithm).

    Args:
        first: (variants, states), log-probability of each state of the first thing.
        links: For each further thing (variants, states of the one before, its states), its log-probability.
        last: (variants, states of the last thing), log-probability that the path ends there.
    """
    best, origins = first, []
    for link in links:
        paths = best[:, :, None] + link
        origins.append(paths.argmax(axis=1))
        best = paths.max(axis=1)
    variant, state = np.unravel_index(int((best + last).argmax()), best.shape)
    states = [int(state)]
    for origin in reversed(origins):
        states.append(int(origin[variant, states[-1]]))
    return states[::-1]


def shares(first: np.ndarray, links: list[np.ndarray], last: np.ndarray) -> list[np.ndarray]:
    """Return for each thing the share of all paths that pass through each of its states (forward-backward algorithm).

    Args:
        first: See `likeliest_path`, like the others.
        links: Of each further thing.
        last: Of the last thing.

    Returns:
        Arrays of its states, each of which adds up to 1.
    """
    forward, ways = [np.exp(first - first.max())], [np.exp(link) for link in links]
    for way in ways:
        forward.append(_over_max((forward[-1][:, None] @ way)[:, 0]))
    backward = [np.exp(last)]
    for way in reversed(ways):
        backward.append(_over_max((way @ backward[-1][:, :, None])[:, :, 0]))
    weights = [(there * back).sum(axis=0) for there, back in zip(forward, reversed(backward), strict=True)]
    return [each / each.sum() for each in weights]


def _over_max(weights: np.ndarray) -> np.ndarray:
    """Return weights as shares of the largest, lest a product of many of them be too small for a number."""
    return weights / weights.max()
