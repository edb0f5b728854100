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
"""Probability that a larger view of which the network is confident says nothing about the count, or puts a level into
the slice, or out of it, wrongly."""

HYPOTHESES = (0, 1, -1)
"""By how many discs every level may lie higher than it was found."""

EDGE_MM = 5.0
"""A level is in a slice, or not, by a larger view, if it lies at least this far inside its edge, or outside."""


@dataclass(frozen=True, eq=False)
class CheckedCount:
    """The points of a slice, after their count was weighed with that of a larger view.

    Args:
        points: The points, where needed those of another count, or carried over from the larger view.
        view: The mid-sagittal slice of the larger view, with its points; None if the count could not be checked.
        remarks: For each level what a reader should know about its point, a phrase; "" for nothing.
        notes: What came of the check, in sentences; none if there is no larger view.
    """

    points: ScanPoints
    view: Midsagittal | None
    remarks: tuple[str, ...]
    notes: tuple[str, ...]


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
        views: The mid-sagittal slices of larger views. One is used if it has the same frame of reference, shows L5/S1,
            from which one counts, and the network is confident of it; of several, the surest.
        network: The network that found all points.

    Returns:
        The points by the likeliest hypothesis. A level that the network does not find in the slice, although the larger
        view puts it there, is carried over. The points are flagged if the two do not count alike, a level if the two
        put it at different places, and one that is carried over.
    """
    whynot = [(view, _why_not_used(view, middle)) for view in views]
    notes = [f"The count was not checked in {view.name}: {why}." for view, why in whynot if why]
    usable = sorted((view for view, why in whynot if not why), key=lambda view: -_prior(view.points).max())
    compared = [(view, _fits(middle, view)) for view in usable]
    fitting = [(view, fits) for view, fits in compared if fits.any()]
    if not fitting:
        return _without_comparison(middle, usable, notes, network)
    (view, fits), *_ = fitting
    agreement = (fits * _prior(view.points)).max(axis=1)
    weight = _prior(middle.points) * np.maximum(MISLED, (1 - MISLED) * agreement)
    weight /= weight.sum()
    likeliest = int(np.argmax(weight))
    moved = HYPOTHESES[likeliest]
    points = _moved(middle.points, weight, moved)
    counted_otherwise = [each.name for each, others in compared if not others[likeliest, 0]]
    remarks = [f"{' and '.join(counted_otherwise)} would count otherwise"] if counted_otherwise else []
    if moved:
        remarks.append(f"one disc {'higher' if moved > 0 else 'lower'} than the slice alone would have it")
    points, of_levels = _level_by_level(
        points, middle.slice, _hypotheses(view)[int(fits[likeliest].argmax())], view.name
    )
    points = _flagged(points, middle, network, changed=bool(remarks or any(of_levels)), moved=moved != 0)
    told = f": the levels lie {remarks[-1]}" if moved else f", but {remarks[0]}" if remarks else ""
    notes.append(f"Count checked in {view.name}{told}.")
    remarks_of_all = tuple("; ".join(filter(None, (*remarks, each))) for each in of_levels)
    return CheckedCount(points, view, remarks_of_all, tuple(notes))


def _why_not_used(view: Midsagittal, middle: Midsagittal) -> str:
    """Return why a larger view says nothing about the count in a slice; "" if it does."""
    reference = middle.stack.frame_of_reference
    if not reference or view.stack.frame_of_reference != reference:
        return "it is not known to share the frame of reference of the slice"
    if view.points.count is None:
        return "the network cannot tell how sure it is of a count there"
    if view.points.flagged:
        return "; ".join(view.points.doubts) or "the network is not confident of the levels there"
    return "" if np.isfinite(view.xyz_mm[-1]).all() else f"it does not show {LEVELS[-1]}, from which one counts"


def _prior(points: ScanPoints) -> np.ndarray:
    """Return the probability of each of the `HYPOTHESES`, (3,); equal ones for a slice too small to tell."""
    if points.count is None:
        return np.full(len(HYPOTHESES), 1 / len(HYPOTHESES))
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


def _fits(middle: Midsagittal, view: Midsagittal) -> np.ndarray:
    """Return which hypotheses about a slice (rows) put the same levels where those about a larger view do, (3, 3)."""
    normal = middle.stack.normal
    apart = [[apart_mm(one, other, normal) for other in _hypotheses(view)] for one in _hypotheses(middle)]
    known = [[np.isfinite(each).any() and np.nanmedian(each) <= DISAGREEMENT_MM for each in row] for row in apart]
    return np.array(known, bool)


def _without_comparison(
    middle: Midsagittal, usable: Sequence[Midsagittal], notes: Sequence[str], network: Weights
) -> CheckedCount:
    """Return the points where no larger view fits any hypothesis about the slice.

    If both show levels, they contradict each other: the patient may have moved, or another one is shown. If the slice
    shows none, those that the larger view puts there are carried over.
    """
    unchanged = CheckedCount(middle.points, None, ("",) * len(LEVELS), tuple(notes))
    if not usable:
        return unchanged
    view = usable[0]
    if np.isfinite(middle.xyz_mm).any():
        remark = f"the levels do not fit those of {view.name}"
        points = _flagged(middle.points, middle, network, changed=True, moved=False)
        note = f"The count was not checked in {view.name}: the levels of the two do not fit together."
        return CheckedCount(points, None, (remark,) * len(LEVELS), (*notes, note))
    points, remarks = _level_by_level(middle.points, middle.slice, view.xyz_mm, view.name)
    if not any(remarks):
        return replace(unchanged, notes=(*notes, f"{view.name} puts no level into the slice either."))
    points = _flagged(points, middle, network, changed=True, moved=False)
    return CheckedCount(points, view, tuple(remarks), (*notes, f"The levels are those of {view.name}."))


def _moved(points: ScanPoints, weight: np.ndarray, moved: int) -> ScanPoints:
    """Return the points by one of the `HYPOTHESES`, and how sure that is.

    Args:
        points: The points as found.
        weight: Probability of each of the `HYPOTHESES`, (3,).
        moved: The likeliest of them.
    """
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


def _level_by_level(
    points: ScanPoints, header: SliceHeader, xyz_mm: np.ndarray, name: str
) -> tuple[ScanPoints, list[str]]:
    """Compare each level of a slice with where a larger view puts it.

    Where the two agree that it is in the slice, or that it is not, its absence is settled. Where the slice shows none
    and should, the point is carried over.

    Args:
        points: The points of the slice.
        header: The slice.
        xyz_mm: Where the levels lie by the larger view, patient mm (LPS), (5, 3); NaN where that is not known.
        name: Name of the larger view.

    Returns:
        The points, and for each level a phrase if the two disagree, else "".
    """
    places, pixel = header.plane.to_pixels(xyz_mm), np.array([header.plane.pixel_width, header.plane.pixel_height])
    depth = np.minimum(places + 0.5, (header.width, header.height) - places - 0.5) * pixel
    inside, outside = (depth >= EDGE_MM).all(axis=1), (depth <= -EDGE_MM).any(axis=1)
    missing = np.isnan(points.xy_native).any(axis=1)
    apart = np.linalg.norm((points.xy_native - places) * pixel, axis=1)
    elsewhere, carried = apart > DISAGREEMENT_MM, missing & inside
    odds = np.where(~missing & inside & ~elsewhere, MISLED / (1 - MISLED), 1.0)
    odds = np.where(missing & outside, (1 - MISLED) / MISLED, odds)
    absent = points.absent * odds / (points.absent * odds + 1 - points.absent)
    points = replace(
        points,
        xy_native=np.where(carried[:, None], places, points.xy_native),
        confidence=np.where(carried, np.nan, points.confidence),
        absent=np.where(carried, np.nan, absent),
    )
    return points, [
        f"carried over from {name}" if each else f"{name} puts it {mm:.0f} mm away" if off else ""
        for each, off, mm in zip(carried, elsewhere, apart, strict=True)
    ]


def _flagged(points: ScanPoints, middle: Midsagittal, network: Weights, *, changed: bool, moved: bool) -> ScanPoints:
    """Return points with their doubts and their flag.

    Args:
        points: The points after the check.
        middle: The slice with the points that were found in it alone.
        network: The network that found them.
        changed: Whether the larger view says something else of the count, or of a point.
        moved: Whether the levels have other names now; doubts by the old names do not hold then.
    """
    found = middle.points
    before = found.count.doubts if found.count else ()
    kept = () if moved else tuple(each for each in found.doubts if each not in before)
    doubts = (*kept, *(points.count.doubts if points.count else ()))
    unsure = (points.confidence < network.doubtful) | undecided(points.absent)
    return replace(points, doubts=doubts, flagged=bool(changed or doubts or middle.cut_off or unsure.any()))
