"""What reading a file gives, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lumbar.core.errors import ScanError
from lumbar.geometry import Plane

BURNED_IN = "the file says that text is burned into the picture, which may name the patient: it is not drawn"
NAMED = "the header names the patient; nothing of it goes into the results"
TURNED = "lies turned or mirrored against the usual display"
"""Remarks that others look for among a scan's warnings."""

LARGEST_SIDE = 8192
"""Rows or columns beyond this are no scan of a spine; they are refused before memory is asked for."""

LARGEST_VALUE = 1e12
"""A pixel beyond this is no measurement; what is worked out from it would leave the range of float32."""


@dataclass(frozen=True, eq=False)
class Scan:
    """One picture.

    Args:
        path: The file.
        pixels: float32, (rows, columns), rescaled; more is brighter.
        pixel_width: Distance of neighbouring columns, mm; None if the file does not say.
        pixel_height: Distance of neighbouring rows, mm; None if the file does not say.
        plane: Where the picture lies in the patient; None if the file does not say.
        orientation: (2, 3): unit vectors along a row and along a column, patient coordinates; None if the file does not
            say. It may be known where the place is not.
        window: (centre, width) suggested for display, in the units of `pixels`; None if there is none.
        view: "sagittal", "coronal" or "axial", the plane nearest to the picture's; None without an `orientation`.
        identity: patient, study, series, instance, description, modality as the file says; "" where it does not. Names
            of people are not read.
        warnings: What was repaired or is odd, in plain sentences.
    """

    path: Path
    pixels: np.ndarray
    pixel_width: float | None = None
    pixel_height: float | None = None
    plane: Plane | None = None
    orientation: np.ndarray | None = None
    window: tuple[float, float] | None = None
    view: str | None = None
    identity: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def check_size(path: Path, columns: int, rows: int) -> None:
    """Refuse a picture that is empty or absurdly large, before its pixels are touched."""
    if not (0 < columns <= LARGEST_SIDE and 0 < rows <= LARGEST_SIDE):
        raise ScanError(
            "the picture's size is out of bounds",
            file=path,
            field="Columns × Rows",
            found=f"{columns} × {rows}",
            expected=f"1 to {LARGEST_SIDE} each",
        )


def grey(path: Path, colours: np.ndarray) -> np.ndarray:
    """The one grey picture in (rows, columns, 3), if its three colours are the same everywhere.

    A few levels of difference are what lossy compression leaves of a grey picture stored in colour.
    """
    spread = int(np.ptp(colours.astype(np.int32), axis=-1).max())
    if spread > 8:
        raise ScanError(
            "the picture is in colour; a scan is grey",
            file=path,
            found=f"colours that differ by up to {spread}",
            remedy="export the original series, not a secondary capture or a screenshot",
        )
    return colours[..., 0]
