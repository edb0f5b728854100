"""The mid-sagittal slice: where the middle of the spine lies in a sagittal stack."""

from __future__ import annotations

import numpy as np

from lumbar.study.stacks import Stack
from lumbar.weights.calibration import log_odds

AROUND_MM = 30.0
"""Slices up to this far from half-way between the outermost are looked at."""

EVERY_MM = 2.0
"""Of slices closer together than this only some are looked at."""

FEWEST = 5
"""Slices that must have been looked at for their confidence to tell the middle."""

SURE = 0.5
"""A network whose confidence reaches this in no slice has not seen a spine there."""

FALL = 2.0
"""Log odds by which the confidence must fall off to one side; a network as sure of every slice tells no middle."""

MARGIN = 0.3
"""Share of the slices' range at either end where the middle is not looked for."""


def half_way(stack: Stack) -> float:
    """Half-way between the outermost slices, where operators put the spine; offset from the first slice, mm."""
    return float(stack.offsets[-1] / 2)


def around_middle(stack: Stack) -> list[int]:
    """Positions in the stack of the slices to look at, in order: those about half-way, not all of very thin ones."""
    middle = half_way(stack)
    near = np.flatnonzero(np.abs(stack.offsets - middle) <= AROUND_MM)
    if not near.size:
        near = np.array([np.argmin(np.abs(stack.offsets - middle))])
    chosen = [int(near[0])]
    for index in near[1:]:
        if stack.offsets[index] - stack.offsets[chosen[-1]] >= EVERY_MM - 1e-6:
            chosen.append(int(index))
    return chosen


def by_confidence(offsets: np.ndarray, confidence: np.ndarray) -> float | None:
    """The middle as a network sees it: the place about which its confidence to the left mirrors that to the right.

    A network is about as sure of any slice through the canal, and less and less of those to either side; so the surest
    slice says little, but the symmetry does. With the network `phantom+mr` the slice nearest to it was the true middle
    one in all of 48 series of 24 synthetic patients (T1 and T2, 11 slices), with `phantom` in 47 of them.

    Args:
        offsets: (n,) positions of slices, mm, growing.
        confidence: (n, K) chances of their points as the maps have them, from 0 to 1; NaN from a network without maps.

    Returns:
        Offset of the middle, mm; None if the confidences do not tell.
    """
    confidence = np.asarray(confidence, dtype=np.float64)
    if len(offsets) < FEWEST or not np.isfinite(confidence).all() or confidence.mean(axis=1).max() < SURE:
        return None
    odds = log_odds(np.clip(confidence, 1e-4, 1 - 1e-4)).mean(axis=1)
    first, last = offsets[0], offsets[-1]
    candidates = np.linspace(first + MARGIN * (last - first), last - MARGIN * (last - first), 121)
    mismatches = [_mismatch(offsets, odds, middle) for middle in candidates]
    middle = float(candidates[int(np.argmin(mismatches))])
    falls = odds.max() - odds[[0, -1]].min() >= FALL
    in_a_trough = odds.max() - np.interp(middle, offsets, odds) >= FALL
    return middle if falls and not in_a_trough else None


def _mismatch(offsets: np.ndarray, odds: np.ndarray, middle: float) -> float:
    """Mean squared difference of the log odds at equal distances to both sides of a place."""
    away = np.linspace(0, min(middle - offsets[0], offsets[-1] - middle), 25)
    difference = np.interp(middle + away, offsets, odds) - np.interp(middle - away, offsets, odds)
    return float(np.mean(difference**2))
