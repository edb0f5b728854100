"""The scan: one image read from a file, whatever the format of the file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lumbar.core.errors import ScanError
from lumbar.geometry import Plane

BURNED_IN = "text is burned into the picture and may name the patient, so the picture is not shown"
NAMED = "the header names the patient; the name is not copied into the results"
TURNED = "stored rotated or mirrored relative to the usual display"
GREY_IN_COLOUR = "stored in colour, but grey throughout"
LOOKED_UP = "the pixel values were mapped by the Modality LUT of the header"
TRANSPARENT = "transparent in places, which were taken for black"
PADDED = "padded outside the scanned area, which was taken for black"
UNMEASURED = "not a number (NaN) in places, which were taken for black"
EXTRA_BITS = "the compressed pixels have more bits than the header states; the upper ones were ignored"
"""Warnings that several modules use."""


@dataclass(frozen=True, eq=False)
class Scan:
    """One image and what its file states about it.

    Args:
        path: The file.
        pixels: float32, (rows, columns), native frame, rescaled; larger values are brighter.
        pixel_width: Distance between neighbouring columns, mm; None if the file does not state it.
        pixel_height: Distance between neighbouring rows, mm; None if the file does not state it.
        plane: Position of the image in the patient; None if the file does not state it.
        orientation: (2, 3): unit vectors along a row and along a column, patient coordinates; None if the file does not
            state them. It may be known even if `plane` is not.
        window: (centre, width) suggested for display, in the units of `pixels`; None if there is none.
        view: "sagittal", "coronal" or "axial", whichever is nearest to the image's plane; None without an
            `orientation`.
        identity: patient, study, series, instance, number, description and modality as the file states them; "" where
            it does not. Names of people are not read.
        warnings: What was repaired or is unusual, in plain sentences.
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


def blackened(pixels: np.ndarray, where: np.ndarray, black: Callable[[np.ndarray], float] = np.min) -> np.ndarray:
    """Return pixels with those that hold no signal set to the darkest value of the others.

    Args:
        pixels: Any real numbers, of any shape.
        where: Boolean, of the same shape: the pixels without signal; not all of them.
        black: The function that picks the darkest value: `np.max` where larger values are darker.

    Returns:
        Pixels of the same shape and dtype.
    """
    return np.where(where, black(pixels[~where]), pixels)


def grey(path: Path, colours: np.ndarray) -> np.ndarray:
    """Return the greyscale image in an RGB image whose three channels are equal.

    The channels may differ by up to 8 levels, as lossy compression leaves them in a grey image stored in colour.

    Args:
        path: The file, for the message.
        colours: Integers, (rows, columns, 3).

    Returns:
        The first channel, (rows, columns).

    Raises:
        ScanError: If the channels differ by more.
    """
    spread = int(np.ptp(colours.astype(np.int32), axis=-1).max())
    if spread > 8:
        raise ScanError(
            "the picture is in colour; a scan is grey",
            file=path,
            found=f"colour channels that differ by up to {spread}",
            remedy="export the original series, not a secondary capture or a screenshot",
        )
    return colours[..., 0]
