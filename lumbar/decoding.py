"""From a network's heatmaps to the points of an image: the levels are decoded together, each with its confidence.

A single heatmap may have two peaks, because the first sacral disc looks much like the last lumbar one. The five
heatmaps of an image, taken together, resolve the doubt: neighbouring levels lie a known step apart. So each combination
of peaks gets a score, the probability that the heatmaps give it times how common its steps are (a pictorial structure,
Felzenszwalb & Huttenlocher, IJCV 2005), and the best combination is the answer.
"""

from __future__ import annotations

import itertools

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

GAPS = (0.5, 1.6)
"""Smallest and largest plausible gap between neighbouring levels, as shares of the median gap in the image. Of 1,052
labelled sagittal images of several hospitals (Lumbar Coordinate Pretraining Dataset) one lies outside, at 1.62."""


def decode(maps: np.ndarray, view: str, channels: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Find the points of one image in its heatmaps.

    Args:
        maps: (h, w, K), probabilities: not negative, each map adding up to 1.
        view: The image's plane.
        channels: Names of the K points.

    Returns:
        (K, 2) points, pixels of the 256 frame, and (K,) probabilities, as the heatmaps have them, that the true point
        lies within `NEAR_PIXELS`.
    """
    found = [_peaks(maps[..., order]) for order in range(maps.shape[-1])]
    points = np.array([positions[0] for positions, _, _ in found])
    confidence = np.array([masses[0] * near[0] for _, masses, near in found])
    levels = [channels.index(level) for level in LEVELS if level in channels]
    if view in STEPS and len(levels) == len(LEVELS):
        best, probabilities = _best_combination([found[order] for order in levels], view)
        for order, choice, probability in zip(levels, best, probabilities, strict=True):
            positions, _, near = found[order]
            points[order], confidence[order] = positions[choice], probability * near[choice]
    return points, confidence


def uneven_gaps(points: np.ndarray) -> tuple[str, ...]:
    """Find neighbouring levels that lie too close together or too far apart, compared with the others in the image.

    A network that is sure of each point may still have put two levels on one disc, or have passed over a disc.

    Args:
        points: (5, 2), the five levels from the head down, in pixels.

    Returns:
        A sentence for each such pair.
    """
    gaps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    share = gaps / max(float(np.median(gaps)), 1e-6)
    return tuple(
        f"{above} and {below} lie unusually {'close together' if each < GAPS[0] else 'far apart'}"
        for (above, below), each in zip(itertools.pairwise(LEVELS), share, strict=True)
        if not GAPS[0] <= each <= GAPS[1]
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
        mass = max(float(part.sum()), 1e-12)
        x = ((left + np.arange(part.shape[1]) + 0.5) * (SIZE / width)) - 0.5
        y = ((top + np.arange(part.shape[0]) + 0.5) * (SIZE / height)) - 0.5
        position = np.array([part.sum(0) @ x, part.sum(1) @ y]) / mass
        distance = np.hypot(x[None] - position[0], y[:, None] - position[1])
        positions.append(position)
        masses.append(mass)
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


def _along(values: np.ndarray, axis: int, axes: int) -> np.ndarray:
    shape = [1] * axes
    shape[axis] = -1
    return values.reshape(shape)
