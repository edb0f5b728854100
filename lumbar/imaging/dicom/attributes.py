"""Read and check DICOM attributes that pixels and headers both need: frames, functional groups, spacing, position."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from lumbar.core.errors import ScanError
from lumbar.geometry import Plane
from lumbar.imaging.dicom.file import damaged, whole_number


def count_frames(path: Path, dataset: Dataset) -> int:
    """Return the number of frames of a file; 1 if the file does not state it.

    Args:
        path: The file, for the message.
        dataset: The elements of the file.

    Raises:
        ScanError: If the number is not a positive integer.
    """
    found = dataset.get("NumberOfFrames")
    count = 1 if found in (None, "") else whole_number(found)
    if count is None or count < 1:
        raise ScanError(
            "the number of frames is not a positive integer", file=path, field="NumberOfFrames", found=found
        )
    return count


_MACROS = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelValueTransformationSequence": ("RescaleIntercept", "RescaleSlope"),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth"),
    "FrameContentSequence": ("FrameAcquisitionNumber", "TemporalPositionIndex"),
    "MRImageFrameTypeSequence": ("FrameType", "ComplexImageComponent"),
    "MREchoSequence": ("EffectiveEchoTime",),
    "MRDiffusionSequence": ("DiffusionBValue",),
    "CTImageFrameTypeSequence": ("FrameType",),
    "CTReconstructionSequence": ("ConvolutionKernel",),
    **dict.fromkeys(
        ("UnassignedPerFrameConvertedAttributesSequence", "UnassignedSharedConvertedAttributesSequence"),
        (
            *("EchoTime", "EchoNumbers", "InversionTime", "TriggerTime", "AcquisitionNumber"),
            *("TemporalPositionIdentifier", "DiffusionBValue", "ConvolutionKernel"),
        ),
    ),
}
"""Functional group macros and their attributes, in order of precedence (PS3.3, C.7.6.16.2, C.8.13.5 and C.8.15.3).

The last two hold what a converter of single-frame files could not assign to any other. Other sequences, above all a
manufacturer's private ones, may hold the same attributes with another meaning.
"""

Groups = list[Mapping[str, Any] | Dataset]
"""What a file states about a frame, in order of precedence: mappings from an attribute's keyword to its value."""


def functional_groups(path: Path, dataset: Dataset, frame: int) -> Groups:
    """Return what a file states about a frame, in order of precedence.

    An enhanced multi-frame file keeps position, spacing and rescale in one-item sequences (PS3.3, C.7.6.16): those of
    the frame come first, then the shared ones, then the file itself. Each attribute is looked for in its own sequence
    only.

    Args:
        path: The file, for the message.
        dataset: The elements of the file.
        frame: The frame, from 0.

    Returns:
        Mappings from keywords to values; the last one is the data set itself.

    Raises:
        ScanError: If a sequence is damaged.
    """
    found = []
    for keyword, item in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        sequence = dataset.get(keyword)
        if isinstance(sequence, Sequence) and item < len(sequence):
            try:
                found.append(_attributes(sequence[item]))
            except Exception as error:  # a damaged header may raise anything
                raise damaged(path, error) from error
    return [*found, dataset]


def _attributes(groups: Dataset) -> dict[str, Any]:
    """Return the attributes that the functional groups of one item hold in their places."""
    found = {}
    for macro, keywords in _MACROS.items():
        group = groups.get(macro)
        if isinstance(group, Sequence) and len(group):
            found = {keyword: group[0].get(keyword) for keyword in keywords if keyword in group[0]} | found
    return found


def first_value(groups: Groups, keyword: str) -> Any:
    """Return the value of an attribute in the first of the groups that has it; None if none does."""
    return next((group.get(keyword) for group in groups if keyword in group), None)


ROUNDED = "the orientation is rounded in the header; its two directions were made perpendicular again"
"""Warning about directions that `geometry.Plane` refuses, but that rounding to three decimals explains."""

MOST_ROUNDED = 2e-3
"""Largest deviation of two directions' scalar products from those of perpendicular unit vectors that is put down to
rounding. Three decimals leave each cosine off by up to 5e-4, and a product thus by up to 1.8e-3."""


def finite_numbers(values: Any, count: int) -> list[float] | None:
    """Return the values as numbers, or None unless they are exactly `count` finite numbers."""
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None


def pixel_spacing(path: Path, groups: Groups) -> tuple[float, float] | None:
    """Return the distances (between rows, between columns) in mm; None if the file does not state them.

    Args:
        path: The file, for the message.
        groups: See `functional_groups`.

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


def position_and_orientation(
    path: Path, groups: Groups, remarks: list[str]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the position and orientation of an image in the patient (LPS).

    Args:
        path: The file, for the message.
        groups: See `functional_groups`.
        remarks: `ROUNDED` is appended if the directions had to be made perpendicular.

    Returns:
        Centre of the first pixel, (3,), mm, and unit vectors along a row and along a column, (2, 3); each is None if
        the file does not state it.

    Raises:
        ScanError: If the values are not numbers, or if the directions are not perpendicular unit vectors and rounding
            to three decimals does not explain it.
    """
    position = first_value(groups, "ImagePositionPatient")
    orientation = first_value(groups, "ImageOrientationPatient")
    where = None if position is None else finite_numbers(position, 3)
    directions = None if orientation is None else finite_numbers(orientation, 6)
    try:
        if (position is not None and where is None) or (orientation is not None and directions is None):
            raise ValueError("three and six finite numbers")
        if directions is None:
            return None, None
        plane = _plane(where or (0, 0, 0), np.reshape(directions, (2, 3)), remarks)
    except ValueError as error:
        raise ScanError(
            "the picture's position or orientation in the patient is invalid",
            file=path,
            field="ImagePositionPatient, ImageOrientationPatient",
            found=f"{position}, {orientation}",
            expected=str(error),
            remedy="export the series again; each direction cosine needs at least three decimals",
        ) from error
    return None if where is None else plane.position, np.stack([plane.along_row, plane.along_column])


def _plane(position: Any, directions: np.ndarray, remarks: list[str]) -> Plane:
    """Return a plane with pixels of 1 mm, its directions made perpendicular if they are only rounded.

    The perpendicular unit vectors nearest to two directions, by the sum of squared differences, are the orthogonal
    factor of their polar decomposition (Higham, SIAM J. Sci. Stat. Comput. 7, 1986).
    """
    try:
        return Plane(position, *directions, pixel_width=1, pixel_height=1)
    except ValueError:
        if np.abs(directions @ directions.T - np.eye(2)).max() > MOST_ROUNDED:
            raise
    left, _, right = np.linalg.svd(directions, full_matrices=False)
    remarks.append(ROUNDED)
    return Plane(position, *(left @ right), pixel_width=1, pixel_height=1)


def plane_of(
    spacing: tuple[float, float] | None, position: np.ndarray | None, orientation: np.ndarray | None
) -> Plane | None:
    """Return the plane of an image; None unless the file states spacing, position and orientation.

    Args:
        spacing: See `pixel_spacing`.
        position: See `position_and_orientation`.
        orientation: See `position_and_orientation`.
    """
    if spacing is None or position is None or orientation is None:
        return None
    return Plane(position, *orientation, pixel_width=spacing[1], pixel_height=spacing[0])
