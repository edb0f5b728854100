"""Open a stranger's DICOM file: bounded in size, the elements we need and no others, every fault an error of ours."""

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
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from lumbar.core.errors import ScanError
from lumbar.imaging.scan import check_size

# A person reads of trouble in a ScanError; pydicom's tracebacks beside it would only frighten.
logging.getLogger("pydicom").addHandler(logging.NullHandler())

LARGEST_FILE = 2 * 2**30
"""Bytes; a file beyond this is refused unread. A thousand slices of 1024×1024 pixels in one file take as much."""

LARGEST_INFLATED = 2**28
"""Bytes that a deflated file may grow to: a picture of the largest size, uncompressed."""

IDENTITY = {
    "patient": "PatientID",
    "study": "StudyInstanceUID",
    "series": "SeriesInstanceUID",
    "instance": "SOPInstanceUID",
    "number": "InstanceNumber",
    "description": "SeriesDescription",
    "modality": "Modality",
}
"""What a scan's `identity` says, by the attribute it comes from."""

REQUIRED = ("Rows", "Columns", "BitsAllocated", "PhotometricInterpretation")
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
    "RescaleSlope",
    "RescaleIntercept",
    "WindowCenter",
    "WindowWidth",
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
"""The elements that are read; what is not needed cannot do harm, and most of a header is not."""


def begins_as_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM files do, whatever it is called; or cannot be opened: reading will say why."""
    try:
        with path.open("rb") as opened:
            opened.seek(128)
            return opened.read(4) == b"DICM"
    except OSError:
        return True


def open_dicom(path: Path) -> Dataset:
    """The elements of a file that a scan is made of.

    Raises:
        ScanError: If this is no DICOM file, a damaged one, one without a picture, or one that would take too much
            memory.
        OSError: If the file cannot be read.
    """
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise ScanError(
            "the file is too large", file=path, found=f"{size} bytes", expected=f"at most {LARGEST_FILE} bytes"
        )
    content = path.read_bytes()
    try:
        dataset = inflated(path, content, _TAGS) or pydicom.dcmread(BytesIO(content), specific_tags=_TAGS)
        list(dataset)  # elements are parsed when they are first looked at
    except InvalidDicomError as error:
        raise ScanError(
            "this is not a DICOM file", file=path, remedy="give a DICOM, PNG or JPEG file (a PNG must end in .png)"
        ) from error
    except (ScanError, OSError, MemoryError):
        raise
    except Exception as error:  # a damaged header may raise anything
        raise damaged(path, error) from error
    _check_picture(path, dataset)
    return dataset


def damaged(path: Path, error: Exception) -> ScanError:
    """What to say of a header whose elements cannot be parsed."""
    return ScanError("the DICOM header is damaged", file=path, found=error, remedy="export the file again")


def inflated(path: Path, content: bytes, tags: list[int]) -> Dataset | None:
    """A deflated file's elements; None of any other file. A few kilobytes may promise gigabytes: it grows watched."""
    if DeflatedExplicitVRLittleEndian.encode() not in content:
        return None
    meta = read_file_meta_info(path)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return None
    # The preamble, its mark and the element that says how long the meta information is (PS3.10, 7.1).
    group, element, _, _, length = struct.unpack_from("<2H2sHI", content, 132)
    if (group, element) != (2, 0):
        raise ValueError("a deflated file without the length of its meta information")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    grown = inflater.decompress(content[144 + length :], LARGEST_INFLATED)
    if not inflater.eof and inflater.unconsumed_tail:
        raise ScanError(
            "the file is deflated and grows too large",
            file=path,
            found=f"{len(content)} bytes that grow beyond {LARGEST_INFLATED}",
            remedy="do not use this file unless you know where it comes from; export it uncompressed",
        )
    dataset = read_dataset(BytesIO(grown), False, True, specific_tags=tags)
    dataset.file_meta = meta
    return dataset


def is_deflated(path: Path) -> bool:
    """Whether the file's elements are deflated, as its meta information says, however long that is."""
    return read_file_meta_info(path).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian


def _check_picture(path: Path, dataset: Dataset) -> None:
    if not isinstance(dataset.get("PixelData"), bytes):
        floating = "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset
        raise ScanError(
            "the file holds a map of computed numbers, not a scan" if floating else "the file holds no picture",
            file=path,
            field="PixelData",
            found=_kind(dataset),
            remedy="give a file of an image series",
        )
    for keyword in REQUIRED:
        if dataset.get(keyword) in (None, ""):
            raise ScanError("the header lacks what decoding needs", file=path, field=keyword)
    columns, rows = whole(dataset.Columns), whole(dataset.Rows)
    if columns is None or rows is None:
        raise ScanError(
            "the picture's size is no pair of numbers",
            file=path,
            field="Rows, Columns",
            found=f"{dataset.Rows}, {dataset.Columns}",
        )
    check_size(path, columns, rows)


def whole(value: Any) -> int | None:
    """An element's value as a whole number, or None if it is none: whatever its type, strangers choose that, too."""
    try:
        return int(value) if int(value) == float(value) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _kind(dataset: Dataset) -> str:
    uid = dataset.get("SOPClassUID")
    return UID(uid).name if isinstance(uid, str) and uid else "a file of unknown kind"
