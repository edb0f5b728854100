"""What the readers of volumes share: points found in labels that lie beside the images, worked out once and kept.

A volume is represented by one of its sagittal slices (see `lumbar.imaging.volume`), the column `frame` of the table.
The points found in a file's labels are kept below `lumbar.core.paths.cache`, and found again when the image or its
labels have changed.
Nothing is written into the data set's own folder.
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
from lumbar.imaging.volume.reading import Grid
from lumbar.landmarks import LEVELS
from lumbar.storage.files import write_json

WORTH_A_PROCESS = 16
"""Fewer volumes are looked through sooner in this process than others take to start."""

NOTED_EVERY = 25
"""Volumes after which the cache notes what was found: as many are looked through again after a kill."""


class Pair(NamedTuple):
    """A volume and the file that says what is where in it."""

    image: Path
    labels: Path


@dataclass(frozen=True)
class Found:
    """What the labels of one volume say.

    Args:
        frame: The sagittal slice that shows the points; None if the volume shows no lumbar level.
        points: (x, y) of `LEVELS`, native pixels of that slice; NaN where a level is missing.
        width: Columns of the slice.
        height: Rows of the slice.
        pixel_width: Distance of its columns, mm.
        pixel_height: Distance of its rows, mm.
    """

    frame: int | None
    points: list[list[float]]
    width: int
    height: int
    pixel_width: float
    pixel_height: float

    @classmethod
    def in_slice(cls, grid: Grid, frame: int | None, xy_native: np.ndarray) -> Found:
        """Points of a slice, shape (5, 2)."""
        points = np.asarray(xy_native, dtype=float).round(4).tolist()
        return cls(frame, points, grid.shape[2], grid.shape[1], grid.pixel_width, grid.pixel_height)

    @classmethod
    def in_volume(cls, grid: Grid, voxels: np.ndarray) -> Found:
        """Points [slice, row, column] of a volume, shape (5, 3), dropped at right angles onto the slice amid them."""
        slices = voxels[np.isfinite(voxels).all(axis=1), 0]
        frame = int(np.clip(round(float(np.median(slices))), 0, grid.shape[0] - 1)) if len(slices) else None
        return cls.in_slice(grid, frame, voxels[:, [2, 1]])


def read_points(
    kind: str, root: Path, pairs: Sequence[Pair], find: Callable[[Pair], Found], *, version: int
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The points of many volumes.

    Args:
        kind: What to call the cache.
        root: The data set's folder.
        pairs: Volumes and their labels, below it.
        find: Looks through one of them; a function at the top of a module.
        version: Raised whenever `find` gives something else for the same files.

    Returns:
        Table with the columns image (the path below the root), level, side, x, y, width, height, pixel_width,
        pixel_height and frame, five rows a volume; and remarks on what was left out.

    Raises:
        DatasetError: If there is no pair, several files label one volume, or labels cannot be used: the first is told
            in full and the others counted, after all the rest is done and kept.
    """
    labelled: dict[Path, Path] = {}
    for image, labels in pairs:
        if labelled.setdefault(image, labels) != labels:
            raise DatasetError(
                "two files label the same volume",
                file=image,
                found=f"{labelled[image].relative_to(root)} and {labels.relative_to(root)}",
                remedy="leave the one you mean in the folder",
            )
    there = [pair for pair in pairs if pair.image.is_file()]
    if not there:
        raise DatasetError(
            "the labels are there, but none of the volumes they belong to",
            file=root,
            found=f"{len(pairs)} file(s) of labels",
            expected=f"for example {pairs[0].image.relative_to(root)}" if pairs else None,
            remedy="unpack the images too",
        )
    found = _all_found(kind, root, there, find, version)
    shown = {pair: each for pair, each in found.items() if each.frame is not None}
    notes = []
    if len(there) < len(pairs):
        notes.append(f"{len(pairs) - len(there)} of {len(pairs)} volumes are not there: their points are left out")
    if len(shown) < len(there):
        notes.append(f"{len(there) - len(shown)} volume(s) without any lumbar level are left out")
    rows = [
        {"image": pair.image.relative_to(root).as_posix(), "level": level, "side": "", "x": x, "y": y}
        | {name: value for name, value in asdict(each).items() if name != "points"}
        for pair, each in shown.items()
        for level, (x, y) in zip(LEVELS, each.points, strict=True)
    ]
    if not rows:
        raise DatasetError("none of the volumes shows a lumbar level", file=root, found=f"{len(there)} volumes")
    return pd.DataFrame(rows), tuple(notes)


def _all_found(
    kind: str, root: Path, pairs: list[Pair], find: Callable[[Pair], Found], version: int
) -> dict[Pair, Found]:
    """What each volume's labels say, from the cache where that is still true."""
    name = digest_of_text(f"{version} {root.resolve()}")
    file = paths.cache() / f"{kind}-{name}.json"
    kept = _kept(file)
    states = {pair: [_state(path) for path in pair] for pair in pairs}
    found = {
        pair: Found(**entry["found"])
        for pair, state in states.items()
        if (entry := kept.get(str(pair.image.relative_to(root)))) and entry["state"] == state
    }
    waiting = [pair for pair in pairs if pair not in found]
    failures: list[LumbarError] = []
    try:
        workers = 1 if len(waiting) < WORTH_A_PROCESS else None
        results = tqdm(
            in_parallel(partial(_tried, find=find), waiting, workers),
            f"looking through the labels ({kind})",
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
            remedy="mend or download these files again, or take them out of the folder",
        )
    return {pair: found[pair] for pair in pairs}


def _tried(pair: Pair, find: Callable[[Pair], Found]) -> Found | LumbarError:
    try:
        return find(pair)
    except LumbarError as error:
        return error


def _state(path: Path) -> list[int]:
    """Changes when a file is exchanged or edited."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _kept(file: Path) -> dict[str, dict]:
    """What the cache holds; nothing if it is not there or cannot be read."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return dict(json.loads(file.read_text(encoding="utf-8"))["volumes"])
    return {}


def _keep(file: Path, root: Path, found: dict[Pair, Found], states: dict[Pair, list]) -> None:
    volumes = {
        str(pair.image.relative_to(root)): {"state": states[pair], "found": asdict(each)}
        for pair, each in found.items()
    }
    with contextlib.suppress(OSError, OutputError):  # a cache that cannot be kept costs time, nothing else
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, {"data": str(root.resolve()), "volumes": volumes})
