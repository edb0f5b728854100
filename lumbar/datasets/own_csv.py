"""Read the user's own CSV: one line per point, with at least the columns image, level, x and y.

    image,level,x,y
    scans/001.png,L1/L2,131,70
    scans/001.png,L2/L3,128,100

image is the path of the image relative to the folder of the table. x and y are native pixels; the centre of the first
pixel is (0, 0). If x and y are empty, the point is missing. The table may have the other columns of a landmark table:
patient, source, view, contrast, side, width, height, pixel_width, pixel_height. Columns that it lacks are read from the
images or assumed; the notes list the assumptions. The column `xy_unit` states another unit than pixels, see
`lumbar.datasets.units`. Further columns are kept. Other spellings of columns and levels (Image, L4-L5, L4/5) are read,
with a note.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from lumbar import landmarks
from lumbar.core.errors import DatasetError
from lumbar.datasets import kaggle, phantom_study, rsna, units
from lumbar.datasets.csv_text import header_names, read_text
from lumbar.datasets.dataset import Dataset, Reader, read_csv, with_standard_words
from lumbar.datasets.headers import read_image_headers

NEEDED = ("image", "level", "x", "y")
"""Columns that the table must have."""

NUMBERS = ("x", "y", "width", "height", "pixel_width", "pixel_height", "frame")
TEXT = (*(column for column in landmarks.COLUMNS if column not in NUMBERS), units.COLUMN)
EXAMPLE = "image,level,x,y / scans/001.png,L1/L2,131,70 / scans/001.png,L2/L3,128,100"

RECOGNISED_BY = 2
"""Number of needed columns by which a CSV is recognised; reading it then names those that it lacks."""

_OTHERS = {kaggle.TABLE, kaggle.IMPROVED, phantom_study.TABLE, rsna.LABELS, rsna.SERIES, rsna.GRADES}
"""Tables of other layouts."""


def read(place: Path) -> Dataset:
    """Read the landmark table of a file, or of the only such file in a folder, without checking it.

    Args:
        place: The file or the folder.

    Raises:
        DatasetError: If the table cannot be read, lacks a column or names an image outside the folder, or if the
            folder holds several tables.
    """
    file = _only(place) if place.is_dir() else place
    root = file.parent
    columns = read_text(file, (), optional=(*TEXT, *NUMBERS)).header
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
    text = tuple(column for column in TEXT if column in columns)
    table = read_csv(file, text=text, numbers=tuple(column for column in NUMBERS if column in columns))
    notes = list(table.attrs["notes"])
    table, spelling = with_standard_words(table)
    notes += spelling
    return Dataset(root.name, root, _completed(table, root, notes), tuple(notes))


def _completed(table: pd.DataFrame, root: Path, notes: list[str]) -> pd.DataFrame:
    """Add the columns of a landmark table that the table lacks."""
    headers = read_image_headers(root, table["image"].unique().tolist()).reindex(table["image"]).set_axis(table.index)
    if "patient" not in table:
        notes.append("no column patient: each picture counts as a patient of its own, named after the file")
    view = table["view"] if "view" in table else pd.Series("", table.index)
    view = view.where(view != "", headers["view"])
    if (view == "").any():
        notes.append("pictures whose plane neither the table nor the file states are assumed to be sagittal")
    given = {
        "patient": table["image"].map(lambda image: str(Path(image).with_suffix(""))),
        "source": root.absolute().name,
        "contrast": "",
        "side": "",
    }
    added = {column: values for column, values in given.items() if column not in table}
    for column in ("width", "height", "pixel_width", "pixel_height"):
        added[column] = table[column].fillna(headers[column]) if column in table else headers[column]
    return table.assign(
        **added, view=view.replace("", "sagittal"), patient_from_file=pd.Series("patient" in added, table.index)
    )


def _only(folder: Path) -> Path:
    found = list(_tables(folder))
    if len(found) > 1:
        raise DatasetError(
            "the folder holds more than one table of points",
            file=folder,
            found=", ".join(file.name for file in found),
            remedy="name the table instead of the folder",
        )
    return found[0]


def _tables(folder: Path) -> Iterator[Path]:
    yield from (file for file in sorted(folder.glob("*.csv")) if _is_table(file))


def _is_table(file: Path) -> bool:
    if file.suffix.lower() != ".csv" or file.name in _OTHERS:
        return False
    return len(header_names(file) & set(NEEDED)) >= RECOGNISED_BY


READER = Reader(
    layout="a CSV of your own",
    looks_for=f"a CSV with the columns {', '.join(NEEDED)}, and the pictures that it names",
    recognises=lambda place: _is_table(place) if place.is_file() else next(_tables(place), None) is not None,
    read=read,
    any_name=True,
    user_made=True,
)
