"""Check whether five points can be those of a spine, and whether other series of the study agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lumbar.core.constants import LEVELS
from lumbar.study.sagittal import Midsagittal

STEPS_MM = (15.0, 60.0)
"""Smallest and largest distance between neighbouring levels of an adult; in synthetic patients it is 22 to 41 mm."""

DISAGREEMENT_MM = 10.0
"""Distance, a third of a level, from which the points of two sagittal series contradict each other."""


def find_doubts(middle: Midsagittal, others: Sequence[Midsagittal]) -> tuple[list[list[str]], list[str]]:
    """Find reasons to doubt the points of a slice.

    Args:
        middle: The mid-sagittal slice with its points.
        others: The mid-sagittal slices of the other sagittal series.

    Returns:
        The doubts about the point of each level, and notes on how far the other series agree, in plain sentences.
    """
    xyz = middle.xyz_mm
    found: list[list[str]] = [[] for _ in LEVELS]
    steps = np.linalg.norm(np.diff(xyz, axis=0), axis=1)
    for number, (step, fall) in enumerate(zip(steps, -np.diff(xyz[:, 2]), strict=True)):
        if step < STEPS_MM[0] or step > STEPS_MM[1] or fall <= 0:
            way = "lies above" if fall <= 0 else f"lies {step:.0f} mm from"
            found[number + 1].append(f"{LEVELS[number + 1]} {way} {LEVELS[number]}, which is not plausible")
    notes = []
    for other in others:
        if not middle.stack.frame_of_reference or other.stack.frame_of_reference != middle.stack.frame_of_reference:
            notes.append(f"The points of {other.name} cannot be compared: its frame of reference differs.")
            continue
        if other.points.flagged and not middle.points.flagged:
            notes.append(f"The points of {other.name} are not compared: the network is not confident of them.")
            continue
        apart = apart_mm(xyz, other.xyz_mm, middle.stack.normal)
        if np.isnan(apart).all():
            notes.append(f"The points of {other.name} cannot be compared: the two show no level in common.")
            continue
        notes.append(f"The points of {other.name} lie {np.nanmin(apart):.1f} to {np.nanmax(apart):.1f} mm from these.")
        for number in np.flatnonzero(apart > DISAGREEMENT_MM):
            found[number].append(f"{other.name} puts it {apart[number]:.0f} mm away")
    return found, notes


def apart_mm(one: np.ndarray, other: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Return distances within the sagittal plane, because two slices may not lie at the same depth.

    Args:
        one: Points of the levels in one slice, patient mm (LPS), shape (5, 3); NaN for one that it does not show.
        other: The same in another slice.
        normal: Unit normal of the sagittal plane, shape (3,).

    Returns:
        Distances, mm, shape (5,); NaN where one of the two slices does not show the level.
    """
    difference = other - one
    return np.linalg.norm(difference - (difference @ normal)[:, None] * normal, axis=1)
