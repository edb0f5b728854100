"""Stacks: parallel slices, sorted by their position in the patient, and their irregularities."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lumbar.core.constants import TOWARDS
from lumbar.geometry import nearest_view
from lumbar.imaging.dicom.slice_header import ACQUISITION, SliceHeader

PARALLEL_DEGREES = 0.5
"""Slices whose axes differ by less than this belong to one stack; blocks along different discs differ by more."""

SAME_PLACE_MM = 0.01
"""Slices closer than this lie at the same position; files state positions to about a hundred-thousandth of a mm."""

STATION_MM = 20.0
"""Slices at the same depth that lie further apart than this, side by side, belong to different stations."""

GAP = 1.5
"""A step of more than this many times the usual one means that slices are missing."""

ISOLATED = 2.5
"""A step of more than this many thicknesses is not a usual one: the slices are isolated."""

UNEVEN_MM = 0.1
"""Steps may differ by this much, or by a fiftieth of the usual step if that is more, before it is reported."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices of one acquisition that are parallel and of one size.

    Args:
        slices: The slices, sorted by position along `normal`, whatever their file names and instance numbers; each has
            a plane.
        acquisition: What distinguishes the stack from others at the same position, e.g. "EchoTime 100"; else "".
        warnings: Irregularities of the stack, in plain sentences.
        common_frame: Frame of Reference UID that is assumed in place of the stated ones, see `lumbar.study.frames`; ""
            if none is.
    """

    slices: tuple[SliceHeader, ...]
    acquisition: str = ""
    warnings: tuple[str, ...] = ()
    common_frame: str = ""

    @cached_property
    def normal(self) -> np.ndarray:
        """Unit vector along which the slices are sorted, patient coordinates (LPS), shape (3,)."""
        normal = self.slices[0].plane.normal
        return normal / np.linalg.norm(normal)

    @cached_property
    def offsets(self) -> np.ndarray:
        """Positions of the slices along `normal`, relative to the first, mm, shape (n,), increasing."""
        depths = np.array([each.plane.position @ self.normal for each in self.slices])
        return depths - depths[0]

    @property
    def view(self) -> str:
        """Anatomical plane nearest to that of the slices, one of `lumbar.core.constants.VIEWS`."""
        plane = self.slices[0].plane
        return nearest_view((plane.along_row, plane.along_column))

    @property
    def frame_of_reference(self) -> str:
        """Frame of Reference UID, the assumed one if there is one; "" if it is not known."""
        return self.common_frame or self.slices[0].frame_of_reference

    @cached_property
    def thickness(self) -> float | None:
        """Thickness of the slices, mm: the median if they differ; None if no file states it."""
        known = [each.thickness for each in self.slices if each.thickness is not None]
        return float(np.median(known)) if known else None

    @cached_property
    def spacing(self) -> float | None:
        """Distance between the centres of neighbouring slices, mm.

        It is the usual step. If all slices are isolated, it is the spacing that the header states, or None if that is
        missing or also larger than `ISOLATED` thicknesses.
        """
        steps = np.diff(self.offsets)
        usual = steps if self.thickness is None else steps[steps <= ISOLATED * self.thickness]
        if usual.size:
            return float(np.median(usual))
        stated = self.slices[0].spacing
        return stated if stated and (self.thickness is None or stated <= ISOLATED * self.thickness) else None

    @property
    def reach(self) -> float:
        """Largest distance from the centre of a slice at which the slice shows a point, mm.

        It is the thickness plus half the gap between slices. A point between two slices lies within half their spacing
        of one of them; the rest, half a thickness, allows for the uncertainty of the landmark. If the thickness is
        unknown, it is half the spacing, and 0 for a single slice.
        """
        thickness = self.thickness or 0.0
        return thickness + max((self.spacing or 0.0) - thickness, 0.0) / 2

    @property
    def tilt(self) -> tuple[float, tuple[float, float, float]]:
        """Angle between `normal` and the nearest axis of the patient, degrees.

        Returns:
            The angle, and its components towards left, back and head (0 for the axis itself).
        """
        axis = int(np.argmax(np.abs(self.normal)))
        normal = self.normal * np.sign(self.normal[axis])
        parts = [0.0 if n == axis else math.degrees(math.atan2(normal[n], normal[axis])) for n in range(3)]
        return math.degrees(math.acos(min(normal[axis], 1.0))), tuple(parts)

    def __str__(self) -> str:
        count = len(self.slices)
        text = f"{self.view}, {count} slice{'s' * (count > 1)}"
        text += f" of {self.thickness:.4g} mm" if self.thickness else " of unknown thickness"
        if count > 1 and self.spacing:
            text += f" every {self.spacing:.4g} mm"
            if self.thickness and self.spacing > self.thickness + SAME_PLACE_MM:
                text += f" (gap {self.spacing - self.thickness:.2g} mm)"
        angle, parts = self.tilt
        leaning = [
            f"{abs(part):.1f}° to the {names[part < 0]}"
            for part, names in zip(parts, TOWARDS, strict=True)
            if abs(part) >= 0.05
        ]
        text += f", tilted {angle:.1f}°" + (f" (normal {', '.join(leaning)})" if leaning else "")
        return text + (f", {self.acquisition}" if self.acquisition else "")


def group_into_stacks(slices: Sequence[SliceHeader]) -> list[Stack]:
    """Group the slices of one series into stacks.

    Args:
        slices: Slices in any order; each has a plane.

    Returns:
        One stack for each orientation, image size, station and acquisition, in the order of their first slices.
    """
    found = []
    for group in itertools.chain.from_iterable(map(_stations, _parallel(slices))):
        acquisitions = _acquisitions(group)
        for name, members in acquisitions.items():
            kept, dropped = _without_repeats(members)
            stack = Stack(tuple(kept), name if len(acquisitions) > 1 else "")
            found.append(replace(stack, warnings=(*_repeated(dropped), *_irregularities(stack))))
    return found


def _parallel(slices: Sequence[SliceHeader]) -> list[list[SliceHeader]]:
    """Group slices that share axes, image size and pixel size."""
    groups: list[list[SliceHeader]] = []
    for each in slices:
        for group in groups:
            if _alike(each, group[0]):
                group.append(each)
                break
        else:
            groups.append([each])
    return groups


def _alike(one: SliceHeader, other: SliceHeader) -> bool:
    """Return whether two slices share axes, image size and pixel size."""
    apart = np.radians(PARALLEL_DEGREES)
    return (
        (one.width, one.height) == (other.width, other.height)
        and np.linalg.norm(one.plane.along_row - other.plane.along_row) < apart
        and np.linalg.norm(one.plane.along_column - other.plane.along_column) < apart
        and math.isclose(one.plane.pixel_width, other.plane.pixel_width, rel_tol=1e-3)
        and math.isclose(one.plane.pixel_height, other.plane.pixel_height, rel_tol=1e-3)
    )


def _stations(group: list[SliceHeader]) -> list[list[SliceHeader]]:
    """Separate parallel slices that lie side by side at the same depth (the stations of a whole spine)."""
    positions = np.array([each.plane.position for each in group])
    normal = group[0].plane.normal
    depths = positions @ normal
    inside = positions - depths[:, None] * normal
    order = np.argsort(depths, kind="stable")
    together = np.diff(depths[order]) < SAME_PLACE_MM
    beside = np.linalg.norm(np.diff(inside[order], axis=0), axis=1) > STATION_MM
    if not (together & beside).any():
        return [group]
    from scipy.cluster.hierarchy import fclusterdata  # half a second, of which `predict` needs nothing

    names = fclusterdata(inside, STATION_MM, criterion="distance", method="single")
    return [[group[index] for index in np.flatnonzero(names == name)] for name in np.unique(names)]


def _acquisitions(group: list[SliceHeader]) -> dict[str, list[SliceHeader]]:
    """Separate slices at the same position by an attribute of their acquisition, if one separates them all."""
    if not _without_repeats(group)[1]:
        return {"": group}
    splits = []
    for keyword in ACQUISITION:
        parts = defaultdict(list)
        for each in group:
            parts[f"{keyword} {each.acquisition.get(keyword, 'unknown')}"].append(each)
        if len(parts) > 1 and not any(_without_repeats(part)[1] for part in parts.values()):
            splits.append(dict(parts))
    # Choose the fewest parts: many scanners give each slice its own acquisition number, which would split a stack.
    return min(splits, key=len, default={"": group})


def _without_repeats(group: list[SliceHeader]) -> tuple[list[SliceHeader], list[SliceHeader]]:
    """Return the slices sorted by position along the normal, and those at the same position as another."""
    normal = group[0].plane.normal
    depth = {id(each): float(each.plane.position @ normal) for each in group}
    kept: list[SliceHeader] = []
    dropped: list[SliceHeader] = []
    for each in sorted(group, key=lambda it: (round(depth[id(it)] / SAME_PLACE_MM), str(it.path), it.frame)):
        near = itertools.takewhile(lambda it: depth[id(each)] - depth[id(it)] < SAME_PLACE_MM, reversed(kept))  # noqa: B023
        twice = any(np.linalg.norm(each.plane.position - it.plane.position) < SAME_PLACE_MM for it in near)
        (dropped if twice else kept).append(each)
    return kept, dropped


def _repeated(dropped: list[SliceHeader]) -> list[str]:
    """Return a warning about slices that were left out as repetitions."""
    if not dropped:
        return []
    shown = ", ".join(sorted(each.path.name for each in dropped)[:3]) + (" …" if len(dropped) > 3 else "")
    return [f"{len(dropped)} slice(s) lie at the position of another and were left out: {shown}"]


def _irregularities(stack: Stack) -> list[str]:
    """Return what is unusual about thickness and spacing of sorted slices, in plain sentences."""
    found = []
    thicknesses = {each.thickness for each in stack.slices}
    if stack.thickness is None:
        found.append("no file states the thickness of the slices")
    elif len(thicknesses) > 1:
        found.append(f"the slices differ in thickness: {', '.join(f'{t} mm' for t in sorted(thicknesses, key=str))}")
    steps, usual = np.diff(stack.offsets), stack.spacing
    if steps.size and not usual and stack.view != "axial":  # axial slices may be taken disc by disc
        found.append(f"no slice has a neighbour: they lie {steps.min():.1f} to {steps.max():.1f} mm apart")
    if not steps.size or not usual:
        return found
    gaps = np.flatnonzero(steps > GAP * usual)
    if gaps.size:
        places = [f"{steps[index]:.1f} mm after slice {index + 1}" for index in gaps[:4]] + ["…"] * (gaps.size > 4)
        found.append(
            f"gaps, or missing slices, where the usual step is {usual:.4g} mm: {', '.join(places)} "
            f"(of {len(stack.slices)})"
        )
    even = np.delete(steps, gaps)
    if even.size and np.ptp(even) > max(UNEVEN_MM, usual / 50):
        found.append(f"unevenly spaced: steps from {even.min():.2f} to {even.max():.2f} mm")
    if stack.thickness and even.size and stack.thickness - even.min() > UNEVEN_MM:
        found.append(f"neighbouring slices overlap by up to {stack.thickness - even.min():.1f} mm")
    stated = stack.slices[0].spacing
    if stated and even.size and abs(stated - usual) > max(UNEVEN_MM, usual / 50):
        found.append(f"the header states a spacing of {stated:.4g} mm, but the slices lie {usual:.4g} mm apart")
    return found
