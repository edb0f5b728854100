"""DICOM attributes that both pixels and headers need, checked: frames, functional groups, spacing, place."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from lumbar.core.errors import ScanError
from lumbar.geometry import Plane
from lumbar.imaging.dicom.file import damaged, whole


def count_frames(path: Path, dataset: Dataset) -> int:
    """Return the number of frames of a file; 1 if it does not state it.

    Raises:
        ScanError: If it is not a whole number from 1.
    """
    found = dataset.get("NumberOfFrames")
    count = 1 if found in (None, "") else whole(found)
    if count is None or count < 1:
        raise ScanError(
            "the number of frames is not a whole number from 1", file=path, field="NumberOfFrames", found=found
        )
    return count


def functional_groups(path: Path, dataset: Dataset, frame: int) -> list[Dataset]:
    """Return where an attribute may stand, first place first: the frame's own groups, the shared ones, the file itself.

    An enhanced multi-frame file keeps position, spacing and rescale in one-item sequences (PS3.3, C.7.6.16).

    Raises:
        ScanError: If a sequence is damaged.
    """
    places = []
    for keyword, item in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        sequence = dataset.get(keyword)
        if not isinstance(sequence, Sequence) or item >= len(sequence):
            continue
        try:
            groups = [element.value for element in sequence[item] if element.VR == "SQ"]
            for group in groups:
                places += [group[0]] if len(group) else []
                list(places[-1] if len(group) else ())  # elements are parsed when they are first looked at
        except Exception as error:  # a damaged header may raise anything
            raise damaged(path, error) from error
    return [*places, dataset]


def first_value(groups: list[Dataset], keyword: str) -> Any:
    """Return an attribute's value in the first of the groups that has it; None if none has."""
    return next((group[keyword].value for group in groups if keyword in group), None)


def finite_numbers(values: Any, count: int) -> list[float] | None:
    """Return `count` finite numbers, or None if the values are anything else."""
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None


def pixel_spacing(path: Path, groups: list[Dataset]) -> tuple[float, float] | None:
    """Return the distances (between rows, between columns) in mm; None if the file does not state them.

    Raises:
        ScanError: If Pixel Spacing is not a pair of positive numbers.
    """
    found = first_value(groups, "PixelSpacing")
    if found is None:
        return None
    numbers = finite_numbers(found, 2)
    if numbers is None or min(numbers) <= 0:
        raise ScanError(
            "the pixel spacing is not a pair of positive numbers",
            file=path,
            field="PixelSpacing",
            found=found,
            expected="row spacing and column spacing in mm",
            remedy="export the series again; do not guess it",
        )
    return numbers[0], numbers[1]


def position_and_orientation(path: Path, groups: list[Dataset]) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return where an image lies in the patient (LPS).

    Returns:
        Position of the first pixel, (3,) mm, and unit vectors along a row and a column, (2, 3); None for what the file
        does not state.

    Raises:
        ScanError: If what it states is not a place: not numbers, or directions that are not perpendicular.
    """
    position = first_value(groups, "ImagePositionPatient")
    orientation = first_value(groups, "ImageOrientationPatient")
    where = None if position is None else finite_numbers(position, 3)
    directions = None if orientation is None else finite_numbers(orientation, 6)
    try:
        if (position is not None and where is None) or (orientation is not None and directions is None):
            raise ValueError("three and six finite numbers are needed")
        if directions is None:
            return None, None
        plane = Plane(where or (0, 0, 0), directions[:3], directions[3:], pixel_width=1, pixel_height=1)
    except ValueError as error:
        raise ScanError(
            "the picture's place in the patient makes no sense",
            file=path,
            field="ImagePositionPatient, ImageOrientationPatient",
            found=f"{position}, {orientation}",
            expected=str(error),
        ) from error
    return None if where is None else plane.position, np.stack([plane.along_row, plane.along_column])


def plane_of(path: Path, groups: list[Dataset]) -> Plane | None:
    """Return the plane of an image; None if the file does not state its spacing, position and orientation.

    Raises:
        ScanError: If what it states makes no sense.
    """
    spacing, (position, orientation) = pixel_spacing(path, groups), position_and_orientation(path, groups)
    if spacing is None or position is None or orientation is None:
        return None
    return Plane(position, *orientation, pixel_width=spacing[1], pixel_height=spacing[0])
