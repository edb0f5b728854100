"""A slice through a patient: where its pixels lie in the body, and which solids it cuts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lumbar.geometry import Plane
from lumbar.phantom.anatomy import Patient
from lumbar.phantom.shapes import Solid


class Cut(NamedTuple):
    """A solid that the slice cuts.

    Args:
        solid: The solid.
        rows: Rows of pixels that it can reach.
        columns: Columns of pixels that it can reach.
        share: Share of the slab's thickness that it fills, 0 to 1.
        slope: How far its outline moves within the image from one face of the slab to the other, mm.
    """

    solid: Solid
    rows: slice
    columns: slice
    share: float
    slope: float


class View:
    """A slice in body coordinates.

    Args:
        patient: The patient.
        plane: Where the slice lies, patient mm (LPS).
        width: Columns.
        height: Rows.
        thickness: Thickness of the slice, mm.

    Attributes:
        place: Body coordinates of every pixel: x, y and z, mm, float32, shape (3, height, width).
        pixel: Geometric mean of pixel width and height, mm.
        normal: Unit normal of the slice, body coordinates, shape (3,).
    """

    def __init__(self, patient: Patient, plane: Plane, width: int, height: int, thickness: float):
        self.patient, self.plane, self.width, self.height = patient, plane, width, height
        self.origin = patient.to_body(plane.position)
        self.column_step = plane.along_row @ patient.rotation * plane.pixel_width
        self.row_step = plane.along_column @ patient.rotation * plane.pixel_height
        self.normal = plane.normal @ patient.rotation
        self.pixel = float(np.sqrt(plane.pixel_width * plane.pixel_height))
        self.thickness = thickness
        self.columns = np.arange(width, dtype=np.float32)
        self.rows = np.arange(height, dtype=np.float32)
        self.place = self.local(np.zeros(3), np.eye(3), slice(None), slice(None))
        self.x, self.y, self.z = self.place

    def cuts(self) -> list[Cut]:
        """Return the solids that the slice cuts, in the order in which they are painted."""
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

    def local(self, centre: np.ndarray, axes: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        """Return the coordinates of a rectangle of pixels in a solid's own axes.

        Args:
            centre: Origin of the solid, body mm, shape (3,).
            axes: Rows are its directions, body coordinates, shape (3, 3).
            rows: Rows of pixels.
            columns: Columns of pixels.

        Returns:
            float32 array (3, rows, columns), mm.
        """
        start, right, down = (self.origin - centre) @ axes.T, axes @ self.column_step, axes @ self.row_step
        along_rows = down.astype(np.float32)[:, None] * self.rows[rows] + start.astype(np.float32)[:, None]
        along_columns = right.astype(np.float32)[:, None] * self.columns[columns]
        return along_rows[:, :, None] + along_columns[:, None, :]
