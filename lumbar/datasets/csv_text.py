"""The text of a table as people's programs write it: which bytes stand for which letters, and what parts the cells.

A spreadsheet in Germany or France saves semicolons, decimal commas and Windows-1252, and calls it CSV. What can be told
for certain is read and said; what cannot is refused.
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
"""Bytes; the largest public table has a hundredth of this."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", None),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
"""Byte order marks, which encoding they announce, and what to call it; the order matters."""

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True)
class CsvText:
    """A table's text.

    Args:
        text: All of it.
        separator: What stands between cells: "," or ";" or a tab.
        header: The names of the columns.
        notes: What was found that is not as it should be, and read all the same.
    """

    text: str
    separator: str
    header: tuple[str, ...]
    notes: tuple[str, ...]


def read_text(file: Path, wanted: tuple[str, ...]) -> CsvText:
    """Read a table's text.

    Args:
        file: The table.
        wanted: Columns it must have; what parts the cells is known by finding them.

    Raises:
        DatasetError: If the file is no text, too large, or lacks a column.
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
        raise DatasetError("the table has two columns of one name", file=file, field=", ".join(twice))
    if separator != ",":
        notes = (*notes, f"{file.name} has {_SEPARATORS[separator]} between its cells; read so")
    return CsvText(text, separator, header, notes)


def _decoded(file: Path, content: bytes) -> tuple[str, tuple[str, ...]]:
    for mark, encoding, name in _MARKS:
        if content.startswith(mark):
            text, notes = _decode(file, content, encoding), (f"{file.name} is {name}; read so",) if name else ()
            break
    else:
        try:
            text, notes = content.decode("utf-8"), ()
        except UnicodeDecodeError:
            text = _decode(file, content, "cp1252")
            notes = (f"{file.name} is not UTF-8; read as Windows-1252: if letters look wrong, save it as UTF-8",)
    if "\0" in text:
        raise DatasetError("the table is no text", file=file, found="null characters", remedy="save it as CSV, UTF-8")
    return text, notes


def _decode(file: Path, content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DatasetError("the table is no text", file=file, found=error, remedy="save it as CSV, UTF-8") from error


def _header(text: str, separator: str) -> tuple[str, ...]:
    try:
        return tuple(next((row for row in csv.reader(StringIO(text), delimiter=separator) if row), ()))
    except csv.Error:
        return ()


def as_numbers(file: Path, column: pd.Series, separator: str) -> pd.Series:
    """A column of numbers; a cell that is none stays the text it is.

    A decimal comma is understood where the cells are parted by something else. A column with both commas and points is
    refused: 1,234 may then be a thousand or a little more than one.

    Raises:
        DatasetError: For such a column.
    """
    if pd.api.types.is_bool_dtype(column):  # True is no coordinate, though it would count as 1
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
            remedy="write its numbers in one way",
        )
    numbers = pd.to_numeric(cells.str.replace(",", ".", regex=False), errors="coerce")
    return numbers if numbers[column.notna()].notna().all() else numbers.astype(object).where(numbers.notna(), column)
