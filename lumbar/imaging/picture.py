"""PNG and JPEG: pixels alone, without spacing or position."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from lumbar.core.errors import ScanError
from lumbar.imaging.scan import Scan, check_size, grey

FORMATS = ("PNG", "JPEG")
"""What a file named .png or .jpg may hold. Pillow knows other formats, too, and starts further programs for some."""

_GREY = {"L", "I;16", "I;16B", "I"}


def read_picture(path: Path, frame: int | None) -> Scan:
    """Read a PNG or JPEG file; see `lumbar.imaging.read`."""
    if frame:
        raise ScanError("a picture file has one frame", file=path, field="frame", found=frame, expected=0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes, which are checked here
            return _read(path)
    except (ScanError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise ScanError(
            "this is not a PNG or JPEG file", file=path, remedy="open it in a viewer and save it anew"
        ) from error
    except Image.DecompressionBombError as error:
        raise ScanError("the picture's size is out of bounds", file=path, found=error) from error
    except Exception as error:  # a damaged file may raise anything
        if isinstance(error, OSError) and error.errno is not None:  # the system's word, not Pillow's
            raise
        raise ScanError(
            "the picture is damaged", file=path, found=str(error), remedy="copy or export the file again"
        ) from error


def _read(path: Path) -> Scan:
    with Image.open(path, formats=FORMATS) as picture:
        check_size(path, *picture.size)
        if getattr(picture, "n_frames", 1) > 1:
            raise ScanError(
                "the file holds several pictures", file=path, found=picture.n_frames, remedy="save the one you mean"
            )
        if picture.mode == "1":
            raise ScanError("the file holds a mask of one bit, not a scan", file=path, field="bit depth", found=1)
        turned = picture.getexif().get(ExifTags.Base.Orientation, 1)
        if turned != 1:
            raise ScanError(
                "the picture is stored turned or mirrored, and shown otherwise",
                file=path,
                field="EXIF Orientation",
                found=turned,
                expected=1,
                remedy="save it anew as it is shown",
            )
        if picture.mode in _GREY:
            return Scan(path, np.asarray(picture, np.float32))
        pixels = grey(path, np.asarray(picture.convert("RGB")))
        return Scan(path, pixels.astype(np.float32), warnings=("stored in colour, but grey throughout",))
