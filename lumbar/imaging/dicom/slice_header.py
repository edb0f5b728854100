"""What DICOM headers say about slices, read without their pixels: enough to put a whole study in order."""

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
from lumbar.imaging.dicom.attributes import count_frames, first_value, functional_groups, plane_of
from lumbar.imaging.dicom.file import IDENTITY, LARGEST_FILE, damaged, inflated, is_deflated
from lumbar.imaging.scan import check_size

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
"""Attributes that may tell apart several acquisitions of the same place in one series, the surest first."""

_KEYWORDS = (
    *IDENTITY.values(),
    *ACQUISITION,
    *("SeriesNumber", "FrameOfReferenceUID", "SliceThickness", "SpacingBetweenSlices", "NumberOfFrames"),
    *("Rows", "Columns", "BitsAllocated", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)
_TAGS = [tag_for_keyword(keyword) for keyword in _KEYWORDS]
_BEGINNING = 2048
"""Bytes in which a file's transfer syntax stands."""


@dataclass(frozen=True, eq=False)
class SliceHeader:
    """One slice: a file, or one frame of an enhanced multi-frame file.

    Args:
        path: The file.
        frame: Which frame of it, from 0.
        width: Columns.
        height: Rows.
        plane: Where the slice lies in the patient; None if the header does not say.
        thickness: Slice Thickness, mm; None if the header does not say.
        spacing: Spacing Between Slices, mm, as stated; None if the header does not say.
        frame_of_reference: Frame of Reference UID; positions of two slices may be compared only if it is the same.
        identity: As in `lumbar.imaging.Scan`, and series_number.
        image_type: Image Type, or the frame's own Frame Type.
        acquisition: Values of those of `ACQUISITION` that the header has.
        echo_time: ms; None if the header does not say.
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


def read_headers(path: Path) -> tuple[SliceHeader, ...]:
    """Read the header of a DICOM file.

    Returns:
        One entry a frame, or a single one without a place if a file of several frames does not place each of them;
        none if the file holds no picture (a report, a directory, a mask of one bit).

    Raises:
        ScanError: If the file is no DICOM file, or its header is damaged.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pydicom remarks on is either harmless or an error below
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
    """The elements of the header; of a deflated file all of it must be inflated, which is done watched."""
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise ScanError(
            "the file is too large", file=path, found=f"{size} bytes", expected=f"at most {LARGEST_FILE} bytes"
        )
    dataset = inflated(path, path.read_bytes(), _TAGS) if is_deflated(path) else None
    return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS) if dataset is None else dataset


def _slices(path: Path, dataset: Dataset) -> Iterator[SliceHeader]:
    count = count_frames(path, dataset)
    described = len(dataset.get("PerFrameFunctionalGroupsSequence") or ())
    identity = {name: str(dataset.get(keyword, "") or "") for name, keyword in IDENTITY.items()}
    identity["series_number"] = str(dataset.get("SeriesNumber", "") or "")
    # Of several frames each needs a place of its own; one for them all would put them on top of one another.
    placed = count == 1 or count == described
    for frame in range(count if placed else 1):
        groups = functional_groups(path, dataset, frame)
        yield SliceHeader(
            path,
            frame,
            width=int(dataset.Columns),
            height=int(dataset.Rows),
            plane=plane_of(path, groups) if placed else None,
            thickness=_positive(first_value(groups, "SliceThickness")),
            spacing=_positive(first_value(groups, "SpacingBetweenSlices")),
            frame_of_reference=str(dataset.get("FrameOfReferenceUID", "") or "").strip(),
            identity=identity,
            image_type=_words(first_value(groups, "FrameType") or dataset.get("ImageType")),
            acquisition={
                name: str(value) for name in ACQUISITION if (value := first_value(groups, name)) not in (None, "")
            },
            echo_time=_positive(first_value(groups, "EffectiveEchoTime") or first_value(groups, "EchoTime")),
        )


def _positive(value: Any) -> float | None:
    """A positive finite number, or None if that is not what stands there."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _words(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(str, value or ()))
