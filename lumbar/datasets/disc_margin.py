"""Find the posterior margin of a disc in a mask: the point that people mark in a mid-sagittal image."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lumbar.landmarks import MARGIN_INSIDE_MM

SMALLEST_DISC_PIXELS = 10
"""Labels of fewer pixels are remnants, not discs."""

_STEP_MM = 0.1
_BESIDE_MM = (-1.0, 0.0, 1.0)


def posterior_margin(disc: np.ndarray, canal: np.ndarray, pixel_width: float, pixel_height: float) -> np.ndarray:
    """Find the middle of a disc's border with the spinal canal.

    The long axis of the disc is the first principal component of its pixels, directed towards the nearest pixel of the
    canal. A line fitted through the posterior two thirds of the disc is its mid-height. The edge of the disc is where
    this line leaves it, to a fraction of a pixel. The point lies `MARGIN_INSIDE_MM` in front of the edge, as in the
    public labels.

    Args:
        disc: The disc's pixels in a sagittal slice, boolean, (rows, columns).
        canal: The spinal canal's pixels, the same shape.
        pixel_width: Distance between columns, mm.
        pixel_height: Distance between rows, mm.

    Returns:
        (x, y) in native pixels, shape (2,), float64; NaN if there is no disc or no canal.
    """
    pieces, count = ndimage.label(disc)
    if count > 1:
        disc = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])
    if disc.sum() < SMALLEST_DISC_PIXELS or not canal.any():
        return np.full(2, np.nan)
    pixel = np.array([pixel_width, pixel_height])
    disc_mm, canal_mm = (np.argwhere(mask)[:, ::-1] * pixel for mask in (disc, canal))
    centre = disc_mm.mean(axis=0)
    backwards = np.linalg.eigh(np.cov(disc_mm.T))[1][:, 1]
    nearest = canal_mm[np.argmin(((canal_mm - centre) ** 2).sum(axis=1))]
    if backwards @ (nearest - centre) < 0:
        backwards = -backwards
    across = np.array([-backwards[1], backwards[0]])
    along, height = (disc_mm - centre) @ backwards, (disc_mm - centre) @ across
    behind = along > np.quantile(along, 1 / 3)
    middle = np.polyval(np.polyfit(along[behind], height[behind], 1), along.max() - 1)
    positions = np.arange(0, along.max() + 2 * pixel.max(), _STEP_MM)
    ends = []
    for beside in _BESIDE_MM:
        line = (centre + positions[:, None] * backwards + (middle + beside) * across) / pixel
        inside = np.flatnonzero(ndimage.map_coordinates(disc.astype(np.float32), line.T[::-1], order=1) >= 0.5)
        ends += [positions[inside[-1]] + _STEP_MM / 2] if len(inside) else []
    if not ends:
        return np.full(2, np.nan)
    return (centre + (np.mean(ends) - MARGIN_INSIDE_MM) * backwards + middle * across) / pixel
