"""The spinal column as a chain of frames: position and orientation of each body, disc and sacral segment.

Body coordinates: x to the left, y to the back, z to the head, mm, origin in the middle of L3. "Pitch" is how far the
upward axis of a segment leans forward, degrees: the pitch of an endplate is its slope in a side view.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lumbar.phantom.segments import Disc, Vertebra
from lumbar.phantom.variation import VERTEBRAE, Variation

HALF_CLEFT_MM = 0.6
"""Half the distance between two segments of the sacrum, in which the remains of their disc lie, mm."""


@dataclass(frozen=True, eq=False)
class Segment:
    """A vertebral body, disc or sacral segment in its place.

    Args:
        name: "L3", "L3/L4", "S1" …
        form: Its shape.
        centre: Origin of the shape, body mm, shape (3,).
        axes: Rows are its left, posterior and superior directions, shape (3, 3).
    """

    name: str
    form: Vertebra | Disc
    centre: np.ndarray
    axes: np.ndarray

    def place(self, left: float, posterior: float, superior: float) -> np.ndarray:
        """Convert a point from the segment's own axes, mm, to body mm, shape (3,)."""
        return self.centre + np.array([left, posterior, superior]) @ self.axes


@dataclass(frozen=True, eq=False)
class Column:
    """All segments of the column.

    Args:
        bodies: Vertebral bodies from T8 down to L5.
        discs: The disc below each of them, from T8/T9 down to L5/S1.
        sacrum: S1 to S5 and three coccygeal segments.
    """

    bodies: tuple[Segment, ...]
    discs: tuple[Segment, ...]
    sacrum: tuple[Segment, ...]


def axes(pitch: float, tilt: float) -> np.ndarray:
    """Return the directions of a segment.

    Args:
        pitch: How far it leans forward, degrees.
        tilt: How far it leans to the left, degrees.

    Returns:
        Rows are its left, posterior and superior directions, body coordinates, shape (3, 3).
    """
    sin_pitch, cos_pitch = np.sin(np.radians(pitch)), np.cos(np.radians(pitch))
    sin_tilt, cos_tilt = np.sin(np.radians(tilt)), np.cos(np.radians(tilt))
    upright = np.array([[1.0, 0.0, 0.0], [0.0, cos_pitch, sin_pitch], [0.0, -sin_pitch, cos_pitch]])
    return upright @ np.array([[cos_tilt, 0.0, -sin_tilt], [0.0, 1.0, 0.0], [sin_tilt, 0.0, cos_tilt]])


def build_column(person: Variation, rng: np.random.Generator) -> Column:
    """Build the column upwards from S1, the sacrum downwards, and move the origin to the centre of L3.

    Args:
        person: The numbers of the person.
        rng: Source of random numbers.
    """
    bodies, discs = _stack(person, rng)
    sacrum = _sacrum(person, rng)
    origin = next(body.centre for body in bodies if body.name == "L3")
    moved = [
        tuple(Segment(part.name, part.form, part.centre - origin, part.axes) for part in parts)
        for parts in (bodies, discs, sacrum)
    ]
    return Column(*moved)


def _stack(person: Variation, rng: np.random.Generator) -> tuple[list[Segment], list[Segment]]:
    """Return bodies and discs from T8 down, the origin in the middle of the upper endplate of S1."""
    place, pitch, tilt = np.zeros(3), person.sacral_slope, rng.normal(0, 1.0)
    hollow = rng.normal(1, 0.25, (2, len(VERTEBRAE)))
    bodies, discs = [], []
    for index in reversed(range(len(VERTEBRAE))):
        wedge, height = person.disc_wedge[index], person.disc_height[index]
        frame = axes(pitch - wedge / 2, tilt + person.side_wedge[index] / 2)
        slide = -person.slip[index] * frame[1]
        below = VERTEBRAE[index + 1] if index + 1 < len(VERTEBRAE) else "S1"
        discs.append(
            Segment(
                f"{VERTEBRAE[index]}/{below}",
                _disc(person, index),
                place + frame[2] * height / 2 + slide / 2,
                frame,
            )
        )
        place = place + frame[2] * height + slide
        pitch, tilt = pitch - wedge, tilt + person.side_wedge[index]

        front, back, depth = (array[index] for array in (person.front_height, person.back_height, person.depth))
        lean = np.degrees(np.arctan((front - back) / depth))
        frame, height = axes(pitch - lean / 2, tilt), (front + back) / 2
        slope = (front - back) / depth / 2
        form = Vertebra(
            width=person.width[index] / 2,
            front=depth / 2,
            back=depth / 2,
            top=height / 2,
            bottom=height / 2,
            top_slope=-slope,
            bottom_slope=slope,
            top_hollow=0.9 * hollow[0, index],
            bottom_hollow=1.7 * hollow[1, index],
            waist=float(np.clip(rng.normal(0.085, 0.02), 0.03, 0.14)),
            lip=float(person.lip[index]),
        )
        bodies.append(Segment(VERTEBRAE[index], form, place + frame[2] * height / 2, frame))
        place, pitch = place + frame[2] * height, pitch - lean
    return bodies[::-1], discs[::-1]


def _disc(person: Variation, index: int) -> Disc:
    depth = person.depth[index] / 2
    return Disc(
        width=person.width[index] / 2,
        front=depth,
        back=depth,
        height=person.disc_height[index] / 2,
        slope=float(np.tan(np.radians(max(person.disc_wedge[index], 0) / 2))),
        bulge=float(person.bulge[index]),
        hernia=float(person.hernia[index]),
        hernia_side=float(person.hernia_side[index]),
        hernia_width=5.0,
    )


# From S1 down: heights of the segments, mm; depths of the rims as shares of the first endplate's depth; half widths of
# the segments as shares of L5's width; pitches of the rims relative to the first, degrees.
_SACRAL_HEIGHT = np.array([29.0, 24.0, 20.0, 17.0, 15.0, 11.0, 8.0, 7.0])
_SACRAL_DEPTH = np.array([1.0, 0.68, 0.50, 0.38, 0.30, 0.25, 0.24, 0.20, 0.14])
_SACRAL_WIDTH = np.array([0.50, 0.40, 0.34, 0.30, 0.27, 0.2, 0.15, 0.12])
_SACRAL_BEND = np.array([0.0, 3.0, 1.0, -7.0, -20.0, -36.0, -55.0, -72.0, -85.0])


def _sacrum(person: Variation, rng: np.random.Generator) -> list[Segment]:
    """Return S1 to S5 and three coccygeal segments, built downwards along their posterior wall."""
    bend = _SACRAL_BEND * rng.uniform(0.4, 1.3) + np.concatenate([[0], rng.normal(0, 3, 8)])
    depths = _SACRAL_DEPTH * person.depth[-1] * np.array([0.97, *rng.normal(1, 0.05, 8)])
    depths[1] *= rng.uniform(0.92, 1.25)  # some first segments are nearly as square as a lumbar body
    if person.lumbar_vertebrae == 4:  # a sacralised L5 keeps a squarer body
        depths[1] = max(depths[1], 0.8 * depths[0])
    wall_angle = rng.normal(6, 3)  # how far the posterior wall leans back from the perpendicular to the endplate
    segments, corner = [], depths[0] / 2 * axes(person.sacral_slope, 0)[1]
    for index, height in enumerate(_SACRAL_HEIGHT * person.size * rng.normal(1, 0.04, 8)):
        top, bottom = person.sacral_slope + bend[index : index + 2]
        wall = (top + bottom) / 2 + wall_angle * max(0, 1 - index / 3)
        shrink = np.degrees(np.arctan((depths[index] - depths[index + 1]) / 2 / height))
        mean_depth = (depths[index] + depths[index + 1]) / 2
        direction, frame = axes(wall, 0), axes(wall + shrink, 0)
        gap = (0.0, HALF_CLEFT_MM)[index > 0], (HALF_CLEFT_MM if index < 5 else 1.0)
        top_slope, bottom_slope = (-np.tan(np.radians(np.clip(wall + shrink - rim, -50, 50))) for rim in (top, bottom))
        upright = height / 2 * np.cos(np.radians(shrink))
        centre = corner - direction[2] * height / 2 - frame[1] * mean_depth / 2
        form = Vertebra(
            width=_SACRAL_WIDTH[index] * person.width[-1],
            front=mean_depth / 2,
            back=mean_depth / 2,
            # Both rims pass through the posterior wall's corners.
            top=upright - top_slope * depths[index] / 2 - gap[0],
            bottom=upright + bottom_slope * depths[index + 1] / 2 - gap[1],
            top_slope=top_slope,
            bottom_slope=bottom_slope,
            top_hollow=0.7 if index == 0 else 0.3,
            bottom_hollow=0.5,
            waist=0.03,
            taper=(depths[index] - depths[index + 1]) / (depths[index] + depths[index + 1]),
        )
        name = f"S{index + 1}" if index < 5 else f"Co{index - 4}"
        segments.append(Segment(name, form, centre, frame))
        corner = corner - direction[2] * height
    return segments
