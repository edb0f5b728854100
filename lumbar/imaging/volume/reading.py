"""Volumes, MetaImage (.mha) and NIfTI (.nii, .nii.gz), as stacks of sagittal pictures.

However the voxels lie in the file, they are spoken of as ``[slice, row, column]``: the slice grows to the patient's
Left (frame 0 is the rightmost), the row to the feet (Inferior), the column to the back (Posterior), so that each
picture stands upright with the patient looking to the left. Nothing is resampled: each of the three is that axis of the
file which lies nearest to it, turned round if it runs the other way. An oblique volume keeps its obliquity, and `Grid`
says where it lies.
"""

from __future__ import annotations

import gzip
import itertools
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lumbar.core.constants import VIEWS
from lumbar.core.errors import ScanError
from lumbar.geometry import Plane
from lumbar.imaging.scan import Scan
from lumbar.imaging.volume.header import Header, cut_short, damaged, read_header, unplaced

_TOWARDS = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
"""Left, inferior, posterior in patient coordinates (LPS): where slice, row and column grow."""

_CHUNK = 2**20


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the voxels ``[slice, row, column]`` of a volume lie in the patient.

    Args:
        shape: Slices, rows, columns.
        origin: Centre of voxel [0, 0, 0], shape (3,), mm, LPS.
        steps: From a voxel to the next slice, the next row and the next column, the rows of a (3, 3) array, mm, LPS.
        axes: Which axis of the file each of the three is, the fastest being 0.
        turned: Which of them run against the file's own direction.
    """

    shape: tuple[int, int, int]
    origin: np.ndarray
    steps: np.ndarray
    axes: tuple[int, int, int]
    turned: tuple[bool, bool, bool]

    @classmethod
    def of(cls, header: Header) -> Grid:
        """The grid of a file's voxels."""
        lengths = np.linalg.norm(header.steps, axis=1)
        along = _TOWARDS @ (header.steps / lengths[:, None]).T
        orders = itertools.permutations(range(3))
        axes = max(orders, key=lambda order: sum(abs(along[row, axis]) for row, axis in enumerate(order)))
        turned = tuple(bool(along[row, axis] < 0) for row, axis in enumerate(axes))
        shape = tuple(header.size[axis] for axis in axes)
        steps = header.steps[list(axes)] * np.where(turned, -1.0, 1.0)[:, None]
        return cls(shape, header.origin - np.where(turned, np.array(shape) - 1, 0) @ steps, steps, axes, turned)

    def to_patient(self, voxels: np.ndarray) -> np.ndarray:
        """Voxels [slice, row, column], shape (..., 3), whole or not, to patient mm (LPS)."""
        return np.asarray(voxels, dtype=np.float64) @ self.steps + self.origin

    @property
    def pixel_width(self) -> float:
        """Distance of neighbouring columns, mm."""
        return float(np.linalg.norm(self.steps[2]))

    @property
    def pixel_height(self) -> float:
        """Distance of neighbouring rows, mm."""
        return float(np.linalg.norm(self.steps[1]))

    def plane(self, frame: int) -> Plane:
        """Where a slice lies; its x is the column, its y the row.

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
        """Whether both have the same voxels in the same places, to a quarter of a voxel."""
        corners = np.array(list(itertools.product(*((0, extent - 1) for extent in self.shape))))
        apart = np.linalg.norm(self.to_patient(corners) - other.to_patient(corners), axis=1)
        return self.shape == other.shape and apart.max() <= np.linalg.norm(self.steps, axis=1).min() / 4


def middle_slice(path: Path) -> int:
    """The sagittal slice half-way between the volume's right and left, as `read_volume` counts them.

    Raises:
        ScanError: If the header cannot be read.
    """
    return Grid.of(read_header(path)).shape[0] // 2


def read_volume(path: Path, frame: int | None) -> Scan:
    """Read one sagittal slice of a volume; see `lumbar.imaging.read`. No more than that slice is kept in memory."""
    header = read_header(path)
    grid = Grid.of(header)
    count = grid.shape[0]
    if frame is None and count > 1:
        raise ScanError(
            "the file holds a volume and no slice was chosen",
            file=path,
            field="frame",
            found=f"{count} sagittal slices, from the patient's right to the left",
            remedy=f"choose one from 0 to {count - 1}: --frame N, in Python frame=N; the middle one is {count // 2}",
        )
    frame = frame or 0
    if not 0 <= frame < count:
        raise ScanError("there is no such slice", file=path, field="frame", found=frame, expected=f"0 to {count - 1}")
    try:
        plane = grid.plane(frame)
    except ValueError as error:
        raise unplaced(path, "the directions of rows and columns", error, "perpendicular ones") from error
    pixels = _slice(header, grid, frame)
    if not np.isfinite(pixels).all():
        raise ScanError("some pixels are not finite numbers", file=path, remedy="export the volume again")
    return Scan(
        path,
        pixels,
        pixel_width=plane.pixel_width,
        pixel_height=plane.pixel_height,
        plane=plane,
        orientation=np.stack([plane.along_row, plane.along_column]),
        view=VIEWS[0],
    )


def read_grid(path: Path) -> Grid:
    """Where a volume's voxels lie, without reading them.

    Raises:
        ScanError: If the file is no volume that we can read.
    """
    return Grid.of(read_header(path))


def read_labels(path: Path) -> tuple[Grid, np.ndarray]:
    """Read a volume of labels (a mask) whole.

    Returns:
        Where its voxels lie, and the labels [slice, row, column], whole numbers.

    Raises:
        ScanError: If the file is no volume that we can read, or holds other numbers than labels.
    """
    header = read_header(path)
    grid = Grid.of(header)
    stored = np.empty(header.size[::-1], header.dtype)
    for number, plane in enumerate(_planes(header)):
        stored[number] = plane
    voxels = _scaled(stored, header)
    if not np.issubdtype(voxels.dtype, np.integer):
        with np.errstate(invalid="ignore"):  # what is no number differs from itself below
            labels = voxels.astype(np.int32)
        if not np.array_equal(labels, voxels):
            raise ScanError("the file holds other numbers than labels", file=path, expected="whole numbers")
        voxels = labels
    # NumPy counts a file's axes from the slowest.
    turned = voxels.transpose([2 - axis for axis in grid.axes])
    return grid, turned[tuple(slice(None, None, -1 if against else 1) for against in grid.turned)]


def _slice(header: Header, grid: Grid, frame: int) -> np.ndarray:
    """One sagittal slice, float32, (rows, columns)."""
    axis, rows, columns = grid.axes
    number = grid.shape[0] - 1 - frame if grid.turned[0] else frame
    if axis == 2:  # the file's planes are sagittal
        (found,) = (plane for place, plane in enumerate(_planes(header)) if place == number)
    else:
        found = np.stack([plane[:, number] if axis == 0 else plane[number] for plane in _planes(header)])
    with np.errstate(over="ignore"):
        upright = _scaled(found if rows > columns else found.T, header).astype(np.float32)
    return np.ascontiguousarray(upright[:: -1 if grid.turned[1] else 1, :: -1 if grid.turned[2] else 1])


def _scaled(stored: np.ndarray, header: Header) -> np.ndarray:
    if header.scale is None:
        return stored
    with np.errstate(over="ignore", invalid="ignore"):
        return stored * header.scale[0] + header.scale[1]


def _planes(header: Header) -> Iterator[np.ndarray]:
    """The planes of the file's two faster axes, one after the other, each (slower, faster) as stored.

    Whoever takes them all knows that the file is whole: what is packed carries a check sum.
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
                raise damaged(header.path, "more voxels than the header says")
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise damaged(header.path, error) from error


@contextmanager
def _unpacked(header: Header) -> Iterator[BinaryIO | _Inflated]:
    """The file's bytes from the first voxel on."""
    with gzip.open(header.path) if header.packed == "gzip" else header.path.open("rb") as file:
        file.seek(header.offset)
        yield _Inflated(file) if header.packed == "zlib" else file


class _Inflated:
    """Reads what zlib packed, a piece at a time."""

    def __init__(self, file: BinaryIO):
        self.file, self.unpacker = file, zlib.decompressobj()

    def read(self, count: int) -> bytes:
        pieces = []
        while count and not self.unpacker.eof:
            packed = self.unpacker.unconsumed_tail or self.file.read(_CHUNK)
            if not packed:
                raise EOFError("the compressed voxels end too early")
            pieces.append(self.unpacker.decompress(packed, count))
            count -= len(pieces[-1])
        return b"".join(pieces)
