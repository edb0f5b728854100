"""Cut a patient along any plane and scan the cut.

Painter's algorithm: every solid that the plane meets is painted over what lies there, inside the rectangle of pixels it
can reach, with edges as soft as a pixel is wide. A slice's thickness shows in two ways: what fills only part of the
slab is laid on with that part of its strength, and surfaces that slope through the slab get softer edges.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from lumbar.geometry import Plane
from lumbar.phantom import scanner
from lumbar.phantom.anatomy import Patient
from lumbar.phantom.contrast import Contrast
from lumbar.phantom.shapes import Coat, Solid, Spot, Tube
from lumbar.phantom.texture import even_grain, grain
from lumbar.phantom.tissue import Tissue

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


class Cut(NamedTuple):
    """A solid that the slice meets.

    Args:
        solid: What is cut.
        rows: Rows of pixels it can reach.
        columns: Columns of pixels it can reach.
        share: How much of the slab's thickness it fills, 0 to 1.
        slope: How far its outline moves through the slab, mm.
    """

    solid: Solid
    rows: slice
    columns: slice
    share: float
    slope: float


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
    view = _View(patient, plane, width, height, thickness)
    canvas = _Canvas(view, contrast, patient.grain)
    for cut in view.cuts():
        canvas.paint(cut)
    return _scanned(canvas.picture(), view, contrast, rng)


class _View:
    """A plane in body coordinates."""

    def __init__(self, patient: Patient, plane: Plane, width: int, height: int, thickness: float):
        self.patient, self.plane, self.width, self.height = patient, plane, width, height
        self.origin = patient.to_body(plane.position)
        self.column_step = plane.along_row @ patient.rotation * plane.pixel_width
        self.row_step = plane.along_column @ patient.rotation * plane.pixel_height
        self.normal = plane.normal @ patient.rotation
        self.pixel = float(np.sqrt(plane.pixel_width * plane.pixel_height))
        self.thickness = thickness
        self.columns = np.arange(width, dtype=np.float32)[None, :]
        self.rows = np.arange(height, dtype=np.float32)[:, None]
        self.x, self.y, self.z = self.local(np.zeros(3), np.eye(3), slice(None), slice(None))

    def cuts(self) -> list[Cut]:
        """The solids that the slice meets, in painting order."""
        centres, axes, reaches, roundness, flat = self.patient.boxes
        directions = np.stack([self.column_step, self.row_step, self.normal])
        lengths = np.linalg.norm(directions, axis=1)
        units = directions / lengths[:, None]
        middle = (centres - self.origin) @ units.T  # (n, 3) mm: along the columns, along the rows, out of the plane
        turned = np.abs(axes @ units.T)  # (n, own axes, 3)
        half = (turned * reaches[:, :, None]).sum(axis=1)
        low = np.floor((middle[:, :2] - half[:, :2]) / lengths[:2] - 1.5).astype(int)
        high = np.ceil((middle[:, :2] + half[:, :2]) / lengths[:2] + 2.5).astype(int)
        low, high = np.maximum(low, 0), np.minimum(high, (self.width, self.height))

        off, deep = np.abs(middle[:, 2]), half[:, 2]
        slab = max(self.thickness, 0.01) / 2
        share = np.clip((np.minimum(off + slab, deep) - np.maximum(off - slab, -deep)) / (2 * slab), 0, 1)
        curved = roundness * off / np.sqrt(np.maximum(deep**2 - off**2, (0.25 * deep) ** 2))
        tilted = np.sort(turned[:, :, 2], axis=1)[:, 1] * flat
        slope = self.thickness * np.minimum(curved + tilted, 1.5)
        hit = (share > 0.02) & (high > low).all(axis=1)
        return [
            Cut(
                self.patient.solids[index],
                slice(low[index, 1], high[index, 1]),
                slice(low[index, 0], high[index, 0]),
                float(share[index]),
                float(slope[index]),
            )
            for index in np.flatnonzero(hit)
        ]

    def local(self, centre: np.ndarray, axes: np.ndarray, rows: slice, columns: slice) -> list[np.ndarray]:
        """Coordinates of a rectangle of pixels in a solid's own axes: three float32 arrays, mm."""
        start, right, down = (self.origin - centre) @ axes.T, axes @ self.column_step, axes @ self.row_step
        along_rows = self.rows[rows] * down.astype(np.float32) + start.astype(np.float32)
        along_columns = self.columns[:, columns] * right.astype(np.float32)[:, None]
        return [along_rows[:, axis, None] + along_columns[axis] for axis in range(3)]


class _Canvas:
    """Signal painted so far, from water and from fat."""

    def __init__(self, view: _View, contrast: Contrast, seed: int):
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
        return noise if step == 1 else enlarged(noise, step, columns, rows)

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
        rows, columns = place[0].shape
        if not (isinstance(solid.form, Tube) and solid.form.stout and rows * columns > 3000):
            return solid.form.distance(*place)
        # The surface of a wide column is so smooth that every fourth pixel tells enough.
        coarse = solid.form.distance(*(axis[::4, ::4] for axis in place))
        return enlarged(coarse, 4, columns, rows) if coarse.min() < 3 * self.view.pixel else None

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


def enlarged(field: np.ndarray, step: int, width: int, height: int) -> np.ndarray:
    """A field known on every `step`-th pixel, from the first on, for all pixels: (height, width) float32."""
    matrix = np.array([[1 / step, 0, 0], [0, 1 / step, 0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(field, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _scanned(picture: np.ndarray, view: _View, contrast: Contrast, rng: np.random.Generator) -> np.ndarray:
    if contrast.name == "ideal":
        return picture
    picture *= enlarged(_gain(view, contrast), 8, view.width, view.height)
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


def _gain(view: _View, contrast: Contrast) -> np.ndarray:
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


def _margins(view: _View, contrast: Contrast) -> np.ndarray:
    """Black margins in pixels: shares of the room around the discs (45 mm kept at the sides, 25 mm above and below)."""
    points = np.array(list(view.patient.landmarks_mm("coronal").values()))
    pixels = view.plane.to_pixels(points)
    side, end = 45 / view.plane.pixel_width, 25 / view.plane.pixel_height
    (left, top), (right, bottom) = pixels.min(axis=0), pixels.max(axis=0)
    room = np.array([left - side, view.width - 1 - right - side, top - end, view.height - 1 - bottom - end])
    return np.maximum(room, 0) * np.array(contrast.borders)
