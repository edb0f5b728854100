"""Export points as disc labels of the Spinal Cord Toolbox: one NIfTI file and one JSON file per volume.

A label is a single voxel of the scan's own grid, from 21 for L1/L2 to 25 for L5/S1, at the posterior tip of its disc.
It is the voxel in which the point lies, so its centre is at most half a voxel away from the point along each axis.
Levels without a point get no label. Our points lie 1.2 mm in front of the posterior edge of the disc, where people mark
it, see `lumbar.landmarks.MARGIN_INSIDE_MM`. The name is the volume's and ``_label-discs_dlabel.nii.gz``, as in the data
sets of the Spine Generic project; the suffix ``dlabel`` is theirs, not one of BIDS.

The JSON file beside it has fields that BIDS defines (Description, Sources, SpatialReference, Manual, GeneratedBy) and
one object, ``lumbar``, with what BIDS has no field for::

    "lumbar": {
      "source": "sub-01_T2w.nii.gz",
      "network": "phantom+mr", "synthetic_patients_only": false,
      "flagged": true,                    check these labels before you use them; null: not judged
      "levels": {
        "L1/L2": {"label": 21, "voxel": [7, 130, 201], "confidence": 0.98, "absent": 0.0},
        "L5/S1": {"label": null, "voxel": null, "confidence": null, "absent": 0.97}
      }
    }

Labels that someone has made or corrected are never replaced: files are only written over if their ``GeneratedBy`` names
this package alone, and if the labels are still where ``levels`` says.

Sources: the toolbox's "Point labeling conventions" and ``spinalcordtoolbox.types.Centerline``, 7.4.dev0; "Common data
types and metadata" and "BIDS URI" of BIDS 1.11.2-dev. BIDS defines Manual for segmentations and GeneratedBy for data
sets; the toolbox's manual-correction scripts write GeneratedBy into such files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lumbar.core import extras
from lumbar.core.constants import VERSION, VOLUMES
from lumbar.core.errors import ScanError
from lumbar.datasets.disc_labels import DISCS, GENERATOR, is_generated, sidecar_of
from lumbar.exports import Written, judgement, notices_of_points, number
from lumbar.exports.label_volume import Voxel, header_at, header_like, read_labelled_voxels, write_labels
from lumbar.imaging import is_volume
from lumbar.imaging.volume.reading import read_grid
from lumbar.landmarks import LEVELS
from lumbar.prediction import by_picture
from lumbar.storage.files import describe_os_error, write_json
from lumbar.study.lattice import lattice

if TYPE_CHECKING:
    import pandas as pd
    from nibabel import Nifti1Header

    from lumbar.prediction import Predictions
    from lumbar.study import Located
    from lumbar.study.stacks import Stack

SUFFIX = "_label-discs_dlabel"
"""What follows the name of the volume."""

DATASET = "dataset_description.json"
"""The file that marks the root of a BIDS data set."""

LABELS = dict(zip(LEVELS, DISCS, strict=True))
"""Level → label."""


def check_installed() -> None:
    """Check that labels can be written, before the prediction starts.

    Raises:
        SettingsError: If the package nibabel is missing.
    """
    extras.require("nifti", "write disc labels")


def write(found: Predictions, folder: Path) -> Written:
    """Write the labels of each volume.

    Args:
        found: The points.
        folder: Folder of the files. A volume of a BIDS data set has its labels in the same subfolders as the volume.

    Returns:
        The label files, and an error for each image without labels.

    Raises:
        SettingsError: If the package nibabel is missing.
        OutputError: If a file cannot be written.
    """
    check_installed()
    files, skipped = [], []
    for _, image, points in by_picture(found.table):
        try:
            target = _target(folder, Path(image))
            if target in files:
                raise ScanError(
                    "no disc labels: another volume of the same name has its labels there",
                    file=image,
                    found=target,
                    remedy="give the volumes of different folders to different commands, each with its own folder",
                )
            header, voxels = _on_the_volume(Path(image), points)
            _write(target, Path(image), header, voxels, points, found)
            files.append(target)
        except ScanError as error:
            skipped.append(error)
    return Written(folder, tuple(files), tuple(skipped))


def write_series(found: Located, folder: Path) -> Written:
    """Write the labels of the sagittal series of a study, as a volume of its slices.

    Args:
        found: The levels.
        folder: Folder of the file, which is named after the folder of the series, or after its file if it is one.

    Returns:
        The label file, or the error why there is none.

    Raises:
        SettingsError: If the package nibabel is missing.
        OutputError: If a file cannot be written.
    """
    check_installed()
    middle, points = found.middle, found.table
    source = _place_of(middle.stack)
    target = folder / f"{source.stem if source.is_file() else source.name}{SUFFIX}.nii.gz"
    try:
        grid = lattice(middle.stack)
        voxels = np.column_stack([points[["sagittal_x", "sagittal_y"]], np.full(len(points), middle.number)])
        _write(target, source, header_at(*grid), voxels, points, found)
    except ScanError as error:
        return Written(folder, (), (error,))
    return Written(folder, (target,), ())


def _on_the_volume(image: Path, points: pd.DataFrame) -> tuple[Nifti1Header, np.ndarray]:
    """Return a header on the grid of a volume, and the points along the axes of its file, shape (n, 3)."""
    if not is_volume(image):
        raise ScanError(
            "no disc labels: the image is not a volume",
            file=image,
            expected=", ".join(VOLUMES),
            remedy="for a DICOM series: python -m lumbar locate STUDY --disc-labels FOLDER",
        )
    try:
        grid = read_grid(image)
    except OSError as error:
        raise ScanError("the file cannot be opened", file=image, found=error.strerror or str(error)) from error
    return header_like(image), grid.to_file(points[["frame", "y", "x"]].to_numpy(dtype=float))


def _write(
    target: Path,
    source: Path,
    header: Nifti1Header,
    voxels: np.ndarray,
    points: pd.DataFrame,
    found: Predictions | Located,
) -> None:
    """Write labels and their JSON file.

    Args:
        target: The label file.
        source: The volume, or the folder or file of the series.
        header: On its grid.
        voxels: The points along the axes of the file, shape (n, 3), not integers; NaN for a level without a point.
        points: The rows of the points, with level, confidence, absent and flagged.
        found: What the points are part of.

    Raises:
        ScanError: If labels of someone else are there, there is no level to write, or two lie in one voxel.
        OutputError: If a file cannot be written.
    """
    sidecar = sidecar_of(target)
    if (target.exists() or sidecar.exists()) and not _is_as_written(target):
        raise ScanError(
            "no disc labels: there are labels that this package has not written, or that were corrected since",
            file=target,
            remedy="choose another folder, or move them away first",
        )
    placed = dict(zip(points["level"], map(tuple, _nearest(voxels, header.get_data_shape())), strict=True))
    labels = {LABELS[level]: voxel for level, voxel in placed.items() if voxel}
    if not labels:
        raise ScanError("no disc labels: the volume shows none of the levels", file=source)
    if len(set(labels.values())) < len(labels):
        raise ScanError(
            "no disc labels: two levels lie in the same voxel",
            file=source,
            found=f"{len(labels)} levels in {len(set(labels.values()))} voxels",
            remedy="use the points in the table, or a volume of smaller voxels",
        )
    with describe_os_error(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    # The JSON file first: labels without it would pass for someone else's if the command is interrupted here.
    write_json(sidecar, _sidecar(target, source, placed, points, found))
    write_labels(target, header, labels)


def _is_as_written(target: Path) -> bool:
    """Return whether a label file, if there is one, and its JSON file are as this package has written them."""
    if not is_generated(target):
        return False
    if not target.exists():
        return True
    try:
        levels = json.loads(sidecar_of(target).read_text(encoding="utf-8"))["lumbar"]["levels"].values()
        stated = {each["label"]: tuple(each["voxel"]) for each in levels if each["label"]}
        return list(stated.items()) == read_labelled_voxels(target)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _nearest(voxels: np.ndarray, size: Voxel) -> Iterator[Voxel | tuple[()]]:
    """Yield the voxel that each point lies in; () without a point, and for one outside of the volume."""
    for place in voxels:
        # The voxels of the outer layer reach half a voxel beyond their centres.
        if np.isfinite(place).all() and (np.abs(place - (np.array(size) - 1) / 2) <= np.array(size) / 2).all():
            i, j, k = np.clip(np.rint(place), 0, np.array(size) - 1).astype(int).tolist()
            yield i, j, k
        else:
            yield ()


def _sidecar(
    target: Path,
    source: Path,
    placed: dict[str, Voxel | tuple[()]],
    points: pd.DataFrame,
    found: Predictions | Located,
) -> dict[str, Any]:
    """Return the content of the JSON file, as plain values."""
    flagged = judgement(points["flagged"])
    remarks = {
        True: ["Flagged: check the labels before you use them."],
        None: ["Not judged: check the labels before you use them."],
    }
    description = [
        f"Labels of lumbar discs, one voxel each, from {DISCS[0]} for {LEVELS[0]} to {DISCS[-1]} for {LEVELS[-1]}, "
        f"found by the network {found.network} in one sagittal slice.",
        *remarks.get(flagged, []),
        *notices_of_points(
            found.synthetic, count_checked="count_checked_in" in points and points["count_checked_in"].all()
        ),
    ]
    return {
        "Description": " ".join(description),
        **_sources(target, source),
        "SpatialReference": "orig",
        "Manual": False,
        "GeneratedBy": [{"Name": GENERATOR, "Version": VERSION}],
        "lumbar": {
            "source": source.name,
            "network": found.network,
            "synthetic_patients_only": found.synthetic,
            "flagged": flagged,
            "levels": {
                row["level"]: {
                    "label": LABELS[row["level"]] if placed[row["level"]] else None,
                    "voxel": list(placed[row["level"]]) or None,
                    "confidence": number(row["confidence"]),
                    "absent": number(row["absent"]),
                }
                for row in points.to_dict("records")
            },
        },
    }


def _sources(target: Path, source: Path) -> dict[str, list[str]]:
    """Return the field Sources; none unless volume and labels are in one BIDS data set, which a BIDS URI needs."""
    root = _bids_root(source)
    if root is None or root != _bids_root(target):
        return {}
    return {"Sources": [f"bids::{source.resolve().relative_to(root).as_posix()}"]}


def _target(folder: Path, image: Path) -> Path:
    """Return the label file of a volume."""
    root = _bids_root(image)
    below = image.resolve().parent.relative_to(root) if root else Path()
    ending = max((ending for ending in VOLUMES if image.name.lower().endswith(ending)), key=len, default="")
    return folder / below / f"{image.name[: len(image.name) - len(ending)]}{SUFFIX}.nii.gz"


def _bids_root(path: Path) -> Path | None:
    """Return the BIDS data set that a path is in, which need not exist; None if it is in none."""
    return next((folder for folder in path.resolve().parents if (folder / DATASET).is_file()), None)


def _place_of(stack: Stack) -> Path:
    """Return the file of a stack, or the folder of its files."""
    files = {str(each.path.resolve()) for each in stack.slices}
    return Path(files.pop()) if len(files) == 1 else Path(os.path.commonpath(files))
