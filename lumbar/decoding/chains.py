"""Chains of things that are each in one of a few states, and whose states depend on those of their neighbours alone.

A path gives each thing a state. Its log-probability is the sum of those of its beginning, its links and its end, all of
them in one of several variants, which a path does not leave. Many chains are weighed at once.

The functions use nothing but the Python array API standard: NumPy runs them, and ndonnx makes an ONNX graph of them.
"""

from __future__ import annotations

from typing import Any

NEVER = -1e4
"""Log-probability of what is impossible; of finite numbers no difference or sum can fail."""


def likeliest_path(first: Any, links: list[Any], last: Any) -> Any:
    """Return the state of each thing on the likeliest path of any variant (Viterbi's algorithm), (chains, things).

    Args:
        first: (chains, variants, states), log-probability of each state of the first thing.
        links: For each further thing (chains, variants, states of the one before, its states), its log-probability.
        last: (chains, variants, states), log-probability that the path ends there.
    """
    xp = first.__array_namespace__()
    variants, states = first.shape[1:]
    best, origins = first, []
    for link in links:
        paths = best[..., None] + link
        origins.append(xp.reshape(xp.argmax(paths, axis=2), (-1, variants * states)))
        best = xp.max(paths, axis=2)
    end = xp.argmax(xp.reshape(best + last, (-1, variants * states)), axis=1, keepdims=True)
    variant = end // states
    path = [end - variant * states]
    for origin in reversed(origins):
        path.append(xp.take_along_axis(origin, variant * states + path[-1], axis=1))
    return xp.concat(path[::-1], axis=1)


def shares(first: Any, links: list[Any], last: Any) -> Any:
    """Return for each thing the share of all paths that pass through each of its states (forward-backward algorithm).

    Args:
        first: See `likeliest_path`, like the others.
        links: Of each further thing.
        last: Of the last thing.

    Returns:
        (chains, things, states); the shares of a thing add up to 1.
    """
    xp = first.__array_namespace__()
    forward, ways = [_over_max(xp.exp(first - xp.max(first, axis=(1, 2), keepdims=True)))], [xp.exp(x) for x in links]
    for way in ways:
        forward.append(_over_max(xp.matmul(forward[-1][..., None, :], way)[..., 0, :]))
    backward = [xp.exp(last)]
    for way in reversed(ways):
        backward.append(_over_max(xp.matmul(way, backward[-1][..., None])[..., 0]))
    weights = [xp.sum(there * back, axis=1) for there, back in zip(forward, reversed(backward), strict=True)]
    return xp.stack([each / xp.sum(each, axis=1, keepdims=True) for each in weights], axis=1)


def _over_max(weights: Any) -> Any:
    """Return weights as shares of the largest, lest a product of many of them be too small for a number."""
    xp = weights.__array_namespace__()
    return weights / xp.max(weights, axis=(1, 2), keepdims=True)
