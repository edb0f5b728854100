"""The organs in front of and beside the spine: kidneys, liver, spleen, bowel, vessels and the pelvis.

Sizes are textbook values, rounded and varied widely: a network should learn that none of this shows where a disc lies.
"""

from __future__ import annotations

import numpy as np

from lumbar.phantom.bones import bone
from lumbar.phantom.column import Column
from lumbar.phantom.shapes import Block, Coat, Ellipsoid, Solid, Spot
from lumbar.phantom.tissue import Tissue
from lumbar.phantom.trunk import REACH, STEP, Trunk, column_of
from lumbar.phantom.variation import Variation


def organs(trunk: Trunk, person: Variation, rng: np.random.Generator) -> list[Solid]:
    """Return kidneys, liver and spleen; coronal and axial images show them.

    Args:
        trunk: Outline of the trunk.
        person: The numbers of the person.
        rng: Source of random numbers.
    """
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


def bowel(trunk: Trunk, rng: np.random.Generator) -> list[Solid]:
    """Return loops of bowel, collapsed or with gas, fluid or stool, scattered in front of the spine.

    Args:
        trunk: Outline of the trunk.
        rng: Source of random numbers.
    """
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
    """Return a piece of bowel, a few ellipsoids in a bent row: first the wall of all, then the contents."""
    wall, filling, thick = [], [], rng.uniform(1.2, 3.0)
    radius, direction, turn = rng.uniform(5, 15), rng.normal(size=3) * (0.6, 1, 1), rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    axes = np.linalg.qr(np.stack([direction, turn, rng.normal(size=3)], axis=1))[0].T
    count = int(rng.integers(1, 6))
    sizes = (radius * rng.uniform(0.75, 1.2, (count, 3))).tolist()
    outer, within = (Coat(Tissue.WALL, softness=0.8),), (Coat(inner, softness=0.8),)
    for a, b, c in sizes:
        wall.append(Solid(Ellipsoid(a, b, c), place, axes, outer, (), 1.5))
        filling.append(Solid(Ellipsoid(a - thick, b - thick, c - thick), place, axes, within, (), 1.5))
        place = place + direction * radius * 1.1
        direction = direction + turn * 0.25
        direction /= np.sqrt(direction @ direction)
    return wall + filling


def pelvis(person: Variation, column: Column, rng: np.random.Generator) -> list[Solid]:
    """Return iliac bones, bladder, uterus (of women), and the rectum in the hollow of the sacrum.

    Args:
        person: The numbers of the person.
        column: Frames and shapes of bodies, discs and sacrum.
        rng: Source of random numbers.
    """
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
    """Return the rectum in the hollow of the sacrum: first all of its wall, then the contents."""
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


def vessels(trunk: Trunk, person: Variation, column: Column, rng: np.random.Generator) -> list[Solid]:
    """Return aorta (left of the middle, 15–22 mm wide), vena cava (to its right), and the vessels they divide into.

    Args:
        trunk: Outline of the trunk.
        person: The numbers of the person.
        column: Frames and shapes of bodies, discs and sacrum.
        rng: Source of random numbers.
    """
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
        for fork in (1, -1):
            x = trunk.x + shared + side * offset + bend + (fork * 0.55 * spread - side * 0.25 * np.minimum(spread, 25))
            size = np.where(spread > 0, radius * 0.62, radius)
            y = (
                trunk.front
                - radius
                - rng.uniform(1, 5)
                - 6.0 * np.clip(trunk.low, 0, 1)
                + 0.25 * np.maximum(spread - 25, 0)
            )
            squash = 0.75 if tissue == Tissue.VEIN else 1.0
            solids.append(column_of(trunk, x, y, size, size * squash, *coats, keep=z > l4 - 110))
    for _ in range(int(rng.integers(2, 7))):
        size, height = rng.uniform(2.0, 4.5), rng.uniform(-100, 150)
        row = int((height + REACH) / STEP)
        place = np.array([rng.normal(0, 20), trunk.front[row] - rng.uniform(22, 60), height])
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        solids.append(Solid(Ellipsoid(size, size, 30.0), place, turn, (Coat(Tissue.VEIN, softness=0.6),), (), 1.5))
    return solids
