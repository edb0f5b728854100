"""What there is to annotate: images, with the points that are known of them so far."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from lumbar import imaging
from lumbar.annotation.slices import Slice, count_frames
from lumbar.core.constants import LEVELS, NEIGHBOURS, SIDES, VIEWS
from lumbar.core.errors import DatasetError, ScanError, TableError
from lumbar.datasets.dataset import with_standard_words
from lumbar.datasets.loading import find_reader, load
from lumbar.datasets.quality import read as read_quality
from lumbar.exports import csv_points, json_points, judgement
from lumbar.imaging.folder import list_images
from lumbar.imaging.header import read_header
from lumbar.landmarks import frames, row_channels

Points = Mapping[str, tuple[float, float] | None]
"""Name of a point → (x, y), native pixels; None if the image does not show the level. A point that is not known or not
marked yet is not in it."""

Source = str | os.PathLike | pd.DataFrame | Sequence[str | os.PathLike]
"""Where cases come from, see `find_cases`."""


@dataclass(frozen=True, eq=False)
class Case:
    """One image to annotate.

    Args:
        image: The image as its source names it.
        path: Its file.
        frame: Frame of a multi-frame file or slice of a volume, from 0; None for a file of one image.
        view: Its plane, one of `lumbar.core.constants.VIEWS`.
        names: Names of the points to mark: the levels, or the sides of an axial image.
        known: The points that the source gives.
        confidence: Name → probability that the known point is within 5 pixels of the true one (256 frame).
        higher: The known points as they would be if each level lay one disc higher.
        lower: The same one disc lower.
        flagged: Whether the known points need checking; None if nobody judged.
        level: Level of an axial image; "" otherwise.
        patient: Name of the patient that the source states; "" if it does not.
    """

    image: str
    path: Path
    frame: int | None
    view: str
    names: tuple[str, ...]
    known: Points = field(default_factory=dict)
    confidence: Mapping[str, float] = field(default_factory=dict)
    higher: Points = field(default_factory=dict)
    lower: Points = field(default_factory=dict)
    flagged: bool | None = None
    level: str = ""
    patient: str = ""

    @property
    def place(self) -> Slice:
        """The slice of the image."""
        return Slice(self.path, self.frame)


def find_cases(source: Source, quality: Path | None = None) -> tuple[list[Case], list[ScanError]]:
    """Find the images to annotate, those that need it most first.

    Flagged images come first, then the others, each by their lowest confidence; images of which nothing is known keep
    their order.

    Args:
        source: A table of points, as `lumbar predict` writes it (CSV or JSON) or `lumbar.predict` returns it; a data
            set with a landmark table; or an image, a folder of images, or several of these.
        quality: Judgements of a quality control; only the images that failed, or of which somebody was unsure, become
            cases.

    Returns:
        The cases, and why images were left out, one error each.

    Raises:
        ScanError: If there is no image to annotate.
        TableError: If a table is not a table of points.
        DatasetError: If a data set cannot be read.
    """
    if isinstance(source, pd.DataFrame):
        found = list(_of_table(source, Path()))
    elif isinstance(source, str | os.PathLike) and (table := _table_at(Path(source))) is not None:
        found = list(_of_table(*table))
    else:
        found = list(_of_files([source] if isinstance(source, str | os.PathLike) else source))
    cases, refused = _each_once(found)
    if quality is not None:
        failing = set(read_quality(quality).failing([case.path for case in cases]))
        cases = [case for case in cases if case.path in failing]
        if not cases:
            raise ScanError("none of the images failed the quality control", file=quality)
    if not cases:
        raise refused[0] if refused else ScanError("there is no image to annotate", file=_in_words(source))
    return sorted(cases, key=_urgency), refused


def _each_once(found: Sequence[Case | ScanError]) -> tuple[list[Case], list[ScanError]]:
    """Return the cases, and the errors; an image that has another name as well is a case only once."""
    cases, refused, seen = [], [], {}
    for each in found:
        if isinstance(each, ScanError):
            refused.append(each)
            continue
        first = seen.setdefault((each.path.resolve(), each.frame, each.level), each)
        if first is each:
            cases.append(each)
        else:
            refused.append(ScanError(f"the same image as {first.image}, which is annotated once", file=each.image))
    return cases, refused


def _urgency(case: Case) -> tuple[bool, float]:
    return not case.flagged, min(case.confidence.values(), default=1.0)


def _in_words(source: Source) -> str:
    if isinstance(source, pd.DataFrame):
        return "a table without rows"
    return ", ".join(map(str, [source] if isinstance(source, str | os.PathLike) else source)) or "no file"


def _table_at(place: Path) -> tuple[pd.DataFrame, Path] | None:
    """Return the table of points that a path stands for, and the folder of its images; None if it names images."""
    if place.suffix.lower() == ".json":
        return json_points.read(place).table, place.parent
    if place.suffix.lower() == ".csv" and csv_points.is_one(place):
        return csv_points.read(place), place.parent
    if place.suffix.lower() == ".csv" or _is_dataset(place):
        dataset = load(place)
        table = dataset.table.assign(image=[str(dataset.path(each)) for each in dataset.table["image"]])
        return table, dataset.root
    return None


def _is_dataset(folder: Path) -> bool:
    try:
        return folder.is_dir() and bool(find_reader(folder))
    except DatasetError:  # a folder of images
        return False


def _of_table(table: pd.DataFrame, folder: Path) -> Iterator[Case | ScanError]:
    lacking = {"image", "view", "level", "side", "x", "y"} - set(table)
    if lacking:
        raise TableError(
            "this is not a table of points",
            field=", ".join(sorted(lacking)),
            expected="the columns image, view, level, side, x, y",
            remedy="take the table that lumbar.predict returns, or one that `lumbar predict --out FILE.csv` writes",
        )
    text = {name: table[name].fillna("").astype(str) for name in ("image", "view", "level", "side")}
    table, _ = with_standard_words(table.assign(**text))
    table = table[~table["level"].isin(NEIGHBOURS)]
    _refuse_unknown(table)
    axial_level = table["level"].where(table["view"] == "axial", "")
    table = table.assign(_frame=pd.array(frames(table), dtype="Int64"), _level=axial_level)
    for (image, _, _), rows in table.groupby(["image", "_frame", "_level"], sort=False, dropna=False):
        path = csv_points.path_of(image, folder).absolute()
        if not path.is_file():
            remedy = "put the image back, or give the table in the folder that its paths start from"
            yield ScanError("the image of these points is gone", file=path, remedy=remedy)
        elif rows["view"].iloc[0] == "axial" and not rows["_level"].iloc[0]:
            yield _without_level(path)
        else:
            yield _case(image, path, rows)


def _refuse_unknown(table: pd.DataFrame) -> None:
    """Refuse rows that would be lost: of unknown planes and points, and of points that are there twice."""
    axial = table["view"] == "axial"
    frame = pd.Series(frames(table), table.index, dtype="Int64")
    checks = [
        ("view", ~table["view"].isin(VIEWS), ", ".join(VIEWS)),
        ("level", ~axial & ~table["level"].isin(LEVELS), ", ".join(LEVELS)),
        ("side", axial & ~table["side"].isin(SIDES), ", ".join(SIDES)),
        ("level", table.assign(f=frame).duplicated(["image", "f", "level", "side"], keep=False), "each point once"),
    ]
    for field_name, wrong, expected in checks:
        if wrong.any():
            row = table[wrong].iloc[0]
            found = f"{row[field_name]!r} of {row['image']}"
            raise TableError("the table has rows that cannot be used", field=field_name, found=found, expected=expected)


def _case(image: str, path: Path, rows: pd.DataFrame) -> Case:
    view = rows["view"].iloc[0]
    names = row_channels(rows)
    absent = rows["absent"].astype(float).gt(0.5) if "absent" in rows else pd.Series(False, rows.index)
    frame = rows["_frame"].iloc[0]
    patient = rows["patient"].iloc[0] if "patient" in rows else ""
    return Case(
        image,
        path,
        None if pd.isna(frame) else int(frame),
        view,
        SIDES if view == "axial" else LEVELS,
        known=_points(names, rows, "x", "y", absent),
        confidence=_numbers(names, rows, "confidence"),
        higher=_points(names, rows, "x_higher", "y_higher"),
        lower=_points(names, rows, "x_lower", "y_lower"),
        flagged=judgement(rows["flagged"]) if "flagged" in rows else None,
        level=rows["_level"].iloc[0],
        patient="" if pd.isna(patient) else str(patient),
    )


def _points(names: pd.Series, rows: pd.DataFrame, x: str, y: str, absent: pd.Series | None = None) -> Points:
    if x not in rows:
        return {}
    found = {}
    for position, (name, here) in enumerate(zip(names, rows[[x, y]].to_numpy(float), strict=True)):
        if np.isfinite(here).all():
            found[name] = (float(here[0]), float(here[1]))
        elif absent is not None and absent.iloc[position]:
            found[name] = None
    return found


def _numbers(names: pd.Series, rows: pd.DataFrame, column: str) -> dict[str, float]:
    if column not in rows:
        return {}
    values = zip(names, rows[column].to_numpy(float), strict=True)
    return {name: float(value) for name, value in values if np.isfinite(value)}


def _of_files(paths: Sequence[str | os.PathLike]) -> Iterator[Case | ScanError]:
    for path in list_images([os.fspath(Path(path).absolute()) for path in paths]).images:
        try:
            yield _of_file(path)
        except ScanError as error:
            yield error


def _of_file(path: Path) -> Case:
    if not path.is_file():
        raise ScanError("there is no such file", file=path)
    if imaging.is_mask(path):
        raise ScanError("the volume holds labels (a mask), not a scan", file=path, remedy="give the scan itself")
    if count := count_frames(path):
        return Case(str(path), path, count // 2, VIEWS[0], LEVELS)
    view = read_header(path).view or VIEWS[0]
    if view == "axial":
        raise _without_level(path)
    return Case(str(path), path, None, view, LEVELS)


def _without_level(path: Path) -> ScanError:
    return ScanError(
        "an axial image does not tell its level, so its points would have no name",
        file=path,
        remedy="annotate a table that states the level of each axial image",
    )
