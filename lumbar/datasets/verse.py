"""Read VerSe, spine CT with the centroids of the vertebrae (Sekuboyina et al., Medical Image Analysis 2021).

The files are `rawdata/sub-<id>/<scan>_ct.nii.gz` and `derivatives/sub-<id>/<scan>_seg-…_ctd.json`, or both in one
folder, in the root or in its subfolders (such as `dataset-verse19training`). The JSON file is a list:
``{"direction": ["P", "I", "R"]}`` states the directions in which the voxel coordinates X, Y, Z increase, and
``{"label": 20, "X": …, "Y": …, "Z": …}`` is a centroid. Labels 20 to 25 are L1 to L6.

VerSe marks vertebrae, not discs. The point of a level is the midpoint of the centroids of its two vertebrae. It is near
the CENTRE of the disc, about half a vertebral body in front of the posterior margin that other sets mark; the column
`landmark` states this. L5/S1 is missing: the sacrum (26) is not marked in the set, and its centroid would be too low
for the midpoint to be in that disc. Levels keep the names of VerSe, which counts from above, even if there is an L6.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np

from lumbar.core.errors import DatasetError
from lumbar.datasets.dataset import Dataset, Reader
from lumbar.datasets.volumes import Pair, VolumePoints, read_points
from lumbar.imaging.volume.reading import read_grid

VERSION = 1
"""Increased whenever the same files give different points than before, which invalidates caches."""

L1, L5 = 20, 24
"""Labels of the first and last vertebra that are used."""

_FILE = re.compile(r"(?P<scan>.+?)(?:_seg-[^_]+)?_ctd\.json")
_PATTERNS = ("derivatives/*/*_ctd.json", "*/derivatives/*/*_ctd.json", "*_ctd.json", "*/*_ctd.json")
_AXES = {"L": (0, 1), "R": (0, -1), "I": (1, 1), "S": (1, -1), "P": (2, 1), "A": (2, -1)}
"""Letter of a direction → the index (slice, row, column) that it runs along, and 1 for the same way or -1."""

_NOTE = (
    "points are midpoints of the centroids of neighbouring vertebrae, near the discs' centres and not on their "
    "posterior margin; L5/S1 is not marked"
)


def read(root: Path) -> Dataset:
    """Read the landmark table of the unpacked set, without checking it.

    Args:
        root: Folder of the set.

    Raises:
        DatasetError: If a centroid file is damaged or does not match its image.
    """
    pairs = [_pair(root, file) for file in sorted({file for pattern in _PATTERNS for file in root.glob(pattern)})]
    points, notes = read_points("verse", root, pairs, find, version=VERSION)
    patients = points["image"].map(lambda image: Path(image).name.split("_")[0])
    table = points.assign(
        patient=patients, source="verse", view="sagittal", contrast="CT", landmark="middle between vertebrae"
    )
    return Dataset(root.name, root, table, (_NOTE, *notes))


def find(pair: Pair) -> VolumePoints:
    """Find the points of the levels, midway between the centroids of a volume.

    Args:
        pair: The volume and its centroid file.

    Raises:
        ScanError: If the volume cannot be read.
        DatasetError: If the centroid file is damaged or a centroid is outside the volume.
    """
    grid = read_grid(pair.image)
    direction, centroids = read_centroids(pair.labels)
    voxels = {label: _in_grid(xyz, direction, grid.shape) for label, xyz in centroids.items()}
    outside = [label for label, voxel in voxels.items() if not _inside(voxel, grid.shape)]
    if outside:
        raise DatasetError(
            "a centroid lies outside of the volume",
            file=pair.labels,
            field=f"label {outside[0]}",
            found=centroids[outside[0]].tolist(),
            expected=f"a voxel of {pair.image.name}, {' × '.join(map(str, grid.shape))}",
            remedy="use the centroids of this image; their coordinates are its voxels",
        )
    centres = np.array([voxels.get(label, np.full(3, np.nan)) for label in range(L1, L5 + 1)])
    middles = (centres[:-1] + centres[1:]) / 2
    return VolumePoints.in_volume(grid, np.vstack([middles, np.full(3, np.nan)]))


def read_centroids(file: Path) -> tuple[tuple[str, str, str], dict[int, np.ndarray]]:
    """Read a centroid file.

    Args:
        file: The JSON file.

    Returns:
        The directions in which X, Y and Z increase, e.g. ("P", "I", "R"); and label → (X, Y, Z), voxels. Entries of NaN
        are left out.

    Raises:
        DatasetError: If the file is not a valid centroid file.
    """
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        direction = next(tuple(entry["direction"]) for entry in entries if "direction" in entry)
        marked = [
            (int(entry["label"]), np.array([entry["X"], entry["Y"], entry["Z"]], dtype=float))
            for entry in entries
            if "label" in entry and all(math.isfinite(float(entry[axis])) for axis in "XYZ")
        ]
        if sorted(_AXES[letter][0] for letter in direction) != [0, 1, 2]:
            raise ValueError(f"direction {direction}")
        if len(dict(marked)) < len(marked):
            raise ValueError("a label appears twice")
    except (OSError, ValueError, KeyError, TypeError, StopIteration, RecursionError) as error:
        raise DatasetError(
            "the centroid file is damaged",
            file=file,
            found=repr(error),
            expected='[{"direction": ["P", "I", "R"]}, {"label": 20, "X": …, "Y": …, "Z": …}, …]',
        ) from error
    return direction, dict(marked)


def _in_grid(xyz: np.ndarray, direction: tuple[str, str, str], shape: tuple[int, int, int]) -> np.ndarray:
    """Convert a centroid to a voxel position [slice, row, column]."""
    voxel = np.empty(3)
    for number, letter in zip(xyz, direction, strict=True):
        axis, same = _AXES[letter]
        voxel[axis] = number if same > 0 else shape[axis] - 1 - number
    return voxel


def _inside(voxel: np.ndarray, shape: tuple[int, int, int]) -> bool:
    return bool((voxel >= -0.5).all() and (voxel <= np.array(shape) - 0.5).all())


def _pair(root: Path, file: Path) -> Pair:
    name = f"{_FILE.fullmatch(file.name)['scan']}_ct.nii.gz"
    folders = ["rawdata" if folder == "derivatives" else folder for folder in file.relative_to(root).parts[:-1]]
    return Pair(root.joinpath(*folders, name), file)


READER = Reader(
    layout="VerSe",
    looks_for="derivatives/sub-<id>/<scan>_seg-…_ctd.json and rawdata/sub-<id>/<scan>_ct.nii.gz",
    recognises=lambda root: any(any(root.glob(pattern)) for pattern in _PATTERNS),
    read=read,
)
