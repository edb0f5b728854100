"""The outline of the trunk along the spine, and columns of soft tissue that follow it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lumbar.phantom.bones import spinous_tips
from lumbar.phantom.canal import Course
from lumbar.phantom.column import Column
from lumbar.phantom.shapes import Coat, Solid
from lumbar.phantom.tube import Tube
from lumbar.phantom.variation import Variation

STEP = 1.0
"""Spacing of the tables over z, mm; coarser than the canal's, because the soft tissues are smooth."""

REACH = 300.0
"""How far the body extends above and below the middle of L3, mm."""


class Trunk:
    """Tables over z that the soft tissues share: the front and back of the spine, the skin and the fascia below it.

    All tables have one value for each height in `z`, shape (600,), body mm.

    Args:
        person: The numbers of the person.
        column: Frames and shapes of bodies, discs and sacrum.
        course: Course of the spinal canal.
        rng: Source of random numbers.
    """

    def __init__(self, person: Variation, column: Column, course: Course, rng: np.random.Generator):
        self.z = z = np.arange(-REACH, REACH, STEP)
        self.zeros = np.zeros_like(z)
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
        flat = rng.uniform(0.0, 0.75)  # lying on the back flattens it
        visible = np.abs(z) < 160
        line = np.polyval(np.polyfit(z[visible], skin[visible], 1), z)
        self.skin = np.maximum(skin + flat * (np.maximum(line, skin - 25) - skin), self.tip + 4.0)
        deep = rng.normal(85, 14) + 40.0 * person.fatness * rng.uniform(0.6, 1.2)
        belly = self.front.mean() - deep - 12.0 * np.exp(-0.5 * ((z + 40) / 90) ** 2) + 0.12 * np.abs(z) ** 1.2 * 0.3
        self.belly = belly
        self.belly_fat = rng.uniform(4, 12) + 13.0 * person.fatness
        self.half_width = (145 + 26 * person.fatness) * person.size + 18.0 * np.minimum(low, 1.5)


def column_of(trunk: Trunk, x, y, a, b, *coats: Coat, square: float = 0.0, keep=None, roughness: float = 0.0) -> Solid:
    """Return a column of soft tissue that runs along the trunk.

    Args:
        trunk: Its `z` gives the heights.
        x: Centre to the left, mm; a table over `trunk.z` or one number. The same holds for `y`, `a` and `b`.
        y: Centre to the back, mm.
        a: Half axis to the left, mm.
        b: Half axis to the back, mm.
        *coats: Layers from the outside in.
        square: 0 for an elliptical cross section, 1 for a rounded rectangle.
        keep: Heights of the column, a boolean mask over `trunk.z`; all of them by default.
        roughness: How far noise moves the surface, mm.
    """
    tables = [trunk.z, *(value + trunk.zeros for value in (x, y, a, b))]
    if keep is not None:
        tables = [table[keep] for table in tables]
    return Solid(Tube(*tables, squareness=square), np.zeros(3), np.eye(3), coats, (), roughness)
