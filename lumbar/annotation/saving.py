"""Write finished annotations to a folder that is a data set of its own: copies of the images, and a landmark table."""

from __future__ import annotations

import glob
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from lumbar.core.constants import VOLUMES
from lumbar.core.digests import digest_of_file
from lumbar.core.errors import DatasetError, LumbarError, OutputError
from lumbar.datasets import own_csv, units
from lumbar.datasets.dataset import read_csv
from lumbar.datasets.loading import find_reader
from lumbar.exports import DECIMALS
from lumbar.storage.files import atomic_write, describe_os_error, write_table
from lumbar.storage.locks import exclusive_lock

TABLE = "points.csv"
"""Name of the landmark table in the folder."""

SIZE = ("width", "height", "pixel_width", "pixel_height")
"""Columns of a landmark table on the native image."""

IMAGES, PREVIOUS = "images", "previous"
"""Folders of the copied images, and of the table as it was before each change."""

COLUMNS = ("image", "patient", "view", "level", "side", "x", "y", units.COLUMN, *SIZE, "frame", "absent")
FURTHER = ("rater", "marked_at", "x_before", "y_before", "moved_px")
"""Columns of the table: those of a landmark table, and those of the annotation. x_before and y_before hold the point
that was known before, and moved_px is the distance from there, native pixels."""

TEXT = ("image", "patient", "view", "level", "side", units.COLUMN, "rater", "marked_at")
NUMBERS = tuple(column for column in (*COLUMNS, *FURTHER) if column not in TEXT)


@dataclass(frozen=True, repr=False)
class Saved:
    """The outcome of saving.

    Args:
        folder: The folder.
        images: Number of images written.
        points: Number of points in them.
        moved: Number of points that differ from what was known before, or were not known.
        unfinished: Number of images of the session that are not done, and so were not written.
        left_out: Why images that are done were not written, one error each.
    """

    folder: Path
    images: int
    points: int
    moved: int
    unfinished: int
    left_out: tuple[LumbarError, ...] = ()

    def __repr__(self) -> str:
        points = f"{self.points} points, {self.moved} of them new or moved"
        lines = [f"{self.images} image(s) saved to {self.folder}, with {points}"]
        if self.unfinished:
            lines.append(f"{self.unfinished} image(s) not written, because they are not done")
        return "\n".join([*lines, *(f"left out: {error}" for error in self.left_out)])


def save(table: pd.DataFrame, folder: Path, *, replace: bool, left_out: Sequence[LumbarError] = ()) -> Saved:
    """Write the finished images of a session and their points.

    Args:
        table: See `lumbar.annotation.Annotation.table`, with the columns `SIZE` as well.
        folder: The folder.
        replace: Whether to replace points of other raters.
        left_out: Why images that are finished cannot be written; they are not done in the table.

    Raises:
        LumbarError: The first of these, if nothing else is finished.
        OutputError: If no image is finished, the folder holds another data set, another rater has marked the same
            images, or the folder cannot be written.
        DatasetError: If the folder's table is damaged.
        RunError: If another process is at work in the folder.
    """
    done = table[table["done"]]
    unfinished = len(_images(table)) - len(_images(done)) - len(left_out)
    if done.empty and left_out:
        raise left_out[0]
    if done.empty:
        raise OutputError(
            "no image is finished, so there is nothing to save",
            found=f"{unfinished} image(s) that are not done",
            remedy='press "Done" (or Enter) on each image whose points you have checked',
        )
    _refuse_other_data_set(folder)
    with exclusive_lock(folder):
        copies = _names_of_copies(done["file"].unique(), folder)
        rows = _with_standard_columns(done.assign(image=done["file"].map(copies)))
        _refuse_same_image_twice(done, rows)
        kept = _rows_that_stay(folder, rows, replace)
        for path, name in copies.items():
            _copy(Path(path), folder / name)
        write_table(folder / TABLE, pd.concat([*kept, rows], ignore_index=True))
    moved = rows["x"].notna() & ~rows["moved_px"].eq(0)
    counts = int(rows["x"].notna().sum()), int(moved.sum()), unfinished
    return Saved(folder, len(_images(done)), *counts, tuple(left_out))


def _refuse_other_data_set(folder: Path) -> None:
    try:
        reader, _ = find_reader(folder)
    except DatasetError:  # none yet
        return
    if reader is not own_csv.READER:
        raise OutputError(
            "the folder holds another data set, whose table would hide these points",
            file=folder,
            found=reader.table or reader.layout,
            remedy="save to a folder of its own",
        )


def _refuse_same_image_twice(done: pd.DataFrame, rows: pd.DataFrame) -> None:
    again = rows.duplicated(["image", "frame", "level", "side"], keep=False).to_numpy()
    if again.any():
        raise OutputError(
            "the same image is in the session more than once",
            found=", ".join(sorted(set(done.loc[again, "file"]))),
            remedy="open a session without the copies, or undo that they are done",
        )


def _images(table: pd.DataFrame) -> pd.DataFrame:
    return table[["image", "frame"]].drop_duplicates()


def _with_standard_columns(done: pd.DataFrame) -> pd.DataFrame:
    rounded = done.assign(**done[["x", "y", "x_before", "y_before"]].round(DECIMALS), absent=done["absent"].astype(int))
    moved = np.hypot(rounded["x"] - rounded["x_before"], rounded["y"] - rounded["y_before"]).round(DECIMALS)
    return rounded.assign(moved_px=moved, **{units.COLUMN: units.PIXELS})[[*COLUMNS, *FURTHER]].reset_index(drop=True)


def _rows_that_stay(folder: Path, rows: pd.DataFrame, replace: bool) -> list[pd.DataFrame]:
    """Return the rows in the folder that stay, and keep the table as it was; no table if there is none yet."""
    file = folder / TABLE
    if not file.exists():
        return []
    there = read_csv(file, text=TEXT, numbers=NUMBERS)
    again = _key(there).isin(_key(rows))
    others = there[again & ~there["rater"].isin(rows["rater"])]
    if len(others) and not replace:
        raise OutputError(
            "another rater has marked some of these images in this folder",
            file=file,
            found=f"{len(_images(others))} image(s) marked by {', '.join(sorted(set(others['rater'])))}",
            remedy="save to a folder of your own, or give replace=True (their points are kept in previous/)",
        )
    _copy(file, folder / PREVIOUS / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}_{TABLE}")
    return [there[~again]] if not again.all() else []


def _key(rows: pd.DataFrame) -> pd.Series:
    return rows["image"] + " " + rows["frame"].astype("Int64").fillna(-1).astype(str)


def _names_of_copies(files: Sequence[str], folder: Path) -> dict[str, str]:
    """Return the path of each file's copy in the folder; the same content has one copy, whatever it was called."""
    names: dict[str, str] = {}
    copies = {}
    for file in files:
        path = Path(file)
        with describe_os_error(path):
            digest = digest_of_file(path, 12)
        ending = next((ending for ending in VOLUMES if path.name.lower().endswith(ending)), path.suffix)
        earlier = next(iter((folder / IMAGES).glob(f"*-{digest}{glob.escape(ending)}")), None)
        stem = re.sub(r"[^\w. -]", "_", path.name.removesuffix(ending)).strip(". ")[:60] or "image"
        name = f"{stem}-{digest}{ending}" if earlier is None else earlier.name
        copies[file] = f"{IMAGES}/{names.setdefault(digest, name)}"
    return copies


def _copy(path: Path, copy: Path) -> None:
    if copy.exists():
        return
    with describe_os_error(copy):
        copy.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(copy) as temporary:
        shutil.copyfile(path, temporary)
