"""Find the reader of a data set, read it, and check what it says."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from lumbar import imaging, landmarks
from lumbar.core.errors import DatasetError, ScanError
from lumbar.datasets import buu, coco, disc_labels, kaggle, own_csv, phantom_study, rsna, rsna_improved, spider, verse
from lumbar.datasets.dataset import Dataset, Reader
from lumbar.datasets.headers import refuse_unreadable

READERS = (
    phantom_study.READER,
    kaggle.READER,
    rsna.READER,
    rsna_improved.READER,
    spider.READER,
    verse.READER,
    disc_labels.READER,
    buu.READER,
    coco.READER,
    own_csv.READER,
)
"""The layouts we can read."""

COMPANIONS = {rsna.SERIES, rsna.GRADES, spider.OVERVIEW, spider.GRADINGS}
"""Tables that belong to a layout without holding its points; naming one means the folder."""


def load(path: str | Path) -> Dataset:
    """Read a data set, whatever its layout.

    Args:
        path: The data set's folder (or the table in it).

    Returns:
        The data set. Its table keeps `landmarks.SCHEMA`; points of pictures that are not there are left out, points of
        pictures whose levels stand in the wrong order are missing (NaN), and the notes say how many.

    Raises:
        DatasetError: If the folder is of no layout we know, none of its pictures is there, some of those that are there
            cannot be read, or all are upside down.
        TableError: If the table breaks the schema.
    """
    reader, root = find_reader(path)
    dataset = reader.read(root)
    there = present(dataset)
    if not there.any():
        raise DatasetError(
            "the table is there, but none of the pictures it names",
            file=root,
            expected=f"for example {dataset.table['image'].iloc[0]}",
            remedy=f"unpack the pictures too: {reader.looks_for}",
        )
    notes = dataset.notes + (() if there.all() else (_absent(dataset, there),))
    table = dataset.table[there].reset_index(drop=True)
    refuse_unreadable(dataset.root, table.loc[table["width"].isna(), "image"].unique())
    table, further = _without_misordered(dataset, landmarks.check(table))
    return dataclasses.replace(dataset, table=table, notes=(*notes, *further))


def find_reader(path: str | Path) -> tuple[Reader, Path]:
    """The reader for a data set, and what to give it: the folder, or a table that may have any name.

    Args:
        path: The data set's folder, or the table in it: a folder that holds several data sets is no answer.

    Raises:
        DatasetError: If there is no such folder, no reader recognises it, or several do.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise DatasetError(
            "there is no such folder",
            file=path,
            remedy="check the path; `python -m lumbar phantom` makes a data set of synthetic patients",
        )
    if path.is_file():
        for reader in READERS:
            if path.name == reader.table:
                return reader, path.parent
        for reader in READERS:
            if reader.any_name and reader.recognises(path):
                return reader, path
        if path.suffix.lower() in (".csv", ".json") and path.name not in COMPANIONS:
            raise DatasetError(
                "this file is no table of points that we can read",
                file=path,
                expected=own_csv.READER.looks_for,
                remedy="name the folder, or give the columns these names",
            )
    root = path.parent if path.is_file() else path
    found = [reader for reader in READERS if reader.recognises(root)]
    found = [reader for reader in found if not reader.any_name] or found
    if len(found) == 1:
        return found[0], root
    if found:
        raise DatasetError(
            "the folder holds more than one data set",
            file=root,
            found=", ".join(f"{reader.table or reader.looks_for} ({reader.layout})" for reader in found),
            remedy="name the table in place of the folder",
        )
    raise DatasetError(
        "this is not a data set we can read",
        file=root,
        found=_contents(root),
        expected="\n    or ".join(f"{reader.looks_for} ({reader.layout})" for reader in READERS),
        remedy="give the folder in which that file stands",
    )


def present(dataset: Dataset) -> pd.Series:
    """For each row of the table whether its picture is there, a boolean Series."""
    return dataset.table["image"].map(
        {image: dataset.path(image).is_file() for image in dataset.table["image"].unique()}
    )


def _without_misordered(dataset: Dataset, table: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Set the points of images to missing whose levels stand in the wrong order: wrong points are worse than none.

    An image that is stored upside down or on its side, and says so, is judged as it is shown upright.
    """
    names, upright = landmarks.picture(table), table["view"] != "axial"
    suspect = names.isin(names.loc[landmarks.misordered(table)])
    turned = _orientations(dataset, table[suspect])
    wrong = suspect & names.isin(names.loc[landmarks.misordered(table[suspect], turned)])
    if not wrong.any():
        return table, ()
    concerned = names[wrong].unique()
    if wrong[upright].all():
        raise DatasetError(
            "in every picture the levels stand in the wrong order",
            file=dataset.root,
            field="level, y",
            found="a level above the one it should lie below",
            expected="y grows from L1/L2 to L5/S1, from the top of the picture down",
            remedy="the pictures are upside down or the levels' names the wrong way round; mend the table",
        )
    note = (
        f"{len(concerned)} picture(s) have levels in the wrong order ({concerned[0]}"
        f"{', …' if len(concerned) > 1 else ''}): their points count as missing"
    )
    return table.assign(**{axis: table[axis].mask(wrong) for axis in ("x", "y")}), (note,)


def _orientations(dataset: Dataset, table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return name of an image → directions of its rows and columns, for the images that state them."""
    first = table[~landmarks.picture(table).duplicated()]
    found = {}
    for name, image, frame in zip(landmarks.picture(first), first["image"], landmarks.frames(first), strict=True):
        with suppress(ScanError):  # reported where the image is needed
            found[name] = imaging.read(dataset.path(image), frame=frame).orientation
    return {name: orientation for name, orientation in found.items() if orientation is not None}


def _absent(dataset: Dataset, there: pd.Series) -> str:
    pictures = dataset.table.assign(there=there).drop_duplicates("image")
    counts = pictures.loc[~pictures["there"], "source"].value_counts().sort_index()
    sources = ", ".join(f"{source} {count}" for source, count in counts.items())
    return (
        f"{counts.sum()} of {len(pictures)} pictures are not there ({sources}): "
        f"their {(~there).sum()} points are left out"
    )


def _contents(root: Path) -> str:
    names = sorted(entry.name + "/" * entry.is_dir() for entry in root.iterdir())
    return (", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")) or "an empty folder"
