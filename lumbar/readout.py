"""From a network's maps to the points of a picture: the levels are read together, each with its confidence.

A single map may have two peaks, for the first sacral disc looks much like the last lumbar one. The five maps of a
picture, taken together, know better: neighbouring levels lie a known step apart. So every combination of peaks gets a
score, the chance that the maps give it times how common its steps are (a pictorial structure, Felzenszwalb &
Huttenlocher, IJCV 2005), and the best combination is the answer.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from lumbar.geometry import SIZE
from lumbar.names import LEVELS

PEAK_REACH = 3
"""How far around a peak the map counts for the point's place, pixels of the map."""

PEAKS = 5
"""Peaks of each map that are considered."""

NEAR_PIXELS = 5.0
"""A confidence is the chance that the true point lies within so many pixels of the 256 frame."""

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
"""Steps from each level to the next, (x, y) pixels of the 256 frame: means among the synthetic patients, and standard
deviations half as large again as among them, for real patients and their pictures vary more."""


def read_out(maps: np.ndarray, view: str, channels: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The points of one picture.

    Args:
        maps: (h, w, K), not negative, each adding up to 1: the chance of each place.
        view: Which plane the picture shows.
        channels: Names of the K points.

    Returns:
        (K, 2) points, pixels of the 256 frame, and (K,) confidences from 0 to 1: the chance, as the maps have it, that
        the true point lies within `NEAR_PIXELS`.
    """
    found = [_peaks(maps[..., order]) for order in range(maps.shape[-1])]
    points = np.array([places[0] for places, _, _ in found])
    confidence = np.array([chances[0] * near[0] for _, chances, near in found])
    levels = [channels.index(level) for level in LEVELS if level in channels]
    if view in STEPS and len(levels) == len(LEVELS):
        best, sure = _together([found[order] for order in levels], view)
        for order, choice, chance in zip(levels, best, sure, strict=True):
            places, _, near = found[order]
            points[order], confidence[order] = places[choice], chance * near[choice]
    return points, confidence


def _peaks(chances: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The highest peaks of a map, `PEAKS` at most: places (256 frame), chances, and how much of each chance is near."""
    height, width = chances.shape
    around = cv2.boxFilter(chances, -1, (5, 5), normalize=False, borderType=cv2.BORDER_CONSTANT)
    rows, columns = np.nonzero(around >= cv2.dilate(around, np.ones((5, 5), np.uint8)))
    order = np.argsort(-around[rows, columns], kind="stable")[:PEAKS]
    places, masses, near = [], [], []
    for row, column in zip(rows[order], columns[order], strict=True):
        top, left = max(row - PEAK_REACH, 0), max(column - PEAK_REACH, 0)
        part = chances[top : row + PEAK_REACH + 1, left : column + PEAK_REACH + 1]
        mass = max(float(part.sum()), 1e-12)
        x = ((left + np.arange(part.shape[1]) + 0.5) * (SIZE / width)) - 0.5
        y = ((top + np.arange(part.shape[0]) + 0.5) * (SIZE / height)) - 0.5
        place = np.array([part.sum(0) @ x, part.sum(1) @ y]) / mass
        distance = np.hypot(x[None] - place[0], y[:, None] - place[1])
        places.append(place)
        masses.append(mass)
        near.append(float(part[distance <= NEAR_PIXELS].sum()) / mass)
    return np.array(places), np.array(masses), np.array(near)


def _together(found: list[tuple[np.ndarray, np.ndarray, np.ndarray]], view: str) -> tuple[list[int], list[float]]:
    """For each level the peak of the best combination, and the chance that this peak is the right one."""
    means, spreads = (np.array(numbers) for numbers in STEPS[view])
    score = np.zeros((1,) * len(found))
    for order, (_, chances, _) in enumerate(found):
        score = score + _along(np.log(chances), order, len(found))
    for order, ((above, _, _), (below, _, _)) in enumerate(itertools.pairwise(found)):
        step = (below[None] - above[:, None] - means[order]) / spreads[order]
        # No combination is impossible: a step ten spreads off is as good as any other.
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
