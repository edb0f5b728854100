"""Painting solids, one over the other, into the picture of a slice.

Every solid is painted inside the rectangle of pixels it can reach, with edges as soft as a pixel is wide. A slice's
thickness shows in two ways: what fills only part of the slab is laid on with that part of its strength, and surfaces
that slope through the slab get softer edges.
"""

from __future__ import annotations

import numpy as np

from lumbar.phantom import scanner
from lumbar.phantom.contrast import Contrast
from lumbar.phantom.shapes import Coat, Solid, Spot
from lumbar.phantom.texture import even_grain, grain
from lumbar.phantom.tissue import Tissue
from lumbar.phantom.tube import Tube
from lumbar.phantom.view import Cut, View

# name: size of the grain along x, y, z in mm; steepness of the threshold; on every which pixel it is worked out
_PATTERNS = {
    "roots": ((1.3, 1.0, 26.0), 1.6, 1),
    "streaks": ((4.0, 2.0, 13.0), 1.0, 2),
    "septa": ((14.0, 3.0, 16.0), 4.0, 1),
    "lumps": ((11.0, 9.0, 11.0), 3.0, 4),
    "lumps2": ((5.0, 5.0, 6.0), 4.0, 2),
}
_ALONG = ("roots", "streaks")
"""Patterns that follow the curve of the column they are laid on."""


class Canvas:
    """Signal painted so far, from water and from fat."""

    def __init__(self, view: View, contrast: Contrast, seed: int):
        self.view, self.contrast, self.seed = view, contrast, seed
        self.water = np.zeros((view.height, view.width), dtype=np.float32)
        self.fat = np.zeros_like(self.water) if contrast.chemical_shift else None
        self.fine = self._field(grain, (1.0, 1.0, 1.0), 1, 1)
        self.coarse = self._field(even_grain, (9.0, 8.0, 9.0), 2, 4)
        self.bumps = self._field(even_grain, (3.0, 3.0, 3.0), 3, 2)  # what roughens surfaces
        self.bumps *= np.float32(0.6)
        self.bumps += self.coarse * np.float32(0.8)

    def _field(self, kind, scale: tuple[float, float, float], salt: int, step: int, part=np.s_[:, :], y=None):
        """Noise over a rectangle, worked out on every `step`-th pixel."""
        x, z = self.view.x[part], self.view.z[part]
        y = self.view.y[part] if y is None else y
        rows, columns = x.shape
        noise = kind(x[::step, ::step], y[::step, ::step], z[::step, ::step], scale, self.seed % 100_000 + salt)
        return noise if step == 1 else scanner.enlarged(noise, step, columns, rows)

    def paint(self, cut: Cut) -> None:
        """Lay a solid's coats and spots over what is there."""
        solid, part = cut.solid, (cut.rows, cut.columns)
        place = self.view.local(solid.centre, solid.axes, cut.rows, cut.columns)
        distance = self._distance(solid, place)
        if distance is None:
            return
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

    def _distance(self, solid: Solid, place: list[np.ndarray]) -> np.ndarray | None:
        """Distance to the solid's surface, or None if it is nowhere near."""
        rows, columns = place[0].shape
        if not isinstance(solid.form, Tube) or rows * columns < 3000:
            return solid.form.distance(*place)
        # Distances to a column change so evenly that a few pixels tell enough.
        step = 4 if solid.form.stout else 2
        coarse = solid.form.distance(*(axis[::step, ::step] for axis in place))
        return scanner.enlarged(coarse, step, columns, rows) if coarse.min() < 3 * self.view.pixel else None

    def _coverage(self, distance: np.ndarray, coat: Coat, slope: float, share: float) -> np.ndarray | None:
        width = np.float32(-1 / (self.view.pixel + coat.softness + slope))
        covered = distance * width
        covered += np.float32(0.5 + coat.inset * width)
        np.clip(covered, 0, 1, out=covered)
        if coat.strength * share < 1:
            covered *= np.float32(coat.strength * share)
        return covered if covered.any() else None

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
        scale, steepness, step = _PATTERNS[coat.grain]
        y = self.view.y[part]
        if isinstance(solid.form, Tube) and coat.grain in _ALONG:
            y = y - solid.form.middle(self.view.z[part])
        noise = self._field(grain, scale, sum(map(ord, coat.grain)), step, part, y)
        if coat.grain == "septa":  # thin sheets, where the noise passes through zero
            return np.clip(1 - np.abs(noise) * np.float32(steepness), 0, 1)
        return np.clip((noise + np.float32(coat.amount)) * np.float32(steepness), 0, 1)

    def _blend(self, part, covered: np.ndarray, tissue: Tissue) -> None:
        contrast = self.contrast
        value = contrast.signal[tissue]
        if contrast.fine[tissue] or contrast.coarse[tissue]:
            grainy = self.fine[part] * (contrast.fine[tissue] * value)
            grainy += self.coarse[part] * (contrast.coarse[tissue] * value)
            grainy += value
            value = grainy
        if self.fat is None:
            _lay(self.water[part], covered, value)
        else:
            _lay(self.water[part], covered, value * (1 - contrast.fat[tissue]))
            _lay(self.fat[part], covered, value * contrast.fat[tissue])

    def picture(self) -> np.ndarray:
        """Water and fat together, fat moved by the chemical shift."""
        if self.fat is None:
            return self.water
        return self.water + scanner.shifted(self.fat, self.contrast.chemical_shift / self.view.plane.pixel_width)


def _lay(below: np.ndarray, covered: np.ndarray, value: np.ndarray | np.float32) -> None:
    change = value - below
    change *= covered
    below += change
