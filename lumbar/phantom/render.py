"""Render the image of a synthetic patient in any plane."""

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
    """Render one slice of a patient as a scanner would acquire it.

    Args:
        patient: The patient.
        plane: Where the image lies, patient mm (LPS), in any direction.
        width: Columns of the image.
        height: Rows of the image.
        contrast: Brightness of the tissues and the effects of the scanner.
        rng: Source of the noise; the same state gives the same bytes.
        thickness: Thickness of the slice, mm; 0 for an infinitely thin one.

    Returns:
        The image: float32, shape (height, width), not negative, about 0 to 1000 where there is tissue.
    """
    view = View(patient, plane, width, height, thickness)
    canvas = Canvas(view, contrast, patient.grain)
    for cut in view.cuts():
        canvas.paint(cut)
    return _scanned(canvas.image(), view, contrast, rng)


def _scanned(image: np.ndarray, view: View, contrast: Contrast, rng: np.random.Generator) -> np.ndarray:
    """Return the image with the effects of coil, receiver and reconstruction; "ideal" contrasts have none."""
    if contrast.name == "ideal":
        return image
    image *= scanner.enlarged(_gain(view, contrast), 8, view.width, view.height)
    if contrast.bias:
        image *= scanner.shading(view.height, view.width, contrast.bias, rng)
    if contrast.blur > 0.3:
        image = cv2.GaussianBlur(image, (0, 0), contrast.blur)
    if contrast.sharpen:
        image = scanner.sharpened(image, contrast.sharpen)
    if contrast.gibbs < 1:
        image = scanner.truncated(image, contrast.gibbs)
    if contrast.ghost:
        image = scanner.ghosted(image, contrast.ghost, contrast.ghost_shift)
    if contrast.noise:
        image = scanner.noisy(image, contrast.noise, rng)
    np.minimum(image, np.float32(contrast.clip), out=image)
    return scanner.black_borders(image, _margins(view, contrast), contrast.warp)


def _gain(view: View, contrast: Contrast) -> np.ndarray:
    """Return the sensitivity of the coil, reduced by the saturation band, on every eighth pixel."""
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
    """Return the black margins in pixels; they leave 45 mm at the sides of the discs, 25 mm above and below."""
    points = np.array(list(view.patient.landmarks_mm("coronal").values()))
    if not len(points):
        return np.zeros(4)
    pixels = view.plane.to_pixels(points)
    side, end = 45 / view.plane.pixel_width, 25 / view.plane.pixel_height
    (left, top), (right, bottom) = pixels.min(axis=0), pixels.max(axis=0)
    if top < 0 or bottom > view.height - 1:  # a field of view that was not planned for the levels
        return np.zeros(4)
    room = np.array([left - side, view.width - 1 - right - side, top - end, view.height - 1 - bottom - end])
    return np.maximum(room, 0) * np.array(contrast.borders)
