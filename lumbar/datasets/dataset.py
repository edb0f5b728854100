"""What a reader gives: a landmark table, the folder its pictures lie in, and remarks for a person."""

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
        name: What to call it, for figures and reports.
        root: Its folder; `image` in the table is a path below it.
        table: Landmark table, see `lumbar.landmarks.SCHEMA`; extra columns are kept.
        notes: What a person should know, e.g. how many pictures the table names that are not there.
    """

    name: str
    root: Path
    table: pd.DataFrame
    notes: tuple[str, ...] = ()

    def path(self, image: str) -> Path:
        """Where the picture of this name lies.

        Raises:
            DatasetError: If the name would lead out of the data set's folder.
        """
        return inside(self.root, image)


@dataclass(frozen=True)
class Reader:
    """How one layout is recognised and read.

    Args:
        layout: The layout's name.
        looks_for: What must stand in the folder, for the message to someone whose folder lacks it.
        recognises: Whether a folder is of this layout.
        read: The whole table as it stands, unchecked, whether the pictures are there or not. Width and height of a
            picture whose header alone would say them are NaN if it is absent or unreadable.
        table: Name of the file that a person may give in place of the folder; "" if it has no name of its own.
        any_name: Whether the layout's table may have any name: such a table is recognised and read as a file too, and
            its folder only if it is of no other layout.
    """

    layout: str
    looks_for: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path], Dataset]
    table: str = ""
    any_name: bool = False


def inside(root: Path, image: str) -> Path:
    """The path of `image` below `root`; a table is a stranger's file and must not name others.

    Raises:
        DatasetError: If the name is empty, absolute, climbs out with "..", or a link on its way leads out.
    """
    name = str(image).replace("\\", "/")
    if not _PLAIN.fullmatch(name) and _climbs_out(str(image)):
        raise _outside(root, image, "a path below the folder")
    path = root / name
    try:
        # Of most pictures only the folder is followed, once for all of them.
        within = path.resolve().is_relative_to(root.resolve()) if path.is_symlink() else _within(root, path.parent)
    except (OSError, RuntimeError, ValueError):  # too long, links in a circle, no name for a file
        within = False
    if not within:
        raise _outside(root, image, "a file below the folder, also where links lead to")
    return path


_PLAIN = re.compile(r"\w[\w. -]*(?:/\w[\w. -]*)*")
"""Names that need no closer look; a closer look takes as long as reading a header."""


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
    """A table with these columns; an empty cell is "" among the texts and NaN among the numbers.

    Args:
        file: Comma-separated, UTF-8; what else spreadsheets write is understood, see `lumbar.datasets.csv_text`.
        text: Columns to read as text, exactly as they stand.
        numbers: Columns to read as numbers; one that holds anything else stays text, for the schema to name the rows.

    Returns:
        DataFrame of all the file's columns; its index counts the rows from 0. What a person should know of the file is
        in ``attrs["notes"]``, a tuple of sentences for the data set's notes.

    Raises:
        DatasetError: If the file is no table, has no rows, or lacks one of the columns.
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
