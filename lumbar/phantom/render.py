"""Cut a patient along any plane and scan the cut."""

from __future__ import annotations

import cv2
import numpy as np

from lumbar.geometry import Plane
from lumbar.phantom import scanner
from lumbar.phantom.anatomy import Patient
from lumbar.phantom.canvas import Canvas
from lumbar.phantom.contrast import Contrast
from lumbar.phantom.view import View


def render(
    patient: Patient,
    plane: Plane,
    width: int,
    height: int,
    contrast: Contrast,
    rng: np.random.Generator,
    *,
    thickness: float = 4.0,
) -> np.ndarray:
    """The picture that a scanner would take of a patient.

    Args:
        patient: Whom to scan.
        plane: Where the picture lies, patient mm; any direction.
        width: Columns.
        height: Rows.
        contrast: Brightness of the tissues and the scanner's effects.
        rng: Source of noise; the same state gives the same bytes.
        thickness: Of the slice, mm; 0 for an infinitely thin one.

    Returns:
        float32 array (height, width), not negative, about 0 to 1000 where there is tissue.
    """
    view = View(patient, plane, width, height, thickness)
    canvas = Canvas(view, contrast, patient.grain)
    for cut in view.cuts():
        canvas.paint(cut)
    return _scanned(canvas.picture(), view, contrast, rng)


def _scanned(picture: np.ndarray, view: View, contrast: Contrast, rng: np.random.Generator) -> np.ndarray:
    if contrast.name == "ideal":
        return picture
    picture *= scanner.enlarged(_gain(view, contrast), 8, view.width, view.height)
    if contrast.bias:
        picture *= scanner.shading(view.height, view.width, contrast.bias, rng)
    if contrast.blur > 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), contrast.blur)
    if contrast.sharpen:
        picture = scanner.sharpened(picture, contrast.sharpen)
    if contrast.gibbs < 1:
        picture = scanner.truncated(picture, contrast.gibbs)
    if contrast.ghost:
        picture = scanner.ghosted(picture, contrast.ghost, contrast.ghost_shift)
    if contrast.noise:
        picture = scanner.noisy(picture, contrast.noise, rng)
    np.minimum(picture, np.float32(contrast.clip), out=picture)
    return scanner.black_borders(picture, _margins(view, contrast), contrast.warp)


def _gain(view: View, contrast: Contrast) -> np.ndarray:
    """Sensitivity of the coil, less what a saturation band takes away, on every eighth pixel."""
    outline = view.patient.outline
    y, z = (np.ascontiguousarray(field[::8, ::8]) for field in (view.y, view.z))
    skin, front = (np.interp(z, outline.z, table).astype(np.float32) for table in (outline.skin, outline.front))
    gain = scanner.sensitivity(skin - y, z + 10, contrast)
    if contrast.band and abs(view.normal[1]) < 0.5:
        start, end, remains = contrast.band
        ahead = front - y
        inside = np.clip((ahead - start) / 5, 0, 1) * np.clip((end - ahead) / 5, 0, 1)
        gain *= 1 - (1 - remains) * inside
    return gain.astype(np.float32)


def _margins(view: View, contrast: Contrast) -> np.ndarray:
    """Black margins in pixels: shares of the room around the discs (45 mm kept at the sides, 25 mm above and below)."""
    points = np.array(list(view.patient.landmarks_mm("coronal").values()))
    pixels = view.plane.to_pixels(points)
    side, end = 45 / view.plane.pixel_width, 25 / view.plane.pixel_height
    (left, top), (right, bottom) = pixels.min(axis=0), pixels.max(axis=0)
    room = np.array([left - side, view.width - 1 - right - side, top - end, view.height - 1 - bottom - end])
    return np.maximum(room, 0) * np.array(contrast.borders)
