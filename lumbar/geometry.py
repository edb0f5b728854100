"""Frames and the affine maps between them; every change of frame in the project happens here.

Five frames are in use, and the name of each coordinate says which it is in:

========== ============================================================================================
frame      meaning
========== ============================================================================================
native     pixels of the picture as it was stored: x to the right (column), y down (row). As in DICOM the
           CENTRE of the first pixel is (0, 0), so the picture's outer edges lie at -0.5 and width - 0.5.
corner     native pixels counted from the picture's outer corner, so that the centre of the first pixel is
           (0.5, 0.5): what DICOM's structured reports hold (PS3.3, C.18.6.1.1).
256        pixels of the prepared 256×256 picture, the same rules.
unit       the prepared picture from edge to edge, 0 to 1: ``(x + 0.5) / width``.
patient mm DICOM's patient coordinates: x grows to the patient's Left, y to the Posterior, z to the Superior
           ("LPS"), in millimetres.
========== ============================================================================================

`Affine` maps between two flat frames and moves points and pictures alike; `Plane` places a picture in the patient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

SIZE = 256
"""Width and height of a prepared picture, in pixels, as the documented network takes it."""


@dataclass(frozen=True, eq=False)
class Affine:
    """A map between two flat frames: ``target = matrix[:, :2] @ source + matrix[:, 2]``.

    Args:
        matrix: float64 array of shape (2, 3).
    """

    matrix: np.ndarray

    def __post_init__(self):
        matrix = np.array(self.matrix, dtype=np.float64)
        if matrix.shape != (2, 3) or not np.isfinite(matrix).all():
            raise ValueError(f"an affine map needs a finite 2×3 matrix, got shape {matrix.shape}: {matrix.tolist()}")
        matrix.flags.writeable = False
        object.__setattr__(self, "matrix", matrix)

    # -- making one ---------------------------------------------------------------------------------------------------
    @classmethod
    def identity(cls) -> Affine:
        """The map that changes nothing."""
        return cls(np.eye(2, 3))

    @classmethod
    def translation(cls, dx: float, dy: float) -> Affine:
        """Move by (dx, dy)."""
        return cls([[1, 0, dx], [0, 1, dy]])

    @classmethod
    def scaling(cls, sx: float, sy: float | None = None, *, about: tuple[float, float] = (0.0, 0.0)) -> Affine:
        """Scale by (sx, sy) about a fixed point; `sy` is `sx` if left out."""
        sy = sx if sy is None else sy
        return cls([[sx, 0, about[0] * (1 - sx)], [0, sy, about[1] * (1 - sy)]])

    @classmethod
    def rotation(cls, degrees: float, *, about: tuple[float, float] = (0.0, 0.0)) -> Affine:
        """Turn by `degrees` about a fixed point, from x towards y: clockwise as seen, y being down."""
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        cx, cy = about
        return cls([[c, -s, cx - c * cx + s * cy], [s, c, cy - s * cx - c * cy]])

    @classmethod
    def flip_horizontal(cls, width: int) -> Affine:
        """Mirror left and right in a picture of `width` pixels; pixel 0 lands on pixel width - 1."""
        return cls([[-1, 0, width - 1], [0, 1, 0]])

    @classmethod
    def stretch(cls, width: int, height: int, size: int = SIZE) -> Affine:
        """From a width×height picture to size×size, edge to edge; the aspect is not kept."""
        sx, sy = size / width, size / height
        return cls([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2]])

    @classmethod
    def letterbox(
        cls, width: int, height: int, size: int = SIZE, *, pixel_width: float = 1.0, pixel_height: float = 1.0
    ) -> Affine:
        """From a width×height picture to size×size with true proportions, centred, borders left empty.

        Args:
            width: Columns of the picture.
            height: Rows of the picture.
            size: Side of the square target, pixels.
            pixel_width: Distance between columns, in any unit (mm if known).
            pixel_height: Distance between rows, in the same unit.
        """
        scale = size / max(width * pixel_width, height * pixel_height)
        sx, sy = scale * pixel_width, scale * pixel_height
        return cls([[sx, 0, (size - 1 - sx * (width - 1)) / 2], [0, sy, (size - 1 - sy * (height - 1)) / 2]])

    @classmethod
    def unit(cls, width: int = SIZE, height: int = SIZE) -> Affine:
        """From pixels of a width×height picture to unit coordinates, (x + 0.5) / width."""
        return cls([[1 / width, 0, 0.5 / width], [0, 1 / height, 0.5 / height]])

    @classmethod
    def corner(cls) -> Affine:
        """From native pixels to those counted from the picture's outer corner."""
        return cls.translation(0.5, 0.5)

    # -- using one ----------------------------------------------------------------------------------------------------
    def then(self, following: Affine) -> Affine:
        """This map first, `following` after it."""
        return Affine((following._square @ self._square)[:2])

    def inverse(self) -> Affine:
        """The way back.

        Raises:
            ValueError: If the map flattens the picture (its determinant is zero).
        """
        linear = self.matrix[:, :2]
        if abs(np.linalg.det(linear)) < 1e-12:
            raise ValueError(f"this map has no inverse: {self.matrix.tolist()}")
        back = np.linalg.inv(linear)
        return Affine(np.column_stack([back, -back @ self.matrix[:, 2]]))

    def points(self, xy: np.ndarray) -> np.ndarray:
        """Move points; NaN (a missing landmark) stays NaN.

        Args:
            xy: Array of shape (..., 2) in the source frame.

        Returns:
            float64 array of the same shape in the target frame.
        """
        return np.asarray(xy, dtype=np.float64) @ self.matrix[:, :2].T + self.matrix[:, 2]

    def vectors(self, dxdy: np.ndarray) -> np.ndarray:
        """Move differences between points (errors, directions): the shift does not apply. Shape (..., 2)."""
        return np.asarray(dxdy, dtype=np.float64) @ self.matrix[:, :2].T

    def image(self, picture: np.ndarray, width: int = SIZE, height: int = SIZE, *, fill: float = 0) -> np.ndarray:
        """Move a picture with the points: what lay at `xy` lies at ``points(xy)`` afterwards.

        Shrinking averages over the pixels that merge (no aliasing), everything else is bilinear.

        Args:
            picture: (rows, columns) array, uint8, uint16, int16 or float32, in the source frame.
            width: Columns of the result.
            height: Rows of the result.
            fill: Value outside the source picture.

        Returns:
            (height, width) array of the same dtype.
        """
        sx, sy = np.linalg.norm(self.matrix[:, 0]), np.linalg.norm(self.matrix[:, 1])
        # Each output pixel covers 1/s source pixels; a blur of half that width removes what it cannot show.
        sigma_x, sigma_y = (0.5 * math.sqrt(max(0.0, 1 / s**2 - 1)) for s in (sx, sy))
        if max(sigma_x, sigma_y) > 0.3:
            kernel = [2 * math.ceil(3 * sigma) + 1 for sigma in (sigma_x, sigma_y)]
            picture = cv2.GaussianBlur(
                picture, kernel, sigmaX=max(sigma_x, 1e-3), sigmaY=max(sigma_y, 1e-3), borderType=cv2.BORDER_REPLICATE
            )
        return cv2.warpAffine(
            picture,
            self.matrix,
            (width, height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=fill,
        )

    @property
    def is_identity(self) -> bool:
        """Whether it changes nothing."""
        return bool(np.allclose(self.matrix, np.eye(2, 3), rtol=0, atol=1e-12))

    @property
    def _square(self) -> np.ndarray:
        return np.vstack([self.matrix, [0, 0, 1]])


@dataclass(frozen=True, eq=False)
class Plane:
    """Where a picture lies in the patient: DICOM's image plane module (PS3.3, C.7.6.2.1.1).

    Args:
        position: Image Position (Patient): centre of the first pixel, shape (3,), mm, LPS.
        along_row: unit vector in which the column index grows (the first three of Image Orientation (Patient)).
        along_column: unit vector in which the row index grows (the last three).
        pixel_width: distance between the centres of neighbouring columns, mm (the SECOND value of Pixel Spacing).
        pixel_height: distance between the centres of neighbouring rows, mm (the FIRST value of Pixel Spacing).

    Raises:
        ValueError: If the directions are not perpendicular unit vectors or a spacing is not positive.
    """

    position: np.ndarray
    along_row: np.ndarray
    along_column: np.ndarray
    pixel_width: float
    pixel_height: float

    def __post_init__(self):
        for name in ("position", "along_row", "along_column"):
            vector = np.array(getattr(self, name), dtype=np.float64)
            if vector.shape != (3,) or not np.isfinite(vector).all():
                raise ValueError(f"{name} needs three finite numbers, got {vector.tolist()}")
            vector.flags.writeable = False
            object.__setattr__(self, name, vector)
        lengths = np.linalg.norm(self.along_row), np.linalg.norm(self.along_column)
        if abs(self.along_row @ self.along_column) > 1e-3 or max(abs(length - 1) for length in lengths) > 1e-3:
            raise ValueError(
                f"the directions must be perpendicular unit vectors, got {self.along_row.tolist()} and "
                f"{self.along_column.tolist()}"
            )
        for name in ("pixel_width", "pixel_height"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"{name} must be a positive number of millimetres, got {getattr(self, name)}")

    @property
    def normal(self) -> np.ndarray:
        """Unit vector out of the plane, shape (3,): along_row × along_column."""
        return np.cross(self.along_row, self.along_column)

    def to_patient(self, xy_native: np.ndarray) -> np.ndarray:
        """Pixels to patient millimetres (DICOM PS3.3, equation C.7.6.2.1-1).

        Args:
            xy_native: shape (..., 2), native pixels (x is the column, y the row).

        Returns:
            float64, shape (..., 3), mm, LPS.
        """
        xy = np.asarray(xy_native, dtype=np.float64)
        steps = np.stack([self.along_row * self.pixel_width, self.along_column * self.pixel_height])
        return xy @ steps + self.position

    def to_pixels(self, xyz_mm: np.ndarray) -> np.ndarray:
        """Patient millimetres to pixels, projected at right angles onto the plane.

        Args:
            xyz_mm: shape (..., 3), mm, LPS.

        Returns:
            float64, shape (..., 2), native pixels.
        """
        offset = np.asarray(xyz_mm, dtype=np.float64) - self.position
        return np.stack(
            [offset @ self.along_row / self.pixel_width, offset @ self.along_column / self.pixel_height], axis=-1
        )

    def distance(self, xyz_mm: np.ndarray) -> np.ndarray:
        """Signed distance of patient points, shape (..., 3), from the plane along `normal`, mm, shape (...)."""
        return (np.asarray(xyz_mm, dtype=np.float64) - self.position) @ self.normal


USUAL_DISPLAY = {
    "sagittal": ((0, 1, 0), (0, 0, -1)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "axial": ((1, 0, 0), (0, 1, 0)),
}
"""Directions (LPS) to the right and down in each plane as radiologists show it: sagittal with the patient facing left,
coronal seen from the front, axial from the feet, head or front up."""


def nearest_view(orientation: Sequence[Sequence[float]]) -> str | None:
    """Return the anatomical plane nearest to an image's plane.

    Args:
        orientation: (2, 3): unit vectors along a row and along a column, patient coordinates.

    Returns:
        "sagittal", "coronal" or "axial"; None if the two directions are parallel.
    """
    (a, b, c), (d, e, f) = orientation
    normal = [abs(b * f - c * e), abs(c * d - a * f), abs(a * e - b * d)]  # np.cross takes ten times as long
    return tuple(USUAL_DISPLAY)[normal.index(max(normal))] if any(normal) else None


def upright(orientation: np.ndarray, width: int, height: int) -> tuple[Affine, int, int]:
    """From a picture as it is stored to the same picture as it is usually shown: mirrored, or turned by right angles.

    Args:
        orientation: (2, 3): unit vectors along a row and along a column, patient coordinates.
        width: Columns of the stored picture.
        height: Rows of the stored picture.

    Returns:
        The map of the pixels (the identity for a picture stored as it is shown), and the shown picture's columns and
        rows.
    """
    shown = np.array(USUAL_DISPLAY[nearest_view(orientation)], dtype=np.float64)
    cosines = shown @ np.asarray(orientation, dtype=np.float64).T  # [shown axis, stored axis]
    across = abs(cosines[0, 1]) + abs(cosines[1, 0]) > abs(cosines[0, 0]) + abs(cosines[1, 1])
    chosen = np.array([[0, 1], [1, 0]] if across else [[1, 0], [0, 1]])
    linear = chosen * np.where(cosines < 0, -1, 1)
    # An axis that runs backwards ends where it began: its last pixel becomes the first.
    shift = np.where(linear < 0, np.array([width, height]) - 1, 0).sum(axis=1)
    return Affine(np.column_stack([linear, shift])), *((height, width) if across else (width, height))
