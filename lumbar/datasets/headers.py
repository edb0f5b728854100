"""Read the sizes of many images from their headers, on all cores, and cache them, so that a large set is read once.

The cache is one small table per data set. It is written every `NOTED_EVERY` seconds, so that an interrupted reading
resumes where it stopped. A file whose size or modification time has changed is read again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from lumbar.compute.processes import in_parallel
from lumbar.core import paths
from lumbar.core.digests import digest_of_text
from lumbar.core.errors import DatasetError, OutputError, ScanError
from lumbar.datasets.dataset import inside
from lumbar.imaging.header import read_header
from lumbar.storage.files import write_table

COLUMNS = ("width", "height", "pixel_width", "pixel_height", "view")
"""Columns of `read_image_headers`."""

WORTH_A_PROCESS = 50_000
"""Number of headers from which further processes are faster; a header takes about 0.05 ms."""

WORTH_KEEPING = 1000
"""Number of images from which a data set gets a cache."""

NOTED_EVERY = 15.0
"""Seconds between two writings of the cache, and thus the most work that a kill can lose."""

CHUNK = 250
"""Number of headers that a process gets at a time."""

_VERSION = 1
_STATE = ("image", "bytes", "modified")
_NOTHING = (None,) * len(COLUMNS)


def read_image_headers(
    root: Path, images: Sequence[str], *, workers: int | None = None, progress: bool = True
) -> pd.DataFrame:
    """Read size, pixel spacing and view of many images from their headers.

    Args:
        root: The data set's folder.
        images: Paths below it, each once.
        workers: Number of processes; by default one per core.
        progress: Show a progress bar if there are many images.

    Returns:
        DataFrame indexed by image with the columns width, height (pixels; NaN if the image is missing or unreadable),
        pixel_width, pixel_height (mm; NaN if the file does not state them) and view ("" if the file does not state it).

    Raises:
        DatasetError: If a path leads out of the folder.
    """
    paths, states = _states(root, images)
    cache = _cache_file(root) if len(images) >= WORTH_KEEPING else None
    kept = _kept(cache)
    known = {image: kept[image, *state] for image, state in states.items() if (image, *state) in kept}
    waiting = [image for image in states if image not in known]
    results = in_parallel(_header, [paths[image] for image in waiting], workers, chunk=CHUNK, min_items=WORTH_A_PROCESS)
    shown = tqdm(results, "headers", len(waiting), unit="picture", disable=not progress or len(waiting) < WORTH_KEEPING)
    noted = time.monotonic()
    try:
        for image, header in zip(waiting, shown, strict=True):
            known[image] = header
            if time.monotonic() - noted > NOTED_EVERY:
                _keep(cache, states, known)
                noted = time.monotonic()
    finally:
        if waiting:
            _keep(cache, states, known)
    table = pd.DataFrame([known.get(image, _NOTHING) for image in images], columns=list(COLUMNS), index=list(images))
    numbers = list(COLUMNS[:-1])
    return table.astype(dict.fromkeys(numbers, float)).fillna({"view": ""})


def _states(root: Path, images: Sequence[str]) -> tuple[dict[str, Path], dict[str, tuple[int, int]]]:
    """Return the paths of the existing images, and their sizes in bytes and modification times."""
    paths, states = {}, {}
    for image in images:
        path = inside(root, image)
        try:
            found = path.stat()
        except OSError:
            continue
        paths[image], states[image] = path, (found.st_size, found.st_mtime_ns)
    return paths, states


def _header(path: Path) -> tuple:
    try:
        header = read_header(path)
    except ScanError:
        return _NOTHING
    return tuple(getattr(header, column) for column in COLUMNS)


def _cache_file(root: Path) -> Path:
    name = digest_of_text(f"{_VERSION} {root.resolve()}")
    return paths.cache() / f"headers-{name}.csv"


def _kept(cache: Path | None) -> dict[tuple[str, int, int], tuple]:
    """Return the cached headers, by name, size and modification time of the image."""
    if cache is None or not cache.is_file():
        return {}
    try:
        table = pd.read_csv(cache, dtype={"image": str, "view": str}, keep_default_na=False, na_values=[""])
        rows = table[[*_STATE, *COLUMNS]].itertuples(index=False, name=None)
        return {row[: len(_STATE)]: row[len(_STATE) :] for row in rows}
    except (OSError, ValueError, KeyError):  # a damaged cache is ignored
        return {}


def _keep(cache: Path | None, states: dict[str, tuple[int, int]], known: dict[str, tuple]) -> None:
    """Write the cache, without the images that could not be read: these are tried again the next time."""
    if cache is None:
        return
    rows = [(image, *states[image], *header) for image, header in known.items() if header[0] is not None]
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_table(cache, pd.DataFrame(rows, columns=[*_STATE, *COLUMNS]))
    except (OSError, OutputError):
        pass  # a missing cache only costs time


def refuse_unreadable(root: Path, images: Sequence[str]) -> None:
    """Raise an error if any of these images, whose sizes are unknown, cannot be read.

    Args:
        root: The data set's folder.
        images: Paths below it.

    Raises:
        DatasetError: If an image cannot be read; the message describes the first and counts the others.
    """
    faults = []
    for image in images:
        try:
            read_header(inside(root, image))
        except ScanError as error:
            faults.append(error)
    if faults:
        first = faults[0]
        raise DatasetError(
            f"{len(faults)} picture(s) cannot be read; the first: {first.problem}",
            file=first.file,
            field=first.field,
            found=first.found,
            expected=first.expected,
            remedy="`python -m lumbar check` lists them all; copy them again, or delete them to leave their points out",
        ) from first
