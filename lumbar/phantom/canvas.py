"""Paint solids, one over the other, into the image of a slice.

Every solid is painted inside the rectangle of pixels that it can reach, with edges as soft as a pixel is wide. The
thickness of the slice shows in two ways, both partial-volume effects: a solid that fills only part of the slab is
blended in with that share, and surfaces that slope through the slab get softer edges.
"""

from __future__ import annotations

import cv2
import numpy as np

from lumbar.phantom import scanner
from lumbar.phantom.contrast import Contrast
from lumbar.phantom.shapes import Coat, Solid, Spot
from lumbar.phantom.texture import even_grain, grain
from lumbar.phantom.tissue import Tissue
from lumbar.phantom.tube import Tube
from lumbar.phantom.view import Cut, View

# name: size of the grain along x, y, z in mm; steepness of the threshold; pixels between computed values
_PATTERNS = {
    "roots": ((1.3, 1.0, 26.0), 1.6, 1),
    "streaks": ((4.0, 2.0, 13.0), 1.0, 2),
    "septa": ((14.0, 3.0, 16.0), 4.0, 1),
    "lumps": ((11.0, 9.0, 11.0), 3.0, 4),
    "lumps2": ((5.0, 5.0, 6.0), 4.0, 2),
}
_COARSEST = max(step for _, _, step in _PATTERNS.values())
_ALONG = ("roots", "streaks")
"""Patterns that follow the curve of the column on which they lie."""


Near = tuple[np.ndarray, np.ndarray, tuple[slice, slice]]
"""Distance to a solid and coordinates in its own axes, mm, and the rows and columns of pixels that it may cover."""


class Canvas:
    """The image of a slice while it is painted: the signal so far, from water and from fat.

    Args:
        view: The slice.
        contrast: Brightness of the tissues, and whether fat is displaced.
        seed: Seed of the tissue texture.
    """

    def __init__(self, view: View, contrast: Contrast, seed: int):
        self.view, self.contrast, self.seed = view, contrast, seed
        self.water = np.zeros((view.height, view.width), dtype=np.float32)
        self.fat = np.zeros_like(self.water) if contrast.chemical_shift else None
        self.fine = self._field(grain, (1.0, 1.0, 1.0), 1, 1)
        self.coarse = self._field(even_grain, (9.0, 8.0, 9.0), 2, 4)
        self.bumps = self._field(even_grain, (3.0, 3.0, 3.0), 3, 2)  # roughens surfaces
        self.bumps *= np.float32(0.6)
        self.bumps += self.coarse * np.float32(0.8)
        self.deepest = -float(self.bumps.min())

    def _field(self, kind, scale: tuple[float, float, float], salt: int, step: int, part=np.s_[:, :], y=None):
        """Return noise over a rectangle of pixels, computed on every `step`-th pixel and interpolated."""
        x, z = self.view.x[part], self.view.z[part]
        y = self.view.y[part] if y is None else y
        rows, columns = x.shape
        noise = kind(x[::step, ::step], y[::step, ::step], z[::step, ::step], scale, self.seed % 100_000 + salt)
        return noise if step == 1 else scanner.enlarged(noise, step, columns, rows)

    def paint(self, cut: Cut) -> None:
        """Paint the coats and spots of a solid over the image."""
        solid = cut.solid
        near = self._near_column(cut) if isinstance(solid.form, Tube) else self._near_solid(cut)
        if near is None:
            return
        distance, place, part = near
        if solid.roughness:
            distance += np.float32(solid.roughness) * self.bumps[part]
        if distance.min() > self.view.pixel + cut.slope:
            return
        covered = None
        for coat in solid.coats:
            covered = self._coverage(distance, coat, cut.slope, cut.share)
            if covered is None:
                return
            if coat.grain:
                covered *= self._pattern(coat, solid, part)
            self._blend(part, covered, coat.tissue)
        for spot in solid.spots:
            self._paint_spot(part, place, covered, spot)

    def _near_solid(self, cut: Cut) -> Near | None:
        """Return the distances to a solid near its surface and inside; None if it covers no pixel."""
        place = self.view.local(cut.solid.centre, cut.solid.axes, cut.rows, cut.columns)
        distance = cut.solid.form.distance(*place)
        box = _box(distance < self._reach(cut))
        if box is None:
            return None
        rows, columns = box
        return distance[box], place[:, rows, columns], (_moved(rows, cut.rows), _moved(columns, cut.columns))

    def _near_column(self, cut: Cut) -> Near | None:
        """Return the same for a column, interpolated from every few pixels: the distance to it varies slowly."""
        form, place = cut.solid.form, self.view.place[:, cut.rows, cut.columns]
        step = 1 if place[0].size < 3000 else 4 if form.stout else 2
        coarse = form.distance(*place[:, ::step, ::step])
        if step > 1 and coarse.min() >= 3 * self.view.pixel:
            return None
        box = _box(coarse < self._reach(cut))
        if box is None:
            return None
        rows, columns = (_widened(part, step, size) for part, size in zip(box, place.shape[1:], strict=True))
        distance = coarse[_every(rows, step), _every(columns, step)]
        if step > 1:
            distance = scanner.enlarged(distance, step, columns.stop - columns.start, rows.stop - rows.start)
        return distance, place[:, rows, columns], (_moved(rows, cut.rows), _moved(columns, cut.columns))

    def _reach(self, cut: Cut) -> float:
        """Return the distance from the smooth surface beyond which the solid covers nothing, mm."""
        edge = self.view.pixel + cut.slope
        soft = max(coat.softness / 2 - coat.inset for coat in cut.solid.coats)
        return 1.001 * max(edge, edge / 2 + soft) + cut.solid.roughness * self.deepest

    def _coverage(self, distance: np.ndarray, coat: Coat, slope: float, share: float) -> np.ndarray | None:
        """Return how much of each pixel a coat covers, 0 to 1; None if it covers none."""
        width = np.float32(-1 / (self.view.pixel + coat.softness + slope))
        covered = distance * width
        covered += np.float32(0.5 + coat.inset * width)
        np.maximum(covered, 0, out=covered)
        np.minimum(covered, 1, out=covered)
        if coat.strength * share < 1:
            covered *= np.float32(coat.strength * share)
        return covered if covered.max() > 0 else None

    def _paint_spot(self, part, place, covered: np.ndarray, spot: Spot) -> None:
        distance = spot.form.distance(
            *(axis - np.float32(shift) for axis, shift in zip(place, spot.offset, strict=True))
        )
        if spot.roughness:
            distance += np.float32(spot.roughness) * self.bumps[part]
        inside = self._coverage(distance, Coat(spot.tissue, softness=spot.softness, strength=spot.strength), 0.0, 1.0)
        if inside is not None:
            inside *= covered
            self._blend(part, inside, spot.tissue)

    def _pattern(self, coat: Coat, solid: Solid, part) -> np.ndarray:
        """Return how much of each pixel the pattern of a coat fills, 0 to 1."""
        scale, steepness, step = _PATTERNS[coat.grain]
        y = self.view.y[part]
        if isinstance(solid.form, Tube) and coat.grain in _ALONG:
            y = y - solid.form.middle(self.view.z[part])
        noise = self._field(grain, scale, sum(map(ord, coat.grain)), step, part, y)
        if coat.grain == "septa":  # thin sheets, where the noise passes through zero
            return np.clip(1 - np.abs(noise) * np.float32(steepness), 0, 1)
        return np.clip((noise + np.float32(coat.amount)) * np.float32(steepness), 0, 1)

    def _blend(self, part, covered: np.ndarray, tissue: Tissue) -> None:
        """Replace the covered share of each pixel by the signal of a tissue with its texture."""
        contrast = self.contrast
        value = contrast.signal[tissue]
        if contrast.fine[tissue] or contrast.coarse[tissue]:
            grainy = self.fine[part] * (contrast.fine[tissue] * value)
            grainy += self.coarse[part] * (contrast.coarse[tissue] * value)
            grainy += value
            value = grainy
        if self.fat is None:
            _mix(self.water[part], covered, value)
        else:
            _mix(self.water[part], covered, value * (1 - contrast.fat[tissue]))
            _mix(self.fat[part], covered, value * contrast.fat[tissue])

    def image(self) -> np.ndarray:
        """Return the image, float32, shape (height, width): water, plus fat moved by the chemical shift."""
        if self.fat is None:
            return self.water
        return self.water + scanner.shifted(self.fat, self.contrast.chemical_shift / self.view.plane.pixel_width)


def _box(near: np.ndarray) -> tuple[slice, slice] | None:
    """Return the rows and columns that enclose every true pixel; None if there is none."""
    left, top, width, height = cv2.boundingRect(near.view(np.uint8))
    return (slice(top, top + height), slice(left, left + width)) if width else None


def _widened(part: slice, step: int, size: int) -> slice:
    """Convert a range of coarse pixels, `step` apart, to the fine pixels around it, with a margin on both sides.

    The range runs from one multiple of `_COARSEST` to another (or to the end), so that noise computed on every few
    pixels has the same values as over the whole image.
    """
    start = (part.start - 1) * step // _COARSEST * _COARSEST
    stop = -(-part.stop * step // _COARSEST) * _COARSEST + 1
    return slice(max(start, 0), min(stop, size))


def _every(part: slice, step: int) -> slice:
    """Convert a range of fine pixels to the range of coarse pixels, `step` apart."""
    return slice(part.start // step, (part.stop - 1) // step + 1)


def _moved(part: slice, window: slice) -> slice:
    """Convert a range within a window to a range of the whole image."""
    return slice(window.start + part.start, window.start + part.stop)


def _mix(below: np.ndarray, covered: np.ndarray, value: np.ndarray | np.float32) -> None:
    """Move `below` towards `value` by the covered share, in place."""
    change = value - below
    change *= covered
    below += change
