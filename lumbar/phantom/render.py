"""Cut a patient along any plane and scan the cut.

Painter's algorithm: every solid that the plane meets is painted over what lies there, inside the rectangle of pixels it
can reach, with edges as soft as a pixel is wide. A slice's thickness is sampled at two depths (the two-point Gauss rule
for a slab), every second pixel at the one and the others at the other; the smallest blur of the scanner merges them.
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
from lumbar.phantom.texture import grain
from lumbar.phantom.tissue import Tissue

# name: size of the grain along x, y, z in mm; steepness of the threshold
_PATTERNS = {
    "roots": ((1.3, 1.0, 26.0), 1.6),
    "streaks": ((4.0, 2.0, 13.0), 1.0),
    "lumps": ((11.0, 9.0, 11.0), 1.5),
    "lumps2": ((7.0, 6.0, 8.0), 2.0),
}


class Box(NamedTuple):
    """A rectangle of pixels: rows top to bottom, columns left to right, the ends excluded."""

    top: int
    bottom: int
    left: int
    right: int


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
    for solid, box in view.visible():
        canvas.paint(solid, box)
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
        self.half_slab = thickness / np.sqrt(12)
        self.columns = np.arange(width, dtype=np.float32)[None, :]
        self.rows = np.arange(height, dtype=np.float32)[:, None]
        parity = (np.arange(height)[:, None] + np.arange(width)[None, :]) % 2
        self.depth = ((2 * parity - 1) * self.half_slab).astype(np.float32)
        self.whole = Box(0, height, 0, width)
        self.x, self.y, self.z = self.local(np.zeros(3), np.eye(3), self.whole)

    def visible(self) -> list[tuple[Solid, Box]]:
        """The solids that the slice meets, in painting order, with the pixels they can reach."""
        centres, axes, reaches = self.patient.boxes
        relative = centres - self.origin
        directions = np.stack([self.column_step, self.row_step, self.normal])
        lengths = np.linalg.norm(directions, axis=1)
        units = directions / lengths[:, None]
        middle = relative @ units.T  # (n, 3): along the columns, along the rows, out of the plane; mm
        spread = np.abs(axes @ units.T) * reaches[:, :, None]
        half = spread.sum(axis=1) + 1.5 * self.pixel
        hit = np.abs(middle[:, 2]) <= half[:, 2] + self.half_slab
        low = np.floor((middle[:, :2] - half[:, :2]) / lengths[:2]).astype(int)
        high = np.ceil((middle[:, :2] + half[:, :2]) / lengths[:2]).astype(int) + 1
        low, high = np.maximum(low, 0), np.minimum(high, (self.width, self.height))
        hit &= (high > low).all(axis=1)
        return [
            (self.patient.solids[index], Box(low[index, 1], high[index, 1], low[index, 0], high[index, 0]))
            for index in np.flatnonzero(hit)
        ]

    def local(self, centre: np.ndarray, axes: np.ndarray, box: Box) -> list[np.ndarray]:
        """Coordinates of the box's pixels in a solid's own axes: three float32 arrays, mm."""
        start, right, down, out = (
            axes @ v for v in (self.origin - centre, self.column_step, self.row_step, self.normal)
        )
        rows, columns = self.rows[box.top : box.bottom], self.columns[:, box.left : box.right]
        depth = self.depth[box.top : box.bottom, box.left : box.right]
        places = []
        for axis in range(3):
            place = (rows * np.float32(down[axis]) + np.float32(start[axis])) + columns * np.float32(right[axis])
            if abs(out[axis]) * self.half_slab > 0.02:
                place += depth * np.float32(out[axis])
            places.append(place)
        return places


class _Canvas:
    """Signal painted so far, from water and from fat."""

    def __init__(self, view: _View, contrast: Contrast, seed: int):
        self.view, self.contrast, self.seed = view, contrast, seed
        self.water = np.zeros((view.height, view.width), dtype=np.float32)
        self.fat = np.zeros_like(self.water) if contrast.chemical_shift else None
        self.fine = self._field((1.0, 1.0, 1.0), 1)
        self.coarse = self._field((9.0, 8.0, 9.0), 2)

    def _field(self, scale: tuple[float, float, float], salt: int) -> np.ndarray:
        return grain(self.view.x, self.view.y, self.view.z, scale, self.seed % 100_000 + salt)

    def paint(self, solid: Solid, box: Box) -> None:
        """Lay a solid's coats and spots over what is there."""
        part = np.s_[box.top : box.bottom, box.left : box.right]
        place = self.view.local(solid.centre, solid.axes, box)
        distance = solid.form.distance(*place)
        if solid.roughness:
            distance = distance + np.float32(solid.roughness) * self.coarse[part]
        covered = None
        for coat in solid.coats:
            covered = self._coverage(distance, coat)
            if covered is None:
                return
            if coat.grain:
                covered = covered * self._pattern(coat, solid, place)
            self._blend(part, covered, coat.tissue)
        for spot in solid.spots:
            self._paint_spot(part, place, covered, spot)

    def _coverage(self, distance: np.ndarray, coat: Coat) -> np.ndarray | None:
        width = np.float32(-1 / (self.view.pixel + coat.softness))
        covered = distance * width
        covered += np.float32(0.5) + np.float32(coat.inset) * width
        np.clip(covered, 0, 1, out=covered)
        if coat.strength < 1:
            covered *= np.float32(coat.strength)
        return covered if covered.any() else None

    def _paint_spot(self, part, place, covered: np.ndarray, spot: Spot) -> None:
        distance = spot.form.distance(
            *(axis - np.float32(shift) for axis, shift in zip(place, spot.offset, strict=True))
        )
        if spot.roughness:
            distance += np.float32(spot.roughness) * self.coarse[part]
        inside = self._coverage(distance, Coat(spot.tissue, softness=spot.softness, strength=spot.strength))
        if inside is not None:
            self._blend(part, inside * covered, spot.tissue)

    def _pattern(self, coat: Coat, solid: Solid, place: list[np.ndarray]) -> np.ndarray:
        x, y, z = place
        if coat.grain == "septa":
            lines = grain(x, y, z, (14.0, 3.0, 16.0), self.seed % 100_000 + 7)
            return np.clip(1 - np.abs(lines) * np.float32(4.0), 0, 1)
        if isinstance(solid.form, Tube):
            y = y - solid.form.middle(z)
        scale, steepness = _PATTERNS[coat.grain]
        noise = grain(x, y, z, scale, self.seed % 100_000 + sum(map(ord, coat.grain)))
        return np.clip((noise + np.float32(coat.amount)) * np.float32(steepness), 0, 1)

    def _blend(self, part, covered: np.ndarray, tissue: Tissue) -> None:
        contrast = self.contrast
        value = contrast.signal[tissue]
        if contrast.fine[tissue] or contrast.coarse[tissue]:
            value = value * (1 + contrast.fine[tissue] * self.fine[part] + contrast.coarse[tissue] * self.coarse[part])
        if self.fat is None:
            self.water[part] += covered * (value - self.water[part])
            return
        share = contrast.fat[tissue]
        self.water[part] += covered * (value * (1 - share) - self.water[part])
        self.fat[part] += covered * (value * share - self.fat[part])

    def picture(self) -> np.ndarray:
        """Water and fat together, fat moved by the chemical shift."""
        if self.fat is None:
            return self.water
        return self.water + scanner.shifted(self.fat, self.contrast.chemical_shift / self.view.plane.pixel_width)


def _scanned(picture: np.ndarray, view: _View, contrast: Contrast, rng: np.random.Generator) -> np.ndarray:
    if contrast.name == "ideal":
        return picture
    if view.half_slab:
        picture = cv2.sepFilter2D(picture, -1, _MERGE, _MERGE)
    outline = view.patient.outline
    # Slow fields are worked out on every eighth pixel.
    x, y, z = (field[::8, ::8] for field in (view.x, view.y, view.z))
    skin, front = (np.interp(z, outline.z, table).astype(np.float32) for table in (outline.skin, outline.front))
    gain = scanner.sensitivity(skin - y, z + 10, contrast)
    if contrast.band and abs(view.normal[1]) < 0.5:
        start, end, remains = contrast.band
        ahead = front - y
        inside = np.clip((ahead - start) / 5, 0, 1) * np.clip((end - ahead) / 5, 0, 1)
        gain = gain * (1 - np.float32(1 - remains) * inside.astype(np.float32))
    picture = picture * _enlarged(gain, view)
    if contrast.bias:
        picture *= scanner.shading(view.height, view.width, contrast.bias, rng)
    if contrast.blur > 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), contrast.blur)
    if contrast.gibbs < 1:
        picture = scanner.truncated(picture, contrast.gibbs)
    if contrast.ghost:
        picture = scanner.ghosted(picture, contrast.ghost, contrast.ghost_shift)
    if contrast.noise:
        picture = scanner.noisy(picture, contrast.noise, rng)
    picture = np.minimum(picture, np.float32(contrast.clip))
    return scanner.black_borders(picture, _margins(view, contrast), contrast.warp).astype(np.float32)


_MERGE = np.array([0.25, 0.5, 0.25], dtype=np.float32)


def _enlarged(field: np.ndarray, view: _View) -> np.ndarray:
    rows, columns = field.shape
    matrix = np.array([[1 / 8, 0, 0], [0, 1 / 8, 0]])
    return cv2.warpAffine(
        np.ascontiguousarray(field, dtype=np.float32),
        matrix,
        (view.width, view.height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _margins(view: _View, contrast: Contrast) -> np.ndarray:
    """Black margins in pixels: shares of the room that the discs leave (30 mm at the sides, 15 mm above and below)."""
    points = np.array(list(view.patient.landmarks_mm("coronal").values()))
    pixels = view.plane.to_pixels(points)
    side, end = 45 / view.plane.pixel_width, 25 / view.plane.pixel_height
    (left, top), (right, bottom) = pixels.min(axis=0), pixels.max(axis=0)
    room = np.array([left - side, view.width - 1 - right - side, top - end, view.height - 1 - bottom - end])
    return np.maximum(room, 0) * np.array(contrast.borders)
