"""Bones and discs: cortex, marrow, processes and nuclei on the chain of frames, with their signs of ageing."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lumbar.phantom.column import HALF_CLEFT_MM, Column, Segment
from lumbar.phantom.segments import Vertebra
from lumbar.phantom.shapes import Block, Coat, Ellipsoid, Plate, Solid, Spot
from lumbar.phantom.tissue import Tissue
from lumbar.phantom.variation import Variation

_MODIC = {1: Tissue.OEDEMA, 2: Tissue.FATTY_MARROW, 3: Tissue.SCLEROSIS}


@lru_cache(maxsize=16)
def bone(shell: float = 1.1) -> tuple[Coat, ...]:
    """Return the layers of a bone: cortex around marrow.

    Args:
        shell: Thickness of the cortex, mm.
    """
    return Coat(Tissue.CORTEX), Coat(Tissue.MARROW, inset=shell, softness=0.5)


def discs(person: Variation, column: Column, rng: np.random.Generator) -> list[Solid]:
    """Return the ten discs from T8/T9 to L5/S1, to be painted before the bodies.

    Args:
        person: The numbers of the person.
        column: Frames and shapes of bodies, discs and sacrum.
        rng: Source of random numbers.
    """
    return [_disc(person, segment, index, rng) for index, segment in enumerate(column.discs)]


def _disc(person: Variation, segment: Segment, index: int, rng: np.random.Generator) -> Solid:
    """Return a dark annulus with a nucleus that darkens as the Pfirrmann grade rises (Pfirrmann et al., Spine 2001).

    The nucleus takes 64–72 % of the disc's length, as measured by Zhong et al., Spine J 2014.
    """
    grade, form = person.grade[index], segment.form
    water = float(np.clip((0.9, 0.6, 0.28, 0.08, 0.02)[grade - 1] + rng.normal(0, 0.07), 0, 1))
    length = form.back * rng.uniform(0.62, 0.76)
    tall = form.height * rng.uniform(0.95, 1.3) + 1.2
    shift = rng.normal(1.0, 0.8)
    outer, core = Ellipsoid(form.width * 0.75, length * 1.12, tall * 1.1), Ellipsoid(form.width * 0.68, length, tall)
    spots = [
        Spot(outer, (0, shift, 0), Tissue.FIBROUS, softness=3.5, strength=rng.uniform(0.6, 1.0), roughness=0.8),
        Spot(core, (0, shift, 0), Tissue.NUCLEUS, softness=rng.uniform(2.5, 5.0), strength=water, roughness=1.0),
    ]
    if 1 < grade < 4 or rng.random() < 0.4:  # the intranuclear cleft
        cleft = Ellipsoid(form.width * 0.5, length * rng.uniform(0.6, 0.95), rng.uniform(0.7, 1.4))
        spots.append(Spot(cleft, (0, shift, rng.normal(0, 0.3)), Tissue.ANNULUS, 1.2, rng.uniform(0.15, 0.7), 0.4))
    if person.fissure[index]:
        tear = Ellipsoid(4.0, 1.3, 1.6)
        spots.append(Spot(tear, (rng.normal(0, 4), form.margin(0) - 2.4, rng.normal(0, 0.6)), Tissue.FLUID, 0.6, 0.8))
    if grade == 5 and rng.random() < 0.4:  # a vacuum cleft
        spots.append(Spot(Ellipsoid(form.width * 0.6, length * 0.8, 0.8), (0, -2.0, 0), Tissue.GAS, 0.6, 0.8))
    return Solid(form, segment.centre, segment.axes, (Coat(Tissue.ANNULUS, softness=0.4),), tuple(spots))


def bodies(person: Variation, column: Column, rng: np.random.Generator) -> list[Solid]:
    """Return the vertebral bodies from T8 to L5, then the sacrum and coccyx.

    Args:
        person: The numbers of the person.
        column: Frames and shapes of bodies, discs and sacrum.
        rng: Source of random numbers.
    """
    solids = [_body(person, segment, index, rng) for index, segment in enumerate(column.bodies)]
    return solids + _sacrum(person, column, rng)


def _body(person: Variation, segment: Segment, index: int, rng: np.random.Generator) -> Solid:
    form = segment.form
    spots = [_basivertebral(form, rng), *_patches(form, person, rng)]
    for disc, side in ((index - 1, 1), (index, -1)):
        if disc < 0:
            continue
        height = side * (form.top if side > 0 else form.bottom)
        if person.modic[disc]:
            spots.append(_modic(form, height, int(person.modic[disc]), rng))
        if person.schmorl[disc, int(side > 0)]:
            spots += _schmorl(form, height, rng)
        if person.grade[disc] >= 4:
            rim = Ellipsoid(form.width * 0.8, form.back * 0.9, 1.6)
            spots.append(Spot(rim, (0, 0, height * 0.97), Tissue.SCLEROSIS, 1.5, rng.uniform(0.1, 0.6), 1.0))
    if index == person.haemangioma:
        size = rng.uniform(3.5, 9.0)
        place = tuple(rng.uniform(-0.45, 0.45, 3) * (form.width, form.back, form.top))
        spots.append(Spot(Ellipsoid(size, size, size * 0.9), place, Tissue.HAEMANGIOMA, 1.0, 0.9, 1.5))
    if f"wedge fracture {segment.name}" in person.findings and rng.random() < 0.5:
        band = Ellipsoid(form.width, form.back, form.top * rng.uniform(0.3, 0.7))
        spots.append(Spot(band, (0, 0, form.top * 0.5), Tissue.OEDEMA, 4.0, rng.uniform(0.4, 0.9), 2.5))
    roughness = 0.25 + rng.uniform(0, 0.5) * person.age / 80  # old endplates are uneven
    return Solid(form, segment.centre, segment.axes, bone(), tuple(spots), roughness=roughness)


def _basivertebral(form: Vertebra, rng: np.random.Generator) -> Spot:
    """Return the cleft of the basivertebral vein in the middle of the posterior wall."""
    cleft = Ellipsoid(5.0, rng.uniform(4.0, 9.0), rng.uniform(1.0, 2.2))
    strength = rng.uniform(0.15, 0.9)
    return Spot(cleft, (0, form.back * 0.92, rng.normal(0, 0.8)), Tissue.PLEXUS, 1.2, strength, 0.5)


def _patches(form: Vertebra, person: Variation, rng: np.random.Generator) -> list[Spot]:
    """Return islands of fatty marrow, more of them with age; often also brighter marrow along both endplates."""
    spots = []
    if person.endplate_fat > 0:  # brighter towards both endplates
        core = Ellipsoid(form.width * 1.1, form.back * 1.15, form.top * 0.75)
        spots.append(Spot(core, (0, 0, 0), Tissue.RED_MARROW, 5.0, person.endplate_fat, 1.5))
    for _ in range(rng.poisson(0.25 + person.age / 60)):
        size = rng.uniform(2.0, 8.0)
        place = tuple(rng.uniform(-0.8, 0.8, 3) * (form.width, form.back, form.top))
        shape = Ellipsoid(size, size * rng.uniform(0.6, 1.3), size * rng.uniform(0.4, 1.1))
        spots.append(Spot(shape, place, Tissue.FATTY_MARROW, 3.0, rng.uniform(0.15, 0.7), 2.0))
    return spots


def _modic(form: Vertebra, height: float, kind: int, rng: np.random.Generator) -> Spot:
    """Return a Modic change of type 1 to 3 at the endplate at `height` mm above the middle of the body."""
    front = rng.uniform(-1, 0.4)
    shape = Ellipsoid(form.width * 0.9, form.back * rng.uniform(0.5, 1.1), abs(height) * rng.uniform(0.25, 0.75))
    place = (rng.normal(0, 4), front * form.front * 0.5, height)
    return Spot(shape, place, _MODIC[kind], 1.5, rng.uniform(0.5, 0.95), 1.5)


def _schmorl(form: Vertebra, height: float, rng: np.random.Generator) -> list[Spot]:
    """Return a Schmorl's node with its rim, in the endplate at `height` mm above the middle of the body."""
    place = (rng.normal(0, 5), rng.normal(0.2, 0.3) * form.back, height * 0.95)
    size = rng.uniform(3.0, 6.5)
    shape, rim = (Ellipsoid(size + e, size + e, rng.uniform(3.0, 5.5) + e) for e in (0, 1.2))
    return [Spot(rim, place, Tissue.CORTEX, 0.5, 0.8), Spot(shape, place, Tissue.FIBROUS, 0.8, 0.9)]


def _sacrum(person: Variation, column: Column, rng: np.random.Generator) -> list[Solid]:
    """Return the fused segments of the sacrum and the remains of the discs between them.

    The first sacral disc ranges from a dark line to a disc with its own nucleus (O'Driscoll et al., Skeletal Radiol
    1996); the distribution of its size was judged by eye. A network must learn not to count it as a level.
    """
    solids = []
    for index, segment in enumerate(column.sacrum):
        form = segment.form
        spots = list(_patches(form, person, rng)) if index < 3 else []
        if index == 0 and person.modic[-1]:
            spots.append(_modic(form, form.top, int(person.modic[-1]), rng))
        solids.append(Solid(form, segment.centre, segment.axes, bone(0.9), tuple(spots), roughness=0.3))
    left = rng.beta(1.3, 1.2) if person.lumbar_vertebrae != 4 else rng.uniform(0.75, 1.0)
    for index, segment in enumerate(column.sacrum[:4]):
        solids += _junction(
            segment, float(np.clip(left * (1.0, 0.8, 0.65, 0.5)[index] * rng.uniform(0.7, 1.3), 0, 1)), rng
        )
    return solids


def _junction(segment: Segment, left: float, rng: np.random.Generator) -> list[Solid]:
    """Return the marrow that fuses a sacral segment with the next, and what is `left` of the disc, 0 to 1."""
    form = segment.form
    half = form.back * (1 - form.taper)
    place = segment.place(0, 0, -form.bottom - HALF_CLEFT_MM)
    frame = _rotate(-float(np.degrees(np.arctan(form.bottom_slope))), 0.0, 0.0) @ segment.axes
    solids = []
    if rng.random() > left**2:
        bridge = Block(form.width * 0.8, half - rng.uniform(0.8, 2.5), 2.8, 1.5)
        solids.append(Solid(bridge, place, frame, (Coat(Tissue.MARROW, softness=1.0, strength=rng.uniform(0.6, 1.0)),)))
    length = half * min((0.4 + 0.6 * left) * rng.uniform(0.8, 1.15), 0.97)
    tall = 0.5 + 2.6 * left**1.5 * rng.uniform(0.7, 1.3)
    shift = rng.uniform(-0.5, 1.0) * max(half - length, 0)
    coats = (Coat(Tissue.CORTEX, softness=0.4), Coat(Tissue.ANNULUS, inset=rng.uniform(0.3, 0.9), softness=0.5))
    nucleus = Spot(
        Ellipsoid(form.width * 0.3, length * rng.uniform(0.5, 0.8), tall * 0.7),
        (0, 0, 0),
        Tissue.NUCLEUS,
        1.0,
        rng.uniform(0.1, 1.0),
    )
    disc = (
        Ellipsoid(form.width * 0.5, length, tall) if rng.random() < 0.6 else Block(form.width * 0.5, length, tall, tall)
    )
    place = place + shift * frame[1]
    return [*solids, Solid(disc, place, frame, coats, (nucleus,) if rng.random() < 0.4 + 0.5 * left else ())]


def arches(person: Variation, column: Column, rng: np.random.Generator) -> list[Solid]:
    """Return pedicles, laminae, articular, transverse and spinous processes from T9 down, and the sacral arch.

    Args:
        person: The numbers of the person.
        column: Frames and shapes of bodies, discs and sacrum.
        rng: Source of random numbers.
    """
    solids = []
    for index, body in list(enumerate(column.bodies))[1:]:  # no image reaches the arch of T8
        solids += _arch(person, body, index, rng)
    for index, segment in enumerate(column.sacrum[:4]):
        solids += _sacral_arch(person, segment, index, rng)
    return solids


def _arch(person: Variation, body: Segment, index: int, rng: np.random.Generator) -> list[Solid]:
    """Return one arch, sized as in Panjabi et al., Spine 1992.

    Pedicles are 15 mm tall; spinous process and canal together are 68–75 mm long.
    """
    size, back = person.size, body.form.back
    canal, half_width = person.canal_depth[index], person.canal_width[index] / 2
    lumbar = index >= 5
    behind = back + canal
    length = (
        (np.array([0, 0, 0, 24, 26, 30, 32, 32, 30, 24.0])[index] if index > 2 else 26) * size * rng.normal(1, 0.07)
    )
    height = (np.array([9, 9, 9, 15, 19, 24, 25, 25, 22, 16.0])[index]) * size * rng.normal(1, 0.08)
    droop = (rng.normal(14, 4) if lumbar else rng.normal(38, 4)) if index > 3 else rng.normal(50, 4)
    solids = []

    def add(form, left, posterior, superior, turn=(0.0, 0.0, 0.0), roughness=0.9, spots=()):
        solids.append(
            Solid(form, body.place(left, posterior, superior), _rotate(*turn) @ body.axes, bone(0.8), spots, roughness)
        )

    root = -8.0 if lumbar else -6.0
    for side in (1, -1):
        across = half_width + 5.0
        add(Block(4.0 + 0.25 * max(index - 4, 0), 9.0, 7.2, 3.5), side * across, back + 5.5, 5.0)
        add(Block(8.5, 4.0, 9.8, 3.4), side * half_width * 0.62, behind + 1.5, root + 1.5, (0, 0, -side * 38.0))
        add(Block(4.4, 7.0, 9.0, 4.0), side * (half_width + 5.5), back + canal * 0.78, 12.5, (0, 0, side * 35.0))
        add(Block(4.6, 6.5, 9.5, 4.0), side * (half_width + 1.0), behind + 1.0, -20.0, (0, 0, side * 35.0))
        ganglion = Ellipsoid(4.5, 3.0, 4.0)
        place = body.place(side * (half_width + 5.0), back + 4.0, -body.form.bottom + 2.0)
        fat = Solid(Ellipsoid(8.0, 7.0, 9.0), place, body.axes, (Coat(Tissue.EPIDURAL_FAT, softness=1.5),))
        solids += [fat, Solid(ganglion, place, body.axes, (Coat(Tissue.ROOT, softness=0.8),))]
        reach = (20.0 if lumbar else 12.0) * size * rng.normal(1, 0.1)
        add(Block(reach / 2 + 3, 3.2, 5.0, 3.0), side * (across + 3 + reach / 2), back + 12.0, 5.0, (0, 0, side * 12.0))
    add(
        Plate(2.8 + 0.15 * index * rng.uniform(0.6, 1.4), length / 2, height / 2, flare=rng.uniform(-0.05, 0.22)),
        rng.normal(0, 1.6),
        behind + 1.0 + length / 2 * np.cos(np.radians(droop)),
        root - 1.0 - length / 2 * np.sin(np.radians(droop)),
        (droop, 0.0, rng.normal(0, 2.0)),
        roughness=1.5,
        spots=_spinous_marrow(length, height, rng),
    )
    return solids


def _spinous_marrow(length: float, height: float, rng: np.random.Generator) -> tuple[Spot, ...]:
    """Return patches of red or fatty marrow, and sclerosis where degenerated processes touch."""
    spots = []
    for _ in range(int(rng.integers(1, 3))):
        place = (0.0, rng.uniform(-0.4, 0.4) * length, rng.uniform(-0.45, 0.45) * height)
        shape = Ellipsoid(6.0, length * rng.uniform(0.15, 0.45), height * rng.uniform(0.15, 0.4))
        tissue = Tissue(rng.choice([Tissue.RED_MARROW, Tissue.SCLEROSIS, Tissue.FATTY_MARROW], p=(0.4, 0.4, 0.2)))
        spots.append(Spot(shape, place, tissue, 3.0, rng.uniform(0.2, 0.8), 1.5))
    return tuple(spots)


def _sacral_arch(person: Variation, segment: Segment, index: int, rng: np.random.Generator) -> list[Solid]:
    """Return the median crest behind the sacral canal, and the lateral masses."""
    form, canal = segment.form, (12.0, 9.0, 6.5, 4.5)[index]
    crest = Block(3.5, 3.0 + (2.5, 2.0, 1.5, 1.0)[index], form.top * 0.9, 2.0)
    behind = form.back + canal + 3.0
    height = 0.0 if index else -5.0
    solids = [Solid(crest, segment.place(0, behind, height), segment.axes, bone(0.9), (), 1.0)]
    if index < 3:
        for side in (1, -1):
            wing = Block((24.0, 19.0, 14.0)[index] * person.size, form.back * 0.9 + 3, form.top * 1.02, 6.0)
            centre = segment.place(side * (form.width * 0.8 + 20.0 - 4 * index), 4.0, 0.0)
            solids.append(Solid(wing, centre, segment.axes, bone(1.0), (), 1.5))
            plate = Block(9.0, 3.0, form.top * 0.85, 2.0)
            centre = segment.place(side * 9.0, form.back + canal + 2.0, height)
            solids.append(Solid(plate, centre, segment.axes, bone(0.9), (), 0.8))
    return solids


def spinous_tips(column: Column, person: Variation) -> np.ndarray:
    """Return the posterior ends of the spinous processes and the sacral crest, from T8 downwards.

    Args:
        column: Frames and shapes of bodies, discs and sacrum.
        person: The numbers of the person.

    Returns:
        float64 array of shape (14, 3), body mm: T8 to L5, then S1 to S4.
    """
    tips = []
    for index, body in enumerate(column.bodies):
        reach = body.form.back + person.canal_depth[index] + (30.0, 28.0, 23.0)[max(0, index - 7)] * person.size
        tips.append(body.place(0, reach, -14.0))
    for segment, canal in zip(column.sacrum[:4], (17.0, 14.0, 10.0, 7.0), strict=True):
        tips.append(segment.place(0, segment.form.back + canal, 0))
    return np.array(tips)


@lru_cache(maxsize=256)
def _rotate(pitch: float, roll: float, yaw: float) -> np.ndarray:
    """Return a small rotation, degrees: pitch lowers the back end, roll lifts the left, yaw swings the left back."""
    rotation = np.eye(3)
    for axis, degrees in enumerate((pitch, roll, yaw)):
        if degrees:
            sin, cos = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
            a, b = ((1, 2), (0, 2), (0, 1))[axis]
            step = np.eye(3)
            step[a, a] = step[b, b] = cos
            step[a, b], step[b, a] = (-sin, sin) if axis < 2 else (sin, -sin)
            rotation = step @ rotation
    return rotation
