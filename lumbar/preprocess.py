"""From scans of any size to 256×256 pictures with their points, in parallel, kept on disk.

The cache is a folder for each combination of data set and settings: ``images.npy`` is filled picture by picture, and
``done.npy`` notes which are finished, so an interrupted preparation goes on where it stood.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from lumbar import landmarks, scans, stored
from lumbar.errors import DatasetError, ScanError
from lumbar.files import building, replacing, reserve, write_json
from lumbar.geometry import SIZE, Affine, upright
from lumbar.parallel import in_parallel
from lumbar.settings import setting, to_dict

if TYPE_CHECKING:
    from lumbar.datasets import Dataset

VERSION = 1
"""Raised whenever the same scan and settings give another picture than before, so that no cache is trusted wrongly."""

WORTH_A_PROCESS = 3000
"""Fewer pictures are prepared sooner in this process than others take to start."""

CHUNK = 32
"""Pictures handed to a process at a time."""

NOTED_EVERY = 500
"""Pictures after which the cache notes what is done: as many are prepared again after a kill."""

_NAMED = 20
"""Pictures that could not be prepared are named up to so many."""

INDEX = ("image", "patient", "source", "view", "contrast", "level", "width", "height", "pixel_width", "pixel_height")


@dataclass(frozen=True)
class PreprocessSettings:
    """How a scan becomes a picture for the network."""

    fit: str = setting("stretch", "how a picture becomes square", choices=("stretch", "letterbox"))
    low: float = setting(0.5, "percentile of the signal that becomes black", at_least=0)
    high: float = setting(99.5, "percentile of the signal that becomes white", at_least=0)


@dataclass(frozen=True, eq=False)
class Prepared:
    """Pictures ready for a network, with their points.

    Args:
        images: uint8, (N, 256, 256); memory-mapped if they come from a cache, and `lumbar.stored.Stored` if many were
            chosen from there.
        index: DataFrame with N rows and columns image, patient, source, view, contrast, level (of an axial picture; ""
            otherwise), width, height (native pixels), pixel_width, pixel_height (mm, NaN if unknown); and frame, if
            the data set has it.
        to_native: float64, (N, 2, 3): the matrix of the `Affine` from the 256 frame to native pixels.
        points: float64, (N, K, 2), pixels of the 256 frame; NaN where a landmark is missing.
        channels: Names of the K points.
    """

    images: np.ndarray
    index: pd.DataFrame
    to_native: np.ndarray
    points: np.ndarray
    channels: tuple[str, ...]

    def select(self, where: np.ndarray | Sequence[int]) -> Prepared:
        """Some of the pictures, by positions or by a mask of N."""
        positions = np.flatnonzero(where) if np.asarray(where).dtype == bool else np.asarray(where, dtype=int)
        return replace(
            self,
            images=stored.chosen(self.images, positions),
            index=self.index.iloc[positions].reset_index(drop=True),
            to_native=self.to_native[positions],
            points=self.points[positions],
        )

    @property
    def mm_per_pixel(self) -> np.ndarray:
        """(N, 2): millimetres that one pixel of the 256 frame spans along x and y; NaN if unknown."""
        spacing = self.index[["pixel_width", "pixel_height"]].to_numpy(float)
        return spacing * self.to_native[:, (0, 1), (0, 1)]


def joined(several: Sequence[Prepared]) -> Prepared:
    """Pictures of several data sets, prepared for the same views, one after the other."""
    if len(several) == 1:
        return several[0]
    return Prepared(
        images=stored.joined([each.images for each in several]),
        index=pd.concat([each.index for each in several], ignore_index=True),
        to_native=np.concatenate([each.to_native for each in several]),
        points=np.concatenate([each.points for each in several]),
        channels=several[0].channels,
    )


def square(pixels: np.ndarray, to_256: Affine, settings: PreprocessSettings) -> np.ndarray:
    """One picture for the network.

    Args:
        pixels: (rows, columns), any real numbers, native frame.
        to_256: Where its pixels go.
        settings: The window's percentiles.

    Returns:
        uint8, (256, 256).
    """
    return to_256.image(windowed(pixels, settings.low, settings.high))


def windowed(pixels: np.ndarray, low: float = 0.5, high: float = 99.5) -> np.ndarray:
    """Signal between two percentiles as uint8, from black to white, so that one bright vessel does not rule.

    Args:
        pixels: Any real numbers, of any shape.
        low: The percentile that becomes black.
        high: The percentile that becomes white.
    """
    darkest, brightest = percentiles(pixels, low, high)
    scaled = (pixels - darkest) * (255 / (brightest - darkest if brightest > darkest else 1))
    return np.clip(scaled, 0, 255).astype(np.uint8)


def percentiles(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
    """What `np.percentile` gives, to the last bit, in a fifth of the time: by sorting, which processors do well.

    Args:
        pixels: Any real numbers, of any shape.
        low: Of the smaller one, 0 to 100.
        high: Of the greater one.

    Returns:
        float64, (2,).
    """
    values = np.sort(pixels, axis=None)
    place = np.array([low, high]) / 100 * (values.size - 1)
    before = np.floor(place).astype(int)
    share = place - before
    below, above = values[before], values[np.minimum(before + 1, values.size - 1)]
    step = above - below
    return np.where(share < 0.5, below + step * share, above - step * (1 - share))


def frame(width: int, height: int, pixel_width: float, pixel_height: float, settings: PreprocessSettings) -> Affine:
    """The map from native pixels to the 256 frame; pixels of unknown size count as square."""
    if settings.fit == "stretch":
        return Affine.stretch(width, height)
    known = np.isfinite([pixel_width, pixel_height]).all()
    return Affine.letterbox(
        width, height, pixel_width=pixel_width if known else 1, pixel_height=pixel_height if known else 1
    )


def upright_square(scan: scans.Scan, settings: PreprocessSettings) -> tuple[np.ndarray, Affine]:
    """A scan for the network, turned as its plane is usually shown if the file says how it lies.

    Args:
        scan: As it was read.
        settings: How it becomes square.

    Returns:
        The picture, uint8 (256, 256), and the map from the scan's native pixels to it.
    """
    height, width = scan.pixels.shape
    spacing = np.array([scan.pixel_width or np.nan, scan.pixel_height or np.nan])
    shown = Affine.identity()
    if scan.orientation is not None:  # networks have learnt pictures that lie as they are usually shown
        shown, width, height = upright(scan.orientation, width, height)
        spacing = np.abs(shown.vectors(spacing))
    to_256 = shown.then(frame(width, height, *spacing, settings))
    return square(scan.pixels, to_256, settings), to_256


def unmarked(
    pictures: Sequence[np.ndarray], views: Sequence[str], to_256: Sequence[Affine], channels: tuple[str, ...]
) -> Prepared:
    """Pictures whose points nobody has marked, for a network to find.

    Args:
        pictures: N of them, uint8 (256, 256).
        views: Plane of each.
        to_256: From the native pixels of each to the 256 frame.
        channels: Names of the points that are sought.
    """
    return Prepared(
        images=np.stack(pictures),
        index=pd.DataFrame({"view": list(views)}),
        to_native=np.stack([each.inverse().matrix for each in to_256]),
        points=np.full((len(pictures), len(channels), 2), np.nan),
        channels=channels,
    )


def prepare(
    dataset: Dataset,
    settings: PreprocessSettings = PreprocessSettings(),
    *,
    views: Sequence[str] = ("sagittal",),
    cache: Path | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Prepared:
    """Prepare the pictures of some views of a data set.

    Args:
        dataset: From `lumbar.datasets.load`.
        settings: How.
        views: Which planes.
        cache: Folder to keep the result in; a second call with the same data and settings then returns at once.
        workers: Processes; one a core if left out.
        progress: Show a progress bar.

    Raises:
        ScanError: If pictures cannot be read or have another size than the table says: they are listed and the first
            is told in full, after all the rest is done (and kept, with a cache).
        DatasetError: If the data set has no picture of these views.
    """
    index, points_native, channels = _pictures(dataset, tuple(views))
    frames = [
        frame(row.width, row.height, row.pixel_width, row.pixel_height, settings)
        for row in index.itertuples(index=False)
    ]
    images, done = _storage(dataset, index, frames, settings, cache)
    waiting = np.flatnonzero(~done)
    if len(waiting):
        _fill(dataset, index, frames, settings, images, done, waiting, workers, progress)
    if cache is not None:
        images = np.load(images.filename, mmap_mode="r")
    points = np.stack([to_256.points(xy) for to_256, xy in zip(frames, points_native, strict=True)])
    return Prepared(images, index, np.stack([to_256.inverse().matrix for to_256 in frames]), points, channels)


def _pictures(dataset: Dataset, views: tuple[str, ...]) -> tuple[pd.DataFrame, np.ndarray, tuple[str, ...]]:
    """One row a picture; its points, native pixels, (N, K, 2); the channels."""
    channels = landmarks.channels(views)
    table = dataset.table[dataset.table["view"].isin(views)]
    if table.empty:
        raise DatasetError(
            "the data set has no picture of these views",
            file=dataset.root,
            field="view",
            found=", ".join(sorted(dataset.table["view"].unique())),
            expected=", ".join(views),
        )
    pictures = landmarks.picture(table)
    columns = [*INDEX, *(["frame"] if "frame" in table else [])]
    index = table.loc[~pictures.duplicated(), columns].reset_index(drop=True)
    index["level"] = index["level"].where(index["view"] == "axial", "")
    points = np.full((len(index), len(channels), 2), np.nan)
    picture = pd.Index(pictures.unique()).get_indexer(pictures)
    points[picture, pd.Index(channels).get_indexer(landmarks.channel(table))] = table[["x", "y"]]
    return index, points, channels


def _storage(
    dataset: Dataset, index: pd.DataFrame, frames: list[Affine], settings: PreprocessSettings, cache: Path | None
) -> tuple[np.ndarray, np.ndarray]:
    """Where the pictures go, and which of them are there already."""
    shape = (len(index), SIZE, SIZE)
    if cache is None:
        return np.empty(shape, np.uint8), np.zeros(len(index), bool)
    recipe = {
        "version": VERSION,
        "data": str(dataset.root.resolve()),
        "settings": to_dict(settings),
        "pictures": _state(dataset, index, frames),
    }
    folder = cache / hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]
    if not folder.is_dir():
        with building(folder) as begun:
            np.lib.format.open_memmap(begun / "images.npy", "w+", np.uint8, shape).flush()
            reserve(begun / "images.npy")
            np.save(begun / "done.npy", np.zeros(len(index), bool))
            write_json(begun / "recipe.json", recipe)
    done = np.load(folder / "done.npy")
    return np.load(folder / "images.npy", mmap_mode="r" if done.all() else "r+"), done


def _state(dataset: Dataset, index: pd.DataFrame, frames: list[Affine]) -> str:
    """Changes when a picture is added, exchanged or edited, or when the table says something else of its frame."""
    digest = hashlib.sha256()
    chosen = landmarks.frames(index)
    for row, number, to_256 in zip(index.itertuples(index=False), chosen, frames, strict=True):
        path = dataset.path(row.image)
        found = path.stat() if path.is_file() else None
        known = (found and (found.st_size, found.st_mtime_ns), row.width, row.height, to_256.matrix.tolist())
        digest.update(f"{row.image}{'' if number is None else f' frame {number}'} {known}\n".encode())
    return digest.hexdigest()


def _fill(dataset, index, frames, settings, images, done, waiting, workers, progress) -> None:
    rows = index.iloc[waiting]
    tasks = [
        (dataset.path(row.image), number, row.width, row.height, frames[position].matrix)
        for position, number, row in zip(waiting, landmarks.frames(rows), rows.itertuples(index=False), strict=True)
    ]
    results = in_parallel(partial(_prepared, settings=settings), tasks, workers, chunk=CHUNK, worth=WORTH_A_PROCESS)
    failures: list[ScanError] = []
    try:
        shown = tqdm(results, "preparing", len(tasks), unit="picture", disable=not progress)
        for count, (position, result) in enumerate(zip(waiting, shown, strict=True), start=1):
            if isinstance(result, ScanError):
                failures.append(result)
            else:
                images[position], done[position] = result, True
            if count % NOTED_EVERY == 0:
                _note(images, done)
    finally:
        _note(images, done)
    if failures:
        first = failures[0]
        named = [f"\n    {error.file}: {error.problem}" for error in failures[:_NAMED]]
        named += [f"\n    … and {len(failures) - _NAMED} more"] if len(failures) > _NAMED else []
        raise ScanError(
            f"{len(failures)} of {len(index)} pictures cannot be prepared:{''.join(named)}\n  of the first:",
            file=first.file,
            field=first.field,
            found=first.found,
            expected=first.expected,
            remedy="`python -m lumbar check` lists them all; mend the files or take their rows out of the table",
        )


def _note(images: np.ndarray, done: np.ndarray) -> None:
    """Put on disk the pictures first, then the note that they are there; what is on disk leaves our memory."""
    if isinstance(images, np.memmap):
        images.flush()
        if hasattr(mmap, "MADV_DONTNEED"):
            images.base.madvise(mmap.MADV_DONTNEED)
        with replacing(Path(images.filename).with_name("done.npy")) as note:
            np.save(note, done)


def _prepared(
    task: tuple[Path, int | None, int, int, np.ndarray], settings: PreprocessSettings
) -> np.ndarray | ScanError:
    path, number, width, height, matrix = task
    try:
        pixels = scans.read(path, frame=number).pixels
    except ScanError as error:
        return error
    if pixels.shape != (height, width):
        return ScanError(
            "the picture has another size than its table says",
            file=path,
            found=f"{pixels.shape[1]}×{pixels.shape[0]}",
            expected=f"{width}×{height}",
        )
    return square(pixels, Affine(matrix), settings)
