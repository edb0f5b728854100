"""A synthetic neck, C2 to T4: an image of a spine that shows none of the levels.

A network has to say of such an image that every level is absent. Only what a mid-sagittal image shows is modelled. The
vertebrae are sized as in Panjabi et al., Spine 1991 ("Cervical human vertebrae"), rounded; the rest was judged by eye.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from scipy import ndimage

from lumbar.landmarks import NEIGHBOURS
from lumbar.phantom.anatomy import Frame, Patient
from lumbar.phantom.bones import bone
from lumbar.phantom.column import Column, Segment, axes
from lumbar.phantom.segments import Disc, Vertebra
from lumbar.phantom.shapes import Block, Coat, Ellipsoid, Plate, Solid, Spot
from lumbar.phantom.tissue import Tissue
from lumbar.phantom.tube import Tube
from lumbar.phantom.variation import draw_variation

VERTEBRAE = ("C2", "C3", "C4", "C5", "C6", "C7", "T1", "T2", "T3", "T4")

# From C2 down to T4, mm and degrees, for a person of average size. The height of C2 is that of the body below the dens.
_HEIGHT = np.array([20.0, 13.0, 13.0, 13.0, 13.5, 14.5, 16.0, 17.0, 17.5, 18.0])
_DEPTH = np.array([16.0, 16.0, 16.5, 17.0, 17.5, 17.5, 18.0, 19.0, 20.5, 22.0])
_WIDTH = np.array([19.0, 19.0, 20.0, 21.0, 22.5, 25.0, 27.0, 27.0, 26.5, 26.5])
_DISC_HEIGHT = np.array([5.0, 5.2, 5.4, 5.6, 5.6, 5.2, 4.4, 4.0, 3.8, 3.8])
_CANAL_DEPTH = np.array([17.0, 15.0, 14.5, 14.5, 14.5, 14.5, 15.0, 15.5, 15.5, 15.5])
_SPINOUS = np.array([30.0, 20.0, 20.0, 22.0, 28.0, 38.0, 40.0, 38.0, 34.0, 30.0])


class Neck(Patient):
    """A person of whom the neck is scanned: lying straight, its origin in the middle of C5, without landmarks."""

    @property
    def lumbar_vertebrae(self) -> None:
        """Not known: they are not in the image."""
        return None

    @property
    def findings(self) -> tuple[str, ...]:
        """What the table says of it."""
        return ("the neck, not the lumbar spine",)

    def disc_frames(self) -> dict[str, Frame]:
        """Return nothing, see `landmarks_mm`."""
        return {}

    def _fitted_frame(self, points: np.ndarray) -> Frame:
        raise NotImplementedError("slices of a neck are planned by lumbar.phantom.planning.of_neck")

    def landmarks_mm(self, view: str) -> dict[tuple[str, str], np.ndarray]:
        """Return nothing: an image of the neck shows none of the levels."""
        return {}

    def neighbours_mm(self, view: str) -> dict[str, np.ndarray]:
        """Return NaN for each of `lumbar.landmarks.NEIGHBOURS`: an image of the neck shows none of them."""
        return dict.fromkeys(NEIGHBOURS, np.full(3, np.nan))


def draw_neck(rng: np.random.Generator) -> Neck:
    """Sample the neck of a person; the same state of `rng` gives the same neck."""
    person = draw_variation(rng, anomalies=False)
    column = _column(person.size, rng)
    course = _Course(column, person.size)
    fat = rng.uniform(4, 14) + 8 * person.fatness
    solids = [
        *_around(course, fat, rng),
        *_head(column, course, rng),
        *_processes(column, person.size, rng),
        *course.canal(rng),
        *_discs(column, rng),
        *_bodies(column, rng),
    ]
    outline = SimpleNamespace(z=course.z, skin=course.canal_end + course.behind + fat, front=course.front)
    return Neck(person, column, tuple(solids), np.eye(3), np.zeros(3), outline, int(rng.integers(0, 2**31)))


def _column(size: float, rng: np.random.Generator) -> Column:
    """Return bodies and discs, built upwards from T4 as `lumbar.phantom.column` builds from S1."""
    heights, depths, widths, discs_high = (
        each * size * rng.normal(1, 0.06) * rng.normal(1, 0.03, len(VERTEBRAE))
        for each in (_HEIGHT, _DEPTH, _WIDTH, _DISC_HEIGHT)
    )
    lordosis = rng.normal(3.5, 2.5)  # of each cervical disc, degrees
    wedge = np.where(np.arange(len(VERTEBRAE)) < 6, lordosis, -3.0)
    place, pitch = np.zeros(3), rng.normal(14, 5)
    bodies, discs = [], []
    for index in reversed(range(len(VERTEBRAE))):
        name = VERTEBRAE[index]
        below = VERTEBRAE[index + 1] if index + 1 < len(VERTEBRAE) else "T5"
        form = Disc(
            width=widths[index] / 2,
            front=depths[index] / 2,
            back=depths[index] / 2,
            height=discs_high[index] / 2,
            slope=float(np.tan(np.radians(max(wedge[index], 0) / 2))),
            bulge=float(rng.uniform(0.2, 1.8)),
        )
        frame = axes(pitch - wedge[index] / 2, 0)
        discs.append(Segment(f"{name}/{below}", form, place + frame[2] * discs_high[index] / 2, frame))
        place, pitch = place + frame[2] * discs_high[index], pitch - wedge[index]
        frame, half = axes(pitch, 0), heights[index] / 2
        body = Vertebra(widths[index] / 2, depths[index] / 2, depths[index] / 2, half, half, top_hollow=0.8)
        bodies.append(Segment(name, body, place + frame[2] * half, frame))
        place = place + frame[2] * heights[index]
    origin = next(body.centre for body in bodies if body.name == "C5")
    bodies, discs = (
        tuple(Segment(part.name, part.form, part.centre - origin, part.axes) for part in reversed(parts))
        for parts in (bodies, discs)
    )
    return Column(bodies, discs, ())


class _Course:
    """Tables over z along the spine, body mm.

    Front and back (`wall`) of the bodies, `depth` and end of the canal behind them, and how far the muscles reach
    beyond that (`behind`): to 4 mm behind the spinous processes.
    """

    def __init__(self, column: Column, size: float):
        parts = sorted(column.bodies, key=lambda part: part.centre[2])
        heights = [part.centre[2] for part in parts]
        self.z = np.arange(heights[0] - 60, heights[-1] + 130, 1.0)

        def table(values: list[float] | np.ndarray) -> np.ndarray:
            steps = np.interp(self.z, heights, values)
            slope = np.polyfit(heights[:3], values[:3], 1)[0]  # the chest goes on as it begins
            return np.where(self.z < heights[0], values[0] + slope * (self.z - heights[0]), steps)

        self.front = table([part.place(0, -part.form.front, 0)[1] for part in parts])
        self.wall = table([part.place(0, part.form.back, 0)[1] for part in parts])
        self.depth = np.interp(self.z, heights, _CANAL_DEPTH[::-1] * size)
        self.canal_end = self.wall + self.depth
        self.behind = _smooth(np.interp(self.z, heights, _SPINOUS[::-1] * size) + 4)

    def tube(self, y, a, b, squareness: float = 0.0) -> Tube:
        """Return a tube about the middle, its centre `y`, half width `a` and half depth `b` tables or numbers."""
        zeros = np.zeros_like(self.z)
        return Tube(self.z, zeros, y + zeros, a + zeros, b + zeros, squareness)

    def canal(self, rng: np.random.Generator) -> list[Solid]:
        """Return fat, sac and cord; the cord is thickest at C5."""
        middle = self.wall + self.depth / 2
        cord = 3.6 + 0.5 * np.exp(-0.5 * (self.z / 40) ** 2)
        return [
            _painted(self.tube(middle, 11.0, self.depth / 2 + 0.5, 0.4), Coat(Tissue.EPIDURAL_FAT, softness=0.6)),
            _painted(
                self.tube(self.wall + self.depth * 0.47, 9.5, self.depth * rng.uniform(0.38, 0.45)),
                Coat(Tissue.LIGAMENT),
                Coat(Tissue.CSF, inset=0.7),
            ),
            _painted(self.tube(middle + rng.uniform(-1, 1), 6.2, cord), Coat(Tissue.CORD, softness=0.5)),
        ]


def _smooth(table: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter1d(table, 14.0, mode="nearest")


def _painted(tube: Tube, *coats: Coat) -> Solid:
    return Solid(tube, np.zeros(3), np.eye(3), coats)


def _around(course: _Course, fat: float, rng: np.random.Generator) -> list[Solid]:
    """Return skin, fat and muscles, and the airway in front."""
    throat = rng.uniform(38, 55) + np.clip(-course.z - 40, 0, 60) * 0.9
    back, front = course.canal_end + course.behind, course.front - throat
    half, front = 60 + np.clip(-course.z - 30, 0, 90), _smooth(front)
    middle, deep = (back + fat + front) / 2, (back + fat - front) / 2
    inner = (back + front + 5) / 2, (back - front - 5) / 2
    airway = course.front - rng.uniform(9, 15)
    return [
        _painted(course.tube(middle, half, deep, 0.3), Coat(Tissue.SKIN), Coat(Tissue.FAT, inset=2.0)),
        _painted(course.tube(inner[0], half - 10, inner[1], 0.3), Coat(Tissue.MUSCLE)),
        _painted(course.tube(course.canal_end + 8, 20.0, 12.0, 0.5), Coat(Tissue.INTERSPINOUS, softness=2.0)),
        _painted(course.tube(airway, 9.0, rng.uniform(4, 8)), Coat(Tissue.WALL), Coat(Tissue.AIR, inset=1.5)),
    ]


def _head(column: Column, course: _Course, rng: np.random.Generator) -> list[Solid]:
    """Return the head above C2, as far as an image of the neck shows it: skull, brain, cisterns and brain stem."""
    top = column.bodies[0]
    size = rng.normal(1, 0.05)
    centre = top.centre + np.array([0.0, -14.0, 118.0]) * size
    head = Ellipsoid(74.0 * size, 92.0 * size, 82.0 * size)
    brain = (Coat(Tissue.SKIN), Coat(Tissue.FAT, 2.0), Coat(Tissue.CORTEX, 6.0), Coat(Tissue.CSF, 11.0))
    stem = np.array([0.0, course.wall[-1] + course.depth[-1] / 2 - 3.0, top.centre[2] + 62.0])
    return [
        Solid(head, centre, np.eye(3), (*brain, Coat(Tissue.ORGAN, 14.0))),
        Solid(Ellipsoid(20.0, 15.0, 34.0), stem, np.eye(3), (Coat(Tissue.CSF, softness=1.0),)),
        Solid(Ellipsoid(12.0, 10.0, 30.0), stem, np.eye(3), (Coat(Tissue.CORD, softness=1.0),)),
    ]


def _processes(column: Column, size: float, rng: np.random.Generator) -> list[Solid]:
    """Return the spinous processes, and the two arches of the atlas."""
    solids = []
    for index, body in enumerate(column.bodies):
        behind = body.form.back + _CANAL_DEPTH[index] * size
        length = _SPINOUS[index] * size * rng.normal(1, 0.08)
        drop = np.radians(rng.normal(18 if index < 6 else 38, 4))
        place = body.place(0, behind + length / 2 * np.cos(drop), -4 - length / 2 * np.sin(drop))
        plate = Plate(3.0, length / 2, rng.uniform(5, 8))
        turned = axes(-np.degrees(drop), 0) @ body.axes  # its end lies lower than its root
        solids.append(Solid(plate, place, turned, bone(0.8), (), 0.8))
    atlas = column.bodies[0]
    for posterior in (-atlas.form.front - 1.0, atlas.form.back + _CANAL_DEPTH[0] * size + 3):
        place = atlas.place(0, posterior, atlas.form.top + 7)
        solids.append(Solid(Ellipsoid(8.0, 3.5, 5.5), place, atlas.axes, bone(0.8)))
    return solids


def _discs(column: Column, rng: np.random.Generator) -> list[Solid]:
    solids = []
    for disc in column.discs:
        core = Ellipsoid(disc.form.width * 0.6, disc.form.back * 0.65, disc.form.height * 1.2)
        nucleus = Spot(core, (0, 0.5, 0), Tissue.NUCLEUS, 2.0, float(rng.uniform(0.05, 0.7)), 0.8)
        solids.append(Solid(disc.form, disc.centre, disc.axes, (Coat(Tissue.ANNULUS, softness=0.4),), (nucleus,)))
    return solids


def _bodies(column: Column, rng: np.random.Generator) -> list[Solid]:
    """Return the vertebral bodies, and the dens on C2."""
    solids = [Solid(body.form, body.centre, body.axes, bone(0.9), (), 0.3) for body in column.bodies]
    axis = column.bodies[0]
    dens = Block(5.0, 5.0, 10.0, 4.0)
    return [*solids, Solid(dens, axis.place(0, 0.5, axis.form.top + 7), axis.axes, bone(0.9))]
