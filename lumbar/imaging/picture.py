"""Read PNG and JPEG files, which hold pixels but neither spacing nor position."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from lumbar.core.errors import ScanError
from lumbar.imaging.limits import check_size
from lumbar.imaging.scan import GREY_IN_COLOUR, TRANSPARENT, Scan, grey

FORMATS = ("PNG", "JPEG")
"""Formats that a file named .png or .jpg may have. Pillow reads others too, and starts other programs for some."""

_GREY = {"L", "I;16", "I;16B", "I"}


def read_picture(path: Path, frame: int | None) -> Scan:
    """Read a PNG or JPEG file.

    Args:
        path: The file.
        frame: None or 0, since the file holds one image.

    Raises:
        ScanError: If the file is damaged, too large, in colour, fully transparent, or to be rotated or mirrored for
            display.
        OSError: If the file cannot be opened.
    """
    if frame:
        raise ScanError("a picture file has one frame", file=path, field="frame", found=frame, expected=0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about large sizes, which are checked here
            return _read(path)
    except (ScanError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise ScanError(
            "this is not a PNG or JPEG file", file=path, remedy="open it in an image viewer and save it again"
        ) from error
    except Image.DecompressionBombError as error:
        raise ScanError("the picture's size is out of bounds", file=path, found=error) from error
    except Exception as error:  # a damaged file may raise anything
        if isinstance(error, OSError) and error.errno is not None:  # from the operating system, not from Pillow
            raise
        raise ScanError(
            "the picture is damaged", file=path, found=str(error), remedy="copy or export the file again"
        ) from error


def _read(path: Path) -> Scan:
    with Image.open(path, formats=FORMATS) as picture:
        check_size(path, *picture.size)
        if getattr(picture, "n_frames", 1) > 1:
            raise ScanError(
                "the file holds several pictures",
                file=path,
                found=picture.n_frames,
                remedy="save the one you need as a separate file",
            )
        if picture.mode == "1":
            raise ScanError("the file holds a one-bit mask, not a scan", file=path, field="bit depth", found=1)
        turned = picture.getexif().get(ExifTags.Base.Orientation, 1)
        if turned != 1:
            raise ScanError(
                "the picture must be rotated or mirrored for display",
                file=path,
                field="EXIF Orientation",
                found=turned,
                expected=1,
                remedy="open it in an image editor and save it as it is shown",
            )
        pixels, transparent = _on_black(path, picture)
        remarks = (TRANSPARENT,) if transparent else ()
        if pixels.ndim == 2:
            return Scan(path, np.asarray(pixels, np.float32), warnings=remarks)
        return Scan(path, grey(path, pixels).astype(np.float32), warnings=(GREY_IN_COLOUR, *remarks))


def _on_black(path: Path, picture: Image.Image) -> tuple[np.ndarray, bool]:
    """Return the pixels of a picture on a black background, and whether any of them is transparent.

    Black is what surrounds the patient in a scan. The colour that a file keeps under a transparent pixel is arbitrary.

    Args:
        path: The file, for the message.
        picture: The picture, of any mode.

    Returns:
        Integers, (rows, columns), or RGB, (rows, columns, 3).

    Raises:
        ScanError: If all pixels are fully transparent.
    """
    if not picture.has_transparency_data:
        return np.asarray(picture if picture.mode in _GREY else picture.convert("RGB")), False
    if picture.mode in _GREY:
        pixels = np.asarray(picture)
        opacity = np.where(pixels == picture.info["transparency"], 0, 255)  # one grey value stands for transparent
    else:
        pixels, opacity = np.split(np.asarray(picture.convert("RGBA")), [3], axis=-1)
    if opacity.min() == 255:
        return pixels, False
    if not opacity.any():
        raise ScanError(
            "every pixel of the picture is transparent", file=path, remedy="export the picture without transparency"
        )
    return (pixels * opacity.astype(np.uint32) + 127) // 255, True
