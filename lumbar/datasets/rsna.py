"""RSNA 2024 Lumbar Spine Degenerative Classification, as unpacked from Kaggle.

`train_label_coordinates.csv` has study_id, series_id, instance_number, condition, level, x, y (pixels of that file);
`train_series_descriptions.csv` says what a series shows; `train.csv` holds 25 grades a study; the pictures are
`train_images/<study_id>/<series_id>/<instance_number>.dcm`.

The points of spinal canal stenosis are the level points of the sagittal pictures, those of left and right subarticular
stenosis the two points of the axial ones. The points of neural foraminal narrowing lie beside the midline, on other
slices: another landmark, not read. A point stays on the slice it was marked on, so the five of a series may be spread
over neighbouring slices.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lumbar import landmarks
from lumbar.core.errors import DatasetError
from lumbar.datasets.dataset import Dataset, Reader, read_csv
from lumbar.datasets.headers import look

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
"""View and contrast of each description of a series; the table does not tell T2 from STIR."""

GRADED = (
    "spinal_canal_stenosis",
    "left_neural_foraminal_narrowing",
    "right_neural_foraminal_narrowing",
    "left_subarticular_stenosis",
    "right_subarticular_stenosis",
)
"""Columns of `train.csv` without the level; each is a column of the landmark table, for the row's level."""

IDS = ("study_id", "series_id", "instance_number")


def read(root: Path) -> Dataset:
    """The landmark table of the unpacked set, unchecked.

    Raises:
        DatasetError: If a table cannot be read, lacks a column, or names a picture outside of the folder.
    """
    labels = read_csv(root / LABELS, text=(*IDS, "condition", "level"), numbers=("x", "y"))
    labels["side"] = labels["condition"].map(SUBARTICULAR).fillna("")
    table, notes = with_pictures(labels, root, root)
    return Dataset(root.name, root, table, (*labels.attrs["notes"], *notes))


def with_pictures(labels: pd.DataFrame, root: Path, tables: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The landmarks among the labels, with what is known of their pictures.

    Args:
        labels: Columns `IDS`, condition, level (text) and side ("", "left" or "right").
        root: Folder that holds `train_images`.
        tables: Folder that holds `train_series_descriptions.csv` and `train.csv`; either may be absent.

    Returns:
        The labels that are landmarks of ours, with the columns of a landmark table and the grades; the index is that
        of `labels`. And notes on what was left out.

    Raises:
        DatasetError: If none is left, a table cannot be read, or a picture would lie outside of the folder.
    """
    notes: list[str] = []
    table = _landmarks(labels, notes)
    table = _described(table, tables / SERIES, notes)
    table = _of_one_level(table, notes)
    if table.empty:
        raise DatasetError(
            "the table holds no point that is a landmark of ours",
            file=root,
            found="; ".join(notes),
            expected=f"points of {', '.join((CANAL, *SUBARTICULAR))}",
        )
    image = PICTURES + "/" + table["study_id"] + "/" + table["series_id"] + "/" + table["instance_number"] + ".dcm"
    table = table.assign(image=image, patient="rsna " + table["study_id"], source="rsna")
    sizes = look(root, table["image"].unique().tolist()).drop(columns="view")
    table = _graded(table.join(sizes, on="image"), tables / GRADES, notes)
    _count_incomplete(table, notes)
    return table, tuple(notes)


def _landmarks(labels: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    ours = (labels["condition"] == CANAL) | labels["condition"].isin(SUBARTICULAR)
    if not ours.all():
        others = labels.loc[~ours, "condition"].value_counts().sort_index()
        counts = ", ".join(f"{condition or 'no condition'} {count}" for condition, count in others.items())
        notes.append(f"{(~ours).sum()} points are another landmark and left out ({counts})")
    return labels[ours]


def _described(table: pd.DataFrame, file: Path, notes: list[str]) -> pd.DataFrame:
    """View and contrast; a point whose series shows another plane than its condition is marked in is left out."""
    meant = table["side"].map({"": "sagittal"}).fillna("axial")
    if not file.is_file():
        notes.append(f"{file.name} is not there: contrasts are not known")
        return table.assign(view=meant, contrast="")
    series = read_csv(file, text=("study_id", "series_id", "series_description"), numbers=())
    shown = series.drop_duplicates(["study_id", "series_id"]).set_index(["study_id", "series_id"])["series_description"]
    description = shown.reindex(pd.MultiIndex.from_frame(table[["study_id", "series_id"]])).set_axis(table.index)
    view = description.map({name: view for name, (view, _) in SHOWN.items()}).fillna(meant)
    contrast = description.map({name: contrast for name, (_, contrast) in SHOWN.items()}).fillna("")
    fits = view == meant
    if not fits.all():
        notes.append(f"{(~fits).sum()} points are left out: their series shows another plane than their condition")
    return table.assign(view=view, contrast=contrast)[fits]


def _of_one_level(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """An axial picture is of one level for us; on one that bears points of two nobody could say which it shows."""
    levels = table.groupby(list(IDS))["level"].transform("nunique")
    several = (table["view"] == "axial") & (levels > 1)
    if several.any():
        pictures = len(table.loc[several, list(IDS)].drop_duplicates())
        notes.append(f"{pictures} axial pictures bear points of several levels: their {several.sum()} points left out")
    return table[~several]


def _graded(table: pd.DataFrame, file: Path, notes: list[str]) -> pd.DataFrame:
    """One more column for each of `GRADED`; "" where the study has no grade."""
    if not file.is_file():
        notes.append(f"{file.name} is not there: grades are not known")
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
        of_all = f"{fewer} of {len(levels)} sagittal pictures bear fewer than five"
        notes.append(f"a point stays on the slice it was marked on: {of_all}")


READER = Reader(
    layout="RSNA 2024 Lumbar Spine Degenerative Classification",
    looks_for=f"{LABELS} beside {PICTURES}/<study>/<series>/<instance>.dcm",
    recognises=lambda root: (root / LABELS).is_file(),
    read=read,
    table=LABELS,
)
