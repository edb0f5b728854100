"""Sizes of many pictures, from their headers: on all cores, and kept, so that a large set is looked through once.

The cache is one small table for each data set, written anew every `NOTED_EVERY` seconds: an interrupted reading goes on
where it stood, and a file that has changed since (by its size or its time) is read again.
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

WORTH_A_PROCESS = 50_000
"""Fewer headers are read sooner in this process than others take to start (a header takes about 0.05 ms)."""

WORTH_KEEPING = 1000
"""Fewer headers are read anew each time, and leave no cache."""

NOTED_EVERY = 15.0
"""Seconds after which the cache is written: as much work is done again after a kill."""

CHUNK = 250
"""Headers handed to a process at a time."""

_VERSION = 1
_STATE = ("image", "bytes", "modified")
_NOTHING = (None,) * len(COLUMNS)


def look(root: Path, images: Sequence[str], *, workers: int | None = None, progress: bool = True) -> pd.DataFrame:
    """What pictures say of themselves.

    Args:
        root: The data set's folder.
        images: Paths below it, each once.
        workers: Processes; one a core if left out.
        progress: Show a progress bar, if there are many.

    Returns:
        DataFrame indexed by image with the columns width, height (NaN if the picture is absent or unreadable),
        pixel_width, pixel_height (mm, NaN if the file does not say) and view ("" if the file does not say).

    Raises:
        DatasetError: If a name leads out of the folder.
    """
    paths, states = _states(root, images)
    cache = _cache_file(root) if len(images) >= WORTH_KEEPING else None
    kept = _kept(cache)
    known = {image: kept[image, *state] for image, state in states.items() if (image, *state) in kept}
    waiting = [image for image in states if image not in known]
    results = in_parallel(_header, [paths[image] for image in waiting], workers, chunk=CHUNK, worth=WORTH_A_PROCESS)
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
    """Paths of the pictures that are there, and their size and time."""
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
    """What was read before, by name, size and time of the picture."""
    if cache is None or not cache.is_file():
        return {}
    try:
        table = pd.read_csv(cache, dtype={"image": str, "view": str}, keep_default_na=False, na_values=[""])
        rows = table[[*_STATE, *COLUMNS]].itertuples(index=False, name=None)
        return {row[: len(_STATE)]: row[len(_STATE) :] for row in rows}
    except (OSError, ValueError, KeyError):  # damaged: everything is read again
        return {}


def _keep(cache: Path | None, states: dict[str, tuple[int, int]], known: dict[str, tuple]) -> None:
    """Write what is known, except of pictures that could not be read: those are tried again the next time."""
    if cache is None:
        return
    rows = [(image, *states[image], *header) for image, header in known.items() if header[0] is not None]
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_table(cache, pd.DataFrame(rows, columns=[*_STATE, *COLUMNS]))
    except (OSError, OutputError):
        pass  # a cache that cannot be kept costs time, nothing else


def refuse_unreadable(root: Path, images: Sequence[str]) -> None:
    """Say what is wrong with pictures whose size is not known.

    Raises:
        DatasetError: If one of them cannot be read: the first is told in full, the others counted.
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
            remedy="`python -m lumbar check` lists them all; copy them anew, or remove them to do without their points",
        ) from first
