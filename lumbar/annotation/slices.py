"""One slice as the editor shows it, and the slices around it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lumbar import imaging
from lumbar.core.constants import PICTURES
from lumbar.core.errors import ScanError, StudyError
from lumbar.geometry import Affine, upright
from lumbar.imaging.dicom.slice_header import read_headers
from lumbar.imaging.scan import BURNED_IN, Scan
from lumbar.imaging.volume.reading import read_grid
from lumbar.preprocess import percentiles
from lumbar.study.reading import read_study

BRIGHTEST = 2**16 - 1
"""Value of the brightest pixel that the editor gets; it maps 16 bits to 8 itself while the window is dragged."""


class Slice(NamedTuple):
    """A slice: a file, and the frame in it (from 0), or None for a file of one image."""

    path: Path
    frame: int | None


@dataclass(frozen=True, eq=False)
class ShownSlice:
    """A slice as the editor shows it: turned upright.

    Args:
        pixels: uint16, (rows, columns), 0 for `low` and `BRIGHTEST` for `high`.
        low: Darkest value of the scan.
        high: Brightest value of the scan.
        window: (centre, width) to begin with, in the units of `low` and `high`.
        to_shown: Map from native pixels to pixels of the slice as shown.
        pixel_width: Distance between the columns shown, mm; 1 if the file does not state it.
        pixel_height: Distance between the rows shown, mm; 1 if the file does not state it.
        native: width and height (pixels), pixel_width and pixel_height (mm; NaN if the file does not state them) of the
            image as it is stored.
        patient: Identifier of the patient in the file; "" if it has none.
        may_be_stored: Whether it may become part of a notebook or page; not if burned-in text may name the patient.
    """

    pixels: np.ndarray
    low: float
    high: float
    window: tuple[float, float]
    to_shown: Affine
    pixel_width: float
    pixel_height: float
    native: dict[str, float]
    patient: str
    may_be_stored: bool

    @classmethod
    def read(cls, place: Slice) -> ShownSlice:
        """Read a slice.

        Raises:
            ScanError: If it cannot be read.
        """
        return cls.of(imaging.read(place.path, frame=place.frame))

    @classmethod
    def of(cls, scan: Scan) -> ShownSlice:
        """Return a scan as the editor shows it."""
        height, width = scan.pixels.shape
        native = {"width": width, "height": height}
        native |= {"pixel_width": scan.pixel_width or np.nan, "pixel_height": scan.pixel_height or np.nan}
        to_shown = Affine.identity()
        if scan.orientation is not None:
            to_shown, width, height = upright(scan.orientation, width, height)
        pixels = to_shown.image(scan.pixels, width, height)
        low, high = float(scan.pixels.min()), float(scan.pixels.max())
        darkest, brightest = percentiles(scan.pixels, 0.5, 99.5)
        across = bool(to_shown.matrix[0, 0] == 0)
        spacing = (scan.pixel_width or 1.0, scan.pixel_height or 1.0)
        return cls(
            np.rint((pixels - low) * (BRIGHTEST / (high - low or 1))).astype(np.uint16),
            low,
            high,
            ((darkest + brightest) / 2, max(brightest - darkest, (high - low) / BRIGHTEST)),
            to_shown,
            *(reversed(spacing) if across else spacing),
            native,
            scan.identity.get("patient", ""),
            BURNED_IN not in scan.warnings,
        )


def count_frames(path: Path) -> int:
    """Return the number of slices in a volume or a multi-frame DICOM file; 0 for a file of one image.

    Raises:
        ScanError: If the file is none of these, or damaged.
    """
    if imaging.is_volume(path):
        return read_grid(path).shape[0]
    if path.suffix.lower() in PICTURES:
        return 0
    count = len(read_headers(path))
    return count if count > 1 else 0


def is_searched(place: Slice) -> bool:
    """Return whether `slices_around` has to read the headers of a folder."""
    return place.frame is None and place.path.suffix.lower() not in PICTURES


def slices_around(place: Slice) -> tuple[list[Slice], int]:
    """Find the slices to leaf through: those of the volume, of the multi-frame file, or of the DICOM series.

    Args:
        place: One of them.

    Returns:
        All of them in their order in the patient, and the position of `place`.

    Raises:
        ScanError: If the file is damaged, or has no such frame.
    """
    if place.frame is not None:
        slices = [Slice(place.path, frame) for frame in range(count_frames(place.path))]
        if place not in slices:
            raise ScanError("the file has no such frame", file=place.path, found=place.frame, expected=len(slices))
        return slices, place.frame
    if not is_searched(place):
        return [place], 0
    try:
        study = read_study([place.path.parent], common_frame=False, progress=False)
    except StudyError:  # several studies or patients in one folder: nobody knows what belongs together
        return [place], 0
    for series in study.series:
        for stack in series.stacks:
            paths = [each.path for each in stack.slices]
            if place.path in paths:
                return [Slice(path, None) for path in paths], paths.index(place.path)
    return [place], 0
