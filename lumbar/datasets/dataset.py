"""What the reader of a data set returns: a landmark table, the folder of its images, and notes for the user."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from pathlib import Path, PurePosixPath, PureWindowsPath

import pandas as pd

from lumbar.core.errors import DatasetError
from lumbar.datasets.csv_text import as_numbers, read_text


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set on disk.

    Args:
        name: Name for figures and reports.
        root: Folder of the data set; the column `image` of the table is relative to it.
        table: Landmark table, see `lumbar.landmarks.SCHEMA`; further columns are kept.
        notes: What the user should know, e.g. how many images of the table are missing, in plain sentences.
    """

    name: str
    root: Path
    table: pd.DataFrame
    notes: tuple[str, ...] = ()

    def path(self, image: str) -> Path:
        """Return the path of an image.

        Args:
            image: Value of the table's column `image`.

        Raises:
            DatasetError: If the path would lead out of the data set's folder.
        """
        return inside(self.root, image)


@dataclass(frozen=True)
class Reader:
    """How data sets of one layout are recognised and read.

    Args:
        layout: Name of the layout.
        looks_for: The files that the folder must have, for the message to a user whose folder lacks them.
        recognises: Function that returns whether a folder has this layout.
        read: Function that returns the whole table, unchecked, including the rows of missing images. Width and height
            are NaN if only the image's header states them and the image is missing or unreadable.
        table: Name of the file that the user may give in place of the folder; "" if it has no fixed name.
        any_name: Whether the table of the layout may have any name. Such a table is recognised and read as a file too;
            its folder is only recognised if it has no other layout.
        user_made: Whether users write such tables themselves, so that their coordinates may be in another unit.
    """

    layout: str
    looks_for: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path], Dataset]
    table: str = ""
    any_name: bool = False
    user_made: bool = False


def inside(root: Path, image: str) -> Path:
    """Return the path of an image inside a folder. An untrusted table must not refer to files outside.

    Args:
        root: The folder.
        image: Path relative to it.

    Raises:
        DatasetError: If the path is empty, absolute, or leads out of the folder through ".." or a link.
    """
    name = str(image).replace("\\", "/")
    if not _PLAIN.fullmatch(name) and _climbs_out(str(image)):
        raise _outside(root, image, "a path below the folder")
    path = root / name
    try:
        # For most images only the folder is resolved, once for all images in it.
        within = path.resolve().is_relative_to(root.resolve()) if path.is_symlink() else _within(root, path.parent)
    except (OSError, RuntimeError, ValueError):  # too long, circular links, not a file name
        within = False
    if not within:
        raise _outside(root, image, "a file below the folder, after following links")
    return path


_PLAIN = re.compile(r"\w[\w. -]*(?:/\w[\w. -]*)*")
"""Names that need no further check; the check takes as long as reading a header."""


def _climbs_out(image: str) -> bool:
    windows, name = PureWindowsPath(image), PurePosixPath(image.replace("\\", "/"))
    return not name.parts or name.is_absolute() or bool(windows.drive) or ".." in name.parts or "\0" in image


@lru_cache(maxsize=4096)
def _within(root: Path, folder: Path) -> bool:
    return folder.resolve().is_relative_to(root.resolve())


def _outside(root: Path, image: str, expected: str) -> DatasetError:
    return DatasetError(
        "the table names a picture outside of the data set's folder",
        file=root,
        field="image",
        found=repr(image),
        expected=expected,
        remedy="do not use this table unless you know where it comes from",
    )


def read_csv(file: Path, *, text: tuple[str, ...], numbers: tuple[str, ...]) -> pd.DataFrame:
    """Read a CSV file; an empty cell becomes "" in columns of text and NaN in columns of numbers.

    Args:
        file: The file: comma-separated, UTF-8, or a variant that spreadsheets write, see `lumbar.datasets.csv_text`.
        text: Columns to read as text, unchanged.
        numbers: Columns to read as numbers; a column with anything else stays text, so that the schema can name the
            rows.

    Returns:
        DataFrame of all columns of the file; the index counts the rows from 0. ``attrs["notes"]`` is a tuple of notes
        for the user.

    Raises:
        DatasetError: If the file is not a table, has no rows, or lacks one of the columns.
    """
    given = read_text(file, (*text, *numbers))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # a row with too many cells
            table = pd.read_csv(
                StringIO(given.text),
                sep=given.separator,
                dtype=dict.fromkeys(text, str),
                keep_default_na=False,
                na_values={column: ["", "nan", "NaN"] for column in numbers},
                index_col=False,
                low_memory=False,
            )
    except (ValueError, OverflowError, pd.errors.ParserWarning) as error:  # pandas' parser errors are ValueErrors
        raise DatasetError("the table cannot be read", file=file, found=str(error).splitlines()[0]) from error
    if table.empty:
        raise DatasetError("the table has no rows", file=file)
    for column in numbers:
        table[column] = as_numbers(file, table[column], given.separator)
    table.attrs["notes"] = given.notes
    return table
