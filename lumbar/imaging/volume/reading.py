"""Read MetaImage (.mha) and NIfTI (.nii, .nii.gz) volumes as stacks of sagittal images.

Voxels are indexed as ``[slice, row, column]``, whatever their order in the file: the slice increases to the patient's
Left (frame 0 is the rightmost), the row to the feet (Inferior), the column to the back (Posterior), so that each image
is upright and the patient faces left. Nothing is resampled: each index runs along the nearest axis of the file, in
reverse if the axis runs the other way. An oblique volume stays oblique, and `Grid` holds its position.
"""

from __future__ import annotations

import gzip
import itertools
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lumbar.core.constants import VIEWS
from lumbar.core.errors import ScanError
from lumbar.geometry import Plane
from lumbar.imaging.scan import UNMEASURED, Scan, blackened
from lumbar.imaging.volume.header import read_header
from lumbar.imaging.volume.layout import Header, cut_short, damaged, unplaced

_TOWARDS = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
"""Directions in which slice, row and column increase: left, inferior and posterior in patient coordinates (LPS)."""

_CHUNK = 2**20

MOST_LABELS = 64
"""Different values in one plane of a volume of labels, at most; a scan has hundreds."""

SAME_AS_NEIGHBOUR = 0.75
"""Share of neighbouring voxels of a plane of labels that are equal, at least; in a scan noise makes them differ."""


@dataclass(frozen=True, eq=False)
class Grid:
    """The position of a volume's voxels ``[slice, row, column]`` in the patient.

    Args:
        shape: Numbers of slices, rows and columns.
        origin: Centre of voxel [0, 0, 0], shape (3,), mm, LPS.
        steps: Vectors to the next slice, the next row and the next column, the rows of a (3, 3) array, mm, LPS.
        axes: The axis of the file that slice, row and column run along; 0 is the fastest.
        reversed: Whether slice, row and column run against the axis of the file.
    """

    shape: tuple[int, int, int]
    origin: np.ndarray
    steps: np.ndarray
    axes: tuple[int, int, int]
    reversed: tuple[bool, bool, bool]

    @classmethod
    def of(cls, header: Header) -> Grid:
        """Return the grid of a file's voxels."""
        lengths = np.linalg.norm(header.steps, axis=1)
        along = _TOWARDS @ (header.steps / lengths[:, None]).T
        orders = itertools.permutations(range(3))
        axes = max(orders, key=lambda order: sum(abs(along[row, axis]) for row, axis in enumerate(order)))
        against = tuple(bool(along[row, axis] < 0) for row, axis in enumerate(axes))
        shape = tuple(header.size[axis] for axis in axes)
        steps = header.steps[list(axes)] * np.where(against, -1.0, 1.0)[:, None]
        return cls(shape, header.origin - np.where(against, np.array(shape) - 1, 0) @ steps, steps, axes, against)

    def to_patient(self, voxels: np.ndarray) -> np.ndarray:
        """Convert voxel positions [slice, row, column], shape (..., 3), not only integers, to patient mm (LPS)."""
        return np.asarray(voxels, dtype=np.float64) @ self.steps + self.origin

    def to_file(self, voxels: np.ndarray) -> np.ndarray:
        """Convert voxel positions [slice, row, column], shape (..., 3), to positions along the axes of the file."""
        against = np.array(self.reversed)
        voxels = np.where(against, np.array(self.shape) - 1 - np.asarray(voxels), voxels)
        return np.take(voxels, np.argsort(self.axes), axis=-1)

    @property
    def pixel_width(self) -> float:
        """Distance between neighbouring columns, mm."""
        return float(np.linalg.norm(self.steps[2]))

    @property
    def pixel_height(self) -> float:
        """Distance between neighbouring rows, mm."""
        return float(np.linalg.norm(self.steps[1]))

    def plane(self, frame: int) -> Plane:
        """Return the plane of a sagittal slice, whose x is the column and whose y is the row.

        Args:
            frame: The slice, from 0.

        Raises:
            ValueError: If rows and columns are not perpendicular (a sheared volume).
        """
        return Plane(
            self.to_patient([frame, 0, 0]),
            along_row=self.steps[2] / self.pixel_width,
            along_column=self.steps[1] / self.pixel_height,
            pixel_width=self.pixel_width,
            pixel_height=self.pixel_height,
        )

    def same_as(self, other: Grid) -> bool:
        """Whether both grids have the same voxels in the same positions, to a quarter of a voxel."""
        corners = np.array(list(itertools.product(*((0, extent - 1) for extent in self.shape))))
        apart = np.linalg.norm(self.to_patient(corners) - other.to_patient(corners), axis=1)
        return self.shape == other.shape and apart.max() <= np.linalg.norm(self.steps, axis=1).min() / 4


def read_volume(path: Path, frame: int | None) -> Scan:
    """Read one sagittal slice of a volume; no more than that slice is kept in memory.

    Args:
        path: The file.
        frame: The slice, from 0 at the patient's right; None if the volume has only one.

    Raises:
        ScanError: If the file is damaged or is not a volume, or the slice does not exist.
        OSError: If the file cannot be opened.
    """
    count = read_grid(path).shape[0]
    if frame is None and count > 1:
        raise ScanError(
            "the file holds a volume and no slice was chosen",
            file=path,
            field="frame",
            found=f"{count} sagittal slices, from the patient's right to the left",
            remedy=f"choose one from 0 to {count - 1}: --frame N, in Python frame=N; the middle one is {count // 2}",
        )
    (scan,) = read_slices(path, [frame or 0])
    if not np.isfinite(scan.pixels).all():
        raise ScanError("some pixels are not finite numbers", file=path, remedy="export the volume again")
    return scan


def read_slices(path: Path, frames: Sequence[int]) -> list[Scan]:
    """Read some sagittal slices of a volume in one pass; no more than these are kept in memory.

    Args:
        path: The file.
        frames: The slices, see `read_volume`, each once.

    Returns:
        The slices, in the order of `frames`; their pixels may be infinite, or all NaN.

    Raises:
        ScanError: If the file is damaged or is not a volume, or a slice does not exist.
        OSError: If the file cannot be opened.
    """
    header = read_header(path)
    grid = Grid.of(header)
    count = grid.shape[0]
    for frame in frames:
        if not 0 <= frame < count:
            raise ScanError(
                "there is no such slice", file=path, field="frame", found=frame, expected=f"0 to {count - 1}"
            )
    try:
        planes = [grid.plane(frame) for frame in frames]
    except ValueError as error:
        raise unplaced(path, "the directions of rows and columns", error, "perpendicular directions") from error
    return [_slice(header, plane, pixels) for plane, pixels in zip(planes, _slices(header, grid, frames), strict=True)]


def _slice(header: Header, plane: Plane, pixels: np.ndarray) -> Scan:
    remarks, unmeasured = header.remarks, np.isnan(pixels)
    if unmeasured.any() and not unmeasured.all():
        pixels, remarks = blackened(pixels, unmeasured), (*remarks, UNMEASURED)
    return Scan(
        header.path,
        pixels,
        pixel_width=plane.pixel_width,
        pixel_height=plane.pixel_height,
        plane=plane,
        orientation=np.stack([plane.along_row, plane.along_column]),
        view=VIEWS[0],
        warnings=remarks,
    )


def read_grid(path: Path) -> Grid:
    """Read the position of a volume's voxels from its header.

    Args:
        path: The file.

    Raises:
        ScanError: If the file is not a volume that can be read.
    """
    return Grid.of(read_header(path))


def read_labels(path: Path) -> tuple[Grid, np.ndarray]:
    """Read all voxels of a volume of labels (a mask).

    Args:
        path: The file.

    Returns:
        The grid of the voxels, and the labels, integers [slice, row, column].

    Raises:
        ScanError: If the file is not a volume that can be read, or its values are not integers.
    """
    header = read_header(path)
    grid = Grid.of(header)
    stored = np.empty(header.size[::-1], header.dtype)
    for number, plane in enumerate(_planes(header)):
        stored[number] = plane
    voxels = _scaled(stored, header)
    if not np.issubdtype(voxels.dtype, np.integer):
        with np.errstate(invalid="ignore"):  # NaN differs from every integer below
            labels = voxels.astype(np.int32)
        if not np.array_equal(labels, voxels):
            raise ScanError("the values of the volume are not labels", file=path, expected="integers")
        voxels = labels
    # NumPy counts the axes of a file from the slowest.
    labels = voxels.transpose([2 - axis for axis in grid.axes])
    return grid, labels[tuple(slice(None, None, -1 if against else 1) for against in grid.reversed)]


def holds_labels(path: Path) -> bool:
    """Whether a volume holds labels (a mask) and not a scan, judged by its voxels: few values, in large areas.

    Reading stops at the first plane that is not of labels, so that a scan costs little.

    Args:
        path: The file.

    Raises:
        ScanError: If the file is not a volume that can be read.
        OSError: If the file cannot be opened.
    """
    return all(map(_is_of_labels, _planes(read_header(path))))


def _is_of_labels(plane: np.ndarray) -> bool:
    if len(np.unique(plane)) > MOST_LABELS:
        return False
    equal = [plane[1:] == plane[:-1], plane[:, 1:] == plane[:, :-1]]
    return float(np.mean(np.concatenate([[True], *(each.ravel() for each in equal)]))) >= SAME_AS_NEIGHBOUR


def _slices(header: Header, grid: Grid, frames: Sequence[int]) -> Iterator[np.ndarray]:
    """Read some sagittal slices, each float32, (rows, columns)."""
    axis, rows, columns = grid.axes
    numbers = [grid.shape[0] - 1 - frame if grid.reversed[0] else frame for frame in frames]
    if axis == 2:  # the file's planes are sagittal
        planes = {place: plane for place, plane in enumerate(_planes(header)) if place in numbers}
        found = [planes[number] for number in numbers]
    else:
        # NumPy counts the axes of a file from the slowest.
        found = np.moveaxis(np.stack([plane.take(numbers, 1 - axis) for plane in _planes(header)]), 2 - axis, 0)
    for each in found:
        with np.errstate(over="ignore"):
            upright = _scaled(each if rows > columns else each.T, header).astype(np.float32)
        yield np.ascontiguousarray(upright[:: -1 if grid.reversed[1] else 1, :: -1 if grid.reversed[2] else 1])


def _scaled(stored: np.ndarray, header: Header) -> np.ndarray:
    if header.scale is None:
        return stored
    with np.errstate(over="ignore", invalid="ignore"):
        return stored * header.scale[0] + header.scale[1]


def _planes(header: Header) -> Iterator[np.ndarray]:
    """Yield the planes of the file's two faster axes, each (slower, faster), as stored.

    A caller that reads all of them knows that the file is complete, and, if it is compressed, that its checksum is
    right.
    """
    columns, rows, count = header.size
    with _unpacked(header) as file:
        try:
            for _ in range(count):
                taken = file.read(rows * columns * header.dtype.itemsize)
                if len(taken) < rows * columns * header.dtype.itemsize:
                    raise cut_short(header.path)
                yield np.frombuffer(taken, header.dtype).reshape(rows, columns)
            if file.read(1) and header.packed == "zlib":
                raise damaged(header.path, "more voxels than the header states")
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise damaged(header.path, error) from error


@contextmanager
def _unpacked(header: Header) -> Iterator[BinaryIO | _Inflated]:
    """Open a file for reading its decompressed bytes from the first voxel on."""
    with gzip.open(header.path) if header.packed == "gzip" else header.path.open("rb") as file:
        file.seek(header.offset)
        yield _Inflated(file) if header.packed == "zlib" else file


class _Inflated:
    """A reader that decompresses zlib data piece by piece."""

    def __init__(self, file: BinaryIO):
        self.file, self.unpacker = file, zlib.decompressobj()

    def read(self, count: int) -> bytes:
        pieces = []
        while count and not self.unpacker.eof:
            packed = self.unpacker.unconsumed_tail or self.file.read(_CHUNK)
            if not packed:
                raise EOFError("the compressed voxels are incomplete")
            pieces.append(self.unpacker.decompress(packed, count))
            count -= len(pieces[-1])
        return b"".join(pieces)
