"""PNG and JPEG: pixels alone, without spacing or position."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from lumbar.errors import ScanError
from lumbar.scans.scan import Scan, check_size, grey

_GREY = {"L", "I;16", "I", "1"}


def read_picture(path: Path, frame: int | None) -> Scan:
    """Read a PNG or JPEG file; see `lumbar.scans.read`."""
    if frame:
        raise ScanError("a picture file has one frame", file=path, field="frame", found=frame, expected=0)
    try:
        with Image.open(path) as picture:
            check_size(path, *picture.size)
            if picture.mode in _GREY:
                return Scan(path, np.asarray(picture, np.float32))
            pixels = grey(path, np.asarray(picture.convert("RGB")))
            return Scan(path, pixels.astype(np.float32), warnings=("stored in colour, but grey throughout",))
    except UnidentifiedImageError as error:
        raise ScanError(
            "this is not a PNG or JPEG file", file=path, remedy="open it in a viewer and save it anew"
        ) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ScanError(
            "the picture is damaged", file=path, found=str(error), remedy="copy or export the file again"
        ) from error
