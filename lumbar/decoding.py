"""From a network's heatmaps to the points of an image: the levels are decoded together, each with its confidence.

A single heatmap may have two peaks, because the first sacral disc looks much like the last lumbar one. The five
heatmaps of an image, taken together, resolve the doubt: neighbouring levels lie a known step apart. So each combination
of peaks gets a score, the probability that the heatmaps give it times how common its steps are (a pictorial structure,
Felzenszwalb & Huttenlocher, IJCV 2005), and the best combination is the answer.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import cv2
import numpy as np

from lumbar.core.constants import LEVELS
from lumbar.geometry import SIZE

PEAK_REACH = 3
"""How far around a peak the heatmap counts towards the point's position, pixels of the heatmap."""

PEAKS = 5
"""Peaks of each heatmap that are considered."""

NEAR_PIXELS = 5.0
"""A confidence is the probability that the true point lies within this distance, pixels of the 256 frame."""

STEPS = {
    "sagittal": (
        ((-7.2, 29.9), (-4.3, 30.5), (0.6, 30.0), (6.8, 26.7)),
        ((5.1, 4.2), (4.7, 4.4), (5.0, 4.4), (5.6, 4.8)),
    ),
    "coronal": (
        ((0.0, 26.2), (0.0, 27.4), (-0.1, 28.0), (0.0, 26.4)),
        ((1.5, 3.8), (1.5, 3.9), (1.5, 4.0), (1.5, 4.0)),
    ),
}
"""Steps from each level to the next, (x, y) pixels of the 256 frame: their means among the synthetic patients, and
standard deviations 1.5 times those among the synthetic patients, because real patients and their images vary more."""

SCALE_SPREAD = 0.5
"""Standard deviation of the logarithm of an image's scale, relative to `STEPS`, where the field of view may be any."""

SCALES = (0.35, 2.5)
"""Smallest and largest scale that is considered."""

BROKEN_ROW = -10.0
"""Log-probability of levels that are absent between others that are not: an image shows a part of the spine in one
piece, but an implant may hide a disc."""

CONTRADICTED = 0.8
"""Largest probability of being absent, or present, if the other levels say so and the level's own map does not."""

LEAST = -30.0
"""No combination is impossible: the log-probability of a level whose absence its neighbour's position contradicts."""

GAPS = (0.5, 1.6)
"""Smallest and largest plausible gap between neighbouring levels, as shares of the median gap in the image. Of 1,052
labelled sagittal images of several hospitals (Lumbar Coordinate Pretraining Dataset) one lies outside, at 1.62."""


class Decoded(NamedTuple):
    """The points of one image.

    Args:
        points: (K, 2), pixels of the 256 frame; for a point that is probably absent the likeliest place all the same.
        probability: (K,), as the heatmaps have it, that the true point is in the image and within `NEAR_PIXELS`.
        absent: (K,), the probability that the point is not in the image; NaN from a network that cannot tell.
    """

    points: np.ndarray
    probability: np.ndarray
    absent: np.ndarray


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
    points = np.array([positions[0] for positions, _, _ in found])
    probability = np.array([masses[0] * near[0] for _, masses, near in found])
    absent = np.clip(1 - maps.sum(axis=(0, 1)), 0, 1) if may_be_absent else np.full(len(found), np.nan)
    levels = [channels.index(level) for level in LEVELS if level in channels]
    if view in STEPS and len(levels) == len(LEVELS):
        peaks = [found[order] for order in levels]
        if may_be_absent:
            best, probabilities, together = _best_row(peaks, absent[levels], view)
            # Where the row contradicts a level's own map, neither is sure.
            contradicted = (np.array(together) > 0.5) != (absent[levels] > 0.5)
            absent[levels] = np.where(contradicted, np.clip(together, 1 - CONTRADICTED, CONTRADICTED), together)
        else:
            best, probabilities = _best_combination(peaks, view)
        for order, choice, likely in zip(levels, best, probabilities, strict=True):
            positions, _, near = found[order]
            points[order], probability[order] = positions[choice], likely * near[choice]
    return Decoded(points, probability, absent)


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
    if np.isnan(gaps).all():
        return ()
    share = gaps / max(float(np.nanmedian(gaps)), 1e-6)
    return tuple(
        f"{above} and {below} lie unusually {'close together' if each < GAPS[0] else 'far apart'}"
        for (above, below), each in zip(itertools.pairwise(LEVELS), share, strict=True)
        if each < GAPS[0] or each > GAPS[1]
    )


def _peaks(heatmap: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the highest peaks of a heatmap, `PEAKS` at most.

    Returns:
        (n, 2) positions, pixels of the 256 frame; (n,) probability mass around each; (n,) share of it that is near.
    """
    height, width = heatmap.shape
    around = cv2.boxFilter(heatmap, -1, (5, 5), normalize=False, borderType=cv2.BORDER_CONSTANT)
    rows, columns = np.nonzero(around >= cv2.dilate(around, np.ones((5, 5), np.uint8)))
    order = np.argsort(-around[rows, columns], kind="stable")[:PEAKS]
    positions, masses, near = [], [], []
    for row, column in zip(rows[order], columns[order], strict=True):
        top, left = max(row - PEAK_REACH, 0), max(column - PEAK_REACH, 0)
        part = heatmap[top : row + PEAK_REACH + 1, left : column + PEAK_REACH + 1]
        mass = float(part.sum()) or 1.0
        x = ((left + np.arange(part.shape[1]) + 0.5) * (SIZE / width)) - 0.5
        y = ((top + np.arange(part.shape[0]) + 0.5) * (SIZE / height)) - 0.5
        position = np.array([part.sum(0) @ x, part.sum(1) @ y]) / mass
        distance = np.hypot(x[None] - position[0], y[:, None] - position[1])
        positions.append(position)
        masses.append(max(mass, 1e-12))
        near.append(float(part[distance <= NEAR_PIXELS].sum()) / mass)
    return np.array(positions), np.array(masses), np.array(near)


def _best_combination(
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]], view: str
) -> tuple[list[int], list[float]]:
    """Return for each level the peak of the best combination, and the probability that this peak is the right one."""
    means, spreads = (np.array(numbers) for numbers in STEPS[view])
    score = np.zeros((1,) * len(found))
    for order, (_, masses, _) in enumerate(found):
        score = score + _along(np.log(masses), order, len(found))
    for order, ((above, _, _), (below, _, _)) in enumerate(itertools.pairwise(found)):
        step = (below[None] - above[:, None] - means[order]) / spreads[order]
        # No combination is impossible: a step ten standard deviations off is as likely as any that is further off.
        common = -0.5 * np.minimum(np.square(step).sum(-1), 100.0)
        score = score + common.reshape((1,) * order + common.shape + (1,) * (len(found) - order - 2))
    best = np.unravel_index(int(score.argmax()), score.shape)
    weights = np.exp(score - score.max())
    weights /= weights.sum()
    others = [tuple(axis for axis in range(len(found)) if axis != order) for order in range(len(found))]
    return list(map(int, best)), [float(weights.sum(axis)[choice]) for axis, choice in zip(others, best, strict=True)]


def _best_row(
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]], absent: np.ndarray, view: str
) -> tuple[list[int], list[float], list[float]]:
    """Return what `_best_combination` returns where each level may also be absent, and how likely each of them is.

    The steps have a common scale, which each combination sets for itself. The level beyond the last one that is in the
    image may be absent if the usual step leads out of it.

    Returns:
        For each of the five levels its likeliest peak in the best combination, the probability of that peak, and the
        probability that the level is absent.
    """
    counts = [len(masses) for _, masses, _ in found]
    # The last choice of each level is to be absent.
    choices = np.stack(np.meshgrid(*(np.arange(count + 1) for count in counts), indexing="ij"), -1).reshape(-1, 5)
    masses = [np.append(masses, max(gone, 1e-12)) for (_, masses, _), gone in zip(found, absent, strict=True)]
    places = [np.vstack([positions, [np.nan, np.nan]]) for positions, _, _ in found]
    score = sum(np.log(each)[choices[:, order]] for order, each in enumerate(masses))
    score = score + _how_common(np.stack([each[choices[:, order]] for order, each in enumerate(places)], axis=1), view)
    weights = np.exp(score - score.max())
    weights /= weights.sum()
    peaks, probabilities, gone = [], [], []
    for order, choice in enumerate(choices[int(score.argmax())]):
        share = np.bincount(choices[:, order], weights, counts[order] + 1)
        peaks.append(int(choice if choice < counts[order] else share[:-1].argmax()))
        probabilities.append(float(share[peaks[-1]]))
        gone.append(float(share[-1]))
    return peaks, probabilities, gone


def _how_common(places: np.ndarray, view: str) -> np.ndarray:
    """Return the log-probability of n rows of five levels, (n, 5, 2); NaN where a level is absent."""
    means, spreads = (np.array(numbers) for numbers in STEPS[view])
    here = ~np.isnan(places[..., 0])
    both, steps = here[:, 1:] & here[:, :-1], np.nan_to_num(np.diff(places, axis=1))
    # The scale that fits the steps best, by least squares.
    fitted = (both * (steps * means).sum(-1)).sum(1) / np.maximum((both * np.square(means).sum(-1)).sum(1), 1)
    scale = np.where(both.any(1), np.clip(fitted, *SCALES), 1.0)
    means, spreads = (scale[:, None, None] * each for each in (means, spreads))
    off = np.square((steps - means) / spreads).sum(-1)
    score = -0.5 * (both * np.minimum(off, 100.0)).sum(1) - 0.5 * np.square(np.log(scale) / SCALE_SPREAD)
    pieces = np.diff(here, axis=1, prepend=False, append=False).sum(1) / 2
    score = score + np.where(pieces > 1, BROKEN_ROW, 0.0)
    for level in range(len(LEVELS)):
        ends = ((-1, ~here[:, :level].any(1)), (1, ~here[:, level + 1 :].any(1)))
        for sign, none_beyond in ends:
            beyond, step = level + sign, min(level, level + sign)
            if 0 <= beyond < len(LEVELS):
                leads_out = _log_outside(places[:, level] + sign * means[:, step], spreads[:, step])
                score = score + np.where(here[:, level] & none_beyond, leads_out, 0.0)
    return score


def _log_outside(expected: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return the log-probability that a point with this mean and standard deviation, (n, 2) each, is out of the image.

    The normal distribution is approximated by the logistic one, to 0.01.
    """
    below, above = (1 / (1 + np.exp(-1.702 * (edge - expected) / spread)) for edge in (-0.5, SIZE - 0.5))
    return np.log(np.maximum(1 - (above - below).prod(axis=-1), np.exp(LEAST)))


def _along(values: np.ndarray, axis: int, axes: int) -> np.ndarray:
    shape = [1] * axes
    shape[axis] = -1
    return values.reshape(shape)
