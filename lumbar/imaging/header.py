"""Read the size, spacing and plane of an image file without its pixels: thousands of files per minute.

The readers of data sets need the size of the image that a landmark lies in. Whether an image can be used is decided by
`lumbar.imaging.read`, which checks everything.
"""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import pydicom
from PIL import Image, UnidentifiedImageError
from pydicom.errors import InvalidDicomError

from lumbar.core.constants import PICTURES
from lumbar.core.errors import ScanError
from lumbar.geometry import nearest_view
from lumbar.imaging.dicom.attributes import finite_numbers, pixel_spacing
from lumbar.imaging.dicom.file import completed, is_deflated
from lumbar.imaging.dicom.first_elements import first_elements
from lumbar.imaging.dicom.reading import read_dicom
from lumbar.imaging.limits import LARGEST_SIDE, check_size
from lumbar.imaging.scan import Scan

_KEYWORDS = ["Rows", "Columns", "PixelSpacing", "ImageOrientationPatient"]
_WANTED = {0x00280010: b"US", 0x00280011: b"US", 0x00280030: b"DS", 0x00200037: b"DS"}
_BEGINNING = 8 * 1024
"""Number of bytes from the start of a file that contain these elements in most files."""


class Header(NamedTuple):
    """What an image file states about its image.

    Args:
        width: Columns.
        height: Rows.
        pixel_width: Distance between neighbouring columns, mm; None if the file does not state it.
        pixel_height: Distance between neighbouring rows, mm; None if the file does not state it.
        view: "sagittal", "coronal" or "axial", whichever is nearest to the image's plane; None if the file does not
            state the orientation.
    """

    width: int
    height: int
    pixel_width: float | None = None
    pixel_height: float | None = None
    view: str | None = None


def read_header(path: Path) -> Header:
    """Read the header of a PNG, JPEG or DICOM file.

    An enhanced multi-frame DICOM file states spacing and orientation per frame; these are left out here.

    Args:
        path: The file.

    Raises:
        ScanError: If the file is missing or of another kind, or if its size or spacing is invalid.
    """
    try:
        return _picture(path) if path.suffix.lower() in PICTURES else _dicom(path)
    except ScanError:
        raise
    except FileNotFoundError as error:
        raise ScanError("there is no such file", file=path) from error
    except (UnidentifiedImageError, InvalidDicomError, Image.DecompressionBombError) as error:
        raise ScanError("this is not a PNG, JPEG or DICOM file", file=path) from error
    except Exception as error:  # a damaged header may raise anything
        raise ScanError("the header is damaged", file=path, found=error, remedy="copy the file again") from error


def _picture(path: Path) -> Header:
    with Image.open(path) as picture:
        width, height = picture.size
    check_size(path, width, height)
    return Header(width, height)


def _dicom(path: Path) -> Header:
    file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))  # twice as fast as `open`
    try:
        beginning = os.read(file, _BEGINNING)
    finally:
        os.close(file)
    return _plain(beginning) or _parsed(path)


def _plain(beginning: bytes) -> Header | None:
    """Return the header of a file that is written in the simplest way; None if it needs a full parser."""
    found = first_elements(beginning, _WANTED)
    if found is None:
        return None
    rows, columns, spacing, directions = (found.get(tag) for tag in _WANTED)
    try:
        height, width = (int.from_bytes(value, "little") for value in (rows, columns) if len(value) == 2)
        row_spacing, column_spacing = (None, None) if spacing is None else map(float, spacing.split(b"\\"))
        view = None if directions is None else _view([float(number) for number in directions.split(b"\\")])
    except (TypeError, ValueError):
        return None
    if not (0 < height <= LARGEST_SIDE and 0 < width <= LARGEST_SIDE):
        return None
    if spacing is not None and not (0 < row_spacing < math.inf and 0 < column_spacing < math.inf):
        return None
    return Header(width, height, pixel_width=column_spacing, pixel_height=row_spacing, view=view)


def _parsed(path: Path) -> Header:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pydicom warns of is either harmless or an error here
        source = completed(path)
        if source is path and is_deflated(path):
            return _as_read(read_dicom(path, None))  # even the header of a deflated file may inflate without limit
        dataset = pydicom.dcmread(source, stop_before_pixels=True, specific_tags=_KEYWORDS)
        rows, columns, _, directions = (dataset.get(keyword) for keyword in _KEYWORDS)
    if rows is None or columns is None:
        raise ScanError("the file holds no picture", file=path, field="Rows, Columns")
    check_size(path, int(columns), int(rows))
    pixel_height, pixel_width = pixel_spacing(path, [dataset]) or (None, None)
    return Header(int(columns), int(rows), pixel_width=pixel_width, pixel_height=pixel_height, view=_view(directions))


def _as_read(scan: Scan) -> Header:
    height, width = scan.pixels.shape
    return Header(width, height, pixel_width=scan.pixel_width, pixel_height=scan.pixel_height, view=scan.view)


def _view(directions: Any) -> str | None:
    numbers = finite_numbers(directions, 6)
    return None if numbers is None else nearest_view((numbers[:3], numbers[3:]))
