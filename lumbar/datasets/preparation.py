"""Prepare a whole data set for a network, in parallel, and cache the result on disk.

The cache has one folder per combination of data set and settings. ``images.npy`` and ``to_256.npy`` are filled image by
image, and ``done.npy`` records which are finished, so that an interrupted preparation resumes where it stopped.
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from lumbar import datasets, imaging, landmarks
from lumbar.compute.processes import in_parallel
from lumbar.core import paths
from lumbar.core.digests import digest_of, digest_of_values
from lumbar.core.errors import DatasetError, ScanError
from lumbar.core.schema import first_released_names
from lumbar.datasets.dataset import Dataset
from lumbar.geometry import SIZE, Affine
from lumbar.preprocess import VERSION, Prepared, PreprocessSettings, prepare_scan
from lumbar.storage.files import allocate, atomic_folder, atomic_write, write_json

WORTH_A_PROCESS = 3000
"""Number of images from which further processes are faster."""

CHUNK = 32
"""Number of images that a process gets at a time."""

NOTED_EVERY = 500
"""Number of images between two updates of ``done.npy``, and thus the most that a kill can lose."""

_NAMED = 20
"""Largest number of images that an error names."""

INDEX = ("image", "patient", "source", "view", "contrast", "level", "width", "height", "pixel_width", "pixel_height")
"""Columns of `Prepared.index`."""

OPTIONAL = ("frame", "patient_from_file")
"""Further columns of `Prepared.index`, where the table has them."""


def load_prepared(
    path: str | Path,
    settings: PreprocessSettings = PreprocessSettings(),
    *,
    views: Sequence[str] = ("sagittal",),
    neighbours: bool = False,
    workers: int | None = None,
    progress: bool = True,
) -> tuple[Dataset, Prepared]:
    """Load a data set, print its notes, and prepare its images, with a cache below data/.

    Args:
        path: The data set's folder, or the table in it.
        settings: How to prepare the images.
        views: The planes to prepare.
        neighbours: See `prepare`.
        workers: Number of processes; by default one per core.
        progress: Print the data set's notes and show progress bars.

    Returns:
        The data set and its prepared images.

    Raises:
        LumbarError: If the data set cannot be read, or has no image of these views.
    """
    dataset = datasets.load(path)
    for note in dataset.notes if progress else ():
        print(f"note: {note}", file=sys.stderr)
    how = {"views": views, "neighbours": neighbours, "cache": paths.cache(), "workers": workers}
    return dataset, prepare(dataset, settings, **how, progress=progress)


def prepare(
    dataset: Dataset,
    settings: PreprocessSettings = PreprocessSettings(),
    *,
    views: Sequence[str] = ("sagittal",),
    neighbours: bool = False,
    cache: Path | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Prepared:
    """Prepare the images of some views of a data set.

    Args:
        dataset: As `lumbar.datasets.load` returns it.
        settings: How to prepare the images.
        views: The planes to prepare.
        neighbours: Add channels for the neighbouring discs, see `lumbar.landmarks.channels`.
        cache: Folder for the result; a second call with the same data and settings then returns at once.
        workers: Number of processes; by default one per core.
        progress: Show a progress bar.

    Returns:
        The prepared images, with their points in the 256 frame.

    Raises:
        ScanError: If images cannot be read or differ in size from the table. All other images are prepared first (and
            cached); the error lists these images and describes the first.
        DatasetError: If the data set has no image of these views.
    """
    channels = landmarks.channels(views, neighbours=neighbours)
    index, points_native, absent = _images(dataset, channels, views)
    store = _storage(dataset, index, settings, cache)
    waiting = np.flatnonzero(~store.done)
    if len(waiting):
        _fill(dataset, index, settings, store, waiting, workers, progress)
    images = store.images if cache is None else np.load(store.images.filename, mmap_mode="r")
    maps = [Affine(matrix) for matrix in store.to_256]
    points = np.stack([to_256.points(xy) for to_256, xy in zip(maps, points_native, strict=True)])
    to_native = np.stack([to_256.inverse().matrix for to_256 in maps])
    return Prepared(images, index, to_native, points, channels, absent if absent.any() else None)


def _images(
    dataset: Dataset, channels: tuple[str, ...], views: Sequence[str]
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return what is known of the images of some views.

    Returns:
        A table of one row per image; the points of its channels in native pixels, (N, K, 2); and which of them are
        known to lie outside the image, (N, K).
    """
    table = dataset.table[dataset.table["view"].isin(views)]
    if table.empty:
        raise DatasetError(
            "the data set has no picture of these views",
            file=dataset.root,
            field="view",
            found=", ".join(sorted(dataset.table["view"].unique())),
            expected=", ".join(views),
        )
    names = landmarks.image_names(table)
    columns = [*INDEX, *(column for column in OPTIONAL if column in table)]
    index = table.loc[~names.duplicated(), columns].reset_index(drop=True)
    index["level"] = index["level"].where(index["view"] == "axial", "")
    if dataset.neighbours is not None and set(landmarks.NEIGHBOURS) <= set(channels):
        of_these = landmarks.image_names(dataset.neighbours).isin(names)
        table = pd.concat([table, dataset.neighbours[of_these]])
    points, absent = np.full((len(index), len(channels), 2), np.nan), np.zeros((len(index), len(channels)), bool)
    image = pd.Index(names.unique()).get_indexer(landmarks.image_names(table))
    order = pd.Index(channels).get_indexer(landmarks.row_channels(table))
    points[image, order] = table[["x", "y"]]
    absent[image, order] = landmarks.is_absent(table)
    return index, points, absent


class _Store(NamedTuple):
    """Arrays for the prepared images, uint8 (N, 256, 256), their maps, (N, 2, 3), and which are done, bool (N,)."""

    images: np.ndarray
    to_256: np.ndarray
    done: np.ndarray


def _storage(dataset: Dataset, index: pd.DataFrame, settings: PreprocessSettings, cache: Path | None) -> _Store:
    shape, maps = (len(index), SIZE, SIZE), (len(index), 2, 3)
    if cache is None:
        return _Store(np.empty(shape, np.uint8), np.empty(maps), np.zeros(len(index), bool))
    recipe = {
        "version": VERSION,
        "data": str(dataset.root.resolve()),
        "settings": first_released_names(settings),
        "pictures": _state(dataset, index),
    }
    folder = cache / digest_of_values(recipe)
    if not folder.is_dir():
        with atomic_folder(folder) as begun:
            for name, kind, size in (("images.npy", np.uint8, shape), ("to_256.npy", np.float64, maps)):
                np.lib.format.open_memmap(begun / name, "w+", kind, size).flush()
                allocate(begun / name)
            np.save(begun / "done.npy", np.zeros(len(index), bool))
            write_json(begun / "recipe.json", recipe)
    done = np.load(folder / "done.npy")
    mode = "r" if done.all() else "r+"
    images, to_256 = (np.load(folder / name, mmap_mode=mode) for name in ("images.npy", "to_256.npy"))
    return _Store(images, to_256, done)


def _state(dataset: Dataset, index: pd.DataFrame) -> str:
    """Return a digest that changes when an image is added, replaced or edited, or the table states another size."""
    lines = []
    for row, frame in zip(index.itertuples(index=False), landmarks.frames(index), strict=True):
        path = dataset.path(row.image)
        found = path.stat() if path.is_file() else None
        size = (row.width, row.height, row.pixel_width, row.pixel_height)
        known = (found and (found.st_size, found.st_mtime_ns), *size)
        lines.append(f"{row.image}{'' if frame is None else f' frame {frame}'} {known}\n".encode())
    return digest_of(lines, length=64)


def _fill(dataset, index, settings, store: _Store, waiting, workers, progress) -> None:
    rows = index.iloc[waiting]
    tasks = [
        _Task(dataset.path(row.image), frame, row.width, row.height, row.pixel_width, row.pixel_height)
        for frame, row in zip(landmarks.frames(rows), rows.itertuples(index=False), strict=True)
    ]
    results = in_parallel(partial(_prepared, settings=settings), tasks, workers, chunk=CHUNK, min_items=WORTH_A_PROCESS)
    failures: list[ScanError] = []
    try:
        shown = tqdm(results, "preparing", len(tasks), unit="picture", disable=not progress)
        for count, (position, result) in enumerate(zip(waiting, shown, strict=True), start=1):
            if isinstance(result, ScanError):
                failures.append(result)
            else:
                store.images[position], store.to_256[position] = result
                store.done[position] = True
            if count % NOTED_EVERY == 0:
                _note(store)
    finally:
        _note(store)
    if failures:
        first = failures[0]
        named = [f"\n    {error.file}: {error.problem}" for error in failures[:_NAMED]]
        named += [f"\n    … and {len(failures) - _NAMED} more"] if len(failures) > _NAMED else []
        raise ScanError(
            f"{len(failures)} of {len(index)} pictures cannot be prepared:{''.join(named)}\n  the first:",
            file=first.file,
            field=first.field,
            found=first.found,
            expected=first.expected,
            remedy="`python -m lumbar check` lists them all; repair the files or remove their rows from the table",
        )


def _note(store: _Store) -> None:
    """Write the images to disk, then the record that they are done, and release the written pages from memory."""
    if isinstance(store.images, np.memmap):
        for array in (store.images, store.to_256):
            array.flush()
        if hasattr(mmap, "MADV_DONTNEED"):
            store.images.base.madvise(mmap.MADV_DONTNEED)
        with atomic_write(Path(store.images.filename).with_name("done.npy")) as note:
            np.save(note, store.done)


class _Task(NamedTuple):
    """One image to prepare: its file and frame, and the size (pixels) and pixel spacing (mm) that its table states."""

    path: Path
    frame: int | None
    width: int
    height: int
    pixel_width: float
    pixel_height: float


def _prepared(task: _Task, settings: PreprocessSettings) -> tuple[np.ndarray, np.ndarray] | ScanError:
    try:
        scan = imaging.read(task.path, frame=task.frame)
    except ScanError as error:
        return error
    height, width = scan.pixels.shape
    if (width, height) != (task.width, task.height):
        return ScanError(
            "the picture's size differs from the table",
            file=task.path,
            found=f"{width}×{height}",
            expected=f"{task.width}×{task.height}",
        )
    image, to_256 = prepare_scan(replace(scan, pixel_width=task.pixel_width, pixel_height=task.pixel_height), settings)
    return image, to_256.matrix
