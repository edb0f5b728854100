"""What a picture file says of itself before its pixels: size, spacing and plane. Thousands of files a minute.

`lumbar.imaging.read` looks at everything and is the judge of whether a picture can be used; this only tells a reader of
landmarks how large the picture is that they lie in.
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
from lumbar.imaging.dicom.attributes import finite_numbers
from lumbar.imaging.dicom.file import is_deflated
from lumbar.imaging.dicom.first_elements import first_elements
from lumbar.imaging.dicom.reading import read_dicom
from lumbar.imaging.scan import LARGEST_SIDE, Scan, check_size

_KEYWORDS = ["Rows", "Columns", "PixelSpacing", "ImageOrientationPatient"]
_WANTED = {0x00280010: b"US", 0x00280011: b"US", 0x00280030: b"DS", 0x00200037: b"DS"}
_BEGINNING = 8 * 1024
"""Bytes in which these elements stand in most files."""


class Header(NamedTuple):
    """What the file says.

    Args:
        width: Columns.
        height: Rows.
        pixel_width: Distance of neighbouring columns, mm; None if the file does not say.
        pixel_height: Distance of neighbouring rows, mm; None if the file does not say.
        view: "sagittal", "coronal" or "axial", the plane nearest to the picture's; None if the file does not say.
    """

    width: int
    height: int
    pixel_width: float | None = None
    pixel_height: float | None = None
    view: str | None = None


def read_header(path: Path) -> Header:
    """Read what stands before the pixels of a PNG, JPEG or DICOM file.

    An enhanced multi-frame file keeps spacing and position frame by frame; they are left out here.

    Raises:
        ScanError: If the file is absent, is none of these, or what it says of its size or spacing makes no sense.
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
    file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))  # without the layers of `open`: half the time
    try:
        beginning = os.read(file, _BEGINNING)
    finally:
        os.close(file)
    return _plain(beginning) or _parsed(path)


def _plain(beginning: bytes) -> Header | None:
    """The header of a file with nothing unusual about it; None if a parser had better look."""
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
        warnings.simplefilter("ignore")  # what pydicom remarks on is either harmless or an error here
        if is_deflated(path):
            return _as_read(read_dicom(path, None))  # of a deflated file even the header may inflate without end
        dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_KEYWORDS)
        rows, columns, spacing, directions = (dataset.get(keyword) for keyword in _KEYWORDS)
    if rows is None or columns is None:
        raise ScanError("the file holds no picture", file=path, field="Rows, Columns")
    check_size(path, int(columns), int(rows))
    view = _view(directions)
    if spacing is None:
        return Header(int(columns), int(rows), view=view)
    numbers = finite_numbers(spacing, 2)
    if numbers is None or min(numbers) <= 0:
        raise ScanError(
            "the pixel spacing is not a pair of positive numbers", file=path, field="PixelSpacing", found=spacing
        )
    return Header(int(columns), int(rows), pixel_width=numbers[1], pixel_height=numbers[0], view=view)


def _as_read(scan: Scan) -> Header:
    height, width = scan.pixels.shape
    return Header(width, height, pixel_width=scan.pixel_width, pixel_height=scan.pixel_height, view=scan.view)


def _view(directions: Any) -> str | None:
    numbers = finite_numbers(directions, 6)
    return None if numbers is None else nearest_view((numbers[:3], numbers[3:]))
