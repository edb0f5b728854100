"""The tissues around the spine: skin, fat, muscles and the ligaments of the midline."""

from __future__ import annotations

import numpy as np

from lumbar.phantom import abdomen
from lumbar.phantom.canal import Course
from lumbar.phantom.column import Column
from lumbar.phantom.shapes import Coat, Solid
from lumbar.phantom.tissue import Tissue
from lumbar.phantom.trunk import Trunk, column_of
from lumbar.phantom.variation import Variation


def soft_tissues(
    person: Variation, column: Column, course: Course, rng: np.random.Generator
) -> tuple[list[Solid], list[Solid], Trunk]:
    """Return the soft tissues of the trunk, from the skin inwards.

    Args:
        person: The numbers of the person.
        column: Frames and shapes of bodies, discs and sacrum.
        course: Course of the spinal canal.
        rng: Source of random numbers.

    Returns:
        The solids to paint before the bones, the ligaments of the midline (painted next, also before the bones), and
        the tables over z that they share.
    """
    trunk = Trunk(person, column, course, rng)
    under = [*_wall(trunk, rng), *_muscles(trunk, person, column, rng), *abdomen.organs(trunk, person, rng)]
    under += [
        *abdomen.bowel(trunk, rng),
        *abdomen.pelvis(person, column, rng),
        *abdomen.vessels(trunk, person, column, rng),
    ]
    return under, _midline(trunk, rng), trunk


def _wall(trunk: Trunk, rng: np.random.Generator) -> list[Solid]:
    """Return the skin with the fat below it, the muscles of the wall, and the abdominal cavity."""
    middle, deep = (trunk.skin + trunk.belly) / 2, (trunk.skin - trunk.belly) / 2
    inner_back, inner_front = trunk.tip + 1.0, trunk.belly + trunk.belly_fat
    inner, inner_deep = (inner_back + inner_front) / 2, (inner_back - inner_front) / 2
    cavity_front, cavity_back = inner_front + rng.uniform(3.0, 12.0), trunk.canal + 2.0
    side = trunk.half_width - 8.0 - 0.7 * trunk.belly_fat
    septa = Coat(Tissue.LIGAMENT, inset=2.5, strength=0.5, grain="septa", amount=0.0)
    return [
        column_of(
            trunk,
            trunk.x,
            middle,
            trunk.half_width,
            deep,
            Coat(Tissue.SKIN),
            Coat(Tissue.FAT, inset=2.0),
            septa,
            square=0.8,
        ),
        column_of(
            trunk,
            trunk.x,
            inner,
            side,
            inner_deep,
            Coat(Tissue.LIGAMENT),
            Coat(Tissue.MUSCLE, inset=1.5),
            Coat(Tissue.FAT, inset=2.0, strength=0.8, grain="streaks", amount=-1.2),
            square=0.9,
        ),
        column_of(
            trunk,
            trunk.x,
            (cavity_front + cavity_back) / 2,
            side - 14.0,
            (cavity_back - cavity_front) / 2,
            Coat(Tissue.MESENTERY, softness=1.0),
            Coat(Tissue.CONTENT, inset=8.0, softness=6.0, strength=0.8, grain="lumps", amount=rng.uniform(-1.6, -0.3)),
            Coat(Tissue.WALL, inset=6.0, softness=2.0, strength=0.8, grain="lumps2", amount=rng.uniform(-2.2, -1.0)),
            square=0.4,
            roughness=2.0,
        ),
    ]


def _muscles(trunk: Trunk, person: Variation, column: Column, rng: np.random.Generator) -> list[Solid]:
    """Return psoas, quadratus and erectors; the fat streaks of the erectors grow with age."""
    z = trunk.z
    fatty = -1.6 + person.age / 60 + rng.normal(0, 0.5)
    l1, l5 = (next(b.centre[2] for b in column.bodies if b.name == name) for name in ("L1", "L5"))
    grow = np.clip((l1 - z) / (l1 - l5), 0, 1.3)
    muscle = Coat(Tissue.MUSCLE, inset=0.8, softness=0.5)
    fascia = Coat(Tissue.EPIDURAL_FAT, softness=0.5)
    streaks = Coat(Tissue.FAT, inset=1.0, softness=0.5, strength=0.85, grain="streaks", amount=fatty)
    solids = []
    for side in (1, -1):
        radius = (4.0 + 19.0 * grow**0.8) * person.size * rng.normal(1, 0.1)
        out = trunk.x + side * (person.width[7] * 0.47 + radius * 0.85 + 6.0 * np.maximum(grow - 1, 0) * 10)
        y = trunk.front + 17.0 - 22.0 * np.maximum(grow - 0.8, 0)
        solids.append(
            column_of(trunk, out, y, radius, radius * 1.15, fascia, muscle, keep=(z < l1 + 15), roughness=1.5)
        )
        quad = (z > l5 - 15) & (z < l1 + 25)
        solids.append(column_of(trunk, trunk.x + side * 66.0, trunk.canal - 4.0, 22.0, 8.0, fascia, muscle, keep=quad))
        depth = np.maximum(trunk.tip - trunk.canal + 4.0, 6.0) / 2
        y = (trunk.tip + trunk.canal - 2.0) / 2
        lower = np.clip(trunk.low, 0, 1)
        solids.append(
            column_of(
                trunk,
                trunk.x + side * 44.0,
                y,
                31.0 - 14 * lower,
                depth,
                fascia,
                muscle,
                streaks,
                square=0.4,
                roughness=1.5,
            )
        )
        solids.append(
            column_of(
                trunk, trunk.x + side * 16.5, y, 12.0, depth * 0.97, fascia, muscle, streaks, square=0.5, roughness=1.0
            )
        )
    return solids


def _midline(trunk: Trunk, rng: np.random.Generator) -> list[Solid]:
    """Return the interspinous ligaments between the processes and the supraspinous ligament behind them."""
    z, y = trunk.z, (trunk.canal + trunk.tip) / 2
    depth = np.maximum(trunk.tip - trunk.canal, 3.0) / 2
    between = Coat(Tissue.INTERSPINOUS, softness=2.0, strength=0.9)
    fat = Coat(Tissue.FAT, softness=1.0, strength=0.7, grain="streaks", amount=rng.uniform(-2.0, 0.4))
    keep = z > -210
    thick = rng.uniform(1.0, 2.2) * np.clip(1.3 - trunk.low, 0.35, 1)
    return [
        column_of(trunk, trunk.x, y, 3.5, depth, between, fat, square=1.0, keep=keep),
        column_of(
            trunk, trunk.x, trunk.tip - 0.3, 7.0, thick, Coat(Tissue.LIGAMENT, softness=0.8), square=1.0, keep=keep
        ),
    ]
