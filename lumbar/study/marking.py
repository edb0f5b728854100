"""Which of several images are the mid-sagittal slices of their series."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lumbar.core.errors import ScanError
from lumbar.imaging.dicom.slice_header import SliceHeader, read_headers
from lumbar.inference import ScanPoints
from lumbar.study.sagittal import choose_middle
from lumbar.study.series import group_into_series

FEWEST = 3
"""Smallest number of slices of which one is the middle."""

NOT_MIDDLE = "not the mid-sagittal slice of its series; for the levels of a whole study: python -m lumbar locate FOLDER"
"""Remark on the other slices of a series."""

Slice = tuple[Path, int]
"""A file, and the frame in it, from 0."""


def remark_on_slices(found: Mapping[Slice, ScanPoints]) -> dict[Slice, str]:
    """Say of each sagittal slice of a series whether it is the mid-sagittal one, chosen as `lumbar.study.locate` does.

    Args:
        found: The points that a network found in the sagittal images of one study; some may be slices of one series.

    Returns:
        A remark for each image that belongs to a series of at least `FEWEST` of the slices.
    """
    if len(found) < FEWEST:
        return {}
    remarks = {}
    for series in group_into_series(list(_headers(found))):
        for stack in series.stacks:
            if stack.view != "sagittal" or len(stack.slices) < FEWEST:
                continue
            here = [(each.path, each.frame) for each in stack.slices]
            middle = choose_middle(stack.offsets, {number: found[each] for number, each in enumerate(here)}).number
            remarks |= dict.fromkeys(here, NOT_MIDDLE)
            number = series.identity["series_number"]
            name = f"series {number}" if number else "its series"
            remarks[here[middle]] = f"the mid-sagittal slice, {middle + 1} of {len(here)} of {name}"
    return remarks


def _headers(slices: Iterable[Slice]) -> Iterator[SliceHeader]:
    """Yield the headers of the slices that say to which series they belong."""
    for path, frame in slices:
        with contextlib.suppress(ScanError):  # a PNG, JPEG or volume
            for each in read_headers(path):
                if each.frame == frame and each.identity["series"]:
                    yield each
