"""Read volumes with the disc labels that the Spinal Cord Toolbox and TotalSpineSeg write.

A label is a single voxel at the posterior tip of its disc, from 21 for L1/L2 to 25 for L5/S1. The layouts are:

- BIDS: `sub-X/anat/sub-X_T2w.nii.gz` and, in `derivatives/labels/sub-X/anat/`, `sub-X_T2w_label-discs_dlabel.nii.gz` or
  `sub-X_T2w_labels-disc-manual.nii.gz`;
- one folder: `scan.nii.gz` and one of those names, or what ``sct_deepseg`` writes beside the volume:
  `scan_totalspineseg_discs.nii.gz` (``spine``, releases 7.2 and 7.3) or `scan_step1_levels.nii.gz`
  (``totalspineseg``, releases 6.5 to 7.1);
- TotalSpineSeg: `step1_levels/scan.nii.gz`, with the volume beside that folder, one folder above, in the folder
  `sub-X/anat/` of either, or in `input/scan_0000.nii.gz`.

Sources: the labelling conventions of the toolbox; ``sct_deepseg`` of its releases; inference and extract_levels of
TotalSpineSeg 20260429.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from lumbar.core.errors import DatasetError
from lumbar.datasets.dataset import Dataset, Reader
from lumbar.datasets.volumes import Pair, VolumePoints, read_matching_labels, read_points

VERSION = 1
"""Increased whenever the same labels give different points than before, which invalidates caches."""

DISCS = (21, 22, 23, 24, 25)
"""Labels of the discs, in the order of `lumbar.landmarks.LEVELS`."""

GENERATOR = "lumbar"
"""Name under ``GeneratedBy`` in the JSON file beside labels that this package has found in a volume."""

FURTHEST_MM = 5.0
"""Largest distance of a label's voxels from their centre, mm; larger labels are segmentations, not points."""

_NAME = re.compile(
    r"(?P<scan>.+)_(?:labels-disc(?:-manual)?|label-discs?(?:_desc-[A-Za-z0-9]+)?_dlabel|step1_levels"
    r"|totalspineseg_discs)\.nii(?:\.gz)?"
)
_ENDINGS = (".nii.gz", ".nii")
_FOLDERS = ("", "*/", "*/anat/", "*/*/anat/", "derivatives/*/*/anat/", "derivatives/*/*/*/anat/")
_PATTERNS = (
    *(folder + name for folder in _FOLDERS for name in ("*disc*.nii*", "*_step1_levels.nii*")),
    *("step1_levels/*.nii*", "*/step1_levels/*.nii*"),
)
_SUBJECT = re.compile(r"sub-[^_.]+")
_CONTRAST = re.compile(r"_(T1|T2)w(?:_|\.|$)")


def read(root: Path) -> Dataset:
    """Read the landmark table of a folder of volumes and label files, without checking it.

    Args:
        root: The folder.

    Raises:
        DatasetError: If labels cannot be read, or are on another grid than their volume.
    """
    pairs = [Pair(_image(root, file), file) for file in _label_files(root)]
    points, notes = read_points("disc-labels", root, pairs, find, version=VERSION)
    names = points["image"].map(lambda image: Path(image).name)
    found = names.map(_CONTRAST.search)
    table = points.assign(
        patient=_patients(points["image"]),
        patient_from_file=True,
        source=root.resolve().name,
        view="sagittal",
        contrast=[match[1] if match else "" for match in found],
        landmark="posterior disc margin",
    )
    if own := sum(is_generated(pair.labels) for pair in pairs):
        notes = (*notes, f"{own} of {len(pairs)} label files hold answers of this package's networks, not annotations")
    return Dataset(root.name, root, table, notes)


def sidecar_of(labels: Path) -> Path:
    """Return the JSON file beside a label file, which need not exist."""
    return labels.with_name(labels.name.removesuffix(".gz").removesuffix(".nii") + ".json")


def is_generated(labels: Path) -> bool:
    """Return whether this package alone has made the labels of a file: no one has corrected them since.

    The JSON file beside the labels says so. Tools for correction, such as those of the Spinal Cord Toolbox, add
    themselves to ``GeneratedBy`` there.

    Args:
        labels: The label file; it need not exist.
    """
    try:
        made_by = json.loads(sidecar_of(labels).read_text(encoding="utf-8"))["GeneratedBy"]
        return bool(made_by) and all(each["Name"] == GENERATOR for each in made_by)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def find(pair: Pair) -> VolumePoints:
    """Find the labelled voxels of a volume.

    Args:
        pair: The volume and its label file.

    Raises:
        ScanError: If labels or volume cannot be read.
        DatasetError: If they are on different grids, or a label is not a point.
    """
    grid, labels = read_matching_labels(
        pair, remedy="write the labels on the volume's grid (TotalSpineSeg: without --iso)"
    )
    marked = np.argwhere((labels >= DISCS[0]) & (labels <= DISCS[-1]))
    values = labels[tuple(marked.T)]
    points = np.full((len(DISCS), 3), np.nan)
    for order, disc in enumerate(DISCS):
        voxels = marked[values == disc]
        if len(voxels) == 0:
            continue
        points[order] = voxels.mean(axis=0)
        apart = np.linalg.norm((voxels - points[order]) @ grid.steps, axis=1).max()
        if apart > FURTHEST_MM:
            raise DatasetError(
                "a label is not a point",
                file=pair.labels,
                field=f"label {disc}",
                found=f"{len(voxels)} voxels, up to {2 * apart:.0f} mm apart",
                expected="one voxel per disc",
                remedy="use the file of single voxels, not a segmentation",
            )
    return VolumePoints.in_volume(grid, points)


def _label_files(root: Path) -> list[Path]:
    found = {file for pattern in _PATTERNS for file in root.glob(pattern)}
    return sorted(file for file in found if _NAME.fullmatch(file.name) or file.parent.name == "step1_levels")


def _image(root: Path, labels: Path) -> Path:
    """Return the volume that a label file belongs to, or the path where it should be if it is missing."""
    candidates = list(_candidates(root, labels))
    return next((file for file in candidates if file.is_file()), candidates[0])


def _candidates(root: Path, labels: Path) -> Iterator[Path]:
    match = _NAME.fullmatch(labels.name)
    scan = match["scan"] if match else labels.name.removesuffix(".gz").removesuffix(".nii")
    inside = labels.parent.relative_to(root).parts
    folders = [labels.parent]
    if "derivatives" in inside[:-2]:
        at = inside.index("derivatives")
        folders = [root.joinpath(*inside[:at], *inside[at + 2 :])]
    elif labels.parent.name == "step1_levels":
        folders = [labels.parents[1], *([labels.parents[2]] if len(inside) > 1 else [])]
        subject = _SUBJECT.match(scan)
        folders += [folder / subject[0] / "anat" for folder in folders if subject]
        yield from (labels.parents[1] / "input" / f"{scan}_0000{ending}" for ending in _ENDINGS)
    yield from (folder / f"{scan}{ending}" for folder in folders for ending in _ENDINGS)


def _patients(images: pd.Series) -> pd.Series:
    """Name the patient of each volume after the subject of its BIDS name, or else after the file without its ending.

    Where files of several folders have the same name (``p1/t2.nii.gz``, ``p2/t2.nii.gz``), each folder of the data set
    is a patient.
    """
    paths = images.map(Path)
    names = paths.map(lambda path: re.sub(r"(_0000)?\.nii(\.gz)?$", "", path.name))
    subjects = names.map(lambda name: match[0] if (match := _SUBJECT.match(name)) else None)
    folders = paths.map(lambda path: path.parts[0] if len(path.parts) > 1 else None)
    others = pd.DataFrame({"name": names, "folder": folders})[subjects.isna()].dropna()
    if others.groupby("name")["folder"].nunique().gt(1).any():
        names = folders.fillna(names)
    return subjects.fillna(names)


READER = Reader(
    layout="disc labels of the Spinal Cord Toolbox or TotalSpineSeg",
    looks_for=(
        "<scan>.nii.gz and <scan>_totalspineseg_discs.nii.gz or <scan>_label-discs_dlabel.nii.gz, beside it or in "
        "derivatives/labels/"
    ),
    recognises=lambda root: bool(_label_files(root)),
    read=read,
)
