"""The spinal canal: thecal sac, cord, roots, epidural fat and the ligaments in front of and behind them.

Most are columns over z that follow the curve of the spine, see `Tube`; the fat pads are ellipsoids.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lumbar.phantom.column import Column
from lumbar.phantom.shapes import Coat, Ellipsoid, Solid
from lumbar.phantom.tissue import Tissue
from lumbar.phantom.tube import Tube
from lumbar.phantom.variation import Variation

STEP = 0.5
"""Spacing of the tables over z, mm."""


@dataclass(frozen=True, eq=False)
class Course:
    """The course of the canal: tables over z, shape (n,), body mm.

    Args:
        z: Heights, increasing, `STEP` apart.
        x: Middle of the canal, to the left.
        wall: Back of the vertebral bodies and discs (the front of the canal), along y.
        smooth: `wall` without the waists of the bodies.
        slant: Length of the canal per mm of z; 1 where it is upright.
        depth: Anteroposterior diameter of the bony canal.
        width: Transverse diameter of the bony canal.
    """

    z: np.ndarray
    x: np.ndarray
    wall: np.ndarray
    smooth: np.ndarray
    slant: np.ndarray
    depth: np.ndarray
    width: np.ndarray


def trace_course(person: Variation, column: Column) -> Course:
    """Trace the canal along the posterior wall of the column, from T8 to the first coccygeal segment."""
    wall, places = [], []
    for index, (body, disc) in enumerate(zip(column.bodies, column.discs, strict=True)):
        form, size = body.form, (person.canal_depth[index], person.canal_width[index])
        corner = form.back * 0.985
        wall += [body.place(0, corner, form.top), body.place(0, form.back * (1 - form.waist), 0)]
        wall += [body.place(0, corner, -form.bottom), disc.place(0, disc.form.margin(0), 0)]
        places += [size] * 4
    for index, segment in enumerate(column.sacrum[:6]):
        form = segment.form
        size = (14.0, 11.5, 8.0, 5.0, 3.0, 1.0)[index], (29.0, 23.0, 17.0, 12.0, 8.0, 2.0)[index]
        wall += [segment.place(0, form.back * (1 + form.taper), form.top), segment.place(0, form.back, 0)]
        wall += [segment.place(0, form.back * (1 - form.taper), -form.bottom)]
        places += [size] * 3
    wall, places = np.array(wall), np.array(places)
    order = np.argsort(wall[:, 2])
    wall, places = wall[order], places[order]
    z = np.arange(wall[0, 2], wall[-1, 2], STEP)

    def table(values: np.ndarray, sigma: float) -> np.ndarray:
        return ndimage.gaussian_filter1d(np.interp(z, wall[:, 2], values), sigma / STEP, mode="nearest")

    smooth = table(wall[:, 1], 7.0)
    slant = np.sqrt(1 + np.gradient(table(wall[:, 1], 12.0), STEP) ** 2)
    return Course(
        z=z,
        x=table(wall[:, 0], 12.0),
        wall=table(wall[:, 1], 1.0),
        smooth=smooth,
        slant=slant,
        depth=table(places[:, 0], 10.0),
        width=table(places[:, 1], 10.0),
    )


def canal(person: Variation, column: Column, course: Course, rng: np.random.Generator) -> list[Solid | Tube]:
    """Return everything in the canal, to be painted after the arches and before the discs.

    Args:
        person: The numbers of the person.
        column: Frames and shapes of bodies, discs and sacrum.
        course: Course of the canal.
        rng: Source of random numbers.
    """
    z, slant = course.z, course.slant
    bone_depth = course.depth * slant
    space = _tube(course, course.wall + bone_depth / 2, course.width / 2, bone_depth / 2 + 0.5, 0.5)
    solids = [_painted(space, Coat(Tissue.EPIDURAL_FAT, softness=0.6))]
    front = np.maximum(course.smooth, course.wall)
    thick = rng.uniform(0.6, 1.3)
    solids.append(
        _painted(_tube(course, front, course.width * 0.3, thick * slant, 0.3), Coat(Tissue.LIGAMENT, softness=0.3))
    )
    solids += _fat_pads(column, person, rng)

    end = _level(column, 5 + person.sac_end)
    sac = _sac(person, column, course, end, rng)
    solids.append(_painted(_part(sac, z > end), Coat(Tissue.LIGAMENT), Coat(Tissue.CSF, inset=0.7)))
    top = _level(column, person.conus)
    cord = np.clip((z - top) / 28.0, 0, 1) ** 0.7
    middle = sac.y + sac.b * 0.12
    spindle = _tube(course, middle, 4.6 * cord + 0.01, (3.7 * cord + 0.01) * slant, 0.0, z > top)
    tail = _tube(course, sac.y + sac.b * 0.40, sac.a * 0.85, sac.b * 0.58, 0.3, (z > end) & (z < top + 25))
    amount = rng.normal(0.45, 0.4)
    solids.append(
        _painted(tail, Coat(Tissue.ROOT, inset=0.5, softness=1.5, strength=0.85, grain="roots", amount=amount))
    )
    few = Coat(Tissue.ROOT, inset=0.5, softness=1.0, strength=0.7, grain="roots", amount=amount - 1.0)
    solids.append(_painted(_part(sac, (z > end) & (z < top + 10)), few))
    solids.append(_painted(spindle, Coat(Tissue.CORD, softness=0.5)))
    return solids


def _sac(person: Variation, column: Column, course: Course, end: float, rng: np.random.Generator) -> Tube:
    """Return the thecal sac: it follows the wall behind the lumbar discs, leaves it at L5/S1, ends in the sacrum."""
    z, slant = course.z, course.slant
    below = np.clip((column.discs[-1].centre[2] + 25.0 - z) / 72.0, 0, 1)
    gap = 0.5 + rng.uniform(0.5, 7.0) * np.sin(np.pi * below) ** 1.5
    fullness = rng.uniform(0.78, 0.95) - 0.1 * below
    depth = course.depth * fullness * np.clip((z - end) / rng.uniform(15.0, 45.0), 0, 1) ** 0.6
    # Thick ligamenta flava and facets narrow the sac at degenerated discs.
    for disc, grade in zip(column.discs, person.grade, strict=True):
        dip = max(0, grade - 2) * rng.uniform(0.0, 0.14)
        depth = depth * (1 - dip * np.exp(-0.5 * ((z - disc.centre[2]) / 6.0) ** 2))
    depth = np.maximum(depth, 0.02)
    front = np.maximum(course.smooth, course.wall) + gap * slant
    middle = ndimage.gaussian_filter1d(front, 3 / STEP) + depth * slant / 2
    return _tube(course, middle, np.minimum(depth * 0.62 + 1.0, course.width / 2 - 1), depth * slant / 2, 0.25)


def _fat_pads(column: Column, person: Variation, rng: np.random.Generator) -> list[Solid]:
    """Return the triangles of fat behind the sac, between the arches, each framed by dark ligamenta flava."""
    solids = []
    for index, disc in enumerate(column.discs):
        back = disc.form.back + person.canal_depth[index]
        size = rng.uniform(0.6, 1.15) * (1.0 if index > 4 else 0.6)
        for side in (1, -1):
            flavum = Ellipsoid(2.2, 3.0, 10.0)
            solids.append(
                Solid(
                    flavum, disc.place(side * 6.5, back + 1.0, -3.0), disc.axes, (Coat(Tissue.LIGAMENT, softness=0.6),)
                )
            )
        pad = Ellipsoid(6.0 * size, 4.5 * size, rng.uniform(10.0, 15.0) * size)
        coats = (Coat(Tissue.LIGAMENT, softness=1.0, strength=0.7), Coat(Tissue.EPIDURAL_FAT, inset=0.7, softness=0.8))
        solids.append(Solid(pad, disc.place(0, back - 0.8, -4.0), disc.axes, coats, (), 1.4))
    return solids


def _level(column: Column, place: float) -> float:
    """Return the z of a level along the column: 0 is the top of L1, 1 of L2, 5 of S1, and 5.5 the middle of S1."""
    parts = [*column.bodies, *column.sacrum]
    tops = [part.place(0, part.form.back, part.form.top)[2] for part in parts]
    return float(np.interp(place, np.arange(len(parts)) - 5, tops))


def _painted(tube: Tube, *coats: Coat) -> Solid:
    return Solid(tube, np.zeros(3), np.eye(3), coats)


def _part(tube: Tube, keep: np.ndarray) -> Tube:
    return Tube(tube.z[keep], tube.x[keep], tube.y[keep], tube.a[keep], tube.b[keep], tube.squareness)


def _tube(course: Course, y, a, b, squareness: float, keep: np.ndarray | None = None) -> Tube:
    tube = Tube(course.z, course.x, y, a, b, squareness)
    return tube if keep is None else _part(tube, keep)
