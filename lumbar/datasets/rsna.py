"""Read RSNA 2024 Lumbar Spine Degenerative Classification as it is unpacked from Kaggle.

`train_label_coordinates.csv` has study_id, series_id, instance_number, condition, level, x, y (native pixels).
`train_series_descriptions.csv` states view and contrast of each series. `train.csv` has 25 grades per study. The images
are `train_images/<study_id>/<series_id>/<instance_number>.dcm`.

The points of spinal canal stenosis are the level points of the sagittal images. Those of left and right subarticular
stenosis are the two points of the axial images. The points of neural foraminal narrowing are another landmark: they lie
on slices beside the midline and are not read. A point stays on the slice on which it was marked, so the five points of
a series may be on several neighbouring slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lumbar import landmarks
from lumbar.core.errors import DatasetError
from lumbar.datasets.dataset import Dataset, Reader, read_csv
from lumbar.datasets.headers import read_image_headers

LABELS = "train_label_coordinates.csv"
SERIES = "train_series_descriptions.csv"
GRADES = "train.csv"
PICTURES = "train_images"

CANAL = "Spinal Canal Stenosis"
SUBARTICULAR = {"Left Subarticular Stenosis": "left", "Right Subarticular Stenosis": "right"}

SHOWN = {
    "Sagittal T1": ("sagittal", "T1"),
    "Sagittal T2/STIR": ("sagittal", "T2/STIR"),
    "Axial T2": ("axial", "T2"),
}
"""View and contrast by the description of a series, which does not distinguish T2 from STIR."""

GRADED = (
    "spinal_canal_stenosis",
    "left_neural_foraminal_narrowing",
    "right_neural_foraminal_narrowing",
    "left_subarticular_stenosis",
    "right_subarticular_stenosis",
)
"""Columns of `train.csv` without the level. Each is a column of the landmark table, for the level of the row."""

IDS = ("study_id", "series_id", "instance_number")
"""Columns that identify an image."""


def read(root: Path) -> Dataset:
    """Read the landmark table of the unpacked set, without checking it.

    Args:
        root: Folder of the set.

    Raises:
        DatasetError: If a table cannot be read, lacks a column, or names an image outside the folder.
    """
    labels = read_csv(root / LABELS, text=(*IDS, "condition", "level"), numbers=("x", "y"))
    labels["side"] = labels["condition"].map(SUBARTICULAR).fillna("")
    table, notes = with_images(labels, root, root)
    return Dataset(root.name, root, table, (*labels.attrs["notes"], *notes))


def with_images(
    labels: pd.DataFrame, root: Path, tables: Path, notes: Sequence[str] = ()
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Select the labels that are landmarks, and add the columns of a landmark table and the grades.

    Args:
        labels: Columns `IDS`, condition, level (text) and side ("", "left" or "right").
        root: Folder of `train_images`.
        tables: Folder of `train_series_descriptions.csv` and `train.csv`; either file may be missing.
        notes: What the caller has left out already.

    Returns:
        The landmarks, with the index of `labels`; and notes on what was left out.

    Raises:
        DatasetError: If none is left, a table cannot be read, or an image would lie outside the folder.
    """
    notes = list(notes)
    table = _landmarks(labels, notes)
    table = _described(table, tables / SERIES, notes)
    table = _of_one_level(table, notes)
    if table.empty:
        raise DatasetError(
            "the table has no points of the landmarks that are read",
            file=root,
            found="; ".join(notes),
            expected=f"points of {', '.join((CANAL, *SUBARTICULAR))}",
        )
    image = PICTURES + "/" + table["study_id"] + "/" + table["series_id"] + "/" + table["instance_number"] + ".dcm"
    table = table.assign(image=image, patient="rsna " + table["study_id"], source="rsna")
    sizes = read_image_headers(root, table["image"].unique().tolist()).drop(columns="view")
    table = _graded(table.join(sizes, on="image"), tables / GRADES, notes)
    _count_incomplete(table, notes)
    return table, tuple(notes)


def _landmarks(labels: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    read = (labels["condition"] == CANAL) | labels["condition"].isin(SUBARTICULAR)
    if not read.all():
        others = labels.loc[~read, "condition"].value_counts().sort_index()
        counts = ", ".join(f"{condition or 'no condition'} {count}" for condition, count in others.items())
        notes.append(f"{(~read).sum()} points of other landmarks are left out ({counts})")
    return labels[read]


def _described(table: pd.DataFrame, file: Path, notes: list[str]) -> pd.DataFrame:
    """Add view and contrast, and leave out points whose condition does not belong to the plane of their series."""
    expected = table["side"].map({"": "sagittal"}).fillna("axial")
    if not file.is_file():
        notes.append(f"{file.name} is not there: contrasts are unknown")
        return table.assign(view=expected, contrast="")
    series = read_csv(file, text=("study_id", "series_id", "series_description"), numbers=())
    shown = series.drop_duplicates(["study_id", "series_id"]).set_index(["study_id", "series_id"])["series_description"]
    description = shown.reindex(pd.MultiIndex.from_frame(table[["study_id", "series_id"]])).set_axis(table.index)
    view = description.map({name: view for name, (view, _) in SHOWN.items()}).fillna(expected)
    contrast = description.map({name: contrast for name, (_, contrast) in SHOWN.items()}).fillna("")
    fits = view == expected
    if not fits.all():
        notes.append(f"{(~fits).sum()} points are left out: their series shows another plane than their condition")
    return table.assign(view=view, contrast=contrast)[fits]


def _of_one_level(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Leave out axial images with points of several levels, since an axial image shows one level."""
    levels = table.groupby(list(IDS))["level"].transform("nunique")
    several = (table["view"] == "axial") & (levels > 1)
    if several.any():
        images = len(table.loc[several, list(IDS)].drop_duplicates())
        notes.append(
            f"{images} axial pictures have points of several levels: their {several.sum()} points are left out"
        )
    return table[~several]


def _graded(table: pd.DataFrame, file: Path, notes: list[str]) -> pd.DataFrame:
    """Add the columns of `GRADED`; "" where the study has no grade."""
    if not file.is_file():
        notes.append(f"{file.name} is not there: grades are unknown")
        return table
    columns = [f"{kind}_{_short(level)}" for kind in GRADED for level in landmarks.LEVELS]
    grades = read_csv(file, text=("study_id", *columns), numbers=()).drop_duplicates("study_id")
    known = grades.melt("study_id", columns, var_name="column").set_index(["study_id", "column"])["value"]
    for kind in GRADED:
        which = pd.MultiIndex.from_arrays([table["study_id"], kind + "_" + table["level"].map(_short)])
        table = table.assign(**{kind: known.reindex(which).fillna("").to_numpy()})
    return table


def _short(level: str) -> str:
    return level.lower().replace("/", "_")


def _count_incomplete(table: pd.DataFrame, notes: list[str]) -> None:
    levels = table[table["view"] == "sagittal"].groupby("image")["level"].nunique()
    fewer = (levels < len(landmarks.LEVELS)).sum()
    if fewer:
        of_all = f"{fewer} of {len(levels)} sagittal pictures have fewer than five points"
        notes.append(f"a point stays on the slice on which it was marked: {of_all}")


READER = Reader(
    layout="RSNA 2024 Lumbar Spine Degenerative Classification",
    looks_for=f"{LABELS} and {PICTURES}/<study>/<series>/<instance>.dcm",
    recognises=lambda root: (root / LABELS).is_file(),
    read=read,
    table=LABELS,
)
