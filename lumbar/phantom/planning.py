"""Slice planning as an operator does it: fields of view, matrices and planes, varied as in practice.

The sagittal numbers make prepared images resemble those with public labels. In the public labels of MR images, the five
points span 117 ± 11 of 256 rows, their mean lies at (128 ± 16, 128 ± 12), and the line through them leans back by
3° ± 5°.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lumbar.geometry import SIZE, Affine, Plane
from lumbar.landmarks import LEVELS
from lumbar.phantom.anatomy import Frame, Patient

STEEPEST_AXIAL_DEGREES = 40.0
"""Largest tilt to which an axial slice follows its disc; beyond 45° the slice would be coronal."""

LEAN_DEGREES = (-2.8, 4.8)
"""Mean and standard deviation of how far the upper lumbar spine leans forward in a sagittal image, degrees."""

_MATRICES, _SHARES = (256, 288, 320, 384), (0.4, 0.15, 0.35, 0.1)
_ASPECTS, _ASPECT_SHARES = (1.0, 0.9, 0.8, 1.1), (0.65, 0.15, 0.1, 0.1)


@dataclass(frozen=True, eq=False)
class Cut:
    """One slice to acquire.

    Args:
        plane: Where it lies, patient mm (LPS), rounded as in the header of the file.
        width: Columns.
        height: Rows.
        thickness: Thickness, mm.
        spacing: Distance between the centres of neighbouring slices of the series, mm.
        levels: Disc levels whose points the table lists for it; may be empty.
    """

    plane: Plane
    width: int
    height: int
    thickness: float
    spacing: float
    levels: tuple[str, ...]


@dataclass(frozen=True)
class _Protocol:
    """Matrix, pixel size, thickness and spacing of a series; (x, y) is the pixel on which the planned point falls."""

    width: int
    height: int
    pixel: float
    thickness: float
    spacing: float
    x: float
    y: float


FIELDS_MM = (110.0, 420.0)
"""Smallest and largest height of any field of view: from the height of two levels to that from T8 to the coccyx."""

FIELD_ASPECTS = (0.45, 1.15)
"""Smallest and largest ratio of its width to its height."""


NECK_FIELDS_MM = (180.0, 280.0)
"""Smallest and largest field of view of a sagittal series of the neck, mm."""

LOCALISER_FIELDS_MM = (380.0, 440.0)
"""Smallest and largest field of view of a localiser, mm."""

LOCALISER_MARGIN_MM = 15.0
"""How far a localiser may reach beyond T8/T9 and the coccyx, where the synthetic spine ends, mm."""

LOCALISER_MATRIX = 224
"""Rows and columns of a localiser."""


def sagittal(patient: Patient, rng: np.random.Generator, slices: int = 1, *, any_field: bool = False) -> list[Cut]:
    """Plan a sagittal series, from the patient's left to the right.

    Args:
        patient: The patient.
        rng: Source of random numbers.
        slices: Number of slices, odd.
        any_field: Whether the field of view may be any between T8 and the coccyx, so that levels may lie outside.

    Returns:
        The slices; the middle one is the mid-sagittal slice and has the points.
    """
    margins = [disc.place(0, disc.form.margin(0), 0) for disc in patient.column.discs[-5:]]
    frame = patient.sagittal_frame()
    left = _rotated(frame.left, frame.posterior, rng.normal(0, 0.6))
    along = frame.superior - (frame.superior @ left) * left
    superior = _rotated(along, np.cross(along, left), rng.normal(*LEAN_DEGREES))
    middle = patient.to_patient(np.mean(margins, axis=0))
    middle = middle + ((frame.centre - middle) @ left) * left
    at = np.clip(rng.normal((128, 130), (16, 12)), (80, 100), (178, 160))
    wanted = {"field": np.clip(rng.normal(280, 15), 230, 340), "at": at}
    if any_field:
        wanted = _any_field(patient, rng, middle, superior)
    protocol = _protocol(rng, **wanted, thicknesses=(3.5, 5.0))
    shifts = [(index - slices // 2) * protocol.spacing for index in range(slices)]
    row, column = np.cross(superior, left), -superior
    # Row × column points to the patient's right.
    return [_cut(protocol, middle - shift * left, row, column, LEVELS if shift == 0 else ()) for shift in shifts]


def of_neck(patient: Patient, rng: np.random.Generator, slices: int = 1) -> list[Cut]:
    """Plan a sagittal series of a neck, from the patient's left to the right; all levels are asked for, none is there.

    Args:
        patient: A `lumbar.phantom.neck.Neck`.
        rng: Source of random numbers.
        slices: Number of slices, odd.
    """
    at = np.clip(rng.normal((128, 125), (12, 14)), (85, 85), (170, 165))
    protocol = _protocol(rng, field=rng.uniform(*NECK_FIELDS_MM), at=at, thicknesses=(3.0, 4.0))
    left, posterior, superior = np.eye(3)
    superior = _rotated(superior, posterior, rng.normal(0, 5.0))
    row, column = np.cross(superior, left), -superior
    shifts = [(index - slices // 2) * protocol.spacing for index in range(slices)]
    centre = patient.to_patient(np.zeros(3))
    return [_cut(protocol, centre - shift * left, row, column, LEVELS if shift == 0 else ()) for shift in shifts]


def coronal(patient: Patient, rng: np.random.Generator, *, any_field: bool = False) -> list[Cut]:
    """Plan one coronal slice, as close to the centres of the discs as a flat plane can be.

    Args:
        patient: The patient.
        rng: Source of random numbers.
        any_field: See `sagittal`.
    """
    frame = patient.coronal_frame()
    superior = _rotated(frame.superior, frame.posterior, rng.normal(0, 2.0))
    left = frame.left - (frame.left @ superior) * superior
    left = _rotated(left, superior, rng.normal(0, 1.5))
    superior = superior - (superior @ left) * left
    at = np.clip(rng.normal((128, 132), (9, 9)), (95, 105), (161, 160))
    wanted = {"field": np.clip(rng.normal(335, 20), 280, 400), "at": at}
    if any_field:
        wanted = _any_field(patient, rng, frame.centre, superior)
    protocol = _protocol(rng, **wanted, thicknesses=(3.5, 5.0))
    return [_cut(protocol, frame.centre, left, -superior, LEVELS)]


def axial(patient: Patient, rng: np.random.Generator) -> list[Cut]:
    """Plan one axial slice along each disc, from L1/L2 down.

    Args:
        patient: The patient.
        rng: Source of random numbers.
    """
    at = np.clip(rng.normal((128, 112), (7, 9)), (105, 85), (151, 140))
    field = np.clip(rng.normal(190, 15), 155, 240)
    protocol = _protocol(rng, field=field, at=at, thicknesses=(3.0, 4.5), aspect=1.0)
    cuts = []
    for level, frame in patient.disc_frames().items():
        left, posterior = _along_disc(frame)
        rotated, off_centre = _rotated(left, posterior, rng.normal(0, 1.5)), rng.normal(0, 3.0, 2)
        down = np.cross(np.cross(left, posterior), rotated)
        cuts.append(_cut(protocol, frame.centre + off_centre @ np.array([rotated, down]), rotated, down, (level,)))
    return cuts


def localiser(patient: Patient, rng: np.random.Generator) -> dict[str, list[Cut]]:
    """Plan a localiser: three coarse slices in each plane, along the axes of the table, before anything is known.

    Args:
        patient: The patient.
        rng: Source of random numbers.

    Returns:
        View → its slices; none of them has points.
    """
    centre = patient.to_patient(np.zeros(3))
    ends = patient.column.discs[0], patient.column.sacrum[-1]
    top, bottom = (patient.to_patient(part.centre)[2] for part in ends)
    top, bottom = top + LOCALISER_MARGIN_MM, bottom - LOCALISER_MARGIN_MM
    field = min(rng.uniform(*LOCALISER_FIELDS_MM), top - bottom)
    centre[2] = bottom + field / 2 + rng.random() * (top - bottom - field)
    centre[:2] += rng.normal(0, (3.0, 12.0))
    protocol = _protocol(
        rng, field=field, at=np.full(2, (SIZE - 1) / 2), thicknesses=(6.0, 8.0), aspect=1.0, matrix=LOCALISER_MATRIX
    )
    protocol = replace(protocol, spacing=round(float(rng.uniform(12, 18)), 1))
    shifts = [shift * protocol.spacing for shift in (-1, 0, 1)]
    left, posterior, superior = np.eye(3)
    planes = {"sagittal": (posterior, -superior), "coronal": (left, -superior), "axial": (left, posterior)}
    return {
        view: [_cut(protocol, centre + shift * np.cross(row, column), row, column, ()) for shift in shifts]
        for view, (row, column) in planes.items()
    }


def _any_field(patient: Patient, rng: np.random.Generator, middle: np.ndarray, superior: np.ndarray) -> dict[str, Any]:
    """Sample a field of view anywhere between T8 and the coccyx.

    Args:
        patient: The patient.
        rng: Source of random numbers.
        middle: The planned point, amid the levels, patient mm (LPS).
        superior: Unit vector up the image.

    Returns:
        The arguments field, at and aspect of `_protocol`.
    """
    ends = [patient.to_patient(part.centre) for part in (patient.column.discs[0], patient.column.sacrum[-1])]
    top, bottom = (float((end - middle) @ superior) for end in ends)
    smallest, largest = FIELDS_MM
    field = float(np.exp(rng.uniform(np.log(smallest), np.log(min(largest, top - bottom)))))
    above = rng.uniform(bottom + field / 2, top - field / 2)  # of the image's centre above the planned point, mm
    aspect = float(np.exp(rng.uniform(*np.log(FIELD_ASPECTS))))
    return {"field": field, "at": np.array([rng.uniform(85, 171), SIZE / 2 + above / field * SIZE]), "aspect": aspect}


def _along_disc(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column directions along a disc; a very steep disc is followed only in part."""
    excess = np.degrees(np.arccos(np.clip(frame.superior[2], -1, 1))) - STEEPEST_AXIAL_DEGREES
    if excess <= 0:
        return frame.left, frame.posterior
    turn = _rotation(np.cross(frame.superior, [0.0, 0.0, 1.0]), excess)
    return turn @ frame.left, turn @ frame.posterior


def _protocol(
    rng: np.random.Generator,
    *,
    field: float,
    at: np.ndarray,
    thicknesses: tuple[float, float],
    aspect: float | None = None,
    matrix: int | None = None,
) -> _Protocol:
    """Sample matrix, aspect ratio and thickness.

    Args:
        rng: Source of random numbers.
        field: Height of the field of view, mm; rounded to a multiple of 5, as on the console of a scanner.
        at: Where the planned point falls: (x, y), pixels of the image stretched to 256×256.
        thicknesses: Range of the thickness, mm.
        aspect: Width of the field of view over its height; sampled by default.
        matrix: Rows of the image; sampled by default.
    """
    height = int(rng.choice(_MATRICES, p=_SHARES)) if matrix is None else matrix
    if aspect is None:
        aspect = float(rng.choice(_ASPECTS, p=_ASPECT_SHARES))
    width = 2 * round(height * aspect / 2)
    x, y = Affine.stretch(width, height, SIZE).inverse().points(at)
    thickness = round(2 * float(rng.uniform(*thicknesses))) / 2
    pixel = round(5 * round(float(field) / 5) / height, 6)
    return _Protocol(width, height, pixel, thickness, round(1.1 * thickness, 3), float(x), float(y))


def _cut(protocol: _Protocol, centre: np.ndarray, row: np.ndarray, column: np.ndarray, levels: tuple[str, ...]) -> Cut:
    """Return the slice through `centre` (patient mm), rounded to fit DICOM numbers of 16 characters."""
    row, column = np.round(row / np.linalg.norm(row), 9), np.round(column / np.linalg.norm(column), 9)
    position = np.round(centre - protocol.pixel * (protocol.x * row + protocol.y * column), 5)
    plane = Plane(position, row, column, protocol.pixel, protocol.pixel)
    return Cut(plane, protocol.width, protocol.height, protocol.thickness, protocol.spacing, levels)


def _rotated(direction: np.ndarray, towards: np.ndarray, degrees: float) -> np.ndarray:
    """Return `direction`, rotated by some degrees towards a perpendicular one, as a unit vector."""
    direction, towards = direction / np.linalg.norm(direction), towards / np.linalg.norm(towards)
    return np.cos(np.radians(degrees)) * direction + np.sin(np.radians(degrees)) * towards


def _rotation(axis: np.ndarray, degrees: float) -> np.ndarray:
    """Return the rotation matrix (3, 3) about an axis, right-handed (Rodrigues' formula)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(np.radians(degrees)) * cross + (1 - np.cos(np.radians(degrees))) * cross @ cross
