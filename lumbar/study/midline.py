"""The midline: where the middle of the spine lies in a sagittal stack."""

from __future__ import annotations

import numpy as np

from lumbar.weights.calibration import log_odds

AROUND_MM = 30.0
"""The network reads slices up to this far from the midpoint of the stack, or from a spine that lies elsewhere."""

BEYOND_EVERY_MM = 8.0
"""Further away, the network reads one slice in this distance: enough to notice a spine there."""

EVERY_MM = 2.0
"""The network skips slices that lie closer than this to the last one it reads."""

FEWEST = 5
"""Smallest number of slices whose confidence can show the middle."""

SURE = 0.5
"""If the confidence reaches this in no slice, the network has not found a spine."""

FALL = 2.0
"""Log odds by which the confidence must fall off to at least one side; an even confidence shows no middle."""

MARGIN = 0.3
"""Share of the slices at either end in which the middle is not searched."""

HALF_WIDTH_MM = 14.0
"""The network is confident up to about this far from the middle of the spine: half the width of a vertebral body."""

WIDE_MM = 40.0
"""Narrower stacks hardly show more than the spine; only in wider ones can it be seen to lie to one side."""

RISE = 1.0
"""Log odds by which the mean confidence within the spine must exceed the mean outside to show where the spine lies."""

AGREE_MM = 6.0
"""If the two estimates of the middle differ by more than this, the one with the known width of the spine is used."""

WIDER_MM = 10.0
"""How much farther than `HALF_WIDTH_MM` a network may be confident: in one synthetic study both released ones were so
up to some 24 mm from the middle."""

CUT_OFF_MM = 9.0
"""A spine whose middle seems to lie nearer than this to the end of the stack may not be shown whole: of a spine that is
cut off the middle seems to lie up to 6 mm further inside than it does."""


def midpoint(offsets: np.ndarray) -> float:
    """Return the midpoint between the outermost slices, where operators place the spine.

    Args:
        offsets: Positions of the slices of a sagittal stack, mm, increasing from 0.
    """
    return float(offsets[-1] / 2)


def slices_near(offsets: np.ndarray, middle: float) -> list[int]:
    """Return which slices the network reads about a presumed middle: those near it, but only some of very thin ones.

    Args:
        offsets: Positions of the slices of a sagittal stack, mm, increasing from 0.
        middle: Offset of the presumed middle, mm.

    Returns:
        Positions of the slices in the stack, from 0, increasing.
    """
    near = np.flatnonzero(np.abs(offsets - middle) <= AROUND_MM)
    if not near.size:
        near = np.array([np.argmin(np.abs(offsets - middle))])
    return _spaced(offsets, near, EVERY_MM)


def slices_beyond(offsets: np.ndarray) -> list[int]:
    """Return some of the slices that `slices_near` the midpoint leaves out, in case the spine lies there."""
    away = offsets - midpoint(offsets)
    sides = np.flatnonzero(away < -AROUND_MM), np.flatnonzero(away > AROUND_MM)
    return [number for side in sides if side.size for number in _spaced(offsets, side, BEYOND_EVERY_MM)]


def _spaced(offsets: np.ndarray, numbers: np.ndarray, every: float) -> list[int]:
    """Return the first of some slices, and of the others those at least `every` mm after the last one returned."""
    chosen = [int(numbers[0])]
    for index in numbers[1:]:
        if offsets[index] - offsets[chosen[-1]] >= every - 1e-6:
            chosen.append(int(index))
    return chosen


def middle_by_confidence(offsets: np.ndarray, confidence: np.ndarray) -> float | None:
    """Find the middle of the spine from the network's confidence: the offset about which the confidence is symmetric.

    The confidence is about the same in every slice through the canal and falls off to either side. So the slice with
    the highest confidence says little about the middle, but the symmetry does. With the network `phantom+mr`, the slice
    nearest to the result was the true middle slice in all of 48 series of 24 synthetic patients (T1 and T2, 11 slices);
    with `phantom`, in 47 of them.

    Args:
        offsets: Positions of the slices, mm, increasing, shape (n,).
        confidence: Probabilities of the points in each slice, as the heatmaps give them, 0 to 1, shape (n, K); NaN from
            a network without heatmaps.

    Returns:
        Offset of the middle, mm; None if the confidence does not show it.
    """
    confidence = np.asarray(confidence, dtype=np.float64)
    if len(offsets) < FEWEST or not np.isfinite(confidence).all() or confidence.mean(axis=1).max() < SURE:
        return None
    odds = _mean_log_odds(confidence)
    first, last = offsets[0], offsets[-1]
    candidates = np.linspace(first + MARGIN * (last - first), last - MARGIN * (last - first), 121)
    mismatches = [_mismatch(offsets, odds, middle) for middle in candidates]
    middle = float(candidates[int(np.argmin(mismatches))])
    falls = odds.max() - odds[[0, -1]].min() >= FALL
    in_a_trough = odds.max() - np.interp(middle, offsets, odds) >= FALL
    return middle if falls and not in_a_trough else None


def _mismatch(offsets: np.ndarray, odds: np.ndarray, middle: float) -> float:
    """Return the mean squared difference of the log odds at equal distances to both sides of an offset."""
    away = np.linspace(0, min(middle - offsets[0], offsets[-1] - middle), 25)
    difference = np.interp(middle + away, offsets, odds) - np.interp(middle - away, offsets, odds)
    return float(np.mean(difference**2))


def middle_aside(offsets: np.ndarray, confidence: np.ndarray, midpoint: float) -> float | None:
    """Find the middle of a spine that lies to one side of the stack, where `middle_by_confidence` does not search.

    It is the offset that separates confidences within `HALF_WIDTH_MM` best from those outside (the largest variance
    between the two groups), so it is found even if only a part of the spine is in the stack. In stacks of 64 and 80 mm
    of six synthetic patients, 20 mm to the side, straight and turned by 10°, it lay within 7 mm of the true middle.

    Args:
        offsets: Positions of the slices that the network has read, mm, increasing, shape (n,).
        confidence: See `middle_by_confidence`, shape (n, K).
        midpoint: Offset of the midpoint of the stack, mm.

    Returns:
        Offset of the middle, mm; None if the spine does not lie to one side, or the confidence does not show where.
    """
    confidence = np.asarray(confidence, dtype=np.float64)
    width = offsets[-1] - offsets[0]
    if len(offsets) < FEWEST or width < WIDE_MM or not np.isfinite(confidence).all():
        return None
    places = np.linspace(offsets[0], offsets[-1], min(round(width), 500) + 1)
    odds = np.interp(places, offsets, _mean_log_odds(confidence))
    candidates = places[4:-4]
    inside = np.abs(places - candidates[:, None]) <= HALF_WIDTH_MM
    share = inside.mean(axis=1)
    rises = inside @ odds / inside.sum(axis=1) - ~inside @ odds / (~inside).sum(axis=1)
    best = int(np.argmax(share * (1 - share) * np.maximum(rises, 0) ** 2))
    middle, searched = float(candidates[best]), (0.5 - MARGIN) * min(width, 2 * AROUND_MM)
    return middle if abs(middle - midpoint) > searched + 0.5 and rises[best] >= RISE else None


def may_be_cut_off(offsets: np.ndarray, confidence: np.ndarray, middle: float) -> bool:
    """Return whether the stack may end before the middle of a spine that lies to one side.

    If the network is as confident in the last slice as in the spine, the confidence falls off to one side only. Then
    the middle lies up to `WIDER_MM` nearer to that end than it seems.

    Args:
        offsets: Positions of the slices that the network has read, mm, increasing, shape (n,).
        confidence: See `middle_by_confidence`, shape (n, K).
        middle: Offset of the presumed middle, mm.
    """
    odds = _mean_log_odds(np.asarray(confidence, dtype=np.float64))
    away = middle - offsets[0], offsets[-1] - middle
    one_sided = odds.max() - odds[[0, -1]][int(np.argmin(away))] < FALL
    return bool(min(away) < CUT_OFF_MM + WIDER_MM * one_sided)


def _mean_log_odds(confidence: np.ndarray) -> np.ndarray:
    """Return the mean log odds of the points in each slice, shape (n,)."""
    return log_odds(np.clip(confidence, 1e-4, 1 - 1e-4)).mean(axis=1)
