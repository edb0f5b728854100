"""The layout of a volume in its file, whatever the format, and the errors of volumes that cannot be used."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lumbar.core.errors import ScanError


@dataclass(frozen=True, eq=False)
class Header:
    """The layout of the voxels in the file and their position in the patient.

    Args:
        path: The file.
        size: Number of voxels along the three axes of the file, the fastest axis first.
        dtype: Type of a stored voxel.
        offset: Position of the first voxel in the file, bytes; in a gzip file, after decompression.
        packed: Compression: "" (none), "zlib" (from the offset on) or "gzip" (the whole file).
        scale: Slope and intercept of the values; None if the stored values are used unchanged.
        origin: Centre of the first voxel, shape (3,), mm, LPS.
        steps: Vector from a voxel to the next one along each axis of the file, the rows of a (3, 3) array, mm, LPS.
        remarks: What other programs may read differently, in plain sentences.
    """

    path: Path
    size: tuple[int, int, int]
    dtype: np.dtype
    offset: int
    packed: str
    scale: tuple[float, float] | None
    origin: np.ndarray
    steps: np.ndarray
    remarks: tuple[str, ...] = ()

    @property
    def byte_count(self) -> int:
        """Size of all voxels together, bytes."""
        return math.prod(self.size) * self.dtype.itemsize


def largest_cosine(steps: np.ndarray) -> float:
    """Return the largest cosine between two of three vectors, the rows of a (3, 3) array; 0 if all are orthogonal."""
    units = steps / np.linalg.norm(steps, axis=1, keepdims=True)
    return float(np.abs(np.triu(units @ units.T, 1)).max())


def damaged(path: Path, found: object) -> ScanError:
    """Return the error for a header or voxels that cannot be decompressed or are inconsistent."""
    return ScanError("the volume is damaged", file=path, found=found, remedy="copy or download the file again")


def cut_short(path: Path) -> ScanError:
    """Return the error for a file with fewer voxels than its header states."""
    return ScanError("the volume is cut short", file=path, remedy="copy or download the file again")


def unplaced(path: Path, field: str, found: object, expected: str) -> ScanError:
    """Return the error for a header that does not state the position of the voxels in the patient.

    Args:
        path: The file.
        field: The field of the header.
        found: The value of the field.
        expected: What the field should hold.
    """
    return ScanError(
        "the header does not state where the voxels lie in the patient",
        file=path,
        field=field,
        found=found,
        expected=expected,
        remedy="export the volume again; do not guess it",
    )


def not_a(kind: str, path: Path) -> ScanError:
    """Return the error for a file that does not begin as one of its kind."""
    return ScanError(f"this is not a {kind} file", file=path, remedy="give a .mha, .nii or .nii.gz file of one volume")


def no_volume(path: Path, found: str) -> ScanError:
    """Return the error for voxels that are not single numbers in three dimensions."""
    return ScanError(
        "this is not a three-dimensional volume with one number per voxel",
        file=path,
        found=found,
        remedy="extract one greyscale volume",
    )
