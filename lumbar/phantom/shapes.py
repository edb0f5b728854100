"""Implicit shapes in millimetres: each is a signed distance to its surface, negative inside.

A `Form` is a shape in its own axes (left, posterior, superior). A `Solid` places a form in the body and states the
tissues that it is made of. Distances are exact near the surface where that is cheap, and approximate elsewhere: they
only decide soft edges about a pixel wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from lumbar.phantom.tissue import Tissue


class Form(Protocol):
    """A shape about its own origin.

    Attributes:
        roundness: How much a thick slice softens the outline: 1 for a ball, 0 for a prism cut across.
    """

    roundness: ClassVar[float]

    @property
    def reach(self) -> tuple[float, float, float]:
        """Half extents of a box that encloses the shape (left, posterior, superior), mm."""

    def distance(self, left: np.ndarray, posterior: np.ndarray, superior: np.ndarray) -> np.ndarray:
        """Return the signed distance to the surface, mm, negative inside, float32.

        Args:
            left: Coordinate along the left axis, mm, float32; the three shapes broadcast.
            posterior: Coordinate along the posterior axis, mm, float32.
            superior: Coordinate along the superior axis, mm, float32.
        """


@dataclass(frozen=True)
class Coat:
    """A layer of a solid: everything deeper than `inset` mm below the surface is `tissue`.

    Args:
        tissue: Tissue of the layer.
        inset: Depth of the layer's outer face below the surface, mm.
        softness: Width of the soft edge, in addition to that of a pixel, mm.
        strength: Share of the layers below that it replaces, 0 to 1.
        grain: Name of the pattern (see `lumbar.phantom.canvas`) in which the layer is present; "" for everywhere.
        amount: How much of the space the pattern fills, in standard deviations of its noise above the mean.
    """

    tissue: Tissue
    inset: float = 0.0
    softness: float = 0.0
    strength: float = 1.0
    grain: str = ""
    amount: float = 0.0


@dataclass(frozen=True)
class Spot:
    """A structure inside a solid, confined to the solid's last coat.

    Args:
        form: Its shape.
        offset: Its centre in the solid's own axes (left, posterior, superior), mm.
        tissue: Its tissue.
        softness: Width of its soft edge, in addition to that of a pixel, mm.
        strength: Share of the solid that it replaces, 0 to 1.
        roughness: How far noise moves its surface, mm.
    """

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
        centre: Position of the form's origin, body mm, shape (3,).
        axes: Rows are its left, posterior and superior directions, shape (3, 3).
        coats: Layers from the outside in.
        spots: Structures inside it.
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
    """An ellipsoid.

    Args:
        a: Half axis to the left, mm.
        b: Half axis to the back, mm.
        c: Half axis to the head, mm.
    """

    roundness: ClassVar[float] = 1.0

    a: float
    b: float
    c: float

    @property
    def reach(self) -> tuple[float, float, float]:
        """Half extents of a box that encloses the shape, mm, see `Form`."""
        return (self.a, self.b, self.c)

    @property
    def thinnest(self) -> float:
        """The shortest half axis, mm."""
        return min(self.a, self.b, self.c)

    def distance(self, left, posterior, superior):
        """Return the signed distance to the surface, mm, see `Form`."""
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
    """A box with rounded edges; its height may grow from the front to the back.

    Args:
        a: Half width, mm.
        b: Half length from front to back, mm.
        c: Half height in the middle, mm.
        radius: Radius of the rounding, mm.
        flare: Change of half height from the middle to the back, relative.
    """

    roundness: ClassVar[float] = 0.3

    a: float
    b: float
    c: float
    radius: float
    flare: float = 0.0

    @property
    def reach(self) -> tuple[float, float, float]:
        """Half extents of a box that encloses the shape, mm, see `Form`."""
        return (self.a, self.b, self.c * (1 + abs(self.flare)))

    def distance(self, left, posterior, superior):
        """Return the signed distance to the surface, mm, see `Form`."""
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
    """A thin plate with a rounded outline, such as a spinous process; it may be taller behind than in front.

    Args:
        a: Half thickness, mm.
        b: Half length from front to back, mm.
        c: Half height in the middle, mm.
        flare: Change of half height from the middle to the back, relative.
    """

    roundness: ClassVar[float] = 0.1

    a: float
    b: float
    c: float
    flare: float = 0.0

    @property
    def reach(self) -> tuple[float, float, float]:
        """Half extents of a box that encloses the shape, mm, see `Form`."""
        return (self.a, self.b, self.c * (1 + abs(self.flare)))

    def distance(self, left, posterior, superior):
        """Return the signed distance to the surface, mm, see `Form`."""
        along = posterior * np.float32(1 / self.b)
        across = superior / (np.float32(self.c) + np.float32(self.c * self.flare) * np.clip(along, -1, 1))
        along, across = along * along, across * across
        outline = (np.sqrt(np.sqrt(along * along * along + across * across * across + 1e-6)) - 1) * np.float32(
            0.7 * min(self.b, self.c)
        )
        return rounded(outline, np.abs(left) - np.float32(self.a), min(self.a, 2.0))


def rounded(first, second, radius: float):
    """Return the signed distance to the intersection of two shapes, its edge rounded.

    Args:
        first: Signed distance to one shape, mm, float32.
        second: Signed distance to the other, mm, same shape.
        radius: Radius of the rounding, mm.
    """
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
