"""Open untrusted DICOM files: limit their size, read only the elements that are needed, and report every fault."""

from __future__ import annotations

import logging
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_dataset, read_file_meta_info
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RTDoseStorage,
    SegmentationStorage,
)

from lumbar.core.constants import OTHER_VOLUMES, VOLUMES
from lumbar.core.errors import ScanError
from lumbar.imaging.limits import check_size

# The user reads about problems in a ScanError; pydicom's log messages beside it would only confuse.
logging.getLogger("pydicom").addHandler(logging.NullHandler())

LARGEST_FILE = 2 * 2**30
"""Largest file that is read, bytes: a thousand slices of 1024×1024 pixels in one file."""

LARGEST_INFLATED = 2**28
"""Largest size of a deflated file after inflating, bytes: an uncompressed image of the largest size."""

IDENTITY = {
    "patient": "PatientID",
    "study": "StudyInstanceUID",
    "series": "SeriesInstanceUID",
    "instance": "SOPInstanceUID",
    "number": "InstanceNumber",
    "description": "SeriesDescription",
    "modality": "Modality",
}
"""Entries of a scan's `identity`, and the DICOM attributes that they come from."""

REQUIRED = ("Rows", "Columns", "BitsAllocated", "PhotometricInterpretation")
"""Attributes that decoding needs."""

NO_SCANS = {
    SegmentationStorage: "labels (a mask)",
    "1.2.840.10008.5.1.4.1.1.66.7": "labels (a mask)",  # Label Map Segmentation Storage, which pydicom 3.0 lacks
    "1.2.840.10008.5.1.4.1.1.66.8": "heights of surfaces",  # Height Map Segmentation Storage, likewise
    RTDoseStorage: "a distribution of dose",
}
"""SOP classes whose pixels look like a scan's but are none (PS3.4, B.5) → what they are."""

_PREAMBLE = bytes(128) + b"DICM"
_FIRST_KINDS = (b"UL", b"CS", b"UI", b"DA", b"TM", b"SH")
_LAST_FIRST, _LONGEST_FIRST = 0x20, 256
"""Value representations, highest number and longest value of an element of group 8 that a data set begins with."""

_READ = (
    *IDENTITY.values(),
    *REQUIRED,
    "SOPClassUID",
    "SamplesPerPixel",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "ModalityLUTSequence",
    "RescaleSlope",
    "RescaleIntercept",
    "WindowCenter",
    "WindowWidth",
    "PresentationLUTShape",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "BurnedInAnnotation",
    "PatientName",
    "PatientIdentityRemoved",
    "FloatPixelData",
    "DoubleFloatPixelData",
    "PixelData",
)
_TAGS = [tag_for_keyword(keyword) for keyword in _READ]
"""Tags that are read. Most of a header is not needed, and an element that is not read cannot do harm."""


def begins_as_dicom(path: Path) -> bool:
    """Whether a file begins like a DICOM file, with or without the preamble, whatever its name.

    Also true for a file that cannot be opened: reading it will report why.
    """
    try:
        with path.open("rb") as opened:
            beginning = opened.read(len(_PREAMBLE))
    except OSError:
        return True
    return beginning[128:] == b"DICM" or bool(missing_beginning(beginning))


def missing_beginning(content: bytes) -> bytes:
    """Return what a file lacks at its beginning: old exports begin with the first element, without preamble and prefix.

    Such a file may also lack the meta information that states the transfer syntax; its first element shows it.

    Args:
        content: The file, or its first 12 bytes or more.

    Returns:
        The bytes to put before the content; b"" if nothing is missing, or the file does not begin as DICOM does.
    """
    if len(content) < 12 or content[128:132] == b"DICM":
        return b""
    group, element, kind, size = struct.unpack_from("<2H2sH", content)
    explicit = kind in _FIRST_KINDS
    if not explicit:
        (size,) = struct.unpack_from("<I", content, 4)
    if (group, element) == (2, 0) and explicit:
        return _PREAMBLE
    if group != 8 or element > _LAST_FIRST or not size <= _LONGEST_FIRST:
        return b""
    syntax = ExplicitVRLittleEndian if explicit else ImplicitVRLittleEndian
    value = syntax.encode() + b"\0" * (len(syntax) % 2)
    stated = struct.pack("<2H2sH", 2, 0x10, b"UI", len(value)) + value
    return _PREAMBLE + struct.pack("<2H2sHI", 2, 0, b"UL", 4, len(stated)) + stated


def completed(path: Path) -> Path | BytesIO:
    """Return what pydicom can read a header from: the file, or its content with the beginning that it lacks.

    Args:
        path: The file.

    Raises:
        OSError: If the file cannot be opened.
    """
    with path.open("rb") as opened:
        beginning = missing_beginning(opened.read(len(_PREAMBLE)))
    return BytesIO(beginning + path.read_bytes()) if beginning else path


def check_file_size(path: Path) -> None:
    """Refuse a file of more than `LARGEST_FILE` bytes, before it is read.

    Args:
        path: The file.

    Raises:
        ScanError: If the file is larger.
        OSError: If the file cannot be found.
    """
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise ScanError(
            "the file is too large", file=path, found=f"{size} bytes", expected=f"at most {LARGEST_FILE} bytes"
        )


def open_dicom(path: Path) -> Dataset:
    """Read the elements of a DICOM file that a scan is made of.

    Args:
        path: The file.

    Raises:
        ScanError: If this is not a DICOM file, or it is damaged, has no image or would take too much memory.
        OSError: If the file cannot be read.
    """
    check_file_size(path)
    content = path.read_bytes()
    content = missing_beginning(content) + content
    try:
        dataset = inflated(path, content, _TAGS) or pydicom.dcmread(BytesIO(content), specific_tags=_TAGS)
        list(dataset)  # pydicom parses an element when it is first accessed
    except InvalidDicomError as error:
        raise _not_dicom(path) from error
    except (ScanError, OSError, MemoryError):
        raise
    except Exception as error:  # a damaged header may raise anything
        raise damaged(path, error) from error
    _check_picture(path, dataset)
    return dataset


def _not_dicom(path: Path) -> ScanError:
    """Return the error for a file in a form that is not read; its ending may tell that it is a volume."""
    ending = next((each for each in OTHER_VOLUMES if path.name.lower().endswith(each)), None)
    if ending:
        return ScanError(
            "a volume in this form is not read",
            file=path,
            found=ending,
            expected=", ".join(VOLUMES),
            remedy=f"save it as {VOLUMES[-1]} or {VOLUMES[0]}, for example with 3D Slicer",
        )
    endings = ", ".join((".png", ".jpg", *VOLUMES))
    return ScanError(
        "this is not a DICOM file",
        file=path,
        remedy=f"give a DICOM file, or a PNG, JPEG or volume file with its usual ending ({endings})",
    )


def damaged(path: Path, error: Exception) -> ScanError:
    """Return the error for a header whose elements cannot be parsed."""
    return ScanError("the DICOM header is damaged", file=path, found=error, remedy="export the file again")


def inflated(path: Path, content: bytes, tags: list[int]) -> Dataset | None:
    """Read the elements of a deflated file, with a limit on its size: a few kilobytes may inflate to gigabytes.

    Args:
        path: The file.
        content: Its bytes.
        tags: The elements to read.

    Returns:
        The elements; None if the file is not deflated.

    Raises:
        ScanError: If the file inflates to more than `LARGEST_INFLATED` bytes.
        ValueError: If the file does not state the length of its meta information.
    """
    if DeflatedExplicitVRLittleEndian.encode() not in content:
        return None
    meta = read_file_meta_info(path)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return None
    # After preamble and prefix comes the element that states the length of the meta information (PS3.10, 7.1).
    group, element, _, _, length = struct.unpack_from("<2H2sHI", content, 132)
    if (group, element) != (2, 0):
        raise ValueError("the length of the meta information is not stated")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    grown = inflater.decompress(content[144 + length :], LARGEST_INFLATED)
    if not inflater.eof and inflater.unconsumed_tail:
        raise ScanError(
            "the deflated file is too large after inflating",
            file=path,
            found=f"{len(content)} bytes that inflate to more than {LARGEST_INFLATED}",
            remedy="do not use this file unless you know where it comes from; if you do, export it uncompressed",
        )
    dataset = read_dataset(BytesIO(grown), False, True, specific_tags=tags)
    dataset.file_meta = meta
    return dataset


def is_deflated(path: Path) -> bool:
    """Whether the elements of a file are deflated, according to its meta information."""
    return read_file_meta_info(path).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian


def _check_picture(path: Path, dataset: Dataset) -> None:
    if not isinstance(dataset.get("PixelData"), bytes):
        floating = "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset
        raise ScanError(
            "the file holds a parametric map, not a scan" if floating else "the file holds no picture",
            file=path,
            field="PixelData",
            found=_kind(dataset),
            remedy="give a file of an image series",
        )
    if dataset.get("SOPClassUID") in NO_SCANS:
        raise ScanError(
            f"the file holds {NO_SCANS[dataset.SOPClassUID]}, not a scan",
            file=path,
            field="SOPClassUID",
            found=_kind(dataset),
            remedy="give the scan itself",
        )
    for keyword in REQUIRED:
        if dataset.get(keyword) in (None, ""):
            raise ScanError("the header lacks an attribute that decoding needs", file=path, field=keyword)
    columns, rows = whole_number(dataset.Columns), whole_number(dataset.Rows)
    if columns is None or rows is None:
        raise ScanError(
            "the picture's size is not a pair of integers",
            file=path,
            field="Rows, Columns",
            found=f"{dataset.Rows}, {dataset.Columns}",
        )
    check_size(path, columns, rows)


def whole_number(value: Any) -> int | None:
    """Return an element's value as an integer, or None if it is not one. The value may be of any type."""
    try:
        return int(value) if int(value) == float(value) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _kind(dataset: Dataset) -> str:
    uid = dataset.get("SOPClassUID")
    return UID(uid).name if isinstance(uid, str) and uid else "an unknown kind of file"
