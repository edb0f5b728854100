"""Columns along the body: everything that follows the spine or the trunk, from the cord to the skin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np


@dataclass(frozen=True, eq=False)
class Tube:
    """A column along z whose cross section (centre and half axes) is given by tables over z.

    Args:
        z: Heights, mm, shape (n,), increasing and evenly spaced.
        x: Centre to the left, mm, shape (n,).
        y: Centre to the back, mm, shape (n,).
        a: Half axis to the left, mm, shape (n,).
        b: Half axis to the back, mm, shape (n,).
        squareness: 0 for an ellipse, 1 for a rounded rectangle.

    Attributes:
        tables: `x`, `y`, `a` and `b` as float32.
        centre: Centre of the bounding box, body mm, shape (3,).
        reach: Half extents of the bounding box, mm.
        stout: Whether the column is more than 8 mm thick everywhere.
    """

    roundness: ClassVar[float] = 0.25

    z: np.ndarray
    x: np.ndarray
    y: np.ndarray
    a: np.ndarray
    b: np.ndarray
    squareness: float = 0.0
    tables: tuple[np.ndarray, ...] = field(init=False, repr=False)
    centre: np.ndarray = field(init=False, repr=False)
    reach: tuple[float, float, float] = field(init=False, repr=False)
    stout: bool = field(init=False, repr=False)

    def __post_init__(self):
        tables = tuple(np.asarray(t, dtype=np.float32) for t in (self.x, self.y, self.a, self.b))
        x, y, a, b = tables
        low = np.array([(x - a).min(), (y - b).min(), self.z[0]])
        high = np.array([(x + a).max(), (y + b).max(), self.z[-1]])
        object.__setattr__(self, "tables", tables)
        object.__setattr__(self, "centre", (low + high) / 2)
        object.__setattr__(self, "reach", tuple(((high - low) / 2).tolist()))
        object.__setattr__(self, "stout", bool(min(a.min(), b.min()) > 4.0))

    def _rows(self, superior: np.ndarray) -> np.ndarray:
        """Return the row of the tables nearest to each height, int32."""
        first, last, count = self.z[0], self.z[-1], len(self.z)
        place = (superior - np.float32(first)) * np.float32((count - 1) / (last - first))
        return np.clip(place + np.float32(0.5), 0, count - 1).astype(np.int32)

    def middle(self, superior: np.ndarray) -> np.ndarray:
        """Return the y of the column's centre at these heights, mm, float32, shape of `superior`."""
        return self.tables[1].take(self._rows(superior))

    def distance(self, left, posterior, superior):
        """Return the signed distance to the surface, mm, see `lumbar.phantom.shapes.Form`."""
        first, last, index = self.z[0], self.z[-1], self._rows(superior)
        x, y, a, b = (table.take(index) for table in self.tables)
        across, deep = ((left - x) / a) ** 2, ((posterior - y) / b) ** 2
        round_ratio = np.sqrt(across + deep)
        if self.squareness:
            square = np.sqrt(np.sqrt(across * across + deep * deep))
            round_ratio += np.float32(self.squareness) * (square - round_ratio)
        side = (round_ratio - 1) * np.minimum(a, b)
        return np.maximum(side, np.maximum(np.float32(first) - superior, superior - np.float32(last)))
