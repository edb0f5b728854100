"""Which of the images that `lumbar.prediction` answered for are the mid-sagittal slices of their series."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lumbar.core.errors import ScanError
from lumbar.imaging.dicom.slice_header import SliceHeader, read_headers
from lumbar.prediction import Predictions
from lumbar.study import midline
from lumbar.study.sagittal import choose_middle
from lumbar.study.series import group_into_series

FEWEST = 3
"""Smallest number of slices of which one is the middle."""

NOT_MIDDLE = "not the mid-sagittal slice of its series; for the levels of a whole study: python -m lumbar locate FOLDER"
"""Remark on the other slices of a series."""


def mark_middles(found: Predictions) -> Predictions:
    """Add to the images of a sagittal series which one is the mid-sagittal slice, chosen as `lumbar.study.locate` does.

    Args:
        found: Points of images, some of which may be the slices of one series.

    Returns:
        The same points; images that belong to a series of at least `FEWEST` slices have one more warning.
    """
    numbers = {
        (picture.image, picture.frame or 0): number
        for number, picture in enumerate(found.pictures)
        if picture.view == "sagittal"
    }
    if len(numbers) < FEWEST:
        return found
    remarks = defaultdict(list)
    for series in group_into_series(list(_headers(numbers))):
        for stack in series.stacks:
            if stack.view != "sagittal" or len(stack.slices) < FEWEST:
                continue
            here = [numbers[str(each.path), each.frame] for each in stack.slices]
            probability = {n: found.probability[here[n]] for n in midline.slices_near_midpoint(stack)}
            middle, _ = choose_middle(stack, probability)
            number = series.identity["series_number"]
            name = f"series {number}" if number else "its series"
            for n, picture in enumerate(here):
                chosen = f"the mid-sagittal slice, {n + 1} of {len(here)} of {name}"
                remarks[picture].append(chosen if n == middle else NOT_MIDDLE)
    pictures = (replace(each, warnings=(*each.warnings, *remarks[n])) for n, each in enumerate(found.pictures))
    return replace(found, pictures=tuple(pictures))


def _headers(chosen: dict[tuple[str, int], int]) -> Iterator[SliceHeader]:
    """Yield the headers of the slices chosen, of those that say to which series of which study they belong."""
    for image, frame in chosen:
        with contextlib.suppress(ScanError):  # a PNG, JPEG or volume
            for each in read_headers(Path(image)):
                if each.frame == frame and each.identity["study"] and each.identity["series"]:
                    yield each
