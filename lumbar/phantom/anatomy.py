"""A synthetic patient: its 3-D anatomy, its landmarks, and the frames by which an operator places slices.

The anatomy is built in body mm: x to the left, y to the back, z to the head, origin in the middle of L3. Landmarks and
frames are given in patient mm (LPS). The sizes come from `lumbar.phantom.variation`; bones, canal and soft tissues have
modules of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from lumbar.landmarks import LEVELS, MARGIN_INSIDE_MM, NEIGHBOURS
from lumbar.phantom import body, bones
from lumbar.phantom.canal import canal, trace_course
from lumbar.phantom.column import HALF_CLEFT_MM, Column, build_column
from lumbar.phantom.shapes import Ellipsoid, Solid
from lumbar.phantom.trunk import Trunk
from lumbar.phantom.tube import Tube
from lumbar.phantom.variation import Variation, draw_variation, wear

SUBARTICULAR_OUTWARD = 0.39
"""Distance of the subarticular points from the middle, to either side, as a share of the canal's width."""

SUBARTICULAR_BEHIND_MM = 2.0
"""Distance of the subarticular points (in the lateral recess) behind the margin of the disc, mm."""


class Frame(NamedTuple):
    """A position and three perpendicular directions in patient coordinates (LPS).

    Args:
        centre: Position, mm, shape (3,).
        left: Unit vector to the patient's left, shape (3,).
        posterior: Unit vector to the back, shape (3,).
        superior: Unit vector to the head, shape (3,).
    """

    centre: np.ndarray
    left: np.ndarray
    posterior: np.ndarray
    superior: np.ndarray


@dataclass(frozen=True, eq=False)
class Patient:
    """One synthetic patient.

    Args:
        person: The numbers that the patient was built from (age, sex, sizes and findings).
        column: Frames and shapes of bodies, discs and sacrum, in body mm.
        solids: All tissues in the order in which they are painted, in body mm.
        rotation: How the patient lies: ``patient_mm = rotation @ body_mm + position``, shape (3, 3).
        position: Translation of that map, mm, shape (3,).
        outline: Tables over z of the front of the spine, the spinous tips, the skin and the belly, body mm.
        grain: Seed of the tissue texture.
    """

    person: Variation
    column: Column
    solids: tuple[Solid, ...]
    rotation: np.ndarray
    position: np.ndarray
    outline: Trunk
    grain: int

    @property
    def lumbar_vertebrae(self) -> int:
        """Number of lumbar-type vertebrae: 4, 5 or 6.

        4.1 % of people have 4 and 5.8 % have 6 (French et al., Global Spine J 2014). Levels are always labelled upwards
        from the sacrum: L5/S1 is the last mobile disc.
        """
        return self.person.lumbar_vertebrae

    @property
    def findings(self) -> tuple[str, ...]:
        """Findings that a radiology report would mention, e.g. "spondylolisthesis L4/L5"."""
        return self.person.findings

    @cached_property
    def boxes(self) -> tuple[np.ndarray, ...]:
        """Bounding box of each of the n solids, body mm, and how a thick slice softens its outline.

        Returns:
            Centres (n, 3), axes (n, 3, 3), half extents (n, 3), roundness (n,) (see `lumbar.phantom.shapes.Form`), and
            1 for solids with flat faces, else 0 (n,).
        """
        solids = self.solids
        centres = np.array([s.form.centre if isinstance(s.form, Tube) else s.centre for s in solids])
        reaches = np.array([s.form.reach for s in solids])
        # Noise moves a surface by up to three times the roughness; it moves the long ends of an ellipsoid further.
        ends = np.array([3.0 * s.roughness / (s.form.thinnest if isinstance(s.form, Ellipsoid) else 1) for s in solids])
        balls = np.array([isinstance(s.form, Ellipsoid) for s in solids])
        reaches = reaches + ends[:, None] * np.where(balls[:, None], reaches, 1.0)
        roundness = np.array([s.form.roundness for s in solids])
        tubes = np.array([isinstance(s.form, Tube) for s in solids])
        flat = (~balls & ~tubes).astype(float)
        return centres, np.array([s.axes for s in solids]), reaches, roundness, flat

    def landmarks_mm(self, view: str) -> dict[tuple[str, str], np.ndarray]:
        """Return the points with which an image of this view is labelled, in patient mm.

        sagittal: the posterior margin of each disc in the mid-sagittal plane, as in the public labels; key (level, "").
        coronal: the centre of each disc; key (level, "").
        axial: the left and right subarticular points (lateral recess, just behind the disc); key (level, side). The
        sides are the patient's: left has the greater x.

        Args:
            view: One of `lumbar.landmarks.VIEWS`.

        Returns:
            (level, side) → float64 array of shape (3,), mm, LPS.

        Raises:
            ValueError: For any other view.
        """
        points = {}
        for level, disc, width in zip(LEVELS, self.column.discs[-5:], self.person.canal_width[-5:], strict=True):
            if view == "sagittal":
                points[level, ""] = disc.place(0, disc.form.margin(0) - MARGIN_INSIDE_MM, 0)
            elif view == "coronal":
                points[level, ""] = disc.centre
            elif view == "axial":
                for side, sign in (("left", 1), ("right", -1)):
                    out = sign * SUBARTICULAR_OUTWARD * width
                    points[level, side] = disc.place(out, disc.form.margin(out) + SUBARTICULAR_BEHIND_MM, 0)
            else:
                raise ValueError(f"view must be sagittal, coronal or axial, got {view!r}")
        return {key: self.to_patient(point) for key, point in points.items()}

    def neighbours_mm(self, view: str) -> dict[str, np.ndarray]:
        """Return the same points of the discs `lumbar.landmarks.NEIGHBOURS`, in patient mm.

        T12/L1 is the disc above L1/L2, however many lumbar vertebrae there are. S1/S2 is what is left of the disc
        between the first two segments of the sacrum.

        Args:
            view: One of `lumbar.landmarks.VIEWS`; in axial images these discs have no points.

        Returns:
            Name of the disc → float64 array of shape (3,), mm, LPS; empty for an axial image.
        """
        above, below = self.column.discs[-6], self.column.sacrum[0]
        if view == "axial":
            return {}
        under = below.form.bottom + HALF_CLEFT_MM
        if view == "sagittal":
            margin = below.form.back * (1 - below.form.taper) - MARGIN_INSIDE_MM
            points = (
                above.place(0, above.form.margin(0) - MARGIN_INSIDE_MM, 0),
                below.place(0, margin, below.form.bottom_slope * margin - under),
            )
        else:
            points = (above.centre, below.place(0, 0, -under))
        return {name: self.to_patient(point) for name, point in zip(NEIGHBOURS, points, strict=True)}

    def disc_frames(self) -> dict[str, Frame]:
        """Return level → centre and directions of its disc; axial slices lie along `left` and `posterior`."""
        return {
            level: Frame(self.to_patient(disc.centre), *(disc.axes @ self.rotation.T))
            for level, disc in zip(LEVELS, self.column.discs[-5:], strict=True)
        }

    def sagittal_frame(self) -> Frame:
        """Return the mid-sagittal plane of the lumbar spine; a sagittal image lies along `posterior` and `superior`.

        The plane is fitted to the discs of the landmarks, so that a mildly curved spine stays close to it.
        """
        return self._fitted_frame(np.array([disc.place(0, disc.form.back, 0) for disc in self.column.discs[-5:]]))

    def coronal_frame(self) -> Frame:
        """Return a coronal plane near the centres of the discs; a coronal image lies along `left` and `superior`.

        The plane leans with the lumbar spine. Because of the lordosis, no flat plane passes through all the centres.
        """
        return self._fitted_frame(np.array([disc.centre for disc in self.column.discs[-5:]]))

    def to_patient(self, xyz_body: np.ndarray) -> np.ndarray:
        """Convert body mm to patient mm (LPS); both have shape (..., 3)."""
        return np.asarray(xyz_body) @ self.rotation.T + self.position

    def to_body(self, xyz_patient: np.ndarray) -> np.ndarray:
        """Convert patient mm (LPS) to body mm; both have shape (..., 3)."""
        return (np.asarray(xyz_patient) - self.position) @ self.rotation

    def _fitted_frame(self, points: np.ndarray) -> Frame:
        """Return the frame about the mean of the points (n, 3), body mm, whose `superior` is fitted to them."""
        slope = np.polyfit(points[:, 2], points[:, :2], 1)[0]
        superior = np.array([slope[0], slope[1], 1.0])
        superior /= np.linalg.norm(superior)
        left = np.array([1.0, 0.0, 0.0]) - superior[0] * superior
        left /= np.linalg.norm(left)
        directions = np.array([left, np.cross(superior, left), superior])
        return Frame(self.to_patient(points.mean(axis=0)), *(directions @ self.rotation.T))


def draw_patient(
    rng: np.random.Generator, *, anomalies: bool = True, worn: float = 0.0, unusual_counts: float | None = None
) -> Patient:
    """Sample one patient; the same state of `rng` gives the same patient.

    Args:
        rng: Source of random numbers.
        anomalies: Whether slips, fractures, protrusions, Modic changes, transitional vertebrae and the like may occur.
        worn: Probability that the lower spine is badly worn, see `lumbar.phantom.variation.wear`.
        unusual_counts: Probability of four or six lumbar vertebrae, see `lumbar.phantom.variation.draw_variation`.
    """
    person = draw_variation(rng, anomalies=anomalies, unusual_counts=unusual_counts)
    # A stream of its own: whoever is not worn is the same person as without this setting.
    (wearing,) = rng.spawn(1)
    if wearing.random() < worn:
        person = wear(person, wearing)
    column = build_column(person, rng)
    course = trace_course(person, column)
    under, midline, outline = body.soft_tissues(person, column, course, rng)
    solids = [*under, *midline, *bones.arches(person, column, rng), *canal(person, column, course, rng)]
    solids += bones.discs(person, column, rng) + bones.bodies(person, column, rng)
    return Patient(
        person=person,
        column=column,
        solids=tuple(solids),
        rotation=_pose(rng),
        position=rng.normal(0, (6.0, 10.0, 12.0)),
        outline=outline,
        grain=int(rng.integers(0, 2**31)),
    )


def _pose(rng: np.random.Generator) -> np.ndarray:
    """Sample a rotation of a few degrees about each axis, because nobody lies quite straight."""
    rotation = np.eye(3)
    for axis, angle in enumerate(np.radians(rng.normal((-3.5, 0, 0), (3.0, 2.0, 2.0)))):
        a, b = [(1, 2), (2, 0), (0, 1)][axis]
        step = np.eye(3)
        step[[a, b], [a, b]] = np.cos(angle)
        step[a, b], step[b, a] = -np.sin(angle), np.sin(angle)
        rotation = step @ rotation
    return rotation
