"""Metal in the spine: fusion cages, and the holes that they leave in MR images.

After a spinal fusion, cages of metal stand between vertebrae. Metal disturbs the magnetic field around it: there the
signal is lost or moved, so that an image shows a black hole, larger than the metal, with a bright rim where the signal
piles up (Hargreaves and others, "Metal-induced artifacts in MRI", American Journal of Roentgenology 197, 2011). What
lies in the hole cannot be seen, and may still have to be marked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lumbar.geometry import Plane
from lumbar.landmarks import LEVELS
from lumbar.phantom.anatomy import Patient

FUSED = 2
"""Number of neighbouring discs with cages."""

_LOWEST_FUSED = dict(zip(LEVELS[2:], (0.25, 0.4, 0.35), strict=True))
"""The lowest disc with cages → how often. Lower discs are fused more often; the shares are a guess."""

_RADIUS_MM = (9.0, 16.0)
_RIM_MM = 2.0
_RIM_BRIGHTNESS = 0.6
"""Brightness of the rim, as a share of the 97th percentile of the image."""


@dataclass(frozen=True, eq=False)
class Hole:
    """A hole in the signal, a ball with a bumpy surface.

    Args:
        centre: Its centre, shape (3,), patient mm (LPS).
        radius: Its mean radius, mm.
        bumps: (4, 2): for 1 to 4 waves around it the height, as a share of the radius, and the phase.
    """

    centre: np.ndarray
    radius: float
    bumps: np.ndarray


@dataclass(frozen=True, eq=False)
class Implants:
    """The implants of one patient.

    Args:
        levels: The discs with cages.
        holes: The holes in the signal around them.
    """

    levels: tuple[str, ...]
    holes: tuple[Hole, ...]

    @property
    def finding(self) -> str:
        """What the table says of them."""
        return f"fusion cages {', '.join(self.levels)}"


def draw_implants(patient: Patient, rng: np.random.Generator) -> Implants:
    """Sample two neighbouring discs with cages, and the holes around them.

    Args:
        patient: The patient.
        rng: Source of random numbers.
    """
    lowest = LEVELS.index(rng.choice(list(_LOWEST_FUSED), p=list(_LOWEST_FUSED.values())))
    levels = LEVELS[lowest - FUSED + 1 : lowest + 1]
    points = patient.landmarks_mm("sagittal")
    holes = []
    for level in levels:
        for _ in range(2):
            # In front of the point at the back of the disc; y increases towards the back.
            centre = points[level, ""] + rng.normal((0, -8, 0), (4, 6, 7))
            bumps = np.column_stack([rng.normal(0, 0.1, 4), rng.uniform(0, 2 * np.pi, 4)])
            holes.append(Hole(centre, rng.uniform(*_RADIUS_MM), bumps))
    return Implants(levels, tuple(holes))


def with_holes(image: np.ndarray, plane: Plane, implants: Implants) -> np.ndarray:
    """Return an image with the holes of the implants that reach its plane.

    Args:
        image: float32, shape (rows, columns).
        plane: Its plane in the patient.
        implants: The implants.

    Returns:
        float32 array of the same shape.
    """
    rows, columns = np.indices(image.shape, dtype=np.float32)
    bright = _RIM_BRIGHTNESS * np.percentile(image, 97)
    for hole in implants.holes:
        depth = plane.distance(hole.centre)
        if abs(depth) >= hole.radius:
            continue
        x, y = plane.to_pixels(hole.centre)
        across, down = (columns - x) * plane.pixel_width, (rows - y) * plane.pixel_height
        angle = np.arctan2(down, across)
        waves = sum(height * np.cos(n * angle + phase) for n, (height, phase) in enumerate(hole.bumps, start=1))
        beyond = np.hypot(across, down) - np.sqrt(hole.radius**2 - depth**2) * (1 + waves)  # mm outside the edge
        signal = 1 / (1 + np.exp(-np.clip(beyond, -30, 30)))
        rim = np.exp(-(((beyond - _RIM_MM) / 1.6) ** 2))
        image = image * signal + rim * bright
    return image.astype(np.float32)
