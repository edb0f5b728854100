"""Coordinate frames and the maps between them; every change of frame in the project happens here.

There are five frames, and the name of each coordinate states its frame:

========== ==========================================================================================
frame      meaning
========== ==========================================================================================
native     pixels of the image as it is stored: x is the column, y the row. As in DICOM, the CENTRE of
           the first pixel is (0, 0), so the outer edges of the image lie at -0.5 and width - 0.5.
corner     native pixels counted from the image's outer corner, so that the centre of the first pixel
           is (0.5, 0.5), as in DICOM structured reports (PS3.3, C.18.6.1.1).
256        pixels of the prepared 256×256 image, counted as in the native frame.
unit       the prepared image from edge to edge, 0 to 1: ``(x + 0.5) / width``.
patient mm DICOM patient coordinates in millimetres: x increases to the patient's Left, y to the
           Posterior, z to the Superior ("LPS").
========== ==========================================================================================

`Affine` maps points and images from one plane frame to another; `Plane` places an image in the patient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

SIZE = 256
"""Width and height of a prepared image, in pixels: the input size of the documented network."""


@dataclass(frozen=True, eq=False)
class Affine:
    """An affine map between two plane frames: ``target = matrix[:, :2] @ source + matrix[:, 2]``.

    Args:
        matrix: float64 array of shape (2, 3), finite.

    Raises:
        ValueError: If the matrix has another shape or is not finite.
    """

    matrix: np.ndarray

    def __post_init__(self):
        matrix = np.array(self.matrix, dtype=np.float64)
        if matrix.shape != (2, 3) or not np.isfinite(matrix).all():
            raise ValueError(f"an affine map needs a finite 2×3 matrix, got shape {matrix.shape}: {matrix.tolist()}")
        matrix.flags.writeable = False
        object.__setattr__(self, "matrix", matrix)

    # -- constructors -------------------------------------------------------------------------------------------------
    @classmethod
    def identity(cls) -> Affine:
        """Return the identity map."""
        return cls(np.eye(2, 3))

    @classmethod
    def translation(cls, dx: float, dy: float) -> Affine:
        """Return the map that moves points by (dx, dy)."""
        return cls([[1, 0, dx], [0, 1, dy]])

    @classmethod
    def scaling(cls, sx: float, sy: float | None = None, *, about: tuple[float, float] = (0.0, 0.0)) -> Affine:
        """Return the map that scales by (sx, sy) and leaves the point `about` where it is; `sy` defaults to `sx`."""
        sy = sx if sy is None else sy
        return cls([[sx, 0, about[0] * (1 - sx)], [0, sy, about[1] * (1 - sy)]])

    @classmethod
    def rotation(cls, degrees: float, *, about: tuple[float, float] = (0.0, 0.0)) -> Affine:
        """Return the rotation about the point `about` from x towards y, which is clockwise because y points down."""
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        cx, cy = about
        return cls([[c, -s, cx - c * cx + s * cy], [s, c, cy - s * cx - c * cy]])

    @classmethod
    def flip_horizontal(cls, width: int) -> Affine:
        """Return the map that mirrors an image of `width` columns; column 0 becomes column width - 1."""
        return cls([[-1, 0, width - 1], [0, 1, 0]])

    @classmethod
    def stretch(cls, width: int, height: int, size: int = SIZE) -> Affine:
        """Return the map from a width×height image to size×size, edge to edge, whatever the aspect ratio."""
        sx, sy = size / width, size / height
        return cls([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2]])

    @classmethod
    def letterbox(
        cls, width: int, height: int, size: int = SIZE, *, pixel_width: float = 1.0, pixel_height: float = 1.0
    ) -> Affine:
        """Return the map that centres a width×height image in size×size, with true proportions and empty borders.

        Args:
            width: Columns of the image.
            height: Rows of the image.
            size: Side of the square target, pixels.
            pixel_width: Distance between columns, in any unit (mm if known).
            pixel_height: Distance between rows, in the same unit.
        """
        scale = size / max(width * pixel_width, height * pixel_height)
        sx, sy = scale * pixel_width, scale * pixel_height
        return cls([[sx, 0, (size - 1 - sx * (width - 1)) / 2], [0, sy, (size - 1 - sy * (height - 1)) / 2]])

    @classmethod
    def unit(cls, width: int = SIZE, height: int = SIZE) -> Affine:
        """Return the map from pixels of a width×height image to unit coordinates, (x + 0.5) / width."""
        return cls([[1 / width, 0, 0.5 / width], [0, 1 / height, 0.5 / height]])

    @classmethod
    def corner(cls) -> Affine:
        """Return the map from native pixels to pixels counted from the image's outer corner."""
        return cls.translation(0.5, 0.5)

    # -- application --------------------------------------------------------------------------------------------------
    def then(self, following: Affine) -> Affine:
        """Return the composition: this map first, then `following`."""
        return Affine((following._square @ self._square)[:2])

    def inverse(self) -> Affine:
        """Return the inverse map.

        Raises:
            ValueError: If the map is singular (its determinant is zero).
        """
        linear = self.matrix[:, :2]
        if abs(np.linalg.det(linear)) < 1e-12:
            raise ValueError(f"this map has no inverse: {self.matrix.tolist()}")
        back = np.linalg.inv(linear)
        return Affine(np.column_stack([back, -back @ self.matrix[:, 2]]))

    def points(self, xy: np.ndarray) -> np.ndarray:
        """Map points; NaN (a missing landmark) stays NaN.

        Args:
            xy: Array of shape (..., 2) in the source frame.

        Returns:
            float64 array of the same shape in the target frame.
        """
        return np.asarray(xy, dtype=np.float64) @ self.matrix[:, :2].T + self.matrix[:, 2]

    def vectors(self, dxdy: np.ndarray) -> np.ndarray:
        """Map differences between points (errors, directions), shape (..., 2): the translation does not apply."""
        return np.asarray(dxdy, dtype=np.float64) @ self.matrix[:, :2].T

    def image(self, pixels: np.ndarray, width: int = SIZE, height: int = SIZE, *, fill: float = 0) -> np.ndarray:
        """Resample an image like the points: what lies at `xy` in the source lies at ``points(xy)`` in the result.

        Interpolation is bilinear; a Gaussian filter before shrinking prevents aliasing.

        Args:
            pixels: (rows, columns) array, uint8, uint16, int16 or float32, in the source frame.
            width: Columns of the result.
            height: Rows of the result.
            fill: Value outside the source image.

        Returns:
            (height, width) array of the same dtype.
        """
        sx, sy = np.linalg.norm(self.matrix[:, 0]), np.linalg.norm(self.matrix[:, 1])
        # Each output pixel covers 1/s source pixels; a blur of half that width removes detail that it cannot hold.
        sigma_x, sigma_y = (0.5 * math.sqrt(max(0.0, 1 / s**2 - 1)) for s in (sx, sy))
        if max(sigma_x, sigma_y) > 0.3:
            kernel = [2 * math.ceil(3 * sigma) + 1 for sigma in (sigma_x, sigma_y)]
            pixels = cv2.GaussianBlur(
                pixels, kernel, sigmaX=max(sigma_x, 1e-3), sigmaY=max(sigma_y, 1e-3), borderType=cv2.BORDER_REPLICATE
            )
        return cv2.warpAffine(pixels, self.matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=fill)

    @property
    def is_identity(self) -> bool:
        """Whether this is the identity map, to 1e-12."""
        return bool(np.allclose(self.matrix, np.eye(2, 3), rtol=0, atol=1e-12))

    @property
    def _square(self) -> np.ndarray:
        return np.vstack([self.matrix, [0, 0, 1]])


@dataclass(frozen=True, eq=False)
class Plane:
    """The position of an image in the patient: DICOM's Image Plane Module (PS3.3, C.7.6.2.1.1).

    Args:
        position: Image Position (Patient): centre of the first pixel, shape (3,), mm, LPS.
        along_row: Unit vector, (3,), along which the column index increases: Image Orientation (Patient), first half.
        along_column: Unit vector, (3,), along which the row index increases: Image Orientation (Patient), second half.
        pixel_width: Distance between the centres of neighbouring columns, mm (the SECOND value of Pixel Spacing).
        pixel_height: Distance between the centres of neighbouring rows, mm (the FIRST value of Pixel Spacing).

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
            row, column = self.along_row.tolist(), self.along_column.tolist()
            raise ValueError(f"the directions must be perpendicular unit vectors, got {row} and {column}")
        for name in ("pixel_width", "pixel_height"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"{name} must be a positive number of millimetres, got {getattr(self, name)}")

    @property
    def normal(self) -> np.ndarray:
        """Unit vector perpendicular to the plane, shape (3,), LPS: along_row × along_column."""
        return np.cross(self.along_row, self.along_column)

    def to_patient(self, xy_native: np.ndarray) -> np.ndarray:
        """Convert pixels to patient millimetres (DICOM PS3.3, equation C.7.6.2.1-1).

        Args:
            xy_native: Shape (..., 2), native pixels (x is the column, y the row).

        Returns:
            float64, shape (..., 3), mm, LPS.
        """
        xy = np.asarray(xy_native, dtype=np.float64)
        steps = np.stack([self.along_row * self.pixel_width, self.along_column * self.pixel_height])
        return xy @ steps + self.position

    def to_pixels(self, xyz_mm: np.ndarray) -> np.ndarray:
        """Convert patient millimetres to pixels of the point's orthogonal projection onto the plane.

        Args:
            xyz_mm: Shape (..., 3), mm, LPS.

        Returns:
            float64, shape (..., 2), native pixels.
        """
        offset = np.asarray(xyz_mm, dtype=np.float64) - self.position
        xy = offset @ self.along_row / self.pixel_width, offset @ self.along_column / self.pixel_height
        return np.stack(xy, axis=-1)

    def distance(self, xyz_mm: np.ndarray) -> np.ndarray:
        """Return the distance of patient points from the plane, mm, shape (...); positive on the side of `normal`.

        Args:
            xyz_mm: Shape (..., 3), mm, LPS.
        """
        return (np.asarray(xyz_mm, dtype=np.float64) - self.position) @ self.normal


USUAL_DISPLAY = {
    "sagittal": ((0, 1, 0), (0, 0, -1)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "axial": ((1, 0, 0), (0, 1, 0)),
}
"""Directions (LPS) to the right and down in each plane as radiologists display it: sagittal with the patient facing
left, coronal seen from the front, axial seen from the feet; the head, or in axial images the front, is at the top."""


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
    """Find the map from an image as it is stored to the same image as it is usually displayed.

    Args:
        orientation: (2, 3): unit vectors along a row and along a column, patient coordinates.
        width: Columns of the stored image.
        height: Rows of the stored image.

    Returns:
        The map of the pixels, a mirroring or a rotation by right angles (the identity for an image that is stored as it
        is displayed), and the columns and rows of the displayed image.
    """
    shown = np.array(USUAL_DISPLAY[nearest_view(orientation)], dtype=np.float64)
    cosines = shown @ np.asarray(orientation, dtype=np.float64).T  # [shown axis, stored axis]
    across = abs(cosines[0, 1]) + abs(cosines[1, 0]) > abs(cosines[0, 0]) + abs(cosines[1, 1])
    chosen = np.array([[0, 1], [1, 0]] if across else [[1, 0], [0, 1]])
    linear = chosen * np.where(cosines < 0, -1, 1)
    # On a reversed axis the last pixel becomes the first.
    shift = np.where(linear < 0, np.array([width, height]) - 1, 0).sum(axis=1)
    return Affine(np.column_stack([linear, shift])), *((height, width) if across else (width, height))
