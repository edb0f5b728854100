"""What the reader of a data set returns: a landmark table, the folder of its images, and notes for the user."""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from pathlib import Path, PurePosixPath, PureWindowsPath

import pandas as pd

from lumbar.core.constants import LEVELS, NEIGHBOURS, SIDES, VIEWS
from lumbar.core.errors import DatasetError
from lumbar.datasets.csv_text import as_numbers, read_text


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set on disk.

    Args:
        name: Name for figures and reports.
        root: Folder of the data set; the column `image` of the table is relative to it.
        table: Landmark table, see `lumbar.landmarks.COLUMNS`; further columns are kept.
        notes: What the user should know, e.g. how many images of the table are missing, in plain sentences.
        neighbours: The table's rows of the discs `lumbar.landmarks.NEIGHBOURS`, which are no levels; None if there are
            none.
    """

    name: str
    root: Path
    table: pd.DataFrame
    notes: tuple[str, ...] = ()
    neighbours: pd.DataFrame | None = None

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


def without_neighbours(dataset: Dataset) -> Dataset:
    """Return the data set with the rows of the neighbouring discs set apart from the table.

    Args:
        dataset: As its reader returns it.

    Raises:
        DatasetError: If nothing is left.
    """
    apart = dataset.table["level"].isin(NEIGHBOURS)
    if not apart.any():
        return dataset
    if apart.all():
        raise DatasetError(
            "the table has no point of a level",
            file=dataset.root,
            field="level",
            found=", ".join(dataset.table["level"].unique()),
            expected=", ".join(LEVELS),
        )
    table = dataset.table[~apart]
    table.attrs = dataset.table.attrs
    return dataclasses.replace(dataset, table=table, neighbours=dataset.table[apart])


PLAIN_LEVELS = {level.replace("/", "").lower(): level for level in (*LEVELS, *NEIGHBOURS)}
"""Level or neighbouring disc by its letters and digits in lower case."""

_SHORT_LEVEL = re.compile(r"L([1-5])\s*[/_–-]\s*([1-5])", re.IGNORECASE)


def level_named(text: str) -> str:
    """Return the level or neighbouring disc that a text names, "" if it names none.

    L4/L5, L4-L5, L4L5, l4_l5 and L4/5 are L4/L5.

    Args:
        text: Any text.
    """
    if plain := PLAIN_LEVELS.get(re.sub(r"[^a-z0-9]", "", text.lower())):
        return plain
    short = _SHORT_LEVEL.fullmatch(text.strip())
    return next((level for level in LEVELS if short and (level[1], level[-1]) == short.groups()), "")


def with_standard_words(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return a table of points with levels, views and sides in their standard spelling, and notes on what was changed.

    Args:
        table: Any of the columns level, view and side, as text. Words that are not known stay as they are.
    """
    notes = []
    for column, standard in _STANDARD.items():
        words = {word: standard(word) or word for word in table[column].unique()} if column in table else {}
        changed = [f"{word} as {read}" for word, read in words.items() if word != read]
        if changed:
            table = table.assign(**{column: table[column].map(words)})
            notes.append(f"the column {column} was read in other spelling: {', '.join(changed)}")
    return table, notes


_STANDARD: Mapping[str, Callable[[str], str]] = {
    "level": level_named,
    "view": lambda word: word.lower() if word.lower() in VIEWS else "",
    "side": lambda word: word.lower() if word.lower() in SIDES else "",
}

_ABSENT = {"": False, "0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}


def with_absent_as_read(dataset: Dataset) -> Dataset:
    """Return the data set with the column absent, if its table has one, as True and False; other words stay.

    The tables that `predict` writes have probabilities in it, of which nothing is known.
    """
    if "absent" not in dataset.table:
        return dataset
    words = dataset.table["absent"].fillna("").astype(str).str.strip().str.lower().str.removesuffix(".0")
    known = words.map(_ABSENT)
    if pd.to_numeric(words[known.isna()], errors="coerce").between(0, 1, inclusive="neither").any():
        note = "the column absent holds probabilities, not 0 and 1, and is not used"
        table = dataset.table.drop(columns="absent")
        table.attrs = dataset.table.attrs
        return dataclasses.replace(dataset, table=table, notes=(*dataset.notes, note))
    return dataclasses.replace(dataset, table=dataset.table.assign(absent=known.where(known.notna(), words)))


def read_csv(file: Path, *, text: tuple[str, ...], numbers: tuple[str, ...]) -> pd.DataFrame:
    """Read a CSV file; an empty cell becomes "" in columns of text and NaN in columns of numbers.

    Args:
        file: The file: comma-separated, UTF-8, or a variant that spreadsheets write, see `lumbar.datasets.csv_text`.
        text: Columns to read as text, without blanks around it.
        numbers: Columns to read as numbers; a column with anything else stays text, so that the schema can name the
            rows.

    Returns:
        DataFrame of all columns of the file; the index counts the rows from 0. ``attrs["notes"]`` is a tuple of notes
        for the user, ``attrs["first_line"]`` the number of the line of row 0.

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
                skipinitialspace=f'{given.separator} "' in given.text,
                low_memory=False,
            )
    except (ValueError, OverflowError, pd.errors.ParserWarning) as error:  # pandas' parser errors are ValueErrors
        remedy = "if it has decimal commas, write points, or semicolons between the cells"
        raise DatasetError(
            "the table cannot be read",
            file=file,
            found=str(error).splitlines()[0],
            remedy=remedy if given.separator == "," else None,
        ) from error
    if table.empty:
        raise DatasetError("the table has no rows", file=file)
    notes = list(given.notes)
    stripped = {column: table[column].str.strip() for column in text}
    if any((cells != table[column]).any() for column, cells in stripped.items()):
        notes.append(f"{file.name} has blanks around its cells, which were left out")
        table = table.assign(**stripped)
    for column in numbers:
        as_written = table[column]
        table[column] = as_numbers(file, as_written, given.separator)
        read = not pd.api.types.is_numeric_dtype(as_written) and pd.api.types.is_numeric_dtype(table[column])
        if read and given.separator == "," and as_written.str.contains(",", na=False).any():
            notes.append(f"{file.name} has decimal commas in the column {column} and was read accordingly")
    table.attrs |= {"notes": tuple(notes), "first_line": 2 + given.skipped}
    return table
