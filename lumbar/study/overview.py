"""The count of the levels, checked in a larger view: a localiser, or a series of most of the spine.

A slice that does not show the sacrum does not say which disc is which, and one that shows a transitional vertebra says
it badly. Nearly every study begins with a localiser that shows more of the spine, too coarse to place points in, but
enough to count. The network locates the levels there, too, and they are compared with those of the slice in patient mm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lumbar.core.constants import LEVELS
from lumbar.decoding.doubts import Count, undecided
from lumbar.imaging.dicom.slice_header import SliceHeader
from lumbar.inference import ScanPoints
from lumbar.study.plausibility import DISAGREEMENT_MM, apart_mm
from lumbar.study.sagittal import Midsagittal
from lumbar.study.series import Series
from lumbar.study.stacks import Stack
from lumbar.weights import Weights

LARGE_VIEW_MM = 350.0
"""Height of the pictures from which a sagittal series that is not a localiser counts as a larger view; those of the
lumbar spine are 200 to 320 mm high."""

MISLED = 0.03
"""Probability that a larger view of which the network is confident says nothing about the count."""

HYPOTHESES = (0, 1, -1)
"""By how many discs every level may lie higher than it was found."""

EDGE_MM = 5.0
"""A level is not carried over to a place nearer to the edge of the slice than this: a larger view is coarse."""


@dataclass(frozen=True, eq=False)
class CheckedCount:
    """The points of a slice, after their count was weighed with that of a larger view.

    Args:
        points: The points, where needed those of another count, or carried over from the larger view.
        view: The mid-sagittal slice of the larger view, with its points; None if there is none that could be compared.
        remarks: For each level what a reader should know about its point, a phrase; "" for nothing.
        note: What came of the check, a sentence; "" if there is no larger view.
    """

    points: ScanPoints
    view: Midsagittal | None
    remarks: tuple[str, ...]
    note: str


def localisers(series: Sequence[Series]) -> list[tuple[Series, Stack]]:
    """Return the sagittal stacks of the localisers among the series of a study, with their series."""
    return [(each, stack) for each in series for stack in each.overview if stack.view == "sagittal"]


def is_large(stack: Stack) -> bool:
    """Return whether the slices of a stack that is not a localiser are as high as `LARGE_VIEW_MM`."""
    return stack.slices[0].height * stack.slices[0].plane.pixel_height >= LARGE_VIEW_MM


def check_count(middle: Midsagittal, views: Sequence[Midsagittal], network: Weights) -> CheckedCount:
    """Weigh the count of a slice's levels with that of a larger view of the same spine.

    Each of the two has a probability for each of the `HYPOTHESES`. A hypothesis about the slice fits one about the
    larger view if it puts the same levels at the same places, within a third of a level. The probabilities of two that
    fit are multiplied, as if the two images were independent.

    Args:
        middle: The mid-sagittal slice with its points.
        views: The mid-sagittal slices of larger views. Of those with the same frame of reference, and of which the
            network is confident, the surest is used.
        network: The network that found all points.

    Returns:
        The points by the likeliest hypothesis; they are flagged if the two do not count alike. A level that the network
        does not find in the slice, although it must be there by the larger view, is carried over from that, and
        flagged, too.
    """
    unmoved = ("",) * len(LEVELS)
    usable = [view for view in views if not _why_not_used(view, middle)]
    if not usable:
        notes = [f"The count was not checked in {view.name}: {_why_not_used(view, middle)}." for view in views]
        return CheckedCount(middle.points, None, unmoved, " ".join(notes))
    view = max(usable, key=lambda each: _prior(each.points).max())
    here, there = _hypotheses(middle), _hypotheses(view)
    fits = np.array([[_fit(one, other, middle.stack.normal) for other in there] for one in here])
    if not fits.any() and np.isfinite(middle.xyz_mm).any():
        note = f"The count was not checked in {view.name}: the levels of the two do not fit together."
        return CheckedCount(middle.points, None, unmoved, note)
    # Where the slice alone shows no level, there is nothing to tell its hypotheses apart.
    agreement = (fits * _prior(view.points)).max(axis=1) if fits.any() else 1.0
    weight = _prior(middle.points) * np.maximum(MISLED, (1 - MISLED) * agreement)
    weight /= weight.sum()
    likeliest = int(np.argmax(weight))
    moved = HYPOTHESES[likeliest]
    points = _moved(middle.points, weight, moved)
    if fits.any() and not moved and not fits[0, 0]:
        remark = f"{view.name} counts the levels otherwise"
        points = _flagged(points, middle.points, network, changed=True)
        return CheckedCount(points, view, (remark,) * len(LEVELS), f"{remark}, but the slice is surer; flagged.")
    places = middle.slice.plane.to_pixels(there[int(fits[likeliest].argmax())])
    points, carried = _compared(points, places, middle.slice)
    points = _flagged(points, middle.points, network, changed=moved != 0 or carried.any())
    way = f"one disc {'higher' if moved > 0 else 'lower'} than the slice alone would have it"
    remark = f"{way}, as counted in {view.name}" if moved else ""
    remarks = tuple(f"carried over from {view.name}" if each else remark for each in carried)
    note = f"Count checked in {view.name}, which shows more of the spine"
    return CheckedCount(points, view, remarks, f"{note}{f': the levels lie {way}' if moved else ''}.")


def _why_not_used(view: Midsagittal, middle: Midsagittal) -> str:
    """Return why a larger view says nothing about the count in a slice; "" if it does."""
    reference = middle.stack.frame_of_reference
    if not reference or view.stack.frame_of_reference != reference:
        return "its frame of reference differs"
    if view.points.count is None:
        return "the network cannot tell how sure it is of a count"
    return "the network is not confident of the levels there" if view.points.flagged else ""


def _prior(points: ScanPoints) -> np.ndarray:
    """Return the probability of each of the `HYPOTHESES`, (3,); a network that cannot tell is sure of its count."""
    if points.count is None:
        return np.array([1.0, 0.0, 0.0])
    higher, lower = points.count.one_higher, points.count.one_lower
    return np.array([1 - higher - lower, higher, lower])


def _hypotheses(middle: Midsagittal) -> list[np.ndarray]:
    """Return the levels by each of the `HYPOTHESES`, patient mm (LPS), shape (5, 3); NaN where no disc is known."""
    row = _row(middle.points)
    return [middle.slice.plane.to_patient(_levels(row, moved)) for moved in HYPOTHESES]


def _row(points: ScanPoints) -> np.ndarray:
    """Return T12/L1, the five levels and S1/S2, with an unknown disc above and below them, native pixels, (9, 2)."""
    row = np.full((len(LEVELS) + 4, 2), np.nan)
    row[2:-2] = points.xy_native
    if points.count is not None:
        row[1], row[-2] = points.count.higher[0], points.count.lower[-1]
    return row


def _levels(row: np.ndarray, moved: int) -> np.ndarray:
    """Return the five levels of a row of nine discs if they lie so many discs higher than in its middle."""
    return row[2 - moved : 2 - moved + len(LEVELS)]


def _fit(one: np.ndarray, other: np.ndarray, normal: np.ndarray) -> bool:
    """Return whether the levels that both know lie at the same places."""
    apart = apart_mm(one, other, normal)
    return bool(np.isfinite(apart).any()) and float(np.nanmedian(apart)) <= DISAGREEMENT_MM


def _moved(points: ScanPoints, weight: np.ndarray, moved: int) -> ScanPoints:
    """Return the points by one of the `HYPOTHESES`, and how sure that is.

    Args:
        points: The points as found.
        weight: Probability of each of the `HYPOTHESES`, (3,).
        moved: The likeliest of them.
    """
    if points.count is None:
        return points
    row, probability = _row(points), dict(zip(HYPOTHESES, weight, strict=True))
    beyond = np.full((1, 2), np.nan)
    count = Count(
        one_higher=float(probability.get(moved + 1, 0.0)),
        one_lower=float(probability.get(moved - 1, 0.0)),
        higher=_levels(np.vstack([beyond, row]), moved),
        lower=_levels(np.vstack([row, beyond])[1:], moved),
    )
    of_each = {
        name: _levels(np.pad(getattr(points, name), 2, constant_values=np.nan), moved)
        for name in ("confidence", "probability", "absent")
    }
    return replace(points, xy_native=_levels(row, moved), count=count, **of_each)


def _compared(points: ScanPoints, places: np.ndarray, header: SliceHeader) -> tuple[ScanPoints, np.ndarray]:
    """Weigh whether each level is in a slice with whether a larger view puts it there, and place those not found.

    Args:
        points: The points of the slice.
        places: Where the levels lie by the larger view, pixels of the slice, (5, 2); NaN where that is not known.
        header: The slice.

    Returns:
        The points, and which of them were not found in the slice and are carried over, (5,).
    """
    edge = EDGE_MM / np.array([header.plane.pixel_width, header.plane.pixel_height])
    depth = np.minimum(places + 0.5, (header.width, header.height) - places - 0.5) / edge
    inside, outside = (depth >= 1).all(axis=1), (depth <= -1).any(axis=1)
    odds = np.where(inside, MISLED / (1 - MISLED), np.where(outside, (1 - MISLED) / MISLED, 1.0))
    absent = points.absent * odds / (points.absent * odds + 1 - points.absent)
    carried = np.isnan(points.xy_native).any(axis=1) & inside
    return replace(
        points,
        xy_native=np.where(carried[:, None], places, points.xy_native),
        confidence=np.where(carried, np.nan, points.confidence),
        absent=np.where(carried, np.nan, absent),
    ), carried


def _flagged(points: ScanPoints, found: ScanPoints, network: Weights, *, changed: bool) -> ScanPoints:
    """Return points with their doubts and their flag.

    Args:
        points: The points after the check.
        found: The points as found in the slice alone.
        network: The network that found them.
        changed: Whether the larger view has another count, or has placed a point.
    """
    if found.count is None:
        return replace(points, flagged=found.flagged or changed)
    # A flag that nothing else explains is that of the slice, such as one of a stack that ends beside the spine.
    otherwise = found.flagged and not found.doubts and not _unsure(found, network)
    doubts = (*(each for each in found.doubts if each not in found.count.doubts), *points.count.doubts)
    return replace(points, doubts=doubts, flagged=bool(changed or doubts or otherwise or _unsure(points, network)))


def _unsure(points: ScanPoints, network: Weights) -> bool:
    return bool(((points.confidence < network.doubtful) | undecided(points.absent)).any())
