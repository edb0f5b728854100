"""Parallel slices in the order in which they lie in the patient, and what is odd about them."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.cluster.hierarchy import fclusterdata

from lumbar.geometry import nearest_view
from lumbar.imaging.dicom.slice_header import ACQUISITION, SliceHeader

PARALLEL_DEGREES = 0.5
"""Slices whose axes differ by less than this belong to one stack; blocks angled per disc differ by degrees."""

SAME_PLACE_MM = 0.01
"""Slices that lie closer than this lie at the same place; positions are stated to a hundred-thousandth or so."""

STATION_MM = 20.0
"""Slices at one depth that lie further apart than this, side by side, are of different stations."""

GAP = 1.5
"""A step this many times the usual one means that slices are missing."""

ALONE = 2.5
"""A step of more than this many thicknesses does not count as the stack's usual one: those slices stand alone."""

UNEVEN_MM = 0.1
"""Steps may differ by this much, or by a fiftieth of the usual one if that is more."""

_TOWARDS = (("left", "right"), ("back", "front"), ("head", "feet"))


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices of one acquisition that are parallel and of one size.

    Args:
        slices: Sorted by position along `normal`, whatever their files' names and instance numbers; all have a plane.
        acquisition: What tells it apart from other stacks at the same place, e.g. "EchoTime 100"; else "".
        warnings: What is odd about it, in plain sentences.
    """

    slices: tuple[SliceHeader, ...]
    acquisition: str = ""
    warnings: tuple[str, ...] = ()

    @cached_property
    def normal(self) -> np.ndarray:
        """Unit vector along which the slices are sorted, patient frame (LPS), shape (3,)."""
        normal = self.slices[0].plane.normal
        return normal / np.linalg.norm(normal)

    @cached_property
    def offsets(self) -> np.ndarray:
        """Positions of the slices along `normal`, counted from the first, mm, shape (n,), growing."""
        depths = np.array([each.plane.position @ self.normal for each in self.slices])
        return depths - depths[0]

    @property
    def view(self) -> str:
        """The anatomical plane nearest to the slices'."""
        plane = self.slices[0].plane
        return nearest_view((plane.along_row, plane.along_column))

    @property
    def frame_of_reference(self) -> str:
        """Frame of Reference UID; "" if the files do not say."""
        return self.slices[0].frame_of_reference

    @cached_property
    def thickness(self) -> float | None:
        """Of the slices, mm; the median if they differ, None if no file says."""
        known = [each.thickness for each in self.slices if each.thickness is not None]
        return float(np.median(known)) if known else None

    @cached_property
    def spacing(self) -> float | None:
        """From slice centre to slice centre, mm: the usual step; if all stand alone, what the header says, or None."""
        steps = np.diff(self.offsets)
        usual = steps if self.thickness is None else steps[steps <= ALONE * self.thickness]
        if usual.size:
            return float(np.median(usual))
        stated = self.slices[0].spacing
        return stated if stated and (self.thickness is None or stated <= ALONE * self.thickness) else None

    @property
    def reach(self) -> float:
        """How far from a slice's centre a point may lie for that slice to show it: half the gap, and a thickness, mm.

        A point between two slices lies within half their distance of one of them; the rest, half a thickness, allows
        for a landmark's own uncertainty. Of slices of unknown thickness it is half their distance, of a single one 0.
        """
        thickness = self.thickness or 0.0
        return thickness + max((self.spacing or 0.0) - thickness, 0.0) / 2

    @property
    def tilt(self) -> tuple[float, tuple[float, float, float]]:
        """By how much `normal` leaves the nearest axis of the patient, degrees.

        Returns:
            The whole angle, and its parts towards left, back and head (0 for the axis itself).
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
            for part, names in zip(parts, _TOWARDS, strict=True)
            if abs(part) >= 0.05
        ]
        text += f", tilted {angle:.1f}°" + (f" (normal {', '.join(leaning)})" if leaning else "")
        return text + (f", {self.acquisition}" if self.acquisition else "")


def stacked(slices: Sequence[SliceHeader]) -> list[Stack]:
    """Sort the slices of one series into stacks.

    Args:
        slices: Any order; each has a plane.

    Returns:
        One stack for each orientation, picture size and acquisition, in the order of their first slices.
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
    """Slices that have axes, size and pixels in common."""
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
    apart = np.radians(PARALLEL_DEGREES)
    return (
        (one.width, one.height) == (other.width, other.height)
        and np.linalg.norm(one.plane.along_row - other.plane.along_row) < apart
        and np.linalg.norm(one.plane.along_column - other.plane.along_column) < apart
        and math.isclose(one.plane.pixel_width, other.plane.pixel_width, rel_tol=1e-3)
        and math.isclose(one.plane.pixel_height, other.plane.pixel_height, rel_tol=1e-3)
    )


def _stations(group: list[SliceHeader]) -> list[list[SliceHeader]]:
    """Parallel slices that lie beside each other at one depth (the stations of a whole spine) kept apart."""
    positions = np.array([each.plane.position for each in group])
    normal = group[0].plane.normal
    depths = positions @ normal
    inside = positions - depths[:, None] * normal
    order = np.argsort(depths, kind="stable")
    together = np.diff(depths[order]) < SAME_PLACE_MM
    beside = np.linalg.norm(np.diff(inside[order], axis=0), axis=1) > STATION_MM
    if not (together & beside).any():
        return [group]
    names = fclusterdata(inside, STATION_MM, criterion="distance", method="single")
    return [[group[index] for index in np.flatnonzero(names == name)] for name in np.unique(names)]


def _acquisitions(group: list[SliceHeader]) -> dict[str, list[SliceHeader]]:
    """Several pictures of one place told apart by what differs in their acquisition, as far as that can be done."""
    if not _without_repeats(group)[1]:
        return {"": group}
    splits = []
    for keyword in ACQUISITION:
        parts = defaultdict(list)
        for each in group:
            parts[f"{keyword} {each.acquisition.get(keyword, 'unknown')}"].append(each)
        if len(parts) > 1 and not any(_without_repeats(part)[1] for part in parts.values()):
            splits.append(dict(parts))
    # The fewest parts: many scanners number each slice's acquisition, which would take a stack apart.
    return min(splits, key=len, default={"": group})


def _without_repeats(group: list[SliceHeader]) -> tuple[list[SliceHeader], list[SliceHeader]]:
    """The slices sorted by position along the normal, and those that lie where another does."""
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
    if not dropped:
        return []
    shown = ", ".join(sorted(each.path.name for each in dropped)[:3]) + (" …" if len(dropped) > 3 else "")
    return [f"{len(dropped)} slice(s) lie where another does and were left out: {shown}"]


def _irregularities(stack: Stack) -> list[str]:
    """What is odd about the distances of sorted slices, in plain sentences."""
    found = []
    thicknesses = {each.thickness for each in stack.slices}
    if stack.thickness is None:
        found.append("no file says how thick the slices are")
    elif len(thicknesses) > 1:
        found.append(f"the slices differ in thickness: {', '.join(f'{t} mm' for t in sorted(thicknesses, key=str))}")
    steps, usual = np.diff(stack.offsets), stack.spacing
    if steps.size and not usual and stack.view != "axial":  # axial slices may be taken disc by disc
        found.append(f"no slice has a neighbour: they lie {steps.min():.1f} to {steps.max():.1f} mm apart")
    if not steps.size or not usual:
        return found
    gaps = np.flatnonzero(steps > GAP * usual)
    if gaps.size:
        told = [f"{steps[index]:.1f} mm after slice {index + 1}" for index in gaps[:4]] + ["…"] * (gaps.size > 4)
        found.append(
            f"gaps, or missing slices, where the usual step is {usual:.4g} mm: {', '.join(told)} "
            f"(of {len(stack.slices)})"
        )
    even = np.delete(steps, gaps)
    if even.size and np.ptp(even) > max(UNEVEN_MM, usual / 50):
        found.append(f"unevenly spaced: steps from {even.min():.2f} to {even.max():.2f} mm")
    if stack.thickness and even.size and stack.thickness - even.min() > UNEVEN_MM:
        found.append(f"neighbouring slices overlap by up to {stack.thickness - even.min():.1f} mm")
    stated = stack.slices[0].spacing
    if stated and even.size and abs(stated - usual) > max(UNEVEN_MM, usual / 50):
        found.append(f"the header says {stated:.4g} mm from slice to slice, but they lie {usual:.4g} mm apart")
    return found
