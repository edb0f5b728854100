"""Find the reader for a data set, read the data set, and check its table."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from lumbar import imaging, landmarks
from lumbar.core.errors import DatasetError, ScanError
from lumbar.datasets import (
    buu,
    coco,
    disc_labels,
    kaggle,
    own_csv,
    phantom_study,
    rsna,
    rsna_improved,
    spider,
    units,
    verse,
)
from lumbar.datasets.dataset import Dataset, Reader, with_absent_as_read, without_neighbours
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
"""Readers of all known layouts."""

COMPANIONS = {rsna.SERIES, rsna.GRADES, spider.OVERVIEW, spider.GRADINGS}
"""Tables of a layout that do not hold its points; a user who names one means its folder."""


def load(path: str | Path) -> Dataset:
    """Read a data set, whatever its layout.

    Args:
        path: The data set's folder, or the table in it.

    Returns:
        The data set. Its table has `landmarks.COLUMNS`. Rows of missing images are left out; the points of images with
        levels in the wrong order, and points that stand for "not marked", are set to missing (NaN); the notes count
        them, and say which coordinates may be in another unit.

    Raises:
        DatasetError: If the layout is unknown, all images are missing, an existing image cannot be read, the levels are
            in the wrong order in every image, or the coordinates cannot be pixels.
        TableError: If the table does not keep the schema.
    """
    reader, root = find_reader(path)
    dataset, placeholders = units.settle(without_neighbours(with_absent_as_read(reader.read(root))))
    exists = present(dataset)
    if not exists.any():
        raise DatasetError(
            "the table was found, but none of the pictures that it names",
            file=root,
            expected=f"for example {dataset.table['image'].iloc[0]}",
            remedy=f"unpack the pictures too: {reader.looks_for}",
        )
    notes = dataset.notes + (() if exists.all() else (_missing(dataset, exists),))
    if len(placeholders):
        notes += (f"{len(placeholders)} point(s) at (0, 0) or (-1, -1) are treated as missing, not as marked there",)
    suspicions = units.suspicions(dataset.table[exists]) if reader.user_made else []
    units.refuse_certain(dataset, suspicions)
    notes += tuple(suspicion.problem for suspicion in suspicions)
    table = dataset.table[exists].reset_index(drop=True)
    refuse_unreadable(dataset.root, table.loc[table["width"].isna(), "image"].unique())
    table = landmarks.check(table)
    if dataset.neighbours is None:
        table, further = _without_misordered(dataset, table)
        return dataclasses.replace(dataset, table=table, notes=(*notes, *further))
    beside = landmarks.check_neighbours(dataset.neighbours[dataset.neighbours["image"].isin(table["image"])])
    joined, further = _without_misordered(dataset, pd.concat([table, beside], ignore_index=True))
    table, beside = joined[: len(table)], joined[len(table) :].reset_index(drop=True)
    names, count = ", ".join(beside["level"].unique()), beside["x"].notna().sum()
    further += (f"{names}: {count} point(s) of discs that are no levels; `train --absent` uses them",) if count else ()
    return dataclasses.replace(dataset, table=table, notes=(*notes, *further), neighbours=beside)


def find_reader(path: str | Path) -> tuple[Reader, Path]:
    """Find the reader for a data set, and the path to give to it.

    Args:
        path: The data set's folder, or the table in it; the table is needed if the folder holds several data sets.

    Returns:
        The reader, and the folder; or the table itself if it may have any name.

    Raises:
        DatasetError: If the path does not exist, no reader recognises it, or several do.
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
                "this file is not a table of points that we can read",
                file=path,
                expected=own_csv.READER.looks_for,
                remedy="name the folder instead, or give the columns these names",
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
            remedy="name the table instead of the folder",
        )
    raise DatasetError(
        "this is not a data set we can read",
        file=root,
        found=_contents(root),
        expected="\n    or ".join(f"{reader.looks_for} ({reader.layout})" for reader in READERS),
        remedy="name the folder that contains one of these",
    )


def present(dataset: Dataset) -> pd.Series:
    """Return whether the image of each row of the table exists, a boolean Series."""
    return dataset.table["image"].map(
        {image: dataset.path(image).is_file() for image in dataset.table["image"].unique()}
    )


def _without_misordered(dataset: Dataset, table: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Set the points of images with levels in the wrong order to missing: wrong points are worse than none.

    An image that is stored upside down or on its side, and whose file states so, is judged as it is displayed.
    """
    names, upright = landmarks.image_names(table), table["view"] != "axial"
    suspect = names.isin(names.loc[landmarks.misordered(table)])
    stated = _orientations(dataset, table[suspect])
    wrong = suspect & names.isin(names.loc[landmarks.misordered(table[suspect], stated)])
    if not wrong.any():
        return table, ()
    concerned = names[wrong].unique()
    if wrong[upright].all():
        raise DatasetError(
            "the levels are in the wrong order in every picture",
            file=dataset.root,
            field="level, y",
            found="a level above the one it should lie below",
            expected="y increases from L1/L2 to L5/S1, from the top of the picture downwards",
            remedy="correct the table: the pictures are upside down, or the names of the levels are reversed",
        )
    note = (
        f"{len(concerned)} picture(s) have levels in the wrong order ({concerned[0]}"
        f"{', …' if len(concerned) > 1 else ''}): their points are treated as missing"
    )
    table = table.assign(**{axis: table[axis].mask(wrong) for axis in ("x", "y")})
    return (table.assign(absent=table["absent"].mask(wrong, False)) if "absent" in table else table), (note,)


def _orientations(dataset: Dataset, table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the directions of rows and columns by the name of the image, for the images that state them."""
    first = table[~landmarks.image_names(table).duplicated()]
    found = {}
    for name, image, frame in zip(landmarks.image_names(first), first["image"], landmarks.frames(first), strict=True):
        with suppress(ScanError):  # reported where the image is used
            found[name] = imaging.read(dataset.path(image), frame=frame).orientation
    return {name: orientation for name, orientation in found.items() if orientation is not None}


def _missing(dataset: Dataset, exists: pd.Series) -> str:
    images = dataset.table.assign(exists=exists).drop_duplicates("image")
    counts = images.loc[~images["exists"], "source"].value_counts().sort_index()
    sources = ", ".join(f"{source} {count}" for source, count in counts.items())
    return (
        f"{counts.sum()} of {len(images)} pictures are not there ({sources}): "
        f"their {(~exists).sum()} points are left out"
    )


def _contents(root: Path) -> str:
    names = sorted(entry.name + "/" * entry.is_dir() for entry in root.iterdir())
    return (", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")) or "an empty folder"
