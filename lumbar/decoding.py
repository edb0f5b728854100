"""From a network's heatmaps to the points of an image: the levels are decoded together, each with its confidence.

A single heatmap may have two peaks, because the first sacral disc looks much like the last lumbar one. The five
heatmaps of an image, taken together, resolve the doubt: neighbouring levels lie a known step apart. So each row of
peaks, one for each level, gets a score: the probability that the heatmaps give it, times how common its steps are (a
pictorial structure, Felzenszwalb & Huttenlocher, IJCV 2005). The row with the highest score is the answer. A network
that also knows the discs above and below the five levels gives longer rows, in which a count that is one off shows.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from lumbar.core import chains
from lumbar.core.constants import LEVELS, ROW
from lumbar.geometry import SIZE

PEAK_REACH = 3
"""How far around a peak the heatmap counts towards the point's position, pixels of the heatmap."""

PEAKS = 5
"""Peaks of each heatmap that are considered."""

NEAR_PIXELS = 5.0
"""A confidence is the probability that the true point lies within this distance, pixels of the 256 frame."""

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

CONTRADICTED = 0.8
"""Largest probability of being absent, or present, if the other levels say so and the level's own map does not."""

LEAST = -30.0
"""No combination is impossible: the log-probability of a level whose absence its neighbour's position contradicts."""

BEFORE, HIDDEN, AFTER = -3, -2, -1
"""What a disc may be other than at one of its peaks: above the image, hidden between discs that are seen, below it."""

GAPS = (0.5, 1.6)
"""Smallest and largest plausible gap between neighbouring levels, as shares of the median gap in the image. Of 1,052
labelled sagittal images of several hospitals (Lumbar Coordinate Pretraining Dataset) one lies outside, at 1.62."""


class _Peaks(NamedTuple):
    """The n peaks of a heatmap.

    Args:
        place: (n, 2), pixels of the 256 frame.
        mass: (n,), the probability around each.
        near: (n,), the share of it within `NEAR_PIXELS`.
    """

    place: np.ndarray
    mass: np.ndarray
    near: np.ndarray


class Decoded(NamedTuple):
    """The points of one image.

    Args:
        points: (K, 2), pixels of the 256 frame; for a point that is probably absent the likeliest place all the same.
        probability: (K,), as the heatmaps have it, that the true point is in the image and within `NEAR_PIXELS`.
        absent: (K,), the probability that the point is not in the image; NaN from a network that cannot tell.
        miscounted: (2,), the probability that all levels lie one disc higher, and one lower, than was found, to be
            calibrated. NaN where nothing is counted.
    """

    points: np.ndarray
    probability: np.ndarray
    absent: np.ndarray
    miscounted: np.ndarray


def decode(maps: np.ndarray, view: str, channels: tuple[str, ...], *, may_be_absent: bool = False) -> Decoded:
    """Find the points of one image in its heatmaps.

    Args:
        maps: (h, w, K), probabilities: not negative. Each map adds up to 1, or, if points may be absent, to the
            probability that the point is in the image.
        view: The image's plane.
        channels: Names of the K points.
        may_be_absent: Whether the network can answer that a point is absent. Such a network was trained on any field of
            view, so that the steps between levels may have any scale.
    """
    found = [_peaks(maps[..., order]) for order in range(maps.shape[-1])]
    points = np.array([peaks.place[0] for peaks in found])
    probability = np.array([peaks.mass[0] * peaks.near[0] for peaks in found])
    absent = np.clip(1 - maps.sum(axis=(0, 1)), 0, 1) if may_be_absent else np.full(len(found), np.nan)
    miscounted = np.full(2, np.nan)
    if view in STEPS and set(LEVELS) <= set(channels):
        discs = [order for order, name in enumerate(ROW) if name in channels]
        row = [channels.index(ROW[disc]) for disc in discs]
        steps = (np.array(numbers)[discs[:-1]] for numbers in STEPS[view])
        decoded = _decode_row([found[order] for order in row], absent[row] if may_be_absent else None, *steps)
        for order, choice, shares in zip(row, decoded.best, decoded.shares, strict=True):
            points[order], probability[order] = found[order].place[choice], shares[choice] * found[order].near[choice]
        if may_be_absent:
            # Where the row contradicts a disc's own map, neither is sure.
            contradicted = (decoded.absent > 0.5) != (absent[row] > 0.5)
            doubtful = np.clip(decoded.absent, 1 - CONTRADICTED, CONTRADICTED)
            absent[row] = np.where(contradicted, doubtful, decoded.absent)
        miscounted = _miscounted([found[order] for order in row], decoded)
    return Decoded(points, probability, absent, miscounted)


def uneven_gaps(points: np.ndarray) -> tuple[str, ...]:
    """Find neighbouring levels that lie too close together or too far apart, compared with the others in the image.

    A network that is sure of each point may still have put two levels on one disc, or have passed over a disc. With
    fewer than three gaps there is little to compare with.

    Args:
        points: (5, 2), the five levels from the head down, in pixels; NaN for a level that is not in the image.

    Returns:
        A sentence for each such pair.
    """
    gaps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    if np.isnan(gaps).all():  # also of no points at all
        return ()
    share = gaps / max(float(np.nanmedian(gaps)), 1e-6)
    return tuple(
        f"{above} and {below} lie unusually {'close together' if each < GAPS[0] else 'far apart'}"
        for (above, below), each in zip(itertools.pairwise(LEVELS), share, strict=True)
        if each < GAPS[0] or each > GAPS[1]
    )


def _peaks(heatmap: np.ndarray) -> _Peaks:
    """Find the highest peaks of a heatmap, `PEAKS` at most."""
    heatmap = heatmap.astype(np.float64)
    height, width = heatmap.shape
    x = (np.arange(width) + 0.5) * (SIZE / width) - 0.5
    y = (np.arange(height) + 0.5) * (SIZE / height) - 0.5
    around = _sums(heatmap, 2)
    rows, columns = np.nonzero(around >= cv2.dilate(around, np.ones((5, 5), np.uint8)))
    order = np.lexsort((-heatmap[rows, columns], -around[rows, columns]))
    rows, columns = rows[order], columns[order]
    moments = _sums(np.dstack([heatmap, heatmap * x, heatmap * y[:, None]]), PEAK_REACH)[rows, columns]
    masses = np.maximum(moments[:, 0], 1e-12)
    places = moments[:, 1:] / masses[:, None]
    # A sharp peak lies whole in the windows of several pixels: it is one peak, not several of a part of its weight.
    kept: list[int] = []
    for each, (x0, y0) in enumerate(places.tolist()):
        if all(math.hypot(places[k, 0] - x0, places[k, 1] - y0) >= 2 * SIZE / width for k in kept):
            kept.append(each)
        if len(kept) == PEAKS:
            break
    rows, columns, masses, places = rows[kept], columns[kept], masses[kept], places[kept]
    # The windows of the peaks, and where their pixels lie; those beyond the edge are empty.
    windows = sliding_window_view(np.pad(heatmap, PEAK_REACH), (2 * PEAK_REACH + 1,) * 2)[rows, columns]
    reach = np.arange(-PEAK_REACH, PEAK_REACH + 1)
    off_x = (columns[:, None] + reach + 0.5) * (SIZE / width) - 0.5 - places[:, :1]
    off_y = (rows[:, None] + reach + 0.5) * (SIZE / height) - 0.5 - places[:, 1:]
    distance = np.hypot(off_x[:, None], off_y[:, :, None])
    # The edge is a pixel wide: with a sharp one the last digit of a position could decide on half of a probability.
    inside = np.clip(NEAR_PIXELS + 0.5 - distance, 0, 1)
    return _Peaks(places, masses, (windows * inside).sum(axis=(1, 2)) / masses)


def _sums(values: np.ndarray, reach: int) -> np.ndarray:
    """Return the sum around each pixel of a map, or of several, within the image."""
    size = (2 * reach + 1,) * 2
    return cv2.boxFilter(values, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT)


class _Row(NamedTuple):
    """What is known of n neighbouring discs once they have been decoded together.

    Args:
        best: For each disc the peak in the likeliest row; if the disc is absent there, its likeliest peak.
        shares: For each disc the probability of each of its peaks.
        absent: (n,), the probability that the disc is absent; 0 if the network cannot tell.
    """

    best: list[int]
    shares: list[np.ndarray]
    absent: np.ndarray


def _decode_row(found: list[_Peaks], absent: np.ndarray | None, means: np.ndarray, spreads: np.ndarray) -> _Row:
    """Weigh all rows: every choice of one peak a disc, or of its absence, at every scale.

    A row is a chain, each disc depending on the one above it: so all rows are weighed disc by disc.

    Args:
        found: Peaks of the n discs, from the head down.
        absent: (n,), the probability that each of them is absent; None if the network cannot tell.
        means: (n - 1, 2), the usual steps.
        spreads: (n - 1, 2), their standard deviations.
    """
    scales = np.ones(1) if absent is None else SCALES
    size = -0.5 * np.square(np.log(scales) / SCALE_SPREAD)
    emitted = [np.log(peaks.mass) for peaks in found]
    if absent is not None:
        gone = np.log(np.maximum(absent, 1e-12))
        emitted = [np.append(each, np.repeat(log, 3)) for each, log in zip(emitted, gone, strict=True)]
    links = [
        _links(above.place, below.place, scales[:, None] * mean, scales[:, None] * spread, absent is not None) + each
        for (above, below), mean, spread, each in zip(
            itertools.pairwise(found), means, spreads, emitted[1:], strict=True
        )
    ]
    first, last = size[:, None] + emitted[0], np.zeros((len(scales), len(emitted[-1])))
    if absent is not None:
        first[:, [HIDDEN, AFTER]] = last[:, HIDDEN] = -np.inf
        # Every scale explains a row without discs, and few explain one with discs: neither is the likelier for that.
        off = np.square((1 - 1 / scales[:, None, None]) * means / spreads).sum(-1)
        fitting = np.logaddexp.reduce(size - 0.5 * np.minimum(off, 100.0).sum(1))
        last[:, BEFORE] = fitting - np.logaddexp.reduce(size)
    states, weights = chains.likeliest_path(first, links, last), chains.shares(first, links, last)
    counts = [len(peaks.mass) for peaks in found]
    shares = [each[:count] for each, count in zip(weights, counts, strict=True)]
    best = [s if s < len(each) else int(each.argmax()) for s, each in zip(states, shares, strict=True)]
    return _Row(best, shares, np.array([each[count:].sum() for each, count in zip(weights, counts, strict=True)]))


def _miscounted(found: list[_Peaks], row: _Row) -> np.ndarray:
    """Return the probability that the discs lie one place higher, and one lower, than in the likeliest row, (2,).

    It is the mean over neighbouring discs that are in the image of what the map of one holds where the other was found;
    NaN without such a pair. A miscount is one question, on which all maps are right or wrong together: so they are
    averaged here, and not multiplied as in the rows, which would leave no doubt of a count on which each map has some.
    """
    moved = []
    for upper, lower in itertools.pairwise(range(len(found))):
        if max(row.absent[upper], row.absent[lower]) < 0.5:
            places = found[upper].place[row.best[upper]], found[lower].place[row.best[lower]]
            reach = np.linalg.norm(places[1] - places[0]) / 2
            moved.append(
                [
                    found[disc].mass[np.linalg.norm(found[disc].place - place, axis=1) < reach].max(initial=0)
                    for disc, place in ((lower, places[0]), (upper, places[1]))
                ]
            )
    return np.mean(moved, axis=0) if moved else np.full(2, np.nan)


def _links(above: np.ndarray, below: np.ndarray, mean: np.ndarray, spread: np.ndarray, absent: bool) -> np.ndarray:
    """Return the log-probability of each state of a disc and each of the next one, (scales, states, states).

    Args:
        above: (n, 2), the peaks of the upper disc.
        below: (m, 2), those of the lower one.
        mean: (scales, 2), the usual step.
        spread: (scales, 2), its standard deviation.
        absent: Whether discs may be absent.
    """
    step = below - above[:, None]
    off = np.square((step - mean[:, None, None]) / spread[:, None, None]).sum(-1)
    # No row is impossible: a step ten standard deviations off is as likely as any that is further off.
    links = -0.5 * np.minimum(off, 100.0)
    if not absent:
        return links
    links = np.pad(links, ((0, 0), (0, 3), (0, 3)), constant_values=-np.inf)
    mean, spread = mean[:, None], spread[:, None]
    links[:, :-3, AFTER] = _log_outside(above + mean, spread)
    links[:, BEFORE, :-3] = _log_outside(below - mean, spread)
    links[:, :-3, HIDDEN] = BROKEN_ROW
    links[:, HIDDEN, :-3] = 0
    for same in (BEFORE, HIDDEN, AFTER):
        links[:, same, same] = 0
    return links


def _log_outside(expected: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return the log-probability that points with this mean and standard deviation, (..., 2), are out of the image.

    The normal distribution is approximated by the logistic one, to 0.01.
    """
    below, above = (0.5 + 0.5 * np.tanh(0.851 * (edge - expected) / spread) for edge in (-0.5, SIZE - 0.5))
    return np.log(np.maximum(1 - (above - below).prod(axis=-1), np.exp(LEAST)))
