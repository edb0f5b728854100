"""Implicit shapes in millimetres: each gives the signed distance to its surface, negative inside.

A `Form` knows only itself, in its own axes (l to the patient's left, p posterior, s superior); a `Solid` sets a form
into the body and says what it is made of. Distances are exact near the surface where that is cheap, and approximate
elsewhere: they decide soft edges a pixel wide, nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from lumbar.phantom.tissue import Tissue


class Form(Protocol):
    """A shape about its own origin.

    `roundness` says how soft a thick slice makes its outline: 1 for a ball, 0 for a prism cut across.
    """

    roundness: ClassVar[float]

    @property
    def reach(self) -> tuple[float, float, float]:
        """Half extents of a box that holds the shape, mm."""

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
    def reach(self) -> tuple[float, float, float]:  # noqa: D102
        return (self.a, self.b, self.c)

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
    def reach(self) -> tuple[float, float, float]:  # noqa: D102
        return (self.a, self.b, self.c * (1 + abs(self.flare)))

    def distance(self, left, posterior, superior):  # noqa: D102
        radius = np.float32(self.radius)
        height = self.c + (self.c * self.flare / self.b) * posterior if self.flare else np.float32(self.c)
        x = np.abs(left) - np.float32(self.a) + radius
        y = np.abs(posterior) - np.float32(self.b) + radius
        z = np.abs(superior) - height + radius
        inside = np.minimum(np.maximum(np.maximum(x, y), z), 0)
        outside = np.zeros_like(inside)
        for axis in (x, y, z):
            np.maximum(axis, 0, out=axis)
            outside += np.square(axis, out=axis)
        inside += np.sqrt(outside, out=outside)
        inside -= radius
        return inside


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
    def reach(self) -> tuple[float, float, float]:  # noqa: D102
        return (self.a, self.b, self.c * (1 + abs(self.flare)))

    def distance(self, left, posterior, superior):  # noqa: D102
        along = posterior * np.float32(1 / self.b)
        across = superior / (np.float32(self.c) + np.float32(self.c * self.flare) * np.clip(along, -1, 1))
        along, across = along * along, across * across
        outline = (np.sqrt(np.sqrt(along * along * along + across * across * across + 1e-6)) - 1) * np.float32(
            0.7 * min(self.b, self.c)
        )
        return rounded(outline, np.abs(left) - np.float32(self.a), min(self.a, 2.0))


def rounded(first, second, radius: float):
    """The intersection of two shapes given by their distances, its edge rounded off with `radius` mm."""
    radius = np.float32(radius)
    first, second = first + radius, second + radius
    inside = np.minimum(np.maximum(first, second), 0)
    np.maximum(first, 0, out=first)
    np.maximum(second, 0, out=second)
    first *= first
    second *= second
    inside += np.sqrt(first + second)
    inside -= radius
    return inside
