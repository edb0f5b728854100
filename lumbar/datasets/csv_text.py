"""Read the text of a CSV file whatever its encoding, separator and decimal mark.

A spreadsheet program in Germany or France saves semicolons, decimal commas and Windows-1252 as CSV. A file is read,
with a note, if its format is certain, and refused otherwise.
"""

from __future__ import annotations

import codecs
import csv
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pandas as pd

from lumbar.core.errors import DatasetError

LARGEST_TABLE = 2**29
"""Largest table that is read, bytes; a hundred times as large as the largest public table."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", None),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
"""Byte order marks, the encodings that they announce, and the names of these; tried in this order."""

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True)
class CsvText:
    """The text of a CSV file.

    Args:
        text: The whole text.
        separator: The character between cells: ",", ";" or a tab.
        header: Names of the columns.
        notes: What is unusual about the file, in plain sentences.
    """

    text: str
    separator: str
    header: tuple[str, ...]
    notes: tuple[str, ...]


def read_text(file: Path, wanted: tuple[str, ...]) -> CsvText:
    """Read the text of a CSV file.

    Args:
        file: The file.
        wanted: Columns that it must have; the separator is the one with which they are found.

    Raises:
        DatasetError: If the file is not text, is too large, or lacks a column.
    """
    try:
        size = file.stat().st_size
        if size > LARGEST_TABLE:
            raise DatasetError("the table is too large", file=file, found=f"{size} bytes", expected=LARGEST_TABLE)
        text, notes = _decoded(file, file.read_bytes())
    except OSError as error:
        raise DatasetError("the table cannot be read", file=file, found=error.strerror) from error
    headers = {separator: _header(text, separator) for separator in _SEPARATORS}
    most_columns_first = sorted(headers, key=lambda each: -len(headers[each]))
    separator = next((each for each in most_columns_first if set(wanted) <= set(headers[each])), None)
    if separator is None:
        found = max(headers.values(), key=len)
        missing = [column for column in wanted if column not in found]
        raise DatasetError(
            "the table lacks columns" if text.strip() else "the table is empty",
            file=file,
            field=", ".join(missing),
            found=", ".join(found),
            expected=", ".join(wanted),
        )
    header = headers[separator]
    twice = [column for column in wanted if header.count(column) > 1]
    if twice:
        raise DatasetError("the table has two columns with the same name", file=file, field=", ".join(twice))
    if separator != ",":
        notes = (*notes, f"{file.name} uses {_SEPARATORS[separator]} as separators and was read accordingly")
    return CsvText(text, separator, header, notes)


def _decoded(file: Path, content: bytes) -> tuple[str, tuple[str, ...]]:
    for mark, encoding, name in _MARKS:
        if content.startswith(mark):
            text = _decode(file, content, encoding)
            notes = (f"{file.name} is encoded in {name} and was read accordingly",) if name else ()
            break
    else:
        try:
            text, notes = content.decode("utf-8"), ()
        except UnicodeDecodeError:
            text = _decode(file, content, "cp1252")
            notes = (f"{file.name} is not UTF-8 and was read as Windows-1252: if letters look wrong, save it as UTF-8",)
    if "\0" in text:
        raise DatasetError("the table is not text", file=file, found="null characters", remedy="save it as CSV, UTF-8")
    return text, notes


def _decode(file: Path, content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DatasetError("the table is not text", file=file, found=error, remedy="save it as CSV, UTF-8") from error


def _header(text: str, separator: str) -> tuple[str, ...]:
    try:
        return tuple(next((row for row in csv.reader(StringIO(text), delimiter=separator) if row), ()))
    except csv.Error:
        return ()


def as_numbers(file: Path, column: pd.Series, separator: str) -> pd.Series:
    """Convert a column to numbers; a cell that is not a number stays text.

    Decimal commas are accepted unless the separator is a comma. A column with both commas and points is refused,
    because 1,234 may be either a thousand or slightly more than one.

    Args:
        file: The file, for the message.
        column: The column, as pandas read it.
        separator: See `CsvText`.

    Raises:
        DatasetError: If the column has both decimal commas and points.
    """
    if pd.api.types.is_bool_dtype(column):  # pandas would convert True to 1
        return column.map(str)
    if separator == "," or pd.api.types.is_numeric_dtype(column):
        return column
    cells = column.astype(str)
    commas, points = cells.str.contains(",", regex=False), cells.str.contains(".", regex=False)
    if not commas.any():
        return column
    if points.any():
        examples = f"{cells[commas].iloc[0]} and {cells[points].iloc[0]}"
        raise DatasetError(
            "a column mixes decimal commas and points",
            file=file,
            field=column.name,
            found=examples,
            remedy="use one decimal mark in the whole column",
        )
    numbers = pd.to_numeric(cells.str.replace(",", ".", regex=False), errors="coerce")
    return numbers if numbers[column.notna()].notna().all() else numbers.astype(object).where(numbers.notna(), column)
