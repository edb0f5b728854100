"""Where an operator would put the slices: fields of view, matrices and planes, scattered as in practice.

The sagittal numbers make prepared pictures resemble the public labels: in those of MR the five points span 117 ± 11 of
256 rows, their middle stands at (128 ± 16, 128 ± 12), and the line through them leans back by 3° ± 5°.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lumbar.geometry import SIZE, Affine, Plane
from lumbar.landmarks import LEVELS
from lumbar.phantom.anatomy import Frame, Patient

STEEPEST_AXIAL_DEGREES = 40.0
"""An axial slice follows its disc up to this tilt; beyond 45° it would be a coronal one."""

LEAN_DEGREES = (-2.8, 4.8)
"""Mean and spread of how far the lumbar spine's upper end leans forward in a sagittal picture."""

_MATRICES, _SHARES = (256, 288, 320, 384), (0.4, 0.15, 0.35, 0.1)
_ASPECTS, _ASPECT_SHARES = (1.0, 0.9, 0.8, 1.1), (0.65, 0.15, 0.1, 0.1)


@dataclass(frozen=True, eq=False)
class Cut:
    """One slice to be taken.

    Args:
        plane: Where it lies; the numbers are those that the file's header will hold.
        width: Columns.
        height: Rows.
        thickness: mm.
        spacing: Between the centres of neighbouring slices of the series, mm.
        levels: Disc levels whose points the table gives for it; empty if none.
    """

    plane: Plane
    width: int
    height: int
    thickness: float
    spacing: float
    levels: tuple[str, ...]


@dataclass(frozen=True)
class _Protocol:
    """What the slices of one series share; (x, y) is the pixel on which the planned point falls."""

    width: int
    height: int
    pixel: float
    thickness: float
    spacing: float
    x: float
    y: float


def sagittal(patient: Patient, rng: np.random.Generator, slices: int = 1) -> list[Cut]:
    """Slices from the patient's left to the right; the middle one is the mid-sagittal and carries the points."""
    margins = [disc.place(0, disc.form.margin(0), 0) for disc in patient.column.discs[-5:]]
    frame = patient.sagittal_frame()
    left = _turned(frame.left, frame.posterior, rng.normal(0, 0.6))
    along = frame.superior - (frame.superior @ left) * left
    superior = _turned(along, np.cross(along, left), rng.normal(*LEAN_DEGREES))
    middle = patient.to_patient(np.mean(margins, axis=0))
    middle = middle + ((frame.centre - middle) @ left) * left
    at = np.clip(rng.normal((128, 130), (16, 12)), (80, 100), (178, 160))
    protocol = _protocol(rng, field=np.clip(rng.normal(280, 15), 230, 340), at=at, thicknesses=(3.5, 5.0))
    shifts = [(index - slices // 2) * protocol.spacing for index in range(slices)]
    row, column = np.cross(superior, left), -superior
    # Row × column points to the patient's right.
    return [_cut(protocol, middle - shift * left, row, column, LEVELS if shift == 0 else ()) for shift in shifts]


def coronal(patient: Patient, rng: np.random.Generator) -> list[Cut]:
    """One slice through the discs' centres, as far as a flat plane can meet them."""
    frame = patient.coronal_frame()
    superior = _turned(frame.superior, frame.posterior, rng.normal(0, 2.0))
    left = frame.left - (frame.left @ superior) * superior
    left = _turned(left, superior, rng.normal(0, 1.5))
    superior = superior - (superior @ left) * left
    at = np.clip(rng.normal((128, 132), (9, 9)), (95, 105), (161, 160))
    protocol = _protocol(rng, field=np.clip(rng.normal(335, 20), 280, 400), at=at, thicknesses=(3.5, 5.0))
    return [_cut(protocol, frame.centre, left, -superior, LEVELS)]


def axial(patient: Patient, rng: np.random.Generator) -> list[Cut]:
    """One slice along each disc, from L1/L2 down."""
    at = np.clip(rng.normal((128, 112), (7, 9)), (105, 85), (151, 140))
    field = np.clip(rng.normal(190, 15), 155, 240)
    protocol = _protocol(rng, field=field, at=at, thicknesses=(3.0, 4.5), square=True)
    cuts = []
    for level, frame in patient.disc_frames().items():
        left, posterior = _along_disc(frame)
        turned, off_centre = _turned(left, posterior, rng.normal(0, 1.5)), rng.normal(0, 3.0, 2)
        down = np.cross(np.cross(left, posterior), turned)
        cuts.append(_cut(protocol, frame.centre + off_centre @ np.array([turned, down]), turned, down, (level,)))
    return cuts


def _along_disc(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Row and column directions along a disc; a very steep disc is not followed all the way."""
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
    square: bool = False,
) -> _Protocol:
    """Draw matrix, aspect and thickness.

    Args:
        rng: Source of chance.
        field: Height of the field of view, mm; rounded to 5 as on a scanner's console.
        at: Where the planned point falls, (x, y) in the picture stretched to 256×256.
        thicknesses: Range to draw from, mm.
        square: Whether the field is as wide as it is high.
    """
    height = int(rng.choice(_MATRICES, p=_SHARES))
    aspect = 1.0 if square else float(rng.choice(_ASPECTS, p=_ASPECT_SHARES))
    width = 2 * round(height * aspect / 2)
    x, y = Affine.stretch(width, height, SIZE).inverse().points(at)
    thickness = round(2 * float(rng.uniform(*thicknesses))) / 2
    pixel = round(5 * round(float(field) / 5) / height, 6)
    return _Protocol(width, height, pixel, thickness, round(1.1 * thickness, 3), float(x), float(y))


def _cut(protocol: _Protocol, centre: np.ndarray, row: np.ndarray, column: np.ndarray, levels: tuple[str, ...]) -> Cut:
    """The slice through `centre` (patient mm), rounded to what a DICOM number of 16 characters holds."""
    row, column = np.round(row / np.linalg.norm(row), 9), np.round(column / np.linalg.norm(column), 9)
    position = np.round(centre - protocol.pixel * (protocol.x * row + protocol.y * column), 5)
    plane = Plane(position, row, column, protocol.pixel, protocol.pixel)
    return Cut(plane, protocol.width, protocol.height, protocol.thickness, protocol.spacing, levels)


def _turned(direction: np.ndarray, towards: np.ndarray, degrees: float) -> np.ndarray:
    """A unit vector: `direction` turned by some degrees towards a perpendicular one."""
    direction, towards = direction / np.linalg.norm(direction), towards / np.linalg.norm(towards)
    return np.cos(np.radians(degrees)) * direction + np.sin(np.radians(degrees)) * towards


def _rotation(axis: np.ndarray, degrees: float) -> np.ndarray:
    """Rotation matrix (3, 3) about an axis, right-handed (Rodrigues' formula)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(np.radians(degrees)) * cross + (1 - np.cos(np.radians(degrees))) * cross @ cross
