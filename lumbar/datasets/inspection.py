"""Look through a data set before it is used: what it is, what is in it, and what is wrong with it, row by row.

The engine of ``python -m lumbar check PATH``. Nothing is changed, and everything is looked at: a data set with a
thousand faults gives one page, not the first error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from lumbar import imaging, landmarks
from lumbar.core.errors import DatasetError, ScanError
from lumbar.datasets.dataset import Dataset
from lumbar.datasets.loading import find_reader
from lumbar.imaging import identity

COLUMNS = ("row", "image", "column", "problem")
_SHOWN = 3
_TOLD = ("width", "height", "pixel_width", "pixel_height", "view")


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was found.

    Args:
        path: What was looked at.
        layout: Name of the layout, "" if we know none like it.
        summary: Lines (name, value) on what the data set holds.
        problems: DataFrame of row (of the table, from 0; -1 for none in particular), image, column, problem.
        notes: What the reader had to say.
        refusal: Why the data set cannot be read at all, "" if it can.
    """

    path: Path
    layout: str
    summary: tuple[tuple[str, str], ...]
    problems: pd.DataFrame
    notes: tuple[str, ...] = ()
    refusal: str = ""

    @property
    def ok(self) -> bool:
        """Whether the data set can be read and nothing is wrong with it."""
        return not self.refusal and self.problems.empty

    def __str__(self) -> str:
        if self.refusal:
            return f"{self.path}: not a data set we can read\n\n{self.refusal}"
        lines = [f"{self.path}: a data set we can read ({self.layout})", ""]
        width = max(len(name) for name, _ in self.summary)
        lines += [f"  {name:<{width}}  {value}" for name, value in self.summary]
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join([*lines, "", *self._problem_lines()])

    def _problem_lines(self) -> list[str]:
        if self.problems.empty:
            return ["Nothing is wrong with it."]
        lines = [f"{len(self.problems)} problem(s):"]
        for problem, rows in self.problems.groupby("problem", sort=False):
            lines.append(f"  {problem}: {len(rows)} time(s)")
            # The table's header is line 1 of its file, row 0 is line 2.
            shown = [
                ", ".join(
                    part
                    for part in (f"line {row + 2}" if row >= 0 else "", image, column and f"column {column}")
                    if part
                )
                for row, image, column in rows[["row", "image", "column"]].head(_SHOWN).itertuples(index=False)
            ]
            lines += [f"    {place}" for place in shown if place]
            lines += [f"    … and {len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else []
        return lines


def inspect(path: str | Path, *, progress: bool = True) -> Inspection:
    """Look through a data set.

    Args:
        path: Its folder.
        progress: Whether to show a progress bar while the pictures are opened.

    Returns:
        The findings; a folder that is no data set gives one whose `refusal` says why.
    """
    layout = ""
    try:
        reader, root = find_reader(path)
        layout = reader.layout
        dataset = reader.read(root)
        pictures = _look_at_pictures(dataset, progress=progress)
    except DatasetError as error:
        return Inspection(Path(path), layout, (), pd.DataFrame(columns=COLUMNS), refusal=str(error))
    found = [
        _table_problems(dataset, pictures),
        _order_problems(dataset.table, pictures),
        _picture_problems(dataset, pictures),
    ]
    problems = pd.concat(found).sort_values("row", kind="stable", ignore_index=True)
    remarks = pictures["remarks"].explode().dropna().value_counts(sort=False)
    notes = (*dataset.notes, *(f"{count} picture(s): {remark}" for remark, count in remarks.items()))
    return Inspection(Path(path), layout, _summary(dataset, pictures), problems, notes)


def _look_at_pictures(dataset: Dataset, *, progress: bool) -> pd.DataFrame:
    """What each picture of the table says of itself: `_TOLD` (missing if it does not say), fault ("" if none), remarks.

    The index is `landmarks.picture`.
    """
    rows, identities = [], []
    names = landmarks.picture(dataset.table)
    first = dataset.table[~names.duplicated()]
    several = zip(names.unique(), first["image"], landmarks.frames(first), strict=True)
    for name, image, frame in tqdm(several, "pictures", len(first), disable=not progress, leave=False):
        file, row = dataset.path(image), {"picture": name, "image": image, "fault": ""}
        if not file.is_file():
            row["fault"] = "the picture is not there"
        else:
            try:
                scan = imaging.read(file, frame=frame)
                height, width = scan.pixels.shape
                row |= {"width": width, "height": height, "view": scan.view}
                row |= {"pixel_width": scan.pixel_width, "pixel_height": scan.pixel_height}
                row |= {"remarks": scan.warnings, "orientation": scan.orientation}
                identities.append((image, scan.identity))
                if scan.pixels.min() == scan.pixels.max():
                    row["fault"] = "the picture is one grey throughout"
            except ScanError as error:
                row["fault"] = f"the picture cannot be read ({error.problem})"
        rows.append(row)
    told = pd.DataFrame(rows, columns=["picture", "image", *_TOLD, "fault", "remarks", "orientation"]).set_index(
        "picture"
    )
    for image, clash in identity.clashes(identities):
        told.loc[(told["image"] == image) & (told["fault"] == ""), "fault"] = clash
    return told


def _table_problems(dataset: Dataset, pictures: pd.DataFrame) -> pd.DataFrame:
    found = landmarks.problems(dataset.table)
    images = dataset.table["image"].reindex(found["row"]).fillna("").to_numpy()
    # Where the size comes from the picture, one that cannot be opened has none: said once, of the picture.
    closed = landmarks.picture(dataset.table).map(pictures["width"].isna()).reindex(found["row"], fill_value=False)
    unknown = closed.to_numpy(dtype=bool) & found["column"].isin(("width", "height")).to_numpy()
    return found.assign(image=images).loc[~unknown, list(COLUMNS)]


def _order_problems(table: pd.DataFrame, pictures: pd.DataFrame) -> pd.DataFrame:
    rows = landmarks.misordered(table, pictures["orientation"].dropna().to_dict())
    return _problems(table, rows, "y", "the level lies above the one it should lie below")


def _picture_problems(dataset: Dataset, pictures: pd.DataFrame) -> pd.DataFrame:
    table, names = dataset.table, landmarks.picture(dataset.table)
    seen, first = pictures.reindex(names).set_axis(table.index), ~names.duplicated()
    found = [
        _problems(table, table.index[(seen["fault"] == fault) & first], "image", fault)
        for fault in sorted(set(pictures["fault"]) - {""})
    ]
    for column in _TOLD:
        if column == "view":
            same = table[column] == seen[column]
        else:
            stated = pd.to_numeric(table[column], errors="coerce")
            same = np.isclose(stated, pd.to_numeric(seen[column]), rtol=1e-4, atol=0) | stated.isna()
        differs = seen[column].notna() & ~same & first
        found.append(
            _problems(table, table.index[differs], column, f"the picture has another {column} than the table says")
        )
    return pd.concat(found, ignore_index=True)


def _problems(table: pd.DataFrame, rows: pd.Index, column: str, problem: str) -> pd.DataFrame:
    images = table.loc[rows, "image"].to_numpy()
    return pd.DataFrame({"row": rows, "image": images, "column": column, "problem": problem}, columns=COLUMNS)


def _summary(dataset: Dataset, pictures: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    table, names = dataset.table, landmarks.picture(dataset.table)
    per_picture = table[~names.duplicated()]
    missing = pd.to_numeric(table["x"], errors="coerce").isna() | pd.to_numeric(table["y"], errors="coerce").isna()
    absent = int(pictures["width"].isna().sum())
    fewer = table[table["view"] != "axial"].groupby(names)["level"].nunique().lt(len(landmarks.LEVELS)).sum()
    return (
        ("pictures", f"{len(pictures)}" + (f", {len(pictures) - absent} of them can be opened" if absent else "")),
        ("patients", str(table["patient"].nunique())),
        ("sources", _counts(per_picture["source"])),
        ("views", _counts(per_picture["view"])),
        ("contrasts", _counts(per_picture["contrast"])),
        ("sizes", _sizes(per_picture)),
        ("points", f"{len(table)}, {int(missing.sum())} of them missing (not visible or not marked)"),
        ("levels", _counts(table["level"]) + (f"; {fewer} picture(s) without all five" if fewer else "")),
    )


def _counts(values: pd.Series) -> str:
    """The values with how often each occurs; long lists are cut."""
    counts = values.replace("", "unknown").value_counts(sort=False).sort_index()
    shown = ", ".join(f"{value} {count}" for value, count in counts.head(8).items())
    return shown + (f" and {len(counts) - 8} more" if len(counts) > 8 else "")


def _sizes(per_picture: pd.DataFrame) -> str:
    sizes = per_picture[["width", "height"]].apply(pd.to_numeric, errors="coerce")
    low, high = sizes.min(), sizes.max()
    return f"{low['width']:g} to {high['width']:g} wide, {low['height']:g} to {high['height']:g} high"
