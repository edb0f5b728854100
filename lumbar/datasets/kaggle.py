"""Read Kaggle's "Lumbar Coordinate Pretraining Dataset" as it is unpacked.

`coords_pretrain.csv` has the columns filename, source, x, y, level, relative_x, relative_y; the images are
`data/processed_<source>_jpgs/<filename>`. x and y are whole pixels of the 256×256 image, and relative_x is x / 256. The
points lie on the posterior margin of the discs, in mid-sagittal images. The pixel spacing is unknown.
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
"""Contrast of each source; a file name of SPIDER states its own."""

_SEQUENCE = re.compile(r"^(?P<patient>.+?)_(?P<contrast>t1|t2)(?:_space)?$", re.IGNORECASE)


def read(root: Path) -> Dataset:
    """Read the landmark table of the unpacked set, without checking it.

    Args:
        root: Folder of the set.

    Raises:
        DatasetError: If the table cannot be read, lacks a column, or names an image outside the folder.
    """
    given = read_csv(root / TABLE, text=("filename", "source", "level"), numbers=("x", "y"))
    names = given[["source", "filename"]].drop_duplicates()
    images = pd.DataFrame([_image(root, *name) for name in names.itertuples(index=False)], index=names.index)
    points = given.merge(names.join(images), on=["source", "filename"], how="left", validate="many_to_one")
    table = points[["image", "patient", "source", "view", "contrast", "level"]].assign(
        side="", x=points["x"], y=points["y"], width=points["width"], height=points["height"]
    )
    notes = [*given.attrs["notes"], "points are whole pixels of 256×256 pictures; the pixel spacing is unknown"]
    other = (table["width"] != SIZE) | (table["height"] != SIZE)
    if other.any():
        table = _rescaled(table, other, root)
        notes.append(f"{table.loc[other, 'image'].nunique()} picture(s) are not 256×256: their points are rescaled")
    unknown = sorted(set(given["source"]) - set(CONTRASTS))
    if unknown:
        notes.append(f"unknown source(s) {', '.join(unknown)}: the contrast is unknown")
    if (root / IMPROVED).is_file():
        notes.append(f"{IMPROVED} beside it holds points for the pictures of RSNA 2024: name that file to read them")
    return Dataset(root.name, root, table.assign(pixel_width=np.nan, pixel_height=np.nan), tuple(notes))


def identity(source: str, filename: str) -> tuple[str, str]:
    """Return (patient, contrast) of an image: `1_t1.jpg` and `1_t2.jpg` of SPIDER show one patient, "spider 1".

    In the other sources, each file is a patient of its own. The source is part of the patient's name, because several
    sources use the same numbers.

    Args:
        source: Name of the source.
        filename: Name of the image file.
    """
    stem = Path(filename).stem
    match = _SEQUENCE.match(stem) if source == "spider" else None
    if match:
        return f"{source} {match['patient']}", match["contrast"].upper()
    return f"{source} {stem}", CONTRASTS.get(source, "")


def _image(root: Path, source: str, filename: str) -> dict[str, str | int]:
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
    """Return the width and height that the file's header states, or 256×256, as published, without a readable file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about large sizes, which `lumbar.imaging.read` checks
            with Image.open(file, formats=FORMATS) as image:
                return image.size
    except Exception:  # a damaged file may raise anything; `lumbar.imaging.read` reports it
        return SIZE, SIZE


def _rescaled(table: pd.DataFrame, other: pd.Series, root: Path) -> pd.DataFrame:
    """Map the points of images of another size from the 256 frame to native pixels."""
    try:
        table = table.astype({"x": float, "y": float})
    except ValueError as error:
        raise DatasetError("a coordinate is not a number", file=root / TABLE, field="x, y", found=error) from error
    for (width, height), rows in table[other].groupby(["width", "height"]):
        table.loc[rows.index, ["x", "y"]] = Affine.stretch(width, height).inverse().points(rows[["x", "y"]])
    return table


READER = Reader(
    layout="Lumbar Coordinate Pretraining Dataset",
    looks_for=f"{TABLE} and data/processed_<source>_jpgs/",
    recognises=lambda root: (root / TABLE).is_file(),
    read=read,
    table=TABLE,
)
