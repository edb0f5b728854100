"""The shapes of vertebral bodies, sacral segments and discs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lumbar.phantom.shapes import rounded


@dataclass(frozen=True)
class Vertebra:
    """A vertebral body or a segment of the sacrum.

    Args:
        width: Half width, mm.
        front: Depth in front of the origin, mm.
        back: Depth behind the origin, mm.
        top: Height of the upper rim above the origin, mm, where posterior is 0.
        bottom: Depth of the lower rim below the origin, mm, where posterior is 0.
        top_slope: Rise of the upper rim per mm towards the back.
        bottom_slope: Rise of the lower rim per mm towards the back.
        top_hollow: Depth of the concavity of the upper endplate, mm.
        bottom_hollow: Depth of the concavity of the lower endplate, mm.
        waist: Narrowing at half height, relative to the depth.
        taper: Growth of the cross section from the middle to the top, relative (the sacrum shrinks downwards).
        lip: How far the rims stick out (osteophytes), mm.
    """

    roundness: ClassVar[float] = 0.3

    width: float
    front: float
    back: float
    top: float
    bottom: float
    top_slope: float = 0.0
    bottom_slope: float = 0.0
    top_hollow: float = 1.5
    bottom_hollow: float = 2.2
    waist: float = 0.08
    taper: float = 0.0
    lip: float = 0.0

    @property
    def reach(self) -> tuple[float, float, float]:
        """Half extents of a box that encloses the shape, mm, see `lumbar.phantom.shapes.Form`."""
        depth = max(self.front, self.back)
        growth = 1 + abs(self.taper)
        tall = max(self.top + abs(self.top_slope) * depth, self.bottom + abs(self.bottom_slope) * depth)
        return (self.width * growth + 1, depth * growth + 1 + self.lip, tall + 1)

    def distance(self, left, posterior, superior):
        """Return the signed distance to the surface, mm, see `lumbar.phantom.shapes.Form`."""
        height = np.clip(superior * np.float32(2 / (self.top + self.bottom)), -1.2, 1.2)
        scale = 1 - self.waist * (1 - height * height)
        if self.taper:
            scale = scale + self.taper * height
        if self.lip:
            scale = scale + np.float32(self.lip / self.front) * np.square(np.square(np.square(height)))
        ratio = footprint(left, posterior, self.width, self.front, self.back) / scale
        bowl = np.maximum(1 - ratio * ratio, 0)
        top = superior - (self.top + self.top_slope * posterior - self.top_hollow * bowl)
        bottom = -superior - (self.bottom - self.bottom_slope * posterior - self.bottom_hollow * bowl)
        side = (ratio - 1) * np.float32(min(self.front, self.back))
        return rounded(side, np.maximum(top, bottom), 1.5)


@dataclass(frozen=True)
class Disc:
    """An intervertebral disc; the bodies above and below are painted over it and shape its faces.

    Args:
        width: Half width, mm.
        front: Depth in front of the origin without bulge, mm.
        back: Depth behind the origin without bulge, mm.
        height: Half height where posterior is 0, mm.
        slope: Decrease of the half height per mm towards the back.
        bulge: How far the margin exceeds the vertebrae all round, mm.
        hernia: How far a focal protrusion sticks out beyond that, mm.
        hernia_side: Position of the protrusion to the left of the middle, mm.
        hernia_width: Standard deviation of the protrusion's profile, mm.
    """

    roundness: ClassVar[float] = 0.3

    width: float
    front: float
    back: float
    height: float
    slope: float
    bulge: float = 0.8
    hernia: float = 0.0
    hernia_side: float = 0.0
    hernia_width: float = 6.0

    @property
    def reach(self) -> tuple[float, float, float]:
        """Half extents of a box that encloses the shape, mm, see `lumbar.phantom.shapes.Form`."""
        depth = max(self.front, self.back) + self.bulge + self.hernia
        return (self.width + self.bulge, depth, self.height + self.slope * depth + 4)

    def margin(self, left: float) -> float:
        """Return how far the posterior margin lies behind the origin at `left` mm to the left, at mid-height, mm."""
        across = min(abs(left) / (self.width + self.bulge), 1.0)
        return (self.back + self.bulge + self._hernia(left)) * (1 - across**4) ** 0.25

    def _hernia(self, left):
        if not self.hernia:
            return 0.0
        return self.hernia * np.exp(-0.5 * ((left - self.hernia_side) / self.hernia_width) ** 2)

    def distance(self, left, posterior, superior):
        """Return the signed distance to the surface, mm, see `lumbar.phantom.shapes.Form`."""
        back = self.back + self.bulge + self._hernia(left)
        ratio = footprint(left, posterior, self.width + self.bulge, self.front + self.bulge, back)
        bowl = np.maximum(1 - ratio * ratio, 0)
        face = np.abs(superior) - (self.height + 0.4 - self.slope * posterior + 3 * bowl)
        return rounded((ratio - 1) * np.float32(self.back), face, 2.0)


def footprint(left, posterior, width: float, front: float, back):
    """Return the relative distance from the centre in a cross section: 1 on the outline of a vertebral body.

    Seen from above, the outline is an ellipse in front and flattened behind.

    Args:
        left: Coordinate along the left axis, mm, float32; broadcasts with `posterior`.
        posterior: Coordinate along the posterior axis, mm, float32.
        width: Half width, mm.
        front: Depth in front of the origin, mm.
        back: Depth behind the origin, mm, one number or an array.
    """
    across = np.square(left * np.float32(1 / width))
    behind = np.square(np.maximum(posterior, 0) / back)
    ratio = np.sqrt(across * across + behind * behind)
    ratio += np.square(np.minimum(posterior, 0) * np.float32(1 / front))
    return np.sqrt(ratio, out=ratio)
