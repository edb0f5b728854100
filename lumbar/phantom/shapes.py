"""Implicit shapes in millimetres: each gives the signed distance to its surface, negative inside.

A `Form` knows only itself, in its own axes (l to the patient's left, p posterior, s superior); a `Solid` sets a form
into the body and says what it is made of. Distances are exact near the surface where that is cheap, and approximate
elsewhere: they decide soft edges a pixel wide, nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np

from lumbar.phantom.tissue import Tissue


class Form(Protocol):
    """A shape about its own origin.

    `roundness` says how soft a thick slice makes its outline: 1 for a ball, 0 for a prism cut across.
    """

    roundness: ClassVar[float]

    @property
    def reach(self) -> np.ndarray:
        """Half extents of a box that holds the shape, shape (3,), mm."""

    def distance(self, left: np.ndarray, posterior: np.ndarray, superior: np.ndarray) -> np.ndarray:
        """Signed distance to the surface, mm; float32 in, float32 out, shapes broadcast."""


@dataclass(frozen=True)
class Coat:
    """A layer of a solid: everything deeper than `inset` mm below the surface is `tissue`.

    Args:
        tissue: What it is made of.
        inset: Depth of the layer's outer face, mm.
        softness: Width of the transition beyond the pixel's own, mm.
        strength: How much of what lies below is replaced, 0 to 1.
        grain: Name of a pattern (see `lumbar.phantom.render`) that decides where the layer is laid down; "" everywhere.
        amount: How much of the place the pattern fills, in standard deviations of its noise above the mean.
    """

    tissue: Tissue
    inset: float = 0.0
    softness: float = 0.0
    strength: float = 1.0
    grain: str = ""
    amount: float = 0.0


@dataclass(frozen=True)
class Spot:
    """Something inside a solid, in the solid's own axes; it never leaves the solid's last coat."""

    form: Form
    offset: tuple[float, float, float]
    tissue: Tissue
    softness: float = 1.0
    strength: float = 1.0
    roughness: float = 0.0


@dataclass(frozen=True, eq=False)
class Solid:
    """A form placed in the body.

    Args:
        form: Its shape.
        centre: Where its origin lies, shape (3,), body mm.
        axes: Rows are its left, posterior and superior directions, shape (3, 3).
        coats: Layers from the outside in.
        spots: Things inside it.
        roughness: How far noise moves its surface, mm.
    """

    form: Form
    centre: np.ndarray
    axes: np.ndarray
    coats: tuple[Coat, ...]
    spots: tuple[Spot, ...] = ()
    roughness: float = 0.0


@dataclass(frozen=True)
class Ellipsoid:
    """Half axes a (left), b (posterior), c (superior), mm."""

    roundness: ClassVar[float] = 1.0

    a: float
    b: float
    c: float

    @property
    def reach(self) -> np.ndarray:  # noqa: D102
        return np.array([self.a, self.b, self.c])

    @property
    def thinnest(self) -> float:
        """The shortest half axis, mm."""
        return min(self.a, self.b, self.c)

    def distance(self, left, posterior, superior):  # noqa: D102
        scale = self.thinnest
        ratio = np.square(left * np.float32(1 / self.a))
        ratio += np.square(posterior * np.float32(1 / self.b))
        ratio += np.square(superior * np.float32(1 / self.c))
        np.sqrt(ratio, out=ratio)
        ratio -= np.float32(1)
        ratio *= np.float32(scale)
        return ratio


@dataclass(frozen=True)
class Block:
    """A box with rounded edges, its height growing by `flare` from the front to the back.

    Args:
        a: Half width, mm.
        b: Half length along posterior, mm.
        c: Half height in its middle, mm.
        radius: Of the rounding, mm.
        flare: Change of half height from the middle to the back, relative.
    """

    roundness: ClassVar[float] = 0.3

    a: float
    b: float
    c: float
    radius: float
    flare: float = 0.0

    @property
    def reach(self) -> np.ndarray:  # noqa: D102
        return np.array([self.a, self.b, self.c * (1 + abs(self.flare))])

    def distance(self, left, posterior, superior):  # noqa: D102
        radius = np.float32(self.radius)
        height = self.c + (self.c * self.flare / self.b) * posterior if self.flare else np.float32(self.c)
        x = np.abs(left) - np.float32(self.a) + radius
        y = np.abs(posterior) - np.float32(self.b) + radius
        z = np.abs(superior) - height + radius
        inside = np.minimum(np.maximum(np.maximum(x, y), z), 0)
        return inside + np.sqrt(np.maximum(x, 0) ** 2 + np.maximum(y, 0) ** 2 + np.maximum(z, 0) ** 2) - radius


@dataclass(frozen=True)
class Plate:
    """A thin plate with a rounded outline, as a spinous process is: wider behind than in front by `flare`.

    Args:
        a: Half thickness, mm.
        b: Half length along posterior, mm.
        c: Half height in its middle, mm.
        flare: Change of half height from the middle to the back, relative.
    """

    roundness: ClassVar[float] = 0.1

    a: float
    b: float
    c: float
    flare: float = 0.0

    @property
    def reach(self) -> np.ndarray:  # noqa: D102
        return np.array([self.a, self.b, self.c * (1 + abs(self.flare))])

    def distance(self, left, posterior, superior):  # noqa: D102
        along = posterior * np.float32(1 / self.b)
        across = superior / (np.float32(self.c) + np.float32(self.c * self.flare) * np.clip(along, -1, 1))
        along, across = along * along, across * across
        outline = (np.sqrt(np.sqrt(along * along * along + across * across * across + 1e-6)) - 1) * np.float32(
            0.7 * min(self.b, self.c)
        )
        return rounded(outline, np.abs(left) - np.float32(self.a), min(self.a, 2.0))


@dataclass(frozen=True)
class Vertebra:
    """A vertebral body (or a segment of the sacrum).

    Args:
        width: Half width, mm.
        front: Half depth towards the front (from the origin), mm.
        back: Half depth towards the back, mm.
        top: Height of the upper rim above the origin at p = 0, mm.
        bottom: Depth of the lower rim below it, mm.
        top_slope: Rise of the upper rim per mm towards the back.
        bottom_slope: Rise of the lower rim per mm towards the back.
        top_hollow: Depth of the upper endplate's hollow, mm.
        bottom_hollow: Depth of the lower endplate's hollow, mm.
        waist: Narrowing at half height, relative to the depth.
        taper: Growth of the footprint from the middle to the top, relative (sacrum: it shrinks downwards).
        lip: How far the rims stick out at their edges (osteophytes), mm.
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
    def reach(self) -> np.ndarray:  # noqa: D102
        depth = max(self.front, self.back)
        growth = 1 + abs(self.taper)
        tall = max(self.top + abs(self.top_slope) * depth, self.bottom + abs(self.bottom_slope) * depth)
        return np.array([self.width * growth + 1, depth * growth + 1 + self.lip, tall + 1])

    def distance(self, left, posterior, superior):  # noqa: D102
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
    """An intervertebral disc; the bodies above and below are painted over it and give its faces their shape.

    Args:
        width: Half width, mm.
        front: Half depth towards the front, mm.
        back: Half depth towards the back without bulge, mm.
        height: Half height at p = 0, mm.
        slope: Fall of the half height per mm towards the back.
        bulge: How far the margin exceeds the vertebrae all round, mm.
        hernia: How far a focal protrusion sticks out further, mm.
        hernia_side: Its place to the left of the middle, mm.
        hernia_width: Its spread (standard deviation), mm.
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
    def reach(self) -> np.ndarray:  # noqa: D102
        depth = max(self.front, self.back) + self.bulge + self.hernia
        return np.array([self.width + self.bulge, depth, self.height + self.slope * depth + 4])

    def margin(self, left: float) -> float:
        """How far behind the origin the posterior margin lies at `left` mm to the left, at mid-height, mm."""
        across = min(abs(left) / (self.width + self.bulge), 1.0)
        return (self.back + self.bulge + self._hernia(left)) * (1 - across**4) ** 0.25

    def _hernia(self, left):
        if not self.hernia:
            return 0.0
        return self.hernia * np.exp(-0.5 * ((left - self.hernia_side) / self.hernia_width) ** 2)

    def distance(self, left, posterior, superior):  # noqa: D102
        back = self.back + self.bulge + self._hernia(left)
        ratio = footprint(left, posterior, self.width + self.bulge, self.front + self.bulge, back)
        bowl = np.maximum(1 - ratio * ratio, 0)
        face = np.abs(superior) - (self.height + 0.4 - self.slope * posterior + 3 * bowl)
        return rounded((ratio - 1) * np.float32(self.back), face, 2.0)


@dataclass(frozen=True, eq=False)
class Tube:
    """A column along z whose cross section (centre and half axes) is given by tables over z.

    Args:
        z: Rising places, mm, shape (n,), evenly spaced.
        x: Centre to the left, mm, shape (n,).
        y: Centre to the back, mm, shape (n,).
        a: Half axis to the left, mm, shape (n,).
        b: Half axis to the back, mm, shape (n,).
        squareness: 0 for an ellipse, 1 for a rounded rectangle.

    `centre` and `reach` are those of the box that holds it, body mm; `stout` says that it is nowhere thinner than 8 mm.
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
    reach: np.ndarray = field(init=False, repr=False)
    stout: bool = field(init=False, repr=False)

    def __post_init__(self):
        tables = tuple(np.asarray(t, dtype=np.float32) for t in (self.x, self.y, self.a, self.b))
        x, y, a, b = tables
        low = np.array([(x - a).min(), (y - b).min(), self.z[0]])
        high = np.array([(x + a).max(), (y + b).max(), self.z[-1]])
        object.__setattr__(self, "tables", tables)
        object.__setattr__(self, "centre", (low + high) / 2)
        object.__setattr__(self, "reach", (high - low) / 2)
        object.__setattr__(self, "stout", bool(min(a.min(), b.min()) > 4.0))

    def _rows(self, superior: np.ndarray) -> np.ndarray:
        first, last, count = self.z[0], self.z[-1], len(self.z)
        place = (superior - np.float32(first)) * np.float32((count - 1) / (last - first))
        return np.clip(place + np.float32(0.5), 0, count - 1).astype(np.int32)

    def middle(self, superior: np.ndarray) -> np.ndarray:
        """Where along y the middle of the column lies at these heights, mm."""
        return self.tables[1].take(self._rows(superior))

    def distance(self, left, posterior, superior):  # noqa: D102
        first, last, index = self.z[0], self.z[-1], self._rows(superior)
        x, y, a, b = (table.take(index) for table in self.tables)
        across, deep = ((left - x) / a) ** 2, ((posterior - y) / b) ** 2
        round_ratio = np.sqrt(across + deep)
        if self.squareness:
            square = np.sqrt(np.sqrt(across * across + deep * deep))
            round_ratio += np.float32(self.squareness) * (square - round_ratio)
        side = (round_ratio - 1) * np.minimum(a, b)
        return np.maximum(side, np.maximum(np.float32(first) - superior, superior - np.float32(last)))


def footprint(left, posterior, width: float, front: float, back):
    """1 on the outline of a vertebral body seen from above: an ellipse in front, flattened behind."""
    across = np.square(left * np.float32(1 / width))
    behind = np.square(np.maximum(posterior, 0) / back)
    ratio = np.sqrt(across * across + behind * behind)
    ratio += np.square(np.minimum(posterior, 0) * np.float32(1 / front))
    return np.sqrt(ratio, out=ratio)


def rounded(first, second, radius: float):
    """The intersection of two shapes given by their distances, its edge rounded off with `radius` mm."""
    radius = np.float32(radius)
    first, second = first + radius, second + radius
    inside = np.minimum(np.maximum(first, second), 0)
    np.maximum(first, 0, out=first)
    np.maximum(second, 0, out=second)
    outside = np.hypot(first, second, out=first) if first.shape == second.shape else np.hypot(first, second)
    inside += outside
    inside -= radius
    return inside
