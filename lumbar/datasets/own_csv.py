"""Anybody's own CSV: a line for each point, with at least the columns image, level, x and y.

    image,level,x,y
    scans/001.png,L1/L2,131,70
    scans/001.png,L2/L3,128,100

image is the path of the picture from the table's folder; x and y are its pixels, the centre of the first at (0, 0). An
empty x and y is a point that is missing. The other columns of a landmark table may be there too: patient, source, view,
contrast, side, width, height, pixel_width, pixel_height. What is not said is taken from the pictures themselves, or
assumed, and the notes say so. Further columns travel along.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from lumbar import landmarks
from lumbar.core.errors import DatasetError
from lumbar.datasets import kaggle, phantom_study, rsna
from lumbar.datasets.csv_text import read_text
from lumbar.datasets.dataset import Dataset, Reader, read_csv
from lumbar.datasets.headers import look

NEEDED = ("image", "level", "x", "y")
NUMBERS = ("x", "y", "width", "height", "pixel_width", "pixel_height", "frame")
EXAMPLE = "image,level,x,y / scans/001.png,L1/L2,131,70 / scans/001.png,L2/L3,128,100"

RECOGNISED_BY = 2
"""How many of the needed columns a table must have for us to think that it is meant, and to name those it lacks."""

_OTHERS = {kaggle.TABLE, kaggle.IMPROVED, phantom_study.TABLE, rsna.LABELS, rsna.SERIES, rsna.GRADES}
"""Tables that belong to other layouts."""


def read(place: Path) -> Dataset:
    """The landmark table of a file, or of the only such file in a folder, unchecked.

    Raises:
        DatasetError: If the table cannot be read, lacks a column, or names a picture outside of the folder; or if a
            folder holds several.
    """
    file = _only(place) if place.is_dir() else place
    root = file.parent
    columns = read_text(file, ()).header
    lacking = [column for column in NEEDED if column not in columns]
    if lacking:
        raise DatasetError(
            "the table lacks columns",
            file=file,
            field=", ".join(lacking),
            found=", ".join(map(str, columns)),
            expected=", ".join(NEEDED),
            remedy=f"give the columns these names; an example, line by line: {EXAMPLE}",
        )
    text = tuple(column for column in landmarks.SCHEMA.columns if column in columns and column not in NUMBERS)
    table = read_csv(file, text=text, numbers=tuple(column for column in NUMBERS if column in columns))
    notes = list(table.attrs["notes"])
    return Dataset(root.name, root, _completed(table, root, notes), tuple(notes))


def _completed(table: pd.DataFrame, root: Path, notes: list[str]) -> pd.DataFrame:
    """The table with all columns of a landmark table."""
    headers = look(root, table["image"].unique().tolist()).reindex(table["image"]).set_axis(table.index)
    if "patient" not in table:
        notes.append("no column patient: each picture is taken for a patient of its own, named like the file")
    view = table["view"] if "view" in table else pd.Series("", table.index)
    view = view.where(view != "", headers["view"])
    if (view == "").any():
        notes.append("pictures of which neither the table nor the file says the plane are taken for sagittal")
    given = {
        "patient": table["image"].map(lambda image: str(Path(image).with_suffix(""))),
        "source": root.name,
        "contrast": "",
        "side": "",
    }
    told = {column: values for column, values in given.items() if column not in table}
    for column in ("width", "height", "pixel_width", "pixel_height"):
        told[column] = table[column].fillna(headers[column]) if column in table else headers[column]
    return table.assign(**told, view=view.replace("", "sagittal"))


def _only(folder: Path) -> Path:
    found = list(_tables(folder))
    if len(found) > 1:
        raise DatasetError(
            "the folder holds more than one table of points",
            file=folder,
            found=", ".join(file.name for file in found),
            remedy="name the table in place of the folder",
        )
    return found[0]


def _tables(folder: Path) -> Iterator[Path]:
    yield from (file for file in sorted(folder.glob("*.csv")) if _is_table(file))


def _is_table(file: Path) -> bool:
    if file.suffix.lower() != ".csv" or file.name in _OTHERS:
        return False
    try:
        with file.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
            first = lines.readline(10_000)
        named = {cell.strip() for separator in ",;\t" for cell in next(csv.reader([first], delimiter=separator), [])}
    except (OSError, csv.Error):
        return False
    return len(named & set(NEEDED)) >= RECOGNISED_BY


READER = Reader(
    layout="a CSV of your own",
    looks_for=f"a CSV with the columns {', '.join(NEEDED)}, and the pictures it names beside it",
    recognises=lambda place: _is_table(place) if place.is_file() else next(_tables(place), None) is not None,
    read=read,
    any_name=True,
)
