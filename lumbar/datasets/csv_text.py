"""Read the text of a CSV file whatever its encoding, separator and decimal mark.

A spreadsheet program in Germany or France saves semicolons, decimal commas and Windows-1252 as CSV, another program
UTF-16 and a first line `sep=;`. People add blanks and capital letters. A file is read, with a note, if its format is
certain, and refused otherwise.
"""

from __future__ import annotations

import codecs
import csv
import re
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pandas as pd

from lumbar.core.errors import DatasetError

LARGEST_TABLE = 2**29
"""Largest table that is read, bytes; a hundred times as large as the largest public table."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks and the encodings that they announce, tried in this order."""

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}

_SEP_LINE = re.compile(r'\ufeff?"?sep=."?[,;\t ]*\r?\n', re.IGNORECASE)
"""First line by which Excel states the separator of a file."""

_GROUPED = r"[-+]?\d{1,3}(?:,\d{3})+"
"""A number whose commas may separate thousands; any other number with one comma has a decimal comma."""

_BEGINNING = 20_000
"""Number of bytes in which the header of a table is looked for."""


@dataclass(frozen=True)
class CsvText:
    """The text of a CSV file.

    Args:
        text: The whole text.
        separator: The character between cells: ",", ";" or a tab.
        header: Names of the columns, without blanks around them; those that were asked for as they were asked for.
        notes: What is unusual about the file, in plain sentences.
        skipped: Number of lines before the header that are not in the text.
    """

    text: str
    separator: str
    header: tuple[str, ...]
    notes: tuple[str, ...]
    skipped: int = 0


def read_text(file: Path, wanted: tuple[str, ...], optional: tuple[str, ...] = ()) -> CsvText:
    """Read the text of a CSV file.

    Args:
        file: The file.
        wanted: Columns that it must have; the separator is the one with which they are found.
        optional: Columns that it may have. These and the wanted ones are recognised in capital letters too.

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
    stated = _SEP_LINE.match(text)
    if stated:
        text = text[stated.end() :]
        notes = (*notes, f"{file.name} begins with {stated[0].strip()}, which is passed over")
    known = (*wanted, *optional)
    as_written = {separator: _header(text, separator) for separator in _SEPARATORS}
    headers = {separator: _named(cells, known) for separator, cells in as_written.items()}
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
    if header != _header(text, separator, blanks=True):
        lines = StringIO(text)
        rows = csv.reader(lines, delimiter=separator)
        next(row for row in rows if row)
        new = StringIO()
        csv.writer(new, delimiter=separator, lineterminator="\n").writerow(header)
        # The lines above the header are kept, so that an error of pandas names the right line.
        text = "\n" * (rows.line_num - 1) + new.getvalue() + lines.read()
        pairs = zip(as_written[separator], header, strict=True)
        if renamed := [f"{old.strip()} as {name}" for old, name in pairs if old.strip() != name]:
            notes = (*notes, f"columns of {file.name} were read in other spelling: {', '.join(renamed)}")
    return CsvText(text, separator, header, notes, 1 if stated else 0)


def header_names(file: Path) -> set[str]:
    """Return the cells of the first line of a file, by any separator, in lower case; empty if it cannot be read.

    Args:
        file: The file; only its beginning is read.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(_BEGINNING)
    except OSError:
        return set()
    text = content.decode(_encoding(content), errors="replace")
    stated = _SEP_LINE.match(text)
    text = text[stated.end() :] if stated else text
    return {cell.strip().lower() for separator in _SEPARATORS for cell in _header(text, separator)}


def _named(cells: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of columns without blanks around them; the known ones are recognised whatever their case."""
    cells = tuple(cell.strip() for cell in cells)
    spelt = {name.lower(): name for name in known if name not in cells}
    return tuple(spelt.get(cell.lower(), cell) if cell not in known else cell for cell in cells)


def _encoding(content: bytes) -> str:
    """Return the encoding that a byte order mark announces, or that the zero bytes of Latin text in UTF-16 show."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    beginning = content[:_BEGINNING]
    halves = {"utf-16-be": beginning[::2], "utf-16-le": beginning[1::2]}
    for encoding, half in halves.items():
        if len(half) > 10 and half.count(0) > 0.9 * len(half) and half.count(0) == beginning.count(0):
            return encoding
    return "utf-8"


def _decoded(file: Path, content: bytes) -> tuple[str, tuple[str, ...]]:
    encoding, notes = _encoding(content), ()
    if encoding.startswith(("utf-16", "utf-32")):
        text = _decode(file, content, encoding)
        notes = (f"{file.name} is encoded in {encoding[:6].upper()} and was read accordingly",)
    elif encoding == "utf-8-sig":
        text = _decode(file, content, encoding)
    else:
        try:
            text = content.decode("utf-8")
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


def _header(text: str, separator: str, *, blanks: bool = False) -> tuple[str, ...]:
    """Return the cells of the first line, with or without the blanks before them, which may hide quotes."""
    try:
        rows = csv.reader(StringIO(text), delimiter=separator, skipinitialspace=not blanks)
        return tuple(next((row for row in rows if row), ()))
    except csv.Error:
        return ()


def as_numbers(file: Path, column: pd.Series, separator: str) -> pd.Series:
    """Convert a column to numbers; a cell that is not a number stays text.

    Decimal commas are accepted, in a table with commas between the cells only if they cannot separate thousands. A
    column with both commas and points is refused, because 1,234 may be either a thousand or slightly more than one.

    Args:
        file: The file, for the message.
        column: The column, as pandas read it.
        separator: See `CsvText`.

    Raises:
        DatasetError: If the column has both decimal commas and points, or commas that may separate thousands.
    """
    if pd.api.types.is_bool_dtype(column):  # pandas would convert True to 1
        return column.map(str)
    if pd.api.types.is_numeric_dtype(column):
        return column
    cells = column.astype(str).str.strip()
    commas, points = cells.str.contains(",", regex=False), cells.str.contains(".", regex=False)
    blank = column.notna() & (cells == "")
    if not commas.any():
        return _as_numbers(column.mask(blank), cells) if blank.any() else column
    if points.any():
        raise DatasetError(
            "a column mixes decimal commas and points",
            file=file,
            field=column.name,
            found=f"{cells[commas].iloc[0]} and {cells[points].iloc[0]}",
            remedy="use one decimal mark in the whole column",
        )
    if separator == "," and cells[commas].str.fullmatch(_GROUPED).all():
        raise DatasetError(
            "a column has numbers with a comma: a decimal comma, or one between thousands",
            file=file,
            field=column.name,
            found=cells[commas].iloc[0],
            remedy="write decimal points, and no commas between thousands",
        )
    return _as_numbers(column.mask(blank), cells.str.replace(",", ".", regex=False))


def _as_numbers(column: pd.Series, cells: pd.Series) -> pd.Series:
    """Return the numbers of the cells if each cell of the column that is not missing is one, else keep the others."""
    numbers = pd.to_numeric(cells, errors="coerce")
    return numbers if numbers[column.notna()].notna().all() else numbers.astype(object).where(numbers.notna(), column)
