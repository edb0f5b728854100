"""The "Lumbar Coordinate Pretraining Dataset" of Kaggle, in the layout in which it is unpacked.

`coords_pretrain.csv` has the columns filename, source, x, y, level, relative_x, relative_y; the pictures lie in
`data/processed_<source>_jpgs/<filename>`. x and y are whole pixels of the 256×256 picture, relative_x is x / 256.
The points sit on the posterior margin of the discs, in mid-sagittal pictures. The pixel spacing is not known.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from lumbar.core.errors import DatasetError
from lumbar.datasets.dataset import Dataset, Reader, inside, read_csv
from lumbar.geometry import SIZE, Affine
from lumbar.imaging.picture import FORMATS

TABLE = "coords_pretrain.csv"
IMPROVED = "coords_rsna_improved.csv"

CONTRASTS = {"lsd": "T2", "spider": "T2", "osf": "T1", "tseg": "CT"}
"""Contrast of each source's pictures; a SPIDER file name says its own."""

_SEQUENCE = re.compile(r"^(?P<patient>.+?)_(?P<contrast>t1|t2)(?:_space)?$", re.IGNORECASE)


def read(root: Path) -> Dataset:
    """The landmark table of the unpacked set, unchecked.

    Raises:
        DatasetError: If the table cannot be read, lacks a column, or names a picture outside of the folder.
    """
    given = read_csv(root / TABLE, text=("filename", "source", "level"), numbers=("x", "y"))
    names = given[["source", "filename"]].drop_duplicates()
    pictures = pd.DataFrame([_picture(root, *name) for name in names.itertuples(index=False)], index=names.index)
    points = given.merge(names.join(pictures), on=["source", "filename"], how="left", validate="many_to_one")
    table = points[["image", "patient", "source", "view", "contrast", "level"]].assign(
        side="", x=points["x"], y=points["y"], width=points["width"], height=points["height"]
    )
    notes = [*given.attrs["notes"], "points are whole pixels of 256×256 pictures; the pixel spacing is not known"]
    other = (table["width"] != SIZE) | (table["height"] != SIZE)
    if other.any():
        table = _onto_pictures(table, other, root)
        notes.append(f"{table.loc[other, 'image'].nunique()} picture(s) are not 256×256: points stretched onto them")
    strange = sorted(set(given["source"]) - set(CONTRASTS))
    if strange:
        notes.append(f"unknown source(s) {', '.join(strange)}: the contrast is not known")
    if (root / IMPROVED).is_file():
        notes.append(f"{IMPROVED} beside it holds points of the RSNA 2024 pictures: name that file to read them")
    return Dataset(root.name, root, table.assign(pixel_width=np.nan, pixel_height=np.nan), tuple(notes))


def identity(source: str, filename: str) -> tuple[str, str]:
    """(patient, contrast) of a picture: `1_t1.jpg` and `1_t2.jpg` of SPIDER show one person, patient "spider 1".

    In the other sources each file is a person of its own. The source is part of the name, because the sources count
    their patients from the same numbers.
    """
    stem = Path(filename).stem
    match = _SEQUENCE.match(stem) if source == "spider" else None
    if match:
        return f"{source} {match['patient']}", match["contrast"].upper()
    return f"{source} {stem}", CONTRASTS.get(source, "")


def _picture(root: Path, source: str, filename: str) -> dict[str, str | int]:
    image = f"data/processed_{source}_jpgs/{filename}"
    file = inside(root, image)
    width, height = _size(file)
    patient, contrast = identity(source, filename)
    return {
        "image": image,
        "patient": patient,
        "view": "sagittal",
        "contrast": contrast,
        "width": width,
        "height": height,
    }


def _size(file: Path) -> tuple[int, int]:
    """Width and height as the file's header says; 256×256, as published, if it is absent or unreadable."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large sizes, which the reader of the pixels checks
            with Image.open(file, formats=FORMATS) as picture:
                return picture.size
    except Exception:  # a damaged file may raise anything; who reads its pixels will say so
        return SIZE, SIZE


def _onto_pictures(table: pd.DataFrame, other: pd.Series, root: Path) -> pd.DataFrame:
    """Points of pictures that were stored at another size, from the 256 frame to those pictures' own pixels."""
    try:
        table = table.astype({"x": float, "y": float})
    except ValueError as error:
        raise DatasetError("a coordinate is not a number", file=root / TABLE, field="x, y", found=error) from error
    for (width, height), rows in table[other].groupby(["width", "height"]):
        table.loc[rows.index, ["x", "y"]] = Affine.stretch(width, height).inverse().points(rows[["x", "y"]])
    return table


READER = Reader(
    layout="Lumbar Coordinate Pretraining Dataset",
    looks_for=f"{TABLE} beside data/processed_<source>_jpgs/",
    recognises=lambda root: (root / TABLE).is_file(),
    read=read,
    table=TABLE,
)
