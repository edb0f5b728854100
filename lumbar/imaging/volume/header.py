"""Read and check the header of a volume, MetaImage (.mha) or NIfTI (.nii, .nii.gz), before any voxel.

These files are not read with ITK because of five faults, observed with SimpleITK 2.5: it replaces a NaN spacing by
1 mm; it returns zeros for the end of a truncated NIfTI file; it returns uninitialised memory for a damaged compressed
MetaImage; it reads the voxels from any other file that a MetaImage names; and it crashes on some damaged headers. The
tests compare both readers on valid files.

Sources: the NIfTI-1 and NIfTI-2 headers (nifti1.h, nifti2.h); ITK's MetaIO.
"""

from __future__ import annotations

import gzip
import itertools
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lumbar.core.errors import ScanError
from lumbar.imaging.limits import check_size

LARGEST_BYTES = 2**32
"""Largest size of all voxels, bytes; larger volumes are not scans of a spine and are refused before any allocation."""

_HEADER_LINES = 500
_LONGEST_LINE = 2**12
_FURTHEST_OFFSET = 2**24
_ELEMENTS = {
    **{"MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4"},
    **{"MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8"},
}
_DATATYPES = {2: "u1", 256: "i1", 4: "i2", 512: "u2", 8: "i4", 768: "u4", 1024: "i8", 1280: "u8", 16: "f4", 64: "f8"}
_NIFTI = {
    348: (b"n+1\0", 344, "8h:40 h:70 8f:76 f:108 2f:112 B:123 2h:252 6f:256 12f:280"),
    540: (b"n+2\0", 4, "8q:16 h:12 8d:104 q:168 2d:176 i:500 2i:344 6d:352 12d:400"),
}
"""Layout by the header's size (versions 1 and 2): the magic string, its position, and type:position of dim, datatype,
pixdim, vox_offset, slope and intercept, xyzt_units, the qform and sform codes, the quaternion and its offset, and the
rows of the sform. Files in two parts (.hdr and .img) have another magic string."""


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
    """

    path: Path
    size: tuple[int, int, int]
    dtype: np.dtype
    offset: int
    packed: str
    scale: tuple[float, float] | None
    origin: np.ndarray
    steps: np.ndarray

    @property
    def byte_count(self) -> int:
        """Size of all voxels together, bytes."""
        return math.prod(self.size) * self.dtype.itemsize


def read_header(path: Path) -> Header:
    """Read and check the header of a volume.

    Args:
        path: A MetaImage (.mha) or NIfTI file (.nii, .nii.gz) of one volume.

    Raises:
        ScanError: If the header is damaged or incomplete, or states an absurd size.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # absurd numbers are refused below
        header = _metaimage(path) if path.suffix.lower() == ".mha" else _nifti(path)
        placed = _spans_space(header)
    for first, second in ((0, 1), (1, 2)):
        check_size(path, header.size[first], header.size[second])
    if header.byte_count > LARGEST_BYTES:
        raise ScanError(
            "the volume is too large",
            file=path,
            found=f"{' × '.join(map(str, header.size))} voxels of {header.dtype.itemsize} bytes",
            expected=f"at most {LARGEST_BYTES // 2**30} GiB",
        )
    if not placed:
        raise unplaced(path, "the directions of the axes", header.steps.tolist(), "three independent directions")
    if not header.packed and path.stat().st_size < header.offset + header.byte_count:
        raise cut_short(path)
    return header


def _spans_space(header: Header) -> bool:
    """Whether the three steps are finite and independent: none of them lies nearly in the plane of the others."""
    lengths = np.linalg.norm(header.steps, axis=1)
    if not (np.isfinite(header.origin).all() and np.isfinite(lengths).all() and min(lengths) > 0):
        return False
    return abs(np.linalg.det(header.steps / lengths[:, None])) > 0.5


def _metaimage(path: Path) -> Header:
    with path.open("rb") as file:
        lines = (file.readline(_LONGEST_LINE) for _ in range(_HEADER_LINES))
        # takewhile also reads the line that it leaves out; the voxels follow that line.
        head = list(itertools.takewhile(lambda line: line and not line.startswith(b"ElementDataFile"), lines))
        offset = file.tell()
        file.seek(sum(map(len, head)))
        pairs = (line.decode("latin-1").partition("=") for line in (*head, file.readline(_LONGEST_LINE)))
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    source = fields.get("ElementDataFile")
    if source is None:
        raise _not_a("MetaImage", path)
    if source != "LOCAL":
        raise ScanError(
            "the header refers to another file for the voxels",
            file=path,
            field="ElementDataFile",
            found=source,
            expected="LOCAL",
            remedy="save header and voxels in one .mha file",
        )
    size, kind = _numbers(fields, "DimSize"), _ELEMENTS.get(fields.get("ElementType", ""))
    one_number = fields.get("ElementNumberOfChannels", "1") == "1" and _flag(fields, "BinaryData", "True")
    if len(size) != 3 or not all(map(float.is_integer, size)) or not kind or not one_number or "HeaderSize" in fields:
        raise _no_volume(path, f"DimSize {fields.get('DimSize')}, ElementType {fields.get('ElementType')}")
    place = [_numbers(fields, name) for name in ("Offset", "TransformMatrix", "ElementSpacing")]
    for name, numbers, count in zip(("Offset", "TransformMatrix", "ElementSpacing"), place, (3, 9, 3), strict=True):
        if len(numbers) != count:
            raise unplaced(path, name, fields.get(name), f"{count} finite numbers")
    directions, spacing = np.reshape(place[1], (3, 3)), np.array(place[2])
    if min(spacing) <= 0 or not np.allclose(np.linalg.norm(directions, axis=1), 1, atol=1e-3):
        raise unplaced(path, "ElementSpacing, TransformMatrix", spacing.tolist(), "positive lengths, unit vectors")
    most_significant_first = _flag(fields, "BinaryDataByteOrderMSB") or _flag(fields, "ElementByteOrderMSB")
    return Header(
        path,
        size=tuple(map(int, size)),
        dtype=np.dtype((">" if most_significant_first else "<") + kind),
        offset=offset,
        packed="zlib" if _flag(fields, "CompressedData") else "",
        scale=None,
        origin=np.array(place[0]),
        steps=directions * spacing[:, None],
    )


def _nifti(path: Path) -> Header:
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
    raise _not_a("NIfTI", path)


def _nifti_fields(path, packed, order, dim, datatype, pixdim, offset, scale, units, codes, turn, rows) -> Header:
    kind, spacing = _DATATYPES.get(datatype[0]), np.array(pixdim[1:4], dtype=np.float64)
    # dim[0] is the number of dimensions; those beyond the third must have one element.
    if not 3 <= dim[0] <= 7 or any(extent != 1 for extent in dim[4 : dim[0] + 1]) or not kind:
        raise _no_volume(path, f"dim {list(dim)}, datatype {datatype[0]}")
    if not 0 <= offset[0] <= _FURTHEST_OFFSET:
        raise damaged(path, f"vox_offset {offset[0]}")
    if units[0] & 7 not in (0, 2):
        raise unplaced(path, "xyzt_units", units[0], "2, millimetres")
    if max(codes) <= 0:
        raise unplaced(path, "qform_code, sform_code", list(codes), "one of them above 0")
    if codes[1] > 0:
        affine = np.reshape(np.array(rows, dtype=np.float64), (3, 4))
    else:
        affine = np.column_stack([_rotation(*turn[:3]) * spacing * [1, 1, -1 if pixdim[0] < 0 else 1], turn[3:]])
    if not np.allclose(np.linalg.norm(affine[:, :3], axis=0), spacing, rtol=0.01, atol=0) or not min(spacing) > 0:
        raise unplaced(path, "pixdim", spacing.tolist(), "three positive numbers, those of the sform if there is one")
    affine = affine * [[-1], [-1], [1]]  # NIfTI's x increases to the right, its y to the front
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


def _flag(fields: dict[str, str], name: str, default: str = "False") -> bool:
    return fields.get(name, default)[:1] in ("T", "t", "1")


def _numbers(fields: dict[str, str], name: str) -> list[float]:
    """Return the numbers of a field; an empty list unless all are finite numbers."""
    try:
        numbers = [float(word) for word in fields.get(name, "").split()]
    except ValueError:
        return []
    return numbers if all(map(math.isfinite, numbers)) else []


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


def _not_a(kind: str, path: Path) -> ScanError:
    return ScanError(f"this is not a {kind} file", file=path, remedy="give a .mha, .nii or .nii.gz file of one volume")


def _no_volume(path: Path, found: str) -> ScanError:
    return ScanError(
        "this is not a three-dimensional volume with one number per voxel",
        file=path,
        found=found,
        remedy="extract one greyscale volume",
    )
