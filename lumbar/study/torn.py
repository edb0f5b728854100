"""Series whose UIDs do not tell them apart: an anonymiser may give each file a UID of its own, or none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from lumbar.core.constants import VIEWS
from lumbar.geometry import nearest_view
from lumbar.imaging.dicom.slice_header import SliceHeader
from lumbar.study.stacks import ISOLATED, UNEVEN_MM, Stack, group_into_stacks

FEWEST = 3
"""Smallest number of slices whose positions can be regular."""

_CONSTANT = (
    *("EchoTime", "EffectiveEchoTime", "EchoNumbers", "DiffusionBValue", "InversionTime", "ConvolutionKernel"),
    *("ComplexImageComponent", "ImageType", "FrameType"),
)
"""Attributes of the acquisition that the slices of a series share. Others, such as its number, may count slices."""


def join_torn(groups: Sequence[list[SliceHeader]]) -> list[list[SliceHeader]]:
    """Put together groups of one slice each that are the slices of one series.

    They agree in description, acquisition, thickness, size and orientation, and lie at regular positions. Series
    numbers and frames of reference are respected where they put slices together; where each slice has one of its own,
    they say as little as the UIDs.

    Args:
        groups: The slices of each series, as their UIDs tell them apart.

    Returns:
        The groups; those that were put together are one.
    """
    single = [group[0] for group in groups if len(group) == 1 and group[0].plane is not None]
    joined: list[list[SliceHeader]] = []
    for ignored in ((), ("number",), ("frame",), ("number", "frame")):
        while found := [members for members in _candidates(single, ignored) if _told_apart(members, ignored)]:
            joined += found
            taken = {id(each) for members in found for each in members}
            single = [each for each in single if id(each) not in taken]
    taken = {id(each) for members in joined for each in members}
    return [*(group for group in groups if id(group[0]) not in taken), *joined]


def planes_of(slices: Sequence[SliceHeader]) -> set[str]:
    """Return the anatomical planes nearest to those of slices that state their position."""
    return {nearest_view((each.plane.along_row, each.plane.along_column)) for each in slices if each.plane is not None}


def tell_apart(slices: Sequence[SliceHeader]) -> list[list[SliceHeader]]:
    """Separate the slices of a study without identifiers into series, by plane, acquisition, thickness and size.

    Slices in all three planes that agree in all else stay together: only those of a localiser do.

    Args:
        slices: Slices in any order.
    """
    alike = defaultdict(list)
    for each in slices:
        alike[_signature(each)].append(each)
    groups = defaultdict(list)
    for signature, members in alike.items():
        localiser = planes_of(members) == set(VIEWS)
        for each in members:
            groups[signature, None if localiser else tuple(planes_of([each]))].append(each)
    return list(groups.values())


def _candidates(single: Sequence[SliceHeader], ignored: Sequence[str]) -> list[list[SliceHeader]]:
    alike = defaultdict(list)
    for each in single:
        number = "" if "number" in ignored else each.identity["series_number"]
        frame = "" if "frame" in ignored else each.frame_of_reference
        alike[(*_signature(each), number, frame)].append(each)
    found = []
    for members in alike.values():
        if planes_of(members) == set(VIEWS):
            found.append(members)
        else:
            found += [list(stack.slices) for stack in group_into_stacks(members) if _is_regular(stack)]
    return found


def _told_apart(members: Sequence[SliceHeader], ignored: Sequence[str]) -> bool:
    """Return whether each slice has its own value of what is ignored; if two share one, it has a meaning."""
    numbers = {each.identity["series_number"] for each in members}
    frames = {each.frame_of_reference for each in members}
    several = {"number": len(numbers), "frame": len(frames)}
    return all(several[name] == len(members) for name in ignored)


def _signature(each: SliceHeader) -> tuple:
    """Return what all slices of a series have in common, apart from identifiers and orientation."""
    plane = each.plane
    return (
        *(each.identity[name] for name in ("study", "modality", "description")),
        *(each.acquisition.get(name) for name in _CONSTANT),
        *(each.thickness, each.spacing, each.width, each.height),
        *(() if plane is None else (round(plane.pixel_width, 3), round(plane.pixel_height, 3))),
    )


def _is_regular(stack: Stack) -> bool:
    """Return whether the slices lie one usual step from each other, or, where some are missing, a few of them."""
    if len(stack.slices) < FEWEST:
        return False
    along = np.diff(stack.offsets)
    usual = along.min()
    if stack.thickness and usual > ISOLATED * stack.thickness:
        return False
    times = np.rint(along / usual)
    steps = np.diff([each.plane.position for each in stack.slices], axis=0)
    even = steps.sum(axis=0) / times.sum()
    apart = np.linalg.norm(steps - times[:, None] * even, axis=1).max()
    return bool(apart <= max(UNEVEN_MM, usual / 50))
