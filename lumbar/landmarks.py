"""The landmark table: one row per point, with the same columns for every data set."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lumbar.core.constants import LEVELS, NEIGHBOURS, PARTS, ROW, SIDES, VIEWS
from lumbar.core.errors import TableError
from lumbar.geometry import upright

if TYPE_CHECKING:
    import pandera.pandas as pandera

__all__ = [
    "COLUMNS",
    "LEVELS",
    "MARGIN_INSIDE_MM",
    "NEIGHBOURS",
    "OPTIONAL",
    "PARTS",
    "REQUIRED",
    "SIDES",
    "VIEWS",
    "channels",
    "check",
    "check_neighbours",
    "frames",
    "image_names",
    "is_absent",
    "misordered",
    "neighbour_problems",
    "problems",
    "row_channels",
]

MARGIN_INSIDE_MM = 1.2
"""Distance of a sagittal point in front of the disc's posterior edge, mm. People mark the dark band of annulus and
ligament, not its last pixel; networks trained on the edge itself were off by this distance on the public labels."""

COLUMNS: dict[str, tuple[type | str, str]] = {
    "image": (str, "path relative to the data set's folder"),
    "patient": (str, "name of the patient; splits are by patient"),
    "source": (str, "hospital or data set that the image came from; splits are stratified by it"),
    "view": (str, "anatomical plane of the image"),
    "contrast": (str, "T1, T2, STIR, CT …; empty if unknown"),
    "level": (str, "disc level"),
    "side": (str, "the patient's side; axial points only"),
    "x": (float, "column in native pixels; NaN where the point is missing"),
    "y": (float, "row in native pixels; NaN where the point is missing"),
    "width": (int, "columns of the native image"),
    "height": (int, "rows of the native image"),
    "pixel_width": (float, "mm; NaN if unknown"),
    "pixel_height": (float, "mm; NaN if unknown"),
    "frame": ("Int64", "frame of the file, see `lumbar.imaging.read`; missing if the file has only one"),
    "absent": (object, "whether the point is known to lie outside the image; then x and y are missing"),
    "patient_from_file": (bool, "whether the reader named the patient after a file; other sources use it for others"),
}
"""Column of the landmark table → its dtype, and what it holds. Every reader in `lumbar.datasets` fills those that are
`REQUIRED`. Further columns are allowed and kept."""

OPTIONAL = ("frame", "absent", "patient_from_file")
"""Columns that only some tables have: `frame` where a file holds several images (a volume or a multi-frame DICOM file),
`patient_from_file` where the table may not state the patients, `absent` where a missing point is known not to be in
the image."""

REQUIRED = tuple(name for name in COLUMNS if name not in OPTIONAL)
"""Columns that every landmark table must have."""


@cache
def schema() -> pandera.DataFrameSchema:
    """Return the schema of the landmark table."""
    from pandera.pandas import Check, Column, DataFrameSchema  # takes half a second, and answering needs none of it

    lengths = ("pixel_width", "pixel_height")
    checks = {
        "image": Check.str_length(min_value=1),
        "patient": Check.str_length(min_value=1),
        "view": Check.isin(VIEWS),
        "level": Check.isin(LEVELS),
        "side": Check.isin(("", *SIDES)),
        **dict.fromkeys(("width", "height", *lengths), Check.gt(0)),
        "frame": Check.ge(0),
        "absent": Check.isin((True, False)),
    }
    columns = {
        name: Column(
            dtype,
            checks.get(name),
            nullable=name in ("x", "y", *lengths, "frame"),
            required=name in REQUIRED,
            description=holds,
        )
        for name, (dtype, holds) in COLUMNS.items()
    }
    return DataFrameSchema(columns, strict=False, coerce=True)


def channels(views: tuple[str, ...] | list[str], *, neighbours: bool = False) -> tuple[str, ...]:
    """Return the names of a network's output channels, one per point, in order.

    Sagittal and coronal images share five channels, one per level; an axial image shows one level, so its two channels
    are the sides: ``("sagittal",)`` gives 5 names, ``("axial",)`` 2, all three views 7.

    Args:
        views: The planes that the network is for, some of `VIEWS`.
        neighbours: Whether sagittal and coronal images have two more channels, for the discs `NEIGHBOURS`.

    Raises:
        ValueError: If a view is unknown or none is given.
    """
    unknown = set(views) - set(VIEWS)
    if unknown or not views:
        raise ValueError(f"views must be some of {', '.join(VIEWS)}; got {list(views)}")
    flat = LEVELS if {"sagittal", "coronal"} & set(views) else ()
    return flat + (SIDES if "axial" in views else ()) + (NEIGHBOURS if flat and neighbours else ())


def row_channels(table: pd.DataFrame) -> pd.Series:
    """Return the channel of each row of a landmark table: its side if it is axial, otherwise its level."""
    return table["side"].where(table["view"] == "axial", table["level"])


def is_absent(table: pd.DataFrame) -> pd.Series:
    """Return whether each row of a landmark table is of a point that is known to lie outside the image."""
    return table["absent"].eq(True) if "absent" in table else pd.Series(False, table.index)


def image_names(table: pd.DataFrame) -> pd.Series:
    """Return a name for the image of each row of a landmark table: its path, and its frame where the table has one."""
    if "frame" not in table:
        return table["image"]
    framed = table["image"] + " frame " + table["frame"].astype(str)
    return table["image"].where(table["frame"].isna(), framed).rename("picture")


def frames(table: pd.DataFrame) -> list[int | None]:
    """Return the argument `frame` of `lumbar.imaging.read` for each row of a landmark table; None without a frame."""
    if "frame" not in table:
        return [None] * len(table)
    numbers = pd.to_numeric(table["frame"], errors="coerce")
    return [None if pd.isna(number) else int(number) for number in numbers]


def problems(table: pd.DataFrame) -> pd.DataFrame:
    """Find what is wrong with a landmark table, row by row.

    Args:
        table: Any DataFrame that is meant to be a landmark table.

    Returns:
        DataFrame with columns row (index label, or -1 for the whole table), column, problem; empty if the table is
        valid.
    """
    from pandera.errors import SchemaErrors

    found: list[tuple[int, str, str]] = []
    try:
        table = schema().validate(table, lazy=True)
    except SchemaErrors as error:
        for case in error.failure_cases.itertuples():
            missing_column = case.check == "column_in_dataframe"
            column = case.failure_case if missing_column else case.column
            text = "the column is missing" if missing_column else f"{case.failure_case!r} {_broken(str(case.check))}"
            found.append((-1 if pd.isna(case.index) else case.index, column, text))
        if set(REQUIRED) - set(table.columns):
            return _as_problems(found)
        numbers = ["x", "y", "width", "height"]
        table = table.assign(**table[numbers].apply(pd.to_numeric, errors="coerce"))
    axial = table["view"] == "axial"
    names = image_names(table)
    by_image, point = table.groupby(names), table[["level", "side"]].assign(image=names)
    checks = [
        ("level", point.duplicated(keep=False), "this point appears in the table more than once"),
        ("x", table["x"].isna() != table["y"].isna(), "x and y must both be given or both be missing"),
        ("x", _outside(table["x"], table["width"]), "the point lies outside the picture"),
        ("y", _outside(table["y"], table["height"]), "the point lies outside the picture"),
        ("absent", is_absent(table) & table["x"].notna(), "a point outside the image has no x and y"),
        ("side", axial & (table["side"] == ""), "an axial point needs a side, left or right"),
        ("side", ~axial & (table["side"] != ""), "only axial points have a side"),
    ]
    several_levels = axial & (by_image["level"].transform("nunique") > 1)
    checks.append(("level", several_levels, "an axial picture shows one level, not several"))
    for constant in ("patient", "source", "view", "contrast", "width", "height", "pixel_width", "pixel_height"):
        several = by_image[constant].transform("nunique") > 1
        checks.append((constant, several, f"one picture has several values of {constant}"))
    found += [(row, column, text) for column, wrong, text in checks for row in table.index[wrong.to_numpy(dtype=bool)]]
    return _as_problems(found)


def _broken(rule: str) -> str:
    """Return what to say about a value that breaks a rule of the schema."""
    return "is not a number" if rule.startswith("coerce_dtype") else f"breaks the rule {rule}"


def misordered(table: pd.DataFrame, orientations: Mapping[str, np.ndarray] | None = None) -> pd.Index:
    """Return the rows of a landmark table whose point lies above the point of the next higher level.

    Sagittal and coronal images show the levels from the head down; one that does not is upside down, or its levels are
    mislabelled.

    Args:
        table: Landmark table; it may have rows of the neighbouring discs.
        orientations: Name of an image (see `image_names`) → (2, 3) unit vectors along its rows and columns, patient
            coordinates. Such an image is judged as it is shown upright, the others as they are stored.
    """
    rows = table[table["view"] != "axial"]
    rows = rows.assign(
        name=image_names(rows),
        order=rows["level"].map({level: order for order, level in enumerate(ROW)}),
        x=pd.to_numeric(rows["x"], errors="coerce"),
        y=pd.to_numeric(rows["y"], errors="coerce"),
    )
    rows = rows.dropna(subset=["order", "y"]).sort_values(["name", "order"], kind="stable")
    for name, orientation in (orientations or {}).items():
        here = rows[rows["name"] == name]
        if len(here):
            shown, *_ = upright(orientation, int(here["width"].iloc[0]), int(here["height"].iloc[0]))
            rows.loc[here.index, "y"] = shown.points(here[["x", "y"]].to_numpy(float))[:, 1]
    above = rows.groupby("name")["y"].shift(1)
    return rows.index[(rows["y"] <= above).to_numpy()]


def neighbour_problems(table: pd.DataFrame) -> pd.DataFrame:
    """Find what is wrong with rows of the discs `NEIGHBOURS`; see `problems`."""
    found = problems(_as_levels(table))
    wrong = "an axial picture has no point of this disc"
    axial = [(row, "level", wrong) for row in table.index[(table["view"] == "axial").to_numpy(dtype=bool)]]
    return pd.concat([found, _as_problems(axial)], ignore_index=True)


def _as_levels(neighbours: pd.DataFrame) -> pd.DataFrame:
    """Return rows of neighbouring discs as if they were of the levels next to them, which keep the same rules."""
    return neighbours.assign(level=neighbours["level"].map(dict(zip(NEIGHBOURS, (LEVELS[0], LEVELS[-1]), strict=True))))


def check(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the schema's dtypes, after checking that it keeps the schema.

    Args:
        table: Any DataFrame that is meant to be a landmark table.

    Raises:
        TableError: If it does not keep the schema; the message shows the first five problems and counts the rest.
    """
    _refuse(problems(table))
    return schema().validate(table)


def check_neighbours(table: pd.DataFrame) -> pd.DataFrame:
    """Return rows of the discs `NEIGHBOURS` with the schema's dtypes; see `check`."""
    _refuse(neighbour_problems(table))
    return schema().validate(_as_levels(table)).assign(level=table["level"])


def _refuse(found: pd.DataFrame) -> None:
    if len(found):
        shown = [
            f"{'table' if row < 0 else f'row {row}'}, column {column}: {problem}"
            for row, column, problem in found.head(5).itertuples(index=False)
        ]
        more = f"\n  … and {len(found) - 5} more" if len(found) > 5 else ""
        raise TableError(
            f"the landmark table has {len(found)} problem(s):\n  " + "\n  ".join(shown) + more,
            remedy="run `python -m lumbar check` on the data set's folder to see all of them",
        )


def _outside(position: pd.Series, extent: pd.Series) -> pd.Series:
    return (position < -0.5) | (position > extent - 0.5)


def _as_problems(found: list[tuple[int, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(found, columns=["row", "column", "problem"]).sort_values(
        "row", kind="stable", ignore_index=True
    )
