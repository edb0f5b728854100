"""Read the header of a NIfTI file (.nii, .nii.gz), version 1 or 2. Sources: nifti1.h and nifti2.h."""

from __future__ import annotations

import gzip
import itertools
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from lumbar.imaging.volume.layout import Header, damaged, largest_cosine, no_volume, not_a, unplaced

_FURTHEST_OFFSET = 2**24
_DATATYPES = {2: "u1", 256: "i1", 4: "i2", 512: "u2", 8: "i4", 768: "u4", 1024: "i8", 1280: "u8", 16: "f4", 64: "f8"}
_NIFTI = {
    348: (b"n+1\0", 344, "8h:40 h:70 8f:76 f:108 2f:112 B:123 2h:252 6f:256 12f:280"),
    540: (b"n+2\0", 4, "8q:16 h:12 8d:104 q:168 2d:176 i:500 2i:344 6d:352 12d:400"),
}
"""Layout by the header's size (versions 1 and 2): the magic string, its position, and type:position of dim, datatype,
pixdim, vox_offset, slope and intercept, xyzt_units, the qform and sform codes, the quaternion and its offset, and the
rows of the sform. Files in two parts (.hdr and .img) have another magic string."""


_APART_MM = 0.1
"""Distance from which two statements of one position differ, mm; that of rounding is a thousandth of a mm."""
_ORTHOGONAL = 5e-5
"""Largest cosine between two axes of an sform that ITK takes for orthogonal."""
_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
"""Factors from DICOM's patient mm to those of NIfTI, whose x increases to the patient's Right and y to the Anterior."""


def affine_of(origin: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return the affine map that NIfTI states for a grid, float64, shape (4, 4), from its voxels to mm, RAS.

    Args:
        origin: Centre of the first voxel, shape (3,), mm, LPS.
        steps: Vectors from a voxel to the next one along each axis of the file, the rows of a (3, 3) array, mm, LPS.
    """
    affine = np.eye(4)
    affine[:3] = np.column_stack([np.transpose(steps), origin]) * _LPS_TO_RAS[:, None]
    return affine


def read_nifti(path: Path) -> Header:
    """Read the header of a NIfTI file; `lumbar.imaging.volume.header` checks it further.

    Raises:
        ScanError: If the header is damaged or incomplete.
    """
    with path.open("rb") as file:
        packed = "gzip" if file.read(2) == b"\x1f\x8b" else ""
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            head = file.read(max(_NIFTI))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise damaged(path, error) from error
    for order, (size, (magic, at, places)) in itertools.product("<>", _NIFTI.items()):
        if head[:4] == struct.pack(f"{order}i", size) and head[at : at + 4] == magic and len(head) >= size:
            kinds = [place.split(":") for place in places.split()]
            fields = [struct.unpack_from(order + kind, head, int(at)) for kind, at in kinds]
            return _nifti_fields(path, packed, order, *fields)
    raise not_a("NIfTI", path)


def _nifti_fields(path, packed, order, dim, datatype, pixdim, offset, scale, units, codes, turn, rows) -> Header:
    kind, spacing = _DATATYPES.get(datatype[0]), np.array(pixdim[1:4], dtype=np.float64)
    # dim[0] is the number of dimensions; those beyond the third must have one element.
    if not 3 <= dim[0] <= 7 or any(extent != 1 for extent in dim[4 : dim[0] + 1]) or not kind:
        raise no_volume(path, f"dim {list(dim)}, datatype {datatype[0]}")
    if not 0 <= offset[0] <= _FURTHEST_OFFSET:
        raise damaged(path, f"vox_offset {offset[0]}")
    if units[0] & 7 not in (0, 2):
        raise unplaced(path, "xyzt_units", units[0], "2, millimetres")
    if max(codes) <= 0:
        raise unplaced(path, "qform_code, sform_code", list(codes), "one of them above 0")
    flip = [1, 1, -1 if pixdim[0] < 0 else 1]
    qform = np.column_stack([_rotation(*turn[:3]) * spacing * flip, turn[3:]])
    sform = np.reshape(np.array(rows, dtype=np.float64), (3, 4))
    affine = sform if codes[1] > 0 else qform
    if not np.allclose(np.linalg.norm(affine[:, :3], axis=0), spacing, rtol=0.01, atol=0) or not min(spacing) > 0:
        raise unplaced(path, "pixdim", spacing.tolist(), "three positive numbers, those of the sform if there is one")
    remarks = () if min(codes) <= 0 else _differing_forms(sform, qform, dim[1:4], scanner=codes[1] == 1)
    affine = affine * _LPS_TO_RAS[:, None]  # the same factors lead back
    plain = scale[0] == 0 or not np.isfinite(scale).all() or scale == (1, 0)
    return Header(
        path,
        size=tuple(map(int, dim[1:4])),
        dtype=np.dtype(order + kind),
        offset=int(offset[0]),
        packed=packed,
        scale=None if plain else (float(scale[0]), float(scale[1])),
        origin=affine[:, 3],
        steps=affine[:, :3].T,
        remarks=remarks,
    )


def _differing_forms(sform: np.ndarray, qform: np.ndarray, size: tuple, *, scanner: bool) -> tuple[str, ...]:
    """Return a remark if ITK takes the qform and it places voxels elsewhere than the sform.

    ITK (NiftiImageIO, 5.4) prefers the sform only with the code 1 (scanner) and orthogonal axes; nibabel always does.
    """
    corners = np.array([(*corner, 1) for corner in itertools.product(*((0, extent - 1) for extent in size))])
    apart = np.linalg.norm(corners @ (sform - qform).T, axis=1).max()
    if apart <= _APART_MM or (scanner and largest_cosine(sform[:, :3].T) <= _ORTHOGONAL):
        return ()
    return (
        f"sform and qform place the voxels up to {apart:.1f} mm apart: millimetres follow the sform, but ITK and 3D "
        "Slicer take the qform",
    )


def _rotation(b: float, c: float, d: float) -> np.ndarray:
    """Return the rotation matrix of a unit quaternion, given without its first component (nifti1.h, method 2)."""
    a = math.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
