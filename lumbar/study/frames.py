"""One frame of reference for series that each state one of their own, as de-identified studies do.

Positions are comparable within a frame of reference only. De-identification often replaces the Frame of Reference UID
series by series, or removes it; what the scanner stated is then lost. The positions themselves are left, and show
whether the series fit each other.
"""

from __future__ import annotations

import contextlib
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pydicom
from pydicom.datadict import tag_for_keyword

from lumbar.imaging.dicom.file import inflated, is_deflated
from lumbar.imaging.dicom.slice_header import SliceHeader
from lumbar.study.series import NO_FRAME, Series
from lumbar.study.stacks import Stack

SITTING = timedelta(hours=3)
"""Series that were acquired within this time may be of one sitting; the patient rests on the table for an hour."""

INSIDE = 0.5
"""Share of the slices of a series whose centres must lie in the picture of the sagittal slice."""

ASSUMED = "the axial slice is assumed to share the frame of reference of the sagittal one; the files do not say so"
"""Remark on a point that was mapped by the assumption."""

_UNSTATED = "one frame of reference without a UID"
_TIMES = (
    ("%Y%m%d%H%M%S", {"AcquisitionDateTime": 14}),
    ("%Y%m%d%H%M%S", {"AcquisitionDate": 8, "AcquisitionTime": 6}),
    ("%Y%m%d", {"AcquisitionDate": 8}),
    ("%H%M%S", {"AcquisitionTime": 6}),
)
"""How files state when a slice was acquired: format, and the attributes with the number of characters that count."""

_KEYWORDS = ("PatientPosition", "AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime")
_TAGS = [tag_for_keyword(keyword) for keyword in _KEYWORDS]


def assume_common_frame(series: Sequence[Series]) -> tuple[tuple[Series, ...], list[str]]:
    """Let series share a frame of reference although each states one of its own, or none, if their positions agree.

    Nothing is assumed if two series state the same frame of reference: the UIDs then mean something. Nor is it if the
    patient lay otherwise in one series, or if the series were acquired more than `SITTING` apart. The positions agree
    if the middle of a sagittal series crosses the middle half of another series' pictures, and their centres lie inside
    the sagittal picture. Two sagittal series agree if one lies within the depth of the other.

    Args:
        series: The series of one study of one patient.

    Returns:
        The same series, localisers among them; the stacks of those that agree have a `common_frame`. And what was
        assumed, or why nothing was, in plain sentences; none if there was nothing to assume.
    """
    series = tuple(series)
    used = [each for each in series if each.stacks or each.overview]
    sagittal = [n for n, each in enumerate(used) if any(stack.view == "sagittal" for stack in each.stacks)]
    if len(used) < 2 or not sagittal or _uids_are_shared(series):
        return series, []
    why = _why_not_one_sitting(used)
    if why:
        return series, [f"no two series share a frame of reference, and none is assumed: {why}"]
    links = np.zeros((len(used), len(used)))
    for one in sagittal:
        for other in range(len(used)):
            links[one, other] = other != one and _agree(used[one], used[other])
    from scipy.sparse.csgraph import connected_components  # half a second, of which `predict` needs nothing

    _, groups = connected_components(links, directed=False)
    changed, sentences = {}, []
    for group in dict.fromkeys(groups):
        members = [each for each, here in zip(used, groups, strict=True) if here == group]
        names = ", ".join(each.name for each in members)
        if len(members) == 1:
            sentences.append(f"no other series shares the frame of reference of {names}, nor do the positions agree")
            continue
        frame = next((each.frame_of_reference for each in members if each.frame_of_reference), _UNSTATED)
        changed |= {id(each): _with_frame(each, frame) for each in members}
        sentences.append(
            f"one frame of reference is assumed for {names}: each states one of its own, or none, but they belong to "
            "one study and their positions agree. Check the axial slices, or refuse this with --no-common-frame"
        )
    return tuple(changed.get(id(each), each) for each in series), sentences


def is_assumed(one: SliceHeader, other: SliceHeader) -> bool:
    """Return whether the files of two slices do not state that they have the same frame of reference."""
    return not one.frame_of_reference or one.frame_of_reference != other.frame_of_reference


def _uids_are_shared(series: Sequence[Series]) -> bool:
    """Return whether two series state the same frame of reference, so that a different one has a meaning."""
    stating = defaultdict(set)
    for each in series:
        number, description = each.identity["series_number"], each.identity["description"]
        name = (number, description) if number or description else each.identity["series"] or id(each)
        stating[each.frame_of_reference].add(name)
    return any(len(those) > 1 for frame, those in stating.items() if frame)


def _why_not_one_sitting(series: Sequence[Series]) -> str:
    """Return what shows that the patient was placed on the table anew between two of the series; "" if nothing does."""
    stated = [_stated(_stacks(each)[0].slices[0].path) for each in series]
    positions = sorted({each["PatientPosition"] for each in stated} - {""})
    if len(positions) > 1:
        return f"the patient lay differently ({', '.join(positions)})"
    moments = defaultdict(list)
    for layout, moment in filter(None, map(_moment, stated)):
        moments[layout].append(moment)
    apart = max((max(those) - min(those) for those in moments.values()), default=timedelta(0))
    return f"{apart / timedelta(hours=1):.0f} hours passed between two of the series" if apart > SITTING else ""


def _stated(path: Path) -> dict[str, str]:
    """Read what a file states about the patient's position on the table and about the time; "" where it does not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = inflated(path, path.read_bytes(), _TAGS) if is_deflated(path) else None
            if dataset is None:
                dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
            return {keyword: str(dataset.get(keyword) or "") for keyword in _KEYWORDS}
        except Exception:  # a damaged element may raise anything; it states nothing then
            return dict.fromkeys(_KEYWORDS, "")


def _moment(stated: Mapping[str, str]) -> tuple[str, datetime] | None:
    """Return when a slice was acquired, with the format that says whether date and time are known; None if neither."""
    for layout, attributes in _TIMES:
        parts = [stated[name][:length].ljust(length, "0") for name, length in attributes.items() if stated[name]]
        if len(parts) == len(attributes):
            with contextlib.suppress(ValueError):
                return layout, datetime.strptime("".join(parts), layout)
    return None


def _agree(sagittal: Series, other: Series) -> bool:
    """Return whether the slices of a series lie where those of a sagittal series lie."""
    return any(
        _fits(one, [another for another in _stacks(other) if (another.view == "sagittal") == alike])
        for one in sagittal.stacks
        if one.view == "sagittal"
        for alike in (True, False)
    )


def _fits(sagittal: Stack, others: Sequence[Stack]) -> bool:
    """Return whether the centres of most slices lie inside the picture of the middle sagittal slice and near it."""
    middle = sagittal.offsets[-1] / 2
    shown = sagittal.slices[int(np.argmin(np.abs(sagittal.offsets - middle)))]
    depth = _depth(sagittal)
    inside = []
    for stack in others:
        for each in stack.slices:
            centre = each.plane.to_patient([(each.width - 1) / 2, (each.height - 1) / 2])
            x, y = shown.plane.to_pixels(centre)
            apart = abs((centre - sagittal.slices[0].plane.position) @ sagittal.normal - middle)
            allowed = max(depth, _depth(stack)) / 2 if stack.view == "sagittal" else _width(each, sagittal.normal) / 4
            inside.append(0 <= x <= shown.width - 1 and 0 <= y <= shown.height - 1 and apart <= allowed)
    return bool(inside) and float(np.mean(inside)) >= INSIDE


def _depth(stack: Stack) -> float:
    """Return how thick a stack is, mm."""
    return float(stack.offsets[-1]) + (stack.thickness or 0.0)


def _width(header: SliceHeader, direction: np.ndarray) -> float:
    """Return how far a picture extends along a direction, mm."""
    plane = header.plane
    across, down = header.width * plane.pixel_width, header.height * plane.pixel_height
    return float(abs(direction @ plane.along_row) * across + abs(direction @ plane.along_column) * down)


def _with_frame(series: Series, frame: str) -> Series:
    stacks, overview = (
        tuple(replace(stack, common_frame=frame) for stack in each) for each in (series.stacks, series.overview)
    )
    kept = tuple("the files do not state their frame of reference" if w == NO_FRAME else w for w in series.warnings)
    return replace(series, stacks=stacks, overview=overview, warnings=kept)


def _stacks(series: Series) -> tuple[Stack, ...]:
    """Return the stacks of a series; those of a localiser serve to check the count."""
    return series.stacks or series.overview
