"""Rows of discs, from T12/L1 down: how likely each choice of one peak a disc is, or of its absence."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lumbar.decoding import chains, peaks
from lumbar.decoding.chains import NEVER
from lumbar.decoding.peaks import Peaks
from lumbar.geometry import SIZE

STEPS = {
    "sagittal": (
        ((-8.6, 28.8), (-7.2, 29.9), (-4.3, 30.5), (0.6, 30.0), (6.8, 26.7), (14.7, 23.7)),
        ((5.8, 4.3), (5.1, 4.2), (4.7, 4.4), (5.0, 4.4), (5.6, 4.8), (7.3, 5.3)),
    ),
    "coronal": (
        ((0.0, 24.5), (0.0, 26.2), (0.0, 27.4), (-0.1, 28.0), (0.0, 26.4), (0.0, 18.5)),
        ((1.6, 3.6), (1.5, 3.8), (1.5, 3.9), (1.5, 4.0), (1.5, 4.0), (1.4, 4.7)),
    ),
}
"""Steps from each disc of `ROW` to the next, (x, y) pixels of the 256 frame: their means among the synthetic patients,
and standard deviations 1.5 times those among the synthetic patients, because real patients and their images vary more.
"""

SCALES = np.geomspace(0.35, 2.5, 17)
"""Scales of an image, relative to `STEPS`, that are considered where the field of view may be any."""

SCALE_SPREAD = 0.5
"""Standard deviation of the logarithm of the scale."""

BROKEN_ROW = -10.0
"""Log-probability of levels that are absent between others that are not: an image shows a part of the spine in one
piece, but an implant may hide a disc."""

LEAST = -30.0
"""No combination is impossible: the log-probability of a level whose absence its neighbour's position contradicts."""

ELSEWHERE = BEFORE, HIDDEN, AFTER = range(peaks.MOST, peaks.MOST + 3)
"""States of a disc that is at none of its peaks: above the image, hidden between discs that are seen, below it."""


class Row(NamedTuple):
    """What is known of n neighbouring discs once all rows have been weighed.

    Args:
        best: int64 (N, n), the peak of each disc in the likeliest row; if the disc is absent there, its likeliest peak.
        shares: (N, n, peaks), the probability of each peak.
        absent: (N, n), the probability that the disc is absent; 0 if the network cannot tell.
    """

    best: Any
    shares: Any
    absent: Any


def weigh(found: Peaks, absent: Any, means: Any, spreads: Any) -> Row:
    """Weigh all rows: every choice of one peak a disc, or of its absence, at every scale.

    A row is a chain, each disc depending on the one above it: so all rows are weighed disc by disc.

    Args:
        found: Peaks of the n discs of N images, from the head down.
        absent: (N, n), the probability that each of them is absent; None if the network cannot tell.
        means: (N, n - 1, 2), the usual steps.
        spreads: (N, n - 1, 2), their standard deviations.
    """
    xp = means.__array_namespace__()
    scales = np.ones(1) if absent is None else SCALES
    size = xp.asarray(-0.5 * np.square(np.log(scales) / SCALE_SPREAD))
    emitted = xp.where(found.mass > 0, xp.log(xp.maximum(found.mass, 1e-12)), NEVER)
    if absent is not None:
        gone = xp.log(xp.maximum(absent, 1e-12))[..., None]
        emitted = xp.concat([emitted, gone, gone, gone], axis=2)
    emitted = emitted[:, :, None, :]
    links = []
    for disc in range(means.shape[1]):
        mean, spread = (each[:, disc, None, :] * xp.asarray(scales[:, None]) for each in (means, spreads))
        link = _links(found.place[:, disc, ...], found.place[:, disc + 1, ...], mean, spread, absent is not None)
        links.append(link + emitted[:, disc + 1, :, None, :])
    first = size[:, None] + emitted[:, 0, ...]
    last = xp.zeros_like(first)
    if absent is not None:
        states = np.arange(emitted.shape[-1])
        first = first + xp.asarray(NEVER * np.isin(states, (HIDDEN, AFTER)))
        # Every scale explains a row without discs, and few explain one with discs: neither is the likelier for that.
        off = xp.sum((means / spreads) ** 2, axis=2)[:, None, :] * xp.asarray((1 - 1 / scales[:, None]) ** 2)
        fitting = _log_sum(size - 0.5 * xp.sum(xp.minimum(off, 100.0), axis=2)) - _log_sum(size[None, :])
        last = xp.where(xp.asarray(states == BEFORE), fitting[..., None], xp.asarray(NEVER * (states == HIDDEN)))
    path, weights = chains.likeliest_path(first, links, last), chains.shares(first, links, last)
    shares = weights[..., : peaks.MOST]
    best = xp.where(path < peaks.MOST, path, xp.argmax(shares, axis=2))
    return Row(best, shares, xp.sum(weights[..., peaks.MOST :], axis=2))


def miscounted(found: Peaks, place: Any, absent: Any) -> Any:
    """Return the probability that the discs lie one place higher, and one lower, than in the likeliest row, (N, 2).

    It is the mean over neighbouring discs that are in the image of what the map of one holds where the other was found;
    NaN without such a pair. A miscount is one question, on which all maps are right or wrong together: so they are
    averaged here, and not multiplied as in the rows, which would leave no doubt of a count on which each map has some.

    Args:
        found: Peaks of the n discs.
        place: (N, n, 2), where each was found.
        absent: (N, n), the probability that it is absent.
    """
    xp = place.__array_namespace__()
    upper, lower = place[:, :-1, :], place[:, 1:, :]
    reach = xp.sum((lower - upper) ** 2, axis=2)[..., None] / 4
    seen = xp.maximum(absent[:, :-1], absent[:, 1:]) < 0.5
    moved = []
    for discs, there in ((slice(1, None), upper), (slice(None, -1), lower)):
        away = xp.sum((found.place[:, discs, ...] - there[:, :, None, :]) ** 2, axis=3)
        held = xp.max(xp.where(away < reach, found.mass[:, discs, :], 0.0), axis=2)
        moved.append(xp.sum(xp.where(seen, held, 0.0), axis=1))
    pairs = xp.sum(xp.astype(seen, place.dtype), axis=1)
    return xp.stack([xp.where(pairs > 0, each / xp.maximum(pairs, 1.0), np.nan) for each in moved], axis=1)


def _links(above: Any, below: Any, mean: Any, spread: Any, absent: bool) -> Any:
    """Return the log-probability of each state of a disc and each of the next one, (N, scales, states, states).

    Args:
        above: (N, peaks, 2), the peaks of the upper disc.
        below: (N, peaks, 2), those of the lower one.
        mean: (N, scales, 2), the usual step.
        spread: (N, scales, 2), its standard deviation.
        absent: Whether discs may be absent.
    """
    xp = above.__array_namespace__()
    above, below, mean, spread = above[:, None, ...], below[:, None, ...], mean[:, :, None, :], spread[:, :, None, :]
    step = below[:, :, None, ...] - above[..., None, :]
    off = xp.sum(((step - mean[..., None, :]) / spread[..., None, :]) ** 2, axis=4)
    # No row is impossible: a step ten standard deviations off is as likely as any that is further off.
    links = -0.5 * xp.minimum(off, 100.0)
    if not absent:
        return links
    after = _log_outside(above + mean, spread)[..., None]
    before = _log_outside(below - mean, spread)[..., None, :]
    # From a peak the row ends, or passes over hidden discs; it begins at one, or comes from hidden discs.
    beyond = xp.concat([xp.full_like(after, NEVER), xp.full_like(after, BROKEN_ROW), after], axis=3)
    ahead = xp.concat([before, xp.zeros_like(before), xp.full_like(before, NEVER)], axis=2)
    same = xp.zeros_like(ahead[..., : len(ELSEWHERE)]) + xp.asarray(NEVER * (1 - np.eye(len(ELSEWHERE))))
    return xp.concat([xp.concat([links, beyond], axis=3), xp.concat([ahead, same], axis=3)], axis=2)


def _log_outside(expected: Any, spread: Any) -> Any:
    """Return the log-probability that points with this mean and standard deviation, (..., 2), are out of the image.

    The normal distribution is approximated by the logistic one, to 0.01.
    """
    xp = expected.__array_namespace__()
    below, above = (0.5 + 0.5 * xp.tanh(0.851 * (edge - expected) / spread) for edge in (-0.5, SIZE - 0.5))
    inside = above - below
    return xp.log(xp.maximum(1 - inside[..., 0] * inside[..., 1], float(np.exp(LEAST))))


def _log_sum(logs: Any) -> Any:
    """Return the logarithm of the sum of the exponentials along the last axis, which stays, with length 1."""
    xp = logs.__array_namespace__()
    largest = xp.max(logs, axis=-1, keepdims=True)
    return largest + xp.log(xp.sum(xp.exp(logs - largest), axis=-1, keepdims=True))
