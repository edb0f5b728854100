"""Read DICOM headers without pixels: enough to sort the slices of a whole study."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from lumbar.core.errors import ScanError
from lumbar.geometry import Plane
from lumbar.imaging.dicom.attributes import (
    Groups,
    count_frames,
    first_value,
    functional_groups,
    pixel_spacing,
    plane_of,
    position_and_orientation,
)
from lumbar.imaging.dicom.file import IDENTITY, check_file_size, completed, damaged, inflated, is_deflated
from lumbar.imaging.limits import check_size

ACQUISITION = (
    "EchoTime",
    "EffectiveEchoTime",
    "EchoNumbers",
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "DiffusionBValue",
    "InversionTime",
    "ConvolutionKernel",
    "ComplexImageComponent",
    "ImageType",
    "FrameType",
    "TriggerTime",
    "AcquisitionNumber",
    "FrameAcquisitionNumber",
)
"""Attributes that may distinguish several acquisitions of one slice position in a series, the most reliable first."""

_KEYWORDS = (
    *IDENTITY.values(),
    *ACQUISITION,
    *("SeriesNumber", "FrameOfReferenceUID", "SliceThickness", "SpacingBetweenSlices", "NumberOfFrames"),
    *("Rows", "Columns", "BitsAllocated", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)
_TAGS = [tag_for_keyword(keyword) for keyword in _KEYWORDS]


@dataclass(frozen=True, eq=False)
class SliceHeader:
    """The header of one slice: of a file, or of one frame of an enhanced multi-frame file.

    Args:
        path: The file.
        frame: Frame of the file, from 0.
        width: Columns.
        height: Rows.
        plane: Position of the slice in the patient; None if the header does not state it.
        thickness: Slice Thickness, mm; None if the header does not state it.
        spacing: Spacing Between Slices, mm; None if the header does not state it.
        frame_of_reference: Frame of Reference UID. The positions of two slices are comparable only if it is the same.
        identity: As in `lumbar.imaging.Scan`, and series_number.
        image_type: Image Type, or Frame Type if the frame has its own.
        acquisition: Values of those attributes of `ACQUISITION` that the header has.
        echo_time: Echo time, ms; None if the header does not state it.
        warnings: What was repaired, in plain sentences.
    """

    path: Path
    frame: int
    width: int
    height: int
    plane: Plane | None
    thickness: float | None
    spacing: float | None
    frame_of_reference: str
    identity: dict[str, str]
    image_type: tuple[str, ...]
    acquisition: dict[str, str]
    echo_time: float | None
    warnings: tuple[str, ...] = ()


def read_headers(path: Path) -> tuple[SliceHeader, ...]:
    """Read the header of a DICOM file.

    Args:
        path: The file.

    Returns:
        One entry per frame. A single entry without a plane if the file has several frames but does not state the
        position of each; no entry if the file holds no image (a report, a directory, a one-bit mask).

    Raises:
        ScanError: If this is not a DICOM file, or its header is damaged.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pydicom warns of is either harmless or an error below
        try:
            dataset = _header(path)
            if dataset.get("Rows") is None or dataset.get("Columns") is None or dataset.get("BitsAllocated") == 1:
                return ()
            check_size(path, int(dataset.Columns), int(dataset.Rows))
            return tuple(_slices(path, dataset))
        except ScanError:
            raise
        except OSError as error:
            raise ScanError("the file cannot be opened", file=path, found=error.strerror or str(error)) from error
        except InvalidDicomError as error:
            raise ScanError("this is not a DICOM file", file=path) from error
        except Exception as error:  # a damaged header may raise anything
            raise damaged(path, error) from error


def _header(path: Path) -> Dataset:
    """Read the elements of the header; a deflated file is inflated as a whole, up to a limit."""
    check_file_size(path)
    source = completed(path)
    dataset = inflated(path, path.read_bytes(), _TAGS) if source is path and is_deflated(path) else None
    return pydicom.dcmread(source, stop_before_pixels=True, specific_tags=_TAGS) if dataset is None else dataset


def _slices(path: Path, dataset: Dataset) -> Iterator[SliceHeader]:
    count = count_frames(path, dataset)
    described = len(dataset.get("PerFrameFunctionalGroupsSequence") or ())
    identity = {name: str(dataset.get(keyword, "") or "") for name, keyword in IDENTITY.items()}
    identity["series_number"] = str(dataset.get("SeriesNumber", "") or "")
    # Each of several frames needs its own position; one position for all would put them on top of each other.
    placed = count == 1 or count == described
    for frame in range(count if placed else 1):
        groups = functional_groups(path, dataset, frame)
        plane, remarks = _plane(path, groups) if placed else (None, ())
        yield SliceHeader(
            path,
            frame,
            width=int(dataset.Columns),
            height=int(dataset.Rows),
            plane=plane,
            thickness=_positive(first_value(groups, "SliceThickness")),
            spacing=_positive(first_value(groups, "SpacingBetweenSlices")),
            frame_of_reference=str(dataset.get("FrameOfReferenceUID", "") or "").strip(),
            identity=identity,
            image_type=_words(first_value(groups, "FrameType") or dataset.get("ImageType")),
            acquisition={
                name: str(value) for name in ACQUISITION if (value := first_value(groups, name)) not in (None, "")
            },
            echo_time=_positive(first_value(groups, "EffectiveEchoTime") or first_value(groups, "EchoTime")),
            warnings=remarks,
        )


def _plane(path: Path, groups: Groups) -> tuple[Plane | None, tuple[str, ...]]:
    """Return the plane of a slice, None if the header does not state it, and what was repaired."""
    remarks: list[str] = []
    plane = plane_of(pixel_spacing(path, groups), *position_and_orientation(path, groups, remarks))
    return plane, tuple(remarks)


def _positive(value: Any) -> float | None:
    """Return a value as a positive finite number, or None if it is not one."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _words(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(str, value or ()))
