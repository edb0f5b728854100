"""What surrounds the spine: skin, fat, muscles, vessels, bowel and pelvic organs.

Sizes are those of textbooks, rounded and varied widely: a network should learn that none of this tells where a disc is.
Vessels: aorta 18–22 mm wide, left of the middle, dividing before L4; vena cava to its right. Psoas grows from L1 to L5.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lumbar.phantom.bones import bone, spinous_tips
from lumbar.phantom.canal import Course
from lumbar.phantom.column import Column
from lumbar.phantom.shapes import Block, Coat, Ellipsoid, Solid, Spot, Tube
from lumbar.phantom.tissue import Tissue
from lumbar.phantom.variation import Variation

STEP = 1.0
"""Spacing of the tables over z, mm; the soft tissues are smooth."""

REACH = 300.0
"""How far the body is drawn above and below the middle of L3, mm."""


class Trunk:
    """Tables over z that the soft tissues share: the spine's front and back, the skin and the fascia below it."""

    def __init__(self, person: Variation, column: Column, course: Course, rng: np.random.Generator):
        self.z = z = np.arange(-REACH, REACH, STEP)
        tips = spinous_tips(column, person)
        tips = tips[np.argsort(tips[:, 2])]
        fronts = np.array([part.place(0, -part.form.front, 0) for part in (*column.bodies, *column.sacrum[:3])])
        fronts = fronts[np.argsort(fronts[:, 2])]

        def table(points: np.ndarray, values: np.ndarray, sigma: float) -> np.ndarray:
            return ndimage.gaussian_filter1d(np.interp(z, points, values), sigma / STEP, mode="nearest")

        self.x = table(course.z, course.x, 8.0)
        self.canal = table(course.z, course.smooth + course.depth * course.slant, 3.0)
        self.front = table(fronts[:, 2], fronts[:, 1], 8.0)
        low = np.clip((column.sacrum[0].centre[2] - z) / 60.0, 0, 3)  # 0 above S1, growing downwards
        self.tip = np.maximum(table(tips[:, 2], tips[:, 1], 9.0), self.canal + 6.0) + 1.0
        self.low = low

        fat = rng.uniform(5.0, 16.0) + 18.0 * person.fatness * rng.uniform(0.5, 1.4)
        bump = rng.uniform(0.0, 1.0) * np.exp(-0.5 * ((z - rng.uniform(-90, -30)) / 35.0) ** 2)
        cover = fat * (0.75 + 0.5 * bump) + np.minimum(low, 2.0) * rng.uniform(4.0, 18.0)
        skin = ndimage.gaussian_filter1d(self.tip + cover, 22.0 / STEP, mode="nearest")
        flat = rng.uniform(0.0, 0.75)  # lying on the back presses it flat
        seen = np.abs(z) < 160
        line = np.polyval(np.polyfit(z[seen], skin[seen], 1), z)
        self.skin = np.maximum(skin + flat * (np.maximum(line, skin - 25) - skin), self.tip + 4.0)
        deep = rng.normal(85, 14) + 40.0 * person.fatness * rng.uniform(0.6, 1.2)
        belly = self.front.mean() - deep - 12.0 * np.exp(-0.5 * ((z + 40) / 90) ** 2) + 0.12 * np.abs(z) ** 1.2 * 0.3
        self.belly = belly
        self.belly_fat = rng.uniform(4, 12) + 13.0 * person.fatness
        self.half_width = (145 + 26 * person.fatness) * person.size + 18.0 * np.minimum(low, 1.5)


def soft_tissues(
    person: Variation, column: Column, course: Course, rng: np.random.Generator
) -> tuple[list[Solid], list[Solid], Trunk]:
    """The trunk from the skin inwards.

    Returns:
        What is painted before the bones, what is painted after the arches (midline ligaments), and the shared tables.
    """
    trunk = Trunk(person, column, course, rng)
    under = [*_wall(trunk, rng), *_muscles(trunk, person, column, rng), *_organs(trunk, person, rng)]
    under += [*_bowel(trunk, rng), *_pelvis(trunk, person, column, rng), *_vessels(trunk, person, column, rng)]
    return under, _midline(trunk, rng), trunk


def _tube(trunk: Trunk, x, y, a, b, *coats: Coat, square: float = 0.0, keep=None, roughness: float = 0.0) -> Solid:
    tables = [np.broadcast_to(np.asarray(value, dtype=float), trunk.z.shape) for value in (x, y, a, b)]
    tables = [trunk.z, *tables]
    if keep is not None:
        tables = [table[keep] for table in tables]
    return Solid(Tube(*tables, squareness=square), np.zeros(3), np.eye(3), coats, (), roughness)


def _wall(trunk: Trunk, rng: np.random.Generator) -> list[Solid]:
    middle, deep = (trunk.skin + trunk.belly) / 2, (trunk.skin - trunk.belly) / 2
    inner_back, inner_front = trunk.tip + 1.0, trunk.belly + trunk.belly_fat
    inner, inner_deep = (inner_back + inner_front) / 2, (inner_back - inner_front) / 2
    cavity_front, cavity_back = inner_front + rng.uniform(3.0, 12.0), trunk.canal + 2.0
    side = trunk.half_width - 8.0 - 0.7 * trunk.belly_fat
    septa = Coat(Tissue.LIGAMENT, inset=2.5, strength=0.5, grain="septa", amount=0.0)
    return [
        _tube(
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
        _tube(
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
        _tube(
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
    """Psoas, quadratus, and the erectors with fat streaks that grow with age (and on the lower levels)."""
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
        solids.append(_tube(trunk, out, y, radius, radius * 1.15, fascia, muscle, keep=(z < l1 + 15), roughness=1.5))
        quad = (z > l5 - 15) & (z < l1 + 25)
        solids.append(_tube(trunk, trunk.x + side * 66.0, trunk.canal - 4.0, 22.0, 8.0, fascia, muscle, keep=quad))
        depth = np.maximum(trunk.tip - trunk.canal + 4.0, 6.0) / 2
        y = (trunk.tip + trunk.canal - 2.0) / 2
        lower = np.clip(trunk.low, 0, 1)
        solids.append(
            _tube(
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
            _tube(
                trunk, trunk.x + side * 16.5, y, 12.0, depth * 0.97, fascia, muscle, streaks, square=0.5, roughness=1.0
            )
        )
    return solids


def _midline(trunk: Trunk, rng: np.random.Generator) -> list[Solid]:
    """Interspinous ligaments between the processes, and the supraspinous one behind them."""
    z, y = trunk.z, (trunk.canal + trunk.tip) / 2
    depth = np.maximum(trunk.tip - trunk.canal, 3.0) / 2
    between = Coat(Tissue.INTERSPINOUS, softness=2.0, strength=0.9)
    fat = Coat(Tissue.FAT, softness=1.0, strength=0.7, grain="streaks", amount=rng.uniform(-2.0, 0.4))
    keep = z > -210
    thick = rng.uniform(1.0, 2.2) * np.clip(1.3 - trunk.low, 0.35, 1)
    return [
        _tube(trunk, trunk.x, y, 3.5, depth, between, fat, square=1.0, keep=keep),
        _tube(trunk, trunk.x, trunk.tip - 0.3, 7.0, thick, Coat(Tissue.LIGAMENT, softness=0.8), square=1.0, keep=keep),
    ]


def _organs(trunk: Trunk, person: Variation, rng: np.random.Generator) -> list[Solid]:
    """Kidneys, liver and spleen, for the coronal and axial planes."""
    solids, organ = [], (Coat(Tissue.ORGAN, softness=0.5),)
    for side in (1, -1):
        sinus = Spot(Ellipsoid(8.0, 7.0, 24.0), (-side * 8.0, 0, 0), Tissue.MESENTERY, 3.0, 0.9, 3.0)
        place = np.array([side * rng.normal(66, 5), trunk.canal.mean() - 22.0, 62.0 + side * 8.0 + rng.normal(0, 12)])
        turn = np.array([[0.97, 0, side * 0.25], [0, 1.0, 0], [-side * 0.25, 0, 0.97]])
        solids.append(Solid(Ellipsoid(27.0, 25.0, 55.0), place, turn, organ, (sinus,), 1.5))
    liver = Ellipsoid(62.0, 70.0, 95.0)
    solids.append(Solid(liver, np.array([-85.0, -45.0, 150.0 + rng.normal(0, 15)]), np.eye(3), organ, (), 3.0))
    spleen = Ellipsoid(24.0, 38.0, 55.0)
    solids.append(Solid(spleen, np.array([105.0, 10.0, 150.0 + rng.normal(0, 12)]), np.eye(3), organ, (), 2.0))
    return solids


def _bowel(trunk: Trunk, rng: np.random.Generator) -> list[Solid]:
    """Loops with gas, fluid or stool, scattered in front of the spine."""
    solids = []
    for _ in range(int(rng.integers(7, 17))):
        height = rng.uniform(-190, 190)
        row = int((height + REACH) / STEP)
        back, front = trunk.front[row] - 30.0, trunk.belly[row] + trunk.belly_fat + 14.0
        if back - front < 20:
            continue
        inner = Tissue(rng.choice(_FILLINGS, p=(0.25, 0.15, 0.3, 0.3)))
        solids += _loop(np.array([rng.normal(0, 40), rng.uniform(front, back), height]), inner, rng)
    return solids


_FILLINGS = (Tissue.GAS, Tissue.FLUID, Tissue.CONTENT, Tissue.MUSCLE)


def _loop(place: np.ndarray, inner: Tissue, rng: np.random.Generator) -> list[Solid]:
    """A piece of gut: a few bulges in a bent row, all of the wall first, then what is in it."""
    wall, filling, thick = [], [], rng.uniform(1.2, 3.0)
    radius, way, turn = rng.uniform(5, 15), rng.normal(size=3) * (0.6, 1, 1), rng.normal(size=3)
    way /= np.linalg.norm(way)
    axes = np.linalg.qr(np.stack([way, turn, rng.normal(size=3)], axis=1))[0].T
    count = int(rng.integers(1, 6))
    sizes = (radius * rng.uniform(0.75, 1.2, (count, 3))).tolist()
    outer, within = (Coat(Tissue.WALL, softness=0.8),), (Coat(inner, softness=0.8),)
    for a, b, c in sizes:
        wall.append(Solid(Ellipsoid(a, b, c), place, axes, outer, (), 1.5))
        filling.append(Solid(Ellipsoid(a - thick, b - thick, c - thick), place, axes, within, (), 1.5))
        place = place + way * radius * 1.1
        way = way + turn * 0.25
        way /= np.sqrt(way @ way)
    return wall + filling


def _pelvis(trunk: Trunk, person: Variation, column: Column, rng: np.random.Generator) -> list[Solid]:
    """Iliac bones, bladder, uterus or prostate, and the rectum in the sacrum's hollow."""
    promontory, s3 = column.sacrum[0], column.sacrum[2]
    solids = []
    for side in (1, -1):
        wing = Block(9.0, 42.0, 62.0, 8.0)
        turn = np.array(
            [[0.86, side * 0.42, side * 0.28], [-side * 0.44, 0.9, 0.0], [-side * 0.25, -side * 0.12, 0.96]]
        )
        turn = np.linalg.svd(turn)[0] @ np.linalg.svd(turn)[2]
        place = promontory.centre + np.array([side * 74.0, -2.0, -18.0])
        solids.append(Solid(wing, place, turn, bone(1.5), (), 2.0))
    middle = s3.centre + np.array([0, -s3.form.front, 0])
    fill = rng.uniform(16, 42)
    bladder = Ellipsoid(fill * 1.2, fill, fill * rng.uniform(0.6, 1.1))
    place = middle + np.array([rng.normal(0, 5), -55 - rng.uniform(0, 25) - fill, -45.0 + fill * 0.6])
    solids.append(Solid(bladder, place, np.eye(3), (Coat(Tissue.WALL), Coat(Tissue.FLUID, inset=3.0)), (), 2.0))
    if not person.male:
        size = rng.uniform(14, 26)
        cavity = Spot(Ellipsoid(3.0, 2.0, size), (0, 0, 0), Tissue.FLUID, 2.0, 0.6)
        place = middle + np.array([rng.normal(0, 8), -30 - size, -22 + rng.normal(0, 8)])
        shape = Ellipsoid(size * 1.2, size, size * 1.5)
        turn = np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])
        solids.append(Solid(shape, place, turn, (Coat(Tissue.ORGAN, softness=1.0),), (cavity,), 2.0))
    return solids + _rectum(column, rng)


def _rectum(column: Column, rng: np.random.Generator) -> list[Solid]:
    """A gut in the sacrum's hollow: all of its wall first, then what is in it."""
    wall, filling = [], []
    inner = Tissue(rng.choice([Tissue.GAS, Tissue.CONTENT, Tissue.MUSCLE], p=(0.45, 0.35, 0.2)))
    size, gap = rng.uniform(7, 13), rng.uniform(5, 16)
    for step in np.arange(1.0, 5.0, 0.5):
        hollow, radius = column.sacrum[int(step)], size * rng.uniform(0.6, 1.4)
        place = hollow.place(rng.normal(0, 5), -hollow.form.front - radius - gap, -(step % 1) * 20)
        for layer, tissue, less in ((wall, Tissue.WALL, 0.0), (filling, inner, 2.5)):
            form = Ellipsoid(radius - less, radius - less, radius * 1.2 - less)
            layer.append(Solid(form, place, hollow.axes, (Coat(tissue, softness=0.8),), (), 1.5))
    return wall + filling


def _vessels(trunk: Trunk, person: Variation, column: Column, rng: np.random.Generator) -> list[Solid]:
    """Aorta and vena cava down to L4, the iliac vessels below, and a few vessels of the mesentery."""
    z, solids = trunk.z, []
    l4 = next(body.centre[2] for body in column.bodies if body.name == "L4") + rng.normal(4, 7)
    spread = np.maximum(l4 - z, 0)
    bend = rng.normal(0, 4) * np.sin((z + rng.uniform(0, 200)) / rng.uniform(40, 80))
    shared = rng.normal(0, 6)
    for side, tissue, radius, offset in (
        (1, Tissue.ARTERY, rng.uniform(7.5, 11.0) + 0.03 * max(person.age - 50, 0), 9.0),
        (-1, Tissue.VEIN, rng.uniform(7.0, 12.0), 18.0),
    ):
        coats = (Coat(Tissue.WALL, softness=0.8), Coat(tissue, inset=1.3, softness=0.8))
        for way in (1, -1):
            x = trunk.x + shared + side * offset + bend + (way * 0.55 * spread - side * 0.25 * np.minimum(spread, 25))
            size = np.where(spread > 0, radius * 0.62, radius)
            y = (
                trunk.front
                - radius
                - rng.uniform(1, 5)
                - 6.0 * np.clip(trunk.low, 0, 1)
                + 0.25 * np.maximum(spread - 25, 0)
            )
            squash = 0.75 if tissue == Tissue.VEIN else 1.0
            solids.append(_tube(trunk, x, y, size, size * squash, *coats, keep=z > l4 - 110))
    for _ in range(int(rng.integers(2, 7))):
        size, height = rng.uniform(2.0, 4.5), rng.uniform(-100, 150)
        row = int((height + REACH) / STEP)
        place = np.array([rng.normal(0, 20), trunk.front[row] - rng.uniform(22, 60), height])
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        solids.append(Solid(Ellipsoid(size, size, 30.0), place, turn, (Coat(Tissue.VEIN, softness=0.6),), (), 1.5))
    return solids
