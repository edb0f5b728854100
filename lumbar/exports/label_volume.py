"""Write single voxels of a scan's own grid as a NIfTI file of labels; nibabel reads and writes the headers.

The grid is copied from the scan: its size, the order and direction of its axes, and in a NIfTI file the qform and the
sform with their codes. So the labels lie on the scan in every program, also in those that prefer the other of the two
forms. Nothing else of a header is copied: its texts and extensions may name the patient. The labels of a NIfTI-2 file
are written as NIfTI-1, since ITK and 3D Slicer read no other (SimpleITK 2.5).

Sources: nifti1.h and nifti2.h; nibabel's manual, "The NIfTI image format".
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lumbar.core.errors import ScanError
from lumbar.imaging.volume.header import read_header
from lumbar.imaging.volume.layout import Header
from lumbar.imaging.volume.nifti import affine_of
from lumbar.storage.files import atomic_write

if TYPE_CHECKING:
    from nibabel import Nifti1Header

Voxel = tuple[int, int, int]
"""Indices along the axes of the file, the fastest first."""

LONGEST = 2**15 - 1
"""Voxels along an axis of a NIfTI-1 file, at most."""

_FORMS = (
    *("qform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
    *("sform_code", "srow_x", "srow_y", "srow_z"),
)
"""Fields of a NIfTI header that place the voxels in the patient."""
_NIFTI_2 = 540
_SPATIAL_UNITS = 7
_SCANNER = 1


def header_like(volume: Path) -> Nifti1Header:
    """Return a header for labels on the grid of a volume.

    Args:
        volume: A MetaImage or NIfTI file; it is not changed.

    Raises:
        ScanError: If it cannot be read, or is too large.
    """
    try:
        known = read_header(volume)
        if max(known.size) > LONGEST:
            raise ScanError(
                "the volume is too large for a NIfTI-1 file of labels",
                file=volume,
                found=f"{' × '.join(map(str, known.size))} voxels",
                expected=f"at most {LONGEST} along each axis",
            )
        if volume.suffix.lower() == ".mha":
            return header_at(known.size, known.origin, known.steps)
        return _copied(known)
    except OSError as error:
        raise ScanError("the file cannot be opened", file=volume, found=error.strerror or str(error)) from error


def header_at(size: Voxel, origin: np.ndarray, steps: np.ndarray) -> Nifti1Header:
    """Return a header for labels on a grid.

    Args:
        size: Numbers of voxels along the three axes.
        origin: Centre of the first voxel, shape (3,), mm, LPS.
        steps: Vectors from a voxel to the next one along each axis, the rows of a (3, 3) array, mm, LPS.
    """
    from nibabel import Nifti1Header

    header, affine = Nifti1Header(), affine_of(origin, steps)
    _prepare(header, size)
    header.set_xyzt_units("mm")
    header.set_qform(affine, _SCANNER)
    header.set_sform(affine, _SCANNER)
    return header


def write_labels(file: Path, header: Nifti1Header, labels: Mapping[int, Voxel]) -> None:
    """Write a volume that is 0 but for one voxel per label.

    Args:
        file: The .nii.gz file to write, whose folder exists.
        header: From `header_like` or `header_at`.
        labels: Label, 1 to 255 → its voxel.

    Raises:
        OutputError: If the file cannot be written.
    """
    from nibabel import Nifti1Image

    voxels = np.zeros(header.get_data_shape(), np.uint8)
    for label, voxel in labels.items():
        voxels[voxel] = label
    with atomic_write(file) as temporary:
        Nifti1Image(voxels, None, header).to_filename(temporary)


def read_labelled_voxels(file: Path) -> list[tuple[int, Voxel]]:
    """Return the voxels of a label file that are not 0, each with its label, sorted.

    Args:
        file: A NIfTI file.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is damaged.
    """
    import nibabel

    try:
        voxels = np.asanyarray(nibabel.load(file).dataobj)
    except (nibabel.filebasedimages.ImageFileError, EOFError, zlib.error) as error:
        raise ValueError("the file is damaged") from error
    places = [tuple(place) for place in np.argwhere(voxels).tolist()]
    return sorted((int(voxels[place]), place) for place in places)


def _copied(known: Header) -> Nifti1Header:
    """Return a header with the byte order and the grid of a NIfTI file."""
    from nibabel import Nifti1Header, Nifti2Header

    with gzip.open(known.path) if known.packed else known.path.open("rb") as file:
        block = file.read(_NIFTI_2)
    version_2 = _NIFTI_2 in (int.from_bytes(block[:4], order) for order in ("little", "big"))
    kind = Nifti2Header if version_2 else Nifti1Header
    given = kind(block[: kind.template_dtype.itemsize], check=False)
    header = Nifti1Header(endianness=given.endianness)
    _prepare(header, known.size)
    for name in _FORMS:
        header[name] = given[name]
    header["pixdim"][1:4] = given["pixdim"][1:4]
    header["pixdim"][0] = -1 if given["pixdim"][0] < 0 else 1
    header["xyzt_units"] = given["xyzt_units"] & _SPATIAL_UNITS
    return header


def _prepare(header: Nifti1Header, size: Voxel) -> None:
    header.set_data_shape(size)
    header.set_data_dtype(np.uint8)
    header.set_slope_inter(1, 0)
