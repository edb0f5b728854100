"""The axial slice that shows a disc level: the slice nearest to the level's point, if it is near enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lumbar.imaging.dicom.slice_header import SliceHeader
from lumbar.study.stacks import Stack

ALIKE_DEGREES = 10.0
"""Of slices that contain a point, none is chosen that is tilted this much more than the best aligned one, degrees."""


@dataclass(frozen=True, eq=False)
class AxialPlace:
    """The axial slice that shows a point, and where in the slice the point lies.

    Args:
        slice: Header of the slice; None if no slice shows the point.
        x: Column of the point's projection onto the slice, native pixels (the centre of the first pixel is 0); NaN
            without a slice.
        y: Row of that projection, native pixels; NaN without a slice.
        distance_mm: Distance of the point from the plane of the slice, mm; NaN without a slice.
        angle_degrees: Angle between the slice and the plane across the spine at the point, see `spine_directions`; NaN
            without a slice.
        remark: What a reader should know, in a plain sentence; "" if there is nothing to say.
    """

    slice: SliceHeader | None
    x: float
    y: float
    distance_mm: float
    angle_degrees: float
    remark: str


def spine_directions(points_mm: np.ndarray) -> np.ndarray:
    """Return the direction of the spine at each level: from the level above to the level below.

    A plane perpendicular to it estimates the plane of the disc. In synthetic patients the estimate differs from the
    true disc by 2° ± 2° from L1/L2 to L4/L5, and by 8° ± 6° at L5/S1, where no point below shows the slope of the
    sacrum.

    Args:
        points_mm: Points of the levels from the head down, shape (5, 3), patient mm (LPS); NaN where one is missing.

    Returns:
        Unit vectors, patient coordinates (LPS), shape (5, 3); from one neighbour where the other is missing, and NaN
        where both are.
    """
    points = np.pad(np.asarray(points_mm, dtype=np.float64), ((1, 1), (0, 0)), constant_values=np.nan)
    above, below = np.diff(points, axis=0)[:-1], np.diff(points, axis=0)[1:]
    steps = np.where(np.isnan(above), below, np.where(np.isnan(below), above, (above + below) / 2))
    return steps / np.linalg.norm(steps, axis=1, keepdims=True)


def find_axial_slice(
    point_mm: np.ndarray, direction: np.ndarray, frame_of_reference: str, stacks: Sequence[Stack]
) -> AxialPlace:
    """Find the axial slice that shows a point.

    A slice qualifies if the projection of the point lies inside its image and its distance within the `reach` of its
    stack. The nearest slice is chosen. If several stacks contain the point, a slice along the disc is preferred to one
    that crosses it, see `ALIKE_DEGREES`.

    Args:
        point_mm: The point of the level, shape (3,), patient mm (LPS).
        direction: Direction of the spine there, shape (3,), see `spine_directions`.
        frame_of_reference: Frame of Reference UID of the point. Only slices with the same one are considered.
        stacks: Axial stacks, the preferred one first: it is chosen if two slices are equally near.

    Returns:
        The slice and the position of the point in it; without a slice, a remark that says why there is none.
    """
    comparable = [stack for stack in stacks if frame_of_reference and stack.frame_of_reference == frame_of_reference]
    if not comparable:
        return nowhere(_why_not_comparable(frame_of_reference, stacks))
    places = [(stack, _nearest(point_mm, direction, stack)) for stack in comparable]
    seen = [(stack, place) for stack, place in places if place is not None]
    if not seen:
        return nowhere("the point lies outside the pictures of all axial slices")
    near = [(stack, place) for stack, place in seen if place.distance_mm <= stack.reach]
    if not near:
        stack, place = min(seen, key=lambda pair: pair[1].distance_mm)
        allowed = f"within {stack.reach:.1f} mm" if stack.reach else "known to be thick enough"
        return nowhere(f"no axial slice {allowed}; the nearest lies {place.distance_mm:.1f} mm away")
    containing = [(stack, place) for stack, place in near if _contains(stack, place)] or near
    best = np.nanmin([place.angle_degrees for _, place in containing] + [90.0])
    aligned = [pair for pair in containing if not pair[1].angle_degrees > best + ALIKE_DEGREES]
    stack, place = min(aligned, key=lambda pair: round(pair[1].distance_mm, 1))
    return place


def _contains(stack: Stack, place: AxialPlace) -> bool:
    return place.distance_mm <= (stack.thickness or 0) / 2


def _nearest(point_mm: np.ndarray, direction: np.ndarray, stack: Stack) -> AxialPlace | None:
    """Return the nearest slice of the stack whose image contains the projection of the point; None if there is none."""
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
    """Return why no axial slice shares the frame of reference of the point."""
    if not stacks:
        return "the study has no axial slices"
    if not frame_of_reference:
        return "the frame of reference of the point is not known, so it cannot be mapped to the axial slices"
    return "the axial slices have another frame of reference, or none, so the point cannot be mapped to them"


def nowhere(remark: str) -> AxialPlace:
    """Return the place of a point that no axial slice shows, and why."""
    return AxialPlace(None, np.nan, np.nan, np.nan, np.nan, remark)
