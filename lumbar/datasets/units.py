"""Find coordinates that are not pixels: stated units are converted, unstated ones are named, "not marked" is missing.

Annotation tools export points as fractions of the picture (0 to 1), in percent or in millimetres, and write (0, 0) or
(-1, -1) for a point that nobody marked. A network that learns from such a table learns a wrong place without any error.
A table states its unit in the column `xy_unit`. Without that column, a unit can only be guessed; it is never converted.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lumbar import landmarks
from lumbar.core.errors import DatasetError
from lumbar.datasets.dataset import Dataset

COLUMN = "xy_unit"
"""Column that states the unit of x and y, one of `UNITS`; empty where it is not stated."""

PIXELS, RELATIVE, PERCENT, MILLIMETRES = UNITS = ("px", "relative", "percent", "mm")
"""px: the centre of the first pixel is (0, 0). relative: x is a share of the width, y of the height. percent: a hundred
times relative. mm: pixels times the pixel spacing."""

REMEDY = f"state the unit as {COLUMN} ({', '.join(UNITS)}), a column or in COCO an entry of the file, to convert them"

_SPELLINGS = {
    **{unit: unit for unit in UNITS},
    **dict.fromkeys(("pixel", "pixels"), PIXELS),
    **dict.fromkeys(("fraction", "normalized", "normalised", "0-1"), RELATIVE),
    "%": PERCENT,
    **dict.fromkeys(("millimetre", "millimetres", "millimeter", "millimeters"), MILLIMETRES),
}

_CORNER = 2.0
"""Pixels. A disc is never this close to the corner of a picture; fractions of a picture always are."""

_UPPER_LEFT = 0.3
"""Share of width and height. Lumbar discs have their centre well inside a picture; percent read as pixels do not."""

_STEP_MM = (27.0, 43.0)
"""Mean distance of neighbouring discs in adults, mm: a vertebra of 25 to 30 and a disc of 7 to 12."""

_ALIKE = 0.12
"""Largest standard deviation of the logarithm of a length that is the same in all adults."""

_CLEARER = 1.6
"""How much more the distances must vary if they are read as pixels; 2 in synthetic patients in millimetres, 0.5 to 0.6
in the same patients in pixels."""

_FEWEST = 4
"""Smallest number of pictures whose distances are compared."""


@dataclass(frozen=True)
class Suspicion:
    """Coordinates that look like another unit than pixels.

    Args:
        unit: The unit that they look like, in words.
        rows: First row of each picture concerned; empty if only the whole table shows it.
        evidence: What makes them look so, in words.
        certain: Whether they cannot be pixels, so that the table must not be used.
    """

    unit: str
    rows: pd.Index
    evidence: str
    certain: bool

    @property
    def problem(self) -> str:
        """One sentence for `check`."""
        return (
            f"the points {'look like' if self.certain else 'may be'} {self.unit}, not pixels: {self.evidence}; {REMEDY}"
        )


def settle(dataset: Dataset) -> tuple[Dataset, pd.Index]:
    """Set the points that stand for "not marked" to missing, and convert the coordinates of a stated unit to pixels.

    Args:
        dataset: As its reader returns it.

    Returns:
        The data set, with x and y in native pixels where the unit was stated; and the rows of the table that were set
        to missing.

    Raises:
        DatasetError: If a stated unit is unknown, or millimetres are stated for an image of unknown pixel spacing.
    """
    if dataset.neighbours is not None:
        beside, _ = settle(dataclasses.replace(dataset, table=dataset.neighbours, neighbours=None))
        dataset = dataclasses.replace(dataset, neighbours=beside.table)
    xy = _numbers(dataset.table, "x", "y")
    placeholder = (xy["x"] == xy["y"]) & ((xy["x"] == 0) | (xy["x"] <= -1))
    table = dataset.table
    if placeholder.any():
        table = table.assign(x=table["x"].mask(placeholder), y=table["y"].mask(placeholder))
    if COLUMN in table:
        table = _converted(dataclasses.replace(dataset, table=table))
    return dataclasses.replace(dataset, table=table), table.index[placeholder]


def _converted(dataset: Dataset) -> pd.DataFrame:
    table = dataset.table
    given = table[COLUMN].fillna("").astype(str).str.strip()
    unit = given.str.lower().map({"": "", **_SPELLINGS})
    if unit.isna().any():
        raise DatasetError(
            "this is not a unit of coordinates",
            file=dataset.root,
            field=COLUMN,
            found=given[unit.isna()].iloc[0],
            expected=", ".join(UNITS),
        )
    sizes = _numbers(table, "width", "height", "pixel_width", "pixel_height")
    unknown = (unit == MILLIMETRES) & sizes["width"].notna() & sizes[["pixel_width", "pixel_height"]].isna().any(axis=1)
    if unknown.any():
        raise DatasetError(
            "the points are in millimetres, but the pixel spacing of their picture is unknown",
            file=dataset.root,
            field="pixel_width, pixel_height",
            found=f"{table.loc[unknown, 'image'].nunique()} picture(s), e.g. {table.loc[unknown, 'image'].iloc[0]}",
            remedy="give both columns (mm), or the DICOM files, which state the spacing",
        )
    for axis, extent, spacing in (("x", "width", "pixel_width"), ("y", "height", "pixel_height")):
        values = pd.to_numeric(table[axis], errors="coerce")
        scaled = values.mask(unit == RELATIVE, values * sizes[extent])
        scaled = scaled.mask(unit == PERCENT, values * sizes[extent] / 100)
        scaled = scaled.mask(unit == MILLIMETRES, values / sizes[spacing])
        table = table.assign(**{axis: table[axis].where(values.isna(), scaled)})
    return table.assign(**{COLUMN: unit.mask(unit != "", PIXELS)})


def suspicions(table: pd.DataFrame) -> list[Suspicion]:
    """Find coordinates that look like another unit than pixels, where the table does not state the unit.

    Fractions are recognised picture by picture. Percent is certain if half of the pictures look like it. Millimetres
    are never certain: they are only found if the pixels are much smaller or larger than one millimetre, or if pixel
    spacings or sizes vary.

    Args:
        table: Landmark table, checked or not, as `settle` returns it.
    """
    numbers = _numbers(table, "x", "y", "width", "height", "pixel_width", "pixel_height")
    points = table[["view", "level"]].assign(name=landmarks.image_names(table), **numbers)
    cut_off = set(points.loc[landmarks.is_absent(table), "name"])
    if COLUMN in table:
        points = points[table[COLUMN] == ""]
    points = points.dropna(subset=["x", "y", "width", "height"])
    if points.empty:
        return []
    pictures = _per_picture(points)
    smallest, largest = pictures[["x_min", "y_min"]].min(axis=1), pictures[["x_max", "y_max"]].max(axis=1)
    large = pictures[["width", "height"]].min(axis=1) > 10 * _CORNER
    relative = large & (smallest > -_CORNER) & (largest <= _CORNER)
    inside = pictures[["x_mean", "y_mean"]].ge(10).all(axis=1) & pictures[["x_mean", "y_mean"]].le(90).all(axis=1)
    percent = (pictures["count"] > 1) & (smallest >= 0) & (largest <= 100) & inside & _in_upper_left(pictures)
    percent &= ~pictures.index.isin(cut_off)  # there the levels that are left may lie anywhere
    found = []
    if relative.any():
        evidence = f"all within {_CORNER:g} pixels of the corner"
        found.append(_suspicion("fractions of the picture (0 to 1)", pictures[relative], evidence, certain=True))
    if percent.any():
        evidence = "none is above 100, and all lie in the upper left of the picture"
        certain = percent.sum() >= (pictures["count"] > 1).sum() / 2
        found.append(_suspicion("percent of the picture", pictures[percent], evidence, certain=bool(certain)))
    evidence = _like_millimetres(points, pictures) if not found else ""
    if evidence:
        found.append(Suspicion("millimetres", pd.Index([]), evidence, certain=False))
    return found


def _per_picture(points: pd.DataFrame) -> pd.DataFrame:
    """Return one row per picture: its first row, its size, and the range, mean and number of its points."""
    groups = points.groupby("name", sort=False)
    xy = groups[["x", "y"]].agg(["min", "max", "mean"])
    xy.columns = [f"{axis}_{kind}" for axis, kind in xy.columns]
    first = groups[["width", "height"]].first().assign(row=points.index.to_series().groupby(points["name"]).first())
    return xy.join(first).assign(count=groups.size())


def _in_upper_left(pictures: pd.DataFrame) -> pd.Series:
    across, down = pictures["x_mean"] / pictures["width"], pictures["y_mean"] / pictures["height"]
    return (across < _UPPER_LEFT) & (down < _UPPER_LEFT)


def _suspicion(unit: str, pictures: pd.DataFrame, evidence: str, *, certain: bool) -> Suspicion:
    return Suspicion(unit, pd.Index(pictures["row"]), evidence, certain)


def _like_millimetres(points: pd.DataFrame, pictures: pd.DataFrame) -> str:
    """Return what makes the points look like millimetres; "" if nothing does.

    Neighbouring discs lie about 35 mm apart in all adults. As pixels, their distance depends on the picture.
    """
    order = points["level"].map({level: number for number, level in enumerate(landmarks.LEVELS)})
    rows = points.assign(order=order)[points["view"] != "axial"].dropna(subset=["order"])
    rows = rows.sort_values(["name", "order"], kind="stable")
    change = rows.groupby("name")[["x", "y", "order"]].diff()
    change = change[change["order"] == 1]
    spacing = rows.loc[change.index, ["pixel_width", "pixel_height"]].to_numpy()
    steps = pd.DataFrame(
        {
            "name": rows.loc[change.index, "name"],
            "step": np.hypot(change["x"], change["y"]),
            "mm": np.hypot(*(change[["x", "y"]].to_numpy() * spacing).T),
        }
    )
    steps = steps.groupby("name")[["step", "mm"]].mean()
    step, as_pixels = steps["step"].median(), steps["mm"].median()
    if not _is_a_step(step):
        return ""
    apart = f"neighbouring levels lie {step:.0f} apart"
    known, pictures = not np.isnan(as_pixels), pictures.loc[steps.index]
    if known and not _is_a_step(as_pixels):
        return f"{apart}, as in adults in millimetres; as pixels that would be {as_pixels:.0f} mm"
    if not known and _in_upper_left(pictures).mean() > 0.5:
        return f"{apart}, and all in the upper left of the picture; or the pixels of smaller copies of the pictures"
    spread = np.log(steps["step"]).std()
    if_pixels = np.log(steps["mm"] if known else steps["step"] / pictures["height"]).std()
    if len(steps) >= _FEWEST and spread < _ALIKE and _CLEARER * spread < if_pixels:
        return f"{apart} in pictures of every {'pixel spacing' if known else 'size'}"
    return ""


def _is_a_step(distance: float) -> bool:
    return bool(_STEP_MM[0] <= distance <= _STEP_MM[1])


def _numbers(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return table[list(columns)].apply(pd.to_numeric, errors="coerce")


def refuse_certain(dataset: Dataset, found: list[Suspicion]) -> None:
    """Raise an error for the first suspicion that is certain.

    Args:
        dataset: The data set that the suspicions are about.
        found: As `suspicions` returns them.

    Raises:
        DatasetError: If a suspicion is certain.
    """
    for suspicion in (each for each in found if each.certain):
        first = dataset.table.loc[suspicion.rows[0]]
        raise DatasetError(
            f"the points look like {suspicion.unit}, not pixels",
            file=dataset.root,
            field="x, y",
            found=f"{len(suspicion.rows)} picture(s), {suspicion.evidence}; e.g. ({first['x']:g}, {first['y']:g}) in "
            f"{first['image']}, {first['width']:g}×{first['height']:g} pixels",
            expected="native pixels",
            remedy=REMEDY,
        )
