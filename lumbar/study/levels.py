"""The axial slice that shows a disc level: the nearest to the level's point, if it is near enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lumbar.imaging.dicom.slice_header import SliceHeader
from lumbar.study.stacks import Stack

ALIKE_DEGREES = 10.0
"""Of stacks that all contain a point, one this much better aligned with the disc is taken before a nearer one."""


@dataclass(frozen=True, eq=False)
class AxialPlace:
    """Where a point of the patient is seen in the axial slices.

    Args:
        slice: The slice; None if no slice shows the point.
        x: Of the point's foot in the slice, native pixels (the centre of the first one is 0); NaN without a slice.
        y: The same.
        distance_mm: Of the point from the slice's plane, along the normal; NaN without a slice.
        angle_degrees: Between the slice and the level's own plane, see `along_spine`; NaN without a slice.
        remark: What a reader should know, in a plain sentence, or "".
    """

    slice: SliceHeader | None
    x: float
    y: float
    distance_mm: float
    angle_degrees: float
    remark: str


def along_spine(points_mm: np.ndarray) -> np.ndarray:
    """The direction of the spine at each level: from the level above to the level below, through it.

    A plane at right angles to it estimates the disc's. In synthetic patients the estimate is 2° ± 2° off the true disc
    from L1/L2 to L4/L5 and 8° ± 6° at L5/S1, where nothing below tells the sacrum's slope.

    Args:
        points_mm: (5, 3) points of the levels from the head down, patient mm (LPS); NaN missing.

    Returns:
        Unit vectors, shape (5, 3); NaN where a neighbour is missing.
    """
    steps = np.gradient(np.asarray(points_mm, dtype=np.float64), axis=0)
    return steps / np.linalg.norm(steps, axis=1, keepdims=True)


def axial_place(
    point_mm: np.ndarray, direction: np.ndarray, frame_of_reference: str, stacks: Sequence[Stack]
) -> AxialPlace:
    """Find the axial slice that shows a point.

    Of each stack the slice nearest to the point along its normal, and of those the nearest; but if several stacks
    contain the point, one that follows the disc comes before one that crosses it. A slice counts only if the point's
    foot lies inside its picture and within the stack's `reach`.

    Args:
        point_mm: The level's point, shape (3,), patient mm (LPS).
        direction: Of the spine there, shape (3,), see `along_spine`.
        frame_of_reference: UID in which the point's millimetres count. Only slices of the same one are looked at.
        stacks: Axial stacks, the most welcome first: it wins where two lie alike.
    """
    comparable = [stack for stack in stacks if frame_of_reference and stack.frame_of_reference == frame_of_reference]
    if not comparable:
        return _nowhere(_why_not_comparable(frame_of_reference, stacks))
    places = [(stack, _nearest(point_mm, direction, stack)) for stack in comparable]
    seen = [(stack, place) for stack, place in places if place is not None]
    if not seen:
        return _nowhere("the point lies beside the pictures of all axial slices")
    near = [(stack, place) for stack, place in seen if place.distance_mm <= stack.reach]
    if not near:
        stack, place = min(seen, key=lambda pair: pair[1].distance_mm)
        allowed = f"within {stack.reach:.1f} mm" if stack.reach else "known to be thick enough"
        return _nowhere(f"no axial slice {allowed}; the nearest lies {place.distance_mm:.1f} mm away")
    containing = [(stack, place) for stack, place in near if _contains(stack, place)] or near
    best = np.nanmin([place.angle_degrees for _, place in containing] + [90.0])
    aligned = [pair for pair in containing if not pair[1].angle_degrees > best + ALIKE_DEGREES]
    stack, place = min(aligned, key=lambda pair: round(pair[1].distance_mm, 1))
    return place


def _contains(stack: Stack, place: AxialPlace) -> bool:
    return place.distance_mm <= (stack.thickness or 0) / 2


def _nearest(point_mm: np.ndarray, direction: np.ndarray, stack: Stack) -> AxialPlace | None:
    """The place in the stack's nearest slice in whose picture the point's foot lies; None if there is no such slice."""
    distances = np.array([abs(float(each.plane.distance(point_mm))) for each in stack.slices])
    for index in np.argsort(distances, kind="stable"):
        each = stack.slices[index]
        x, y = each.plane.to_pixels(point_mm)
        if -0.5 <= x <= each.width - 0.5 and -0.5 <= y <= each.height - 0.5:
            cosine = abs(float(direction @ stack.normal))
            angle = float(np.degrees(np.arccos(min(cosine, 1.0))))
            place = AxialPlace(each, float(x), float(y), float(distances[index]), angle, "")
            outside = place.distance_mm - (stack.thickness or 0) / 2
            if outside <= 0:
                return place
            remark = f"the nearest axial slice ends {outside:.1f} mm short of the point"
            return AxialPlace(each, place.x, place.y, place.distance_mm, angle, remark)
    return None


def _why_not_comparable(frame_of_reference: str, stacks: Sequence[Stack]) -> str:
    if not stacks:
        return "the study has no axial slices"
    if not frame_of_reference:
        return "the point's frame of reference is not known: it cannot be carried to the axial slices"
    return "the axial slices have another frame of reference, or none: the point cannot be carried to them"


def _nowhere(remark: str) -> AxialPlace:
    return AxialPlace(None, np.nan, np.nan, np.nan, np.nan, remark)
