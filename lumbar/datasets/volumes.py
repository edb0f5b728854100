"""Functions that the readers of volumes share: find points in label files once, and cache them.

A volume is represented by one of its sagittal slices (see `lumbar.imaging.volume`), stated in the column `frame` of the
table. The points of each volume are cached below `lumbar.core.paths.cache` and found again if the image or its label
file has changed. Nothing is written into the data set's own folder.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from lumbar.compute.processes import in_parallel
from lumbar.core import paths
from lumbar.core.digests import digest_of_text
from lumbar.core.errors import DatasetError, LumbarError, OutputError
from lumbar.imaging.volume.reading import Grid, read_grid, read_labels
from lumbar.landmarks import LEVELS
from lumbar.storage.files import write_json

WORTH_A_PROCESS = 16
"""Number of volumes from which further processes are faster."""

NOTED_EVERY = 25
"""Number of volumes between two writings of the cache, and thus the most that a kill can lose."""


class Pair(NamedTuple):
    """A volume and its label file."""

    image: Path
    labels: Path


@dataclass(frozen=True)
class VolumePoints:
    """The points of one volume, in one of its sagittal slices.

    Args:
        frame: The sagittal slice; None if the volume shows no lumbar level.
        points: (x, y) of each of `LEVELS`, native pixels of that slice; NaN if a level is missing.
        width: Columns of the slice.
        height: Rows of the slice.
        pixel_width: Distance between columns, mm.
        pixel_height: Distance between rows, mm.
    """

    frame: int | None
    points: list[list[float]]
    width: int
    height: int
    pixel_width: float
    pixel_height: float

    @classmethod
    def in_slice(cls, grid: Grid, frame: int | None, xy_native: np.ndarray) -> VolumePoints:
        """Return the points (x, y) of a slice, native pixels, shape (5, 2)."""
        points = np.asarray(xy_native, dtype=float).round(4).tolist()
        return cls(frame, points, grid.shape[2], grid.shape[1], grid.pixel_width, grid.pixel_height)

    @classmethod
    def in_volume(cls, grid: Grid, voxels: np.ndarray) -> VolumePoints:
        """Project points [slice, row, column] of a volume, shape (5, 3), orthogonally onto their median slice."""
        slices = voxels[np.isfinite(voxels).all(axis=1), 0]
        frame = int(np.clip(round(float(np.median(slices))), 0, grid.shape[0] - 1)) if len(slices) else None
        return cls.in_slice(grid, frame, voxels[:, [2, 1]])


def read_matching_labels(pair: Pair, *, remedy: str | None = None) -> tuple[Grid, np.ndarray]:
    """Read the label volume of a pair, and check that it has the same grid as the image.

    Args:
        pair: The image and its label volume.
        remedy: What the user can do if the grids differ.

    Returns:
        The grid of the voxels, and the labels, integers [slice, row, column].

    Raises:
        ScanError: If labels or image cannot be read.
        DatasetError: If they are on different grids.
    """
    grid, labels = read_labels(pair.labels)
    if not grid.same_as(read_grid(pair.image)):
        raise DatasetError(
            "the labels are on another grid than their volume",
            file=pair.labels,
            found=f"{' × '.join(map(str, grid.shape))} voxels from {grid.origin.round(2).tolist()} mm",
            expected=f"the voxels of {pair.image.name}",
            remedy=remedy,
        )
    return grid, labels


def read_points(
    kind: str, root: Path, pairs: Sequence[Pair], find: Callable[[Pair], VolumePoints], *, version: int
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Find the points of many volumes, from the cache where possible.

    Args:
        kind: Name of the cache.
        root: The data set's folder.
        pairs: Volumes and their label files, below the folder.
        find: Function that finds the points of one pair; it must be defined at the top level of a module.
        version: Increased whenever `find` returns something different for the same files.

    Returns:
        Table with the columns image (path relative to the root), level, side, x, y, width, height, pixel_width,
        pixel_height and frame, five rows per volume; and notes on what was left out.

    Raises:
        DatasetError: If there is no pair, several files label one volume, or label files cannot be used. All other
            volumes are finished and cached first; the error describes the first such file and counts the others.
    """
    labelled: dict[Path, Path] = {}
    for image, labels in pairs:
        if labelled.setdefault(image, labels) != labels:
            raise DatasetError(
                "two files label the same volume",
                file=image,
                found=f"{labelled[image].relative_to(root)} and {labels.relative_to(root)}",
                remedy="keep only one of them in the folder",
            )
    present = [pair for pair in pairs if pair.image.is_file()]
    if not present:
        raise DatasetError(
            "the labels were found, but none of the volumes that they belong to",
            file=root,
            found=f"{len(pairs)} label file(s)",
            expected=f"for example {pairs[0].image.relative_to(root)}" if pairs else None,
            remedy="unpack the images too",
        )
    found = _find_all(kind, root, present, find, version)
    shown = {pair: each for pair, each in found.items() if each.frame is not None}
    notes = []
    if len(present) < len(pairs):
        notes.append(f"{len(pairs) - len(present)} of {len(pairs)} volumes are not there: their points are left out")
    if len(shown) < len(present):
        notes.append(f"{len(present) - len(shown)} volume(s) without any lumbar level are left out")
    rows = [
        {"image": pair.image.relative_to(root).as_posix(), "level": level, "side": "", "x": x, "y": y}
        | {name: value for name, value in asdict(each).items() if name != "points"}
        for pair, each in shown.items()
        for level, (x, y) in zip(LEVELS, each.points, strict=True)
    ]
    if not rows:
        raise DatasetError("none of the volumes shows a lumbar level", file=root, found=f"{len(present)} volumes")
    return pd.DataFrame(rows), tuple(notes)


def _find_all(
    kind: str, root: Path, pairs: list[Pair], find: Callable[[Pair], VolumePoints], version: int
) -> dict[Pair, VolumePoints]:
    """Return the points of each volume, from the cache unless its files have changed."""
    name = digest_of_text(f"{version} {root.resolve()}")
    file = paths.cache() / f"{kind}-{name}.json"
    cached = _cached(file)
    states = {pair: [_state(path) for path in pair] for pair in pairs}
    found = {
        pair: VolumePoints(**entry["found"])
        for pair, state in states.items()
        if (entry := cached.get(str(pair.image.relative_to(root)))) and entry["state"] == state
    }
    waiting = [pair for pair in pairs if pair not in found]
    failures: list[LumbarError] = []
    try:
        workers = 1 if len(waiting) < WORTH_A_PROCESS else None
        results = tqdm(
            in_parallel(partial(_tried, find=find), waiting, workers),
            f"finding points in labels ({kind})",
            len(waiting),
            unit="volume",
            disable=not waiting,
            leave=False,
        )
        for count, (pair, result) in enumerate(zip(waiting, results, strict=True), start=1):
            if isinstance(result, LumbarError):
                failures.append(result)
                continue
            found[pair] = result
            if count % NOTED_EVERY == 0:
                _keep(file, root, found, states)
    finally:
        if waiting:
            _keep(file, root, found, states)
    if failures:
        first = failures[0]
        raise DatasetError(
            f"the labels of {len(failures)} of {len(pairs)} volumes cannot be used; the first: {first.problem}",
            file=first.file,
            field=first.field,
            found=first.found,
            expected=first.expected,
            remedy="repair these files or download them again, or remove them from the folder",
        )
    return {pair: found[pair] for pair in pairs}


def _tried(pair: Pair, find: Callable[[Pair], VolumePoints]) -> VolumePoints | LumbarError:
    try:
        return find(pair)
    except LumbarError as error:
        return error


def _state(path: Path) -> list[int]:
    """Return size and modification time of a file, which change when it is replaced or edited."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _cached(file: Path) -> dict[str, dict]:
    """Return the contents of the cache, or nothing if it is missing or cannot be read."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return dict(json.loads(file.read_text(encoding="utf-8"))["volumes"])
    return {}


def _keep(file: Path, root: Path, found: dict[Pair, VolumePoints], states: dict[Pair, list]) -> None:
    volumes = {
        str(pair.image.relative_to(root)): {"state": states[pair], "found": asdict(each)}
        for pair, each in found.items()
    }
    with contextlib.suppress(OSError, OutputError):  # a missing cache only costs time
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, {"data": str(root.resolve()), "volumes": volumes})
