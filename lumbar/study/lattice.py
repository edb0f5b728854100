"""The voxels of a DICOM series as one volume: where they lie, if its slices form a regular lattice."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lumbar.core.errors import ScanError
from lumbar.imaging.dicom.slice_header import SliceHeader
from lumbar.study.stacks import Stack

REGULAR_MM = 0.1
"""Largest distance of a voxel from its place in a regular lattice, mm; files state positions far more exactly."""


class Lattice(NamedTuple):
    """A volume whose voxels [column, row, slice] are those of a stack.

    Args:
        size: Columns, rows and slices.
        origin: Centre of the first voxel, shape (3,), mm, LPS.
        steps: Vectors to the next column, row and slice, the rows of a (3, 3) array, mm, LPS.
    """

    size: tuple[int, int, int]
    origin: np.ndarray
    steps: np.ndarray


def lattice(stack: Stack) -> Lattice:
    """Return the lattice of a stack of slices.

    Args:
        stack: Its slices are sorted; the number of a slice is its index in the lattice.

    Raises:
        ScanError: If the slices are not evenly spaced, or are shifted or turned against each other, or if there is one
            slice alone whose header states neither its spacing nor its thickness.
    """
    first, count = stack.slices[0], len(stack.slices)
    spacing = stack.offsets[-1] / (count - 1) if count > 1 else stack.spacing or stack.thickness
    if not spacing:
        raise ScanError(
            "the series is one slice of unknown thickness, and not a volume",
            file=first.path,
            field="SliceThickness, SpacingBetweenSlices",
            found="neither",
            remedy="use the points in the table",
        )
    plane = first.plane
    steps = np.array(
        [plane.along_row * plane.pixel_width, plane.along_column * plane.pixel_height, stack.normal * spacing]
    )
    found = Lattice((first.width, first.height, count), plane.position, steps)
    off = max(_off_the_lattice(found, number, each) for number, each in enumerate(stack.slices))
    if off > REGULAR_MM:
        raise ScanError(
            "the slices of the series are not one volume: they are unevenly spaced, or shifted or turned against each "
            "other",
            file=first.path.parent,
            found=f"voxels up to {off:.1f} mm from their place in a regular lattice",
            expected=f"at most {REGULAR_MM} mm",
            remedy="look for missing slices with --series-only; the table contains the points in mm",
        )
    return found


def _off_the_lattice(found: Lattice, number: int, header: SliceHeader) -> float:
    """Return the largest distance of the corners of a slice from their places, mm."""
    width, height, _ = found.size
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1]])
    there = np.column_stack([corners, np.full(len(corners), number)]) @ found.steps + found.origin
    return float(np.linalg.norm(header.plane.to_patient(corners) - there, axis=1).max())
