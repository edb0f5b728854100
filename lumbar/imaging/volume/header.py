"""Read and check the header of a volume, MetaImage (.mha) or NIfTI (.nii, .nii.gz), before any voxel.

These files are not read with ITK because of five faults, observed with SimpleITK 2.5: it replaces a NaN spacing by
1 mm; it returns zeros for the end of a truncated NIfTI file; it returns uninitialised memory for a damaged compressed
MetaImage; it reads the voxels from any other file that a MetaImage names; and it crashes on some damaged headers. The
tests compare both readers on valid files.

Sources: the NIfTI-1 and NIfTI-2 headers (nifti1.h, nifti2.h); ITK's MetaIO.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from lumbar.core.errors import ScanError
from lumbar.imaging.limits import check_size
from lumbar.imaging.volume.layout import Header, cut_short, largest_cosine, unplaced
from lumbar.imaging.volume.metaimage import read_metaimage
from lumbar.imaging.volume.nifti import read_nifti

LARGEST_BYTES = 2**32
"""Largest size of all voxels, bytes; larger volumes are not scans of a spine and are refused before any allocation."""

_SHEARED = 1e-3
"""Cosine between two axes from which a volume is said to be sheared; `lumbar.geometry.Plane` has the same limit."""


def read_header(path: Path) -> Header:
    """Read and check the header of a volume.

    Args:
        path: A MetaImage (.mha) or NIfTI file (.nii, .nii.gz) of one volume.

    Raises:
        ScanError: If the header is damaged or incomplete, or states an absurd size.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # absurd numbers are refused below
        header = read_metaimage(path) if path.suffix.lower() == ".mha" else read_nifti(path)
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
    off = math.degrees(math.asin(min(largest_cosine(header.steps), 1.0)))
    if off > math.degrees(_SHEARED):
        sheared = (
            f"the axes of the volume are {off:.1f}° off a right angle; ITK and 3D Slicer may refuse or straighten it"
        )
        header = replace(header, remarks=(*header.remarks, sheared))
    return header


def _spans_space(header: Header) -> bool:
    """Whether the three steps are finite and independent: none of them lies nearly in the plane of the others."""
    lengths = np.linalg.norm(header.steps, axis=1)
    if not (np.isfinite(header.origin).all() and np.isfinite(lengths).all() and min(lengths) > 0):
        return False
    return abs(np.linalg.det(header.steps / lengths[:, None])) > 0.5
