"""Inspect a data set before it is used: its layout, its contents, and what is wrong with it, row by row.

``python -m lumbar check PATH`` prints the result. The inspection changes nothing and checks everything: a data set with
a thousand errors gives one page, not only the first error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from lumbar import imaging, landmarks
from lumbar.core.errors import DatasetError, ScanError
from lumbar.datasets import units
from lumbar.datasets.dataset import Dataset, with_absent_as_read, without_neighbours
from lumbar.datasets.loading import find_reader
from lumbar.imaging import identity

COLUMNS = ("row", "image", "column", "problem")
_SHOWN = 3
_STATED = ("width", "height", "pixel_width", "pixel_height", "view")


@dataclass(frozen=True, eq=False)
class Inspection:
    """The result of inspecting a data set.

    Args:
        path: The folder or file that was inspected.
        layout: Name of the layout; "" if it is unknown.
        summary: Lines (name, value) about the contents of the data set.
        problems: DataFrame of row (of the table, from 0; -1 for the whole table), image, column, problem.
        notes: Notes of the reader, and warnings about the images with their counts.
        refusal: Why the data set cannot be read at all; "" if it can.
        first_line: Line of row 0 in the file of the table; its header stands on the line before.
    """

    path: Path
    layout: str
    summary: tuple[tuple[str, str], ...]
    problems: pd.DataFrame
    notes: tuple[str, ...] = ()
    refusal: str = ""
    first_line: int = 2

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
            shown = [
                ", ".join(
                    part
                    for part in (
                        f"line {row + self.first_line}" if row >= 0 else "",
                        image,
                        column and f"column {column}",
                    )
                    if part
                )
                for row, image, column in rows[["row", "image", "column"]].head(_SHOWN).itertuples(index=False)
            ]
            lines += [f"    {place}" for place in shown if place]
            lines += [f"    … and {len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else []
        return lines


def inspect(path: str | Path, *, progress: bool = True) -> Inspection:
    """Inspect a data set.

    Args:
        path: The folder of the data set, or the table in it.
        progress: Show a progress bar while the images are opened.

    Returns:
        The result; if the folder is not a data set, its `refusal` says why.
    """
    layout = ""
    try:
        reader, root = find_reader(path)
        layout = reader.layout
        dataset, placeholders = units.settle(without_neighbours(with_absent_as_read(reader.read(root))))
        pictures = _look_at_images(dataset, progress=progress)
    except DatasetError as error:
        return Inspection(Path(path), layout, (), pd.DataFrame(columns=COLUMNS), refusal=str(error))
    found = [
        _unit_problems(dataset.table, placeholders, judged=reader.user_made),
        _table_problems(dataset, pictures),
        _order_problems(pd.concat([dataset.table, dataset.neighbours]), pictures),
        _image_problems(dataset, pictures),
    ]
    problems = pd.concat(found).sort_values("row", kind="stable", ignore_index=True)
    remarks = pictures["remarks"].explode().dropna().value_counts(sort=False)
    notes = (*dataset.notes, *(f"{count} picture(s): {remark}" for remark, count in remarks.items()))
    first_line = dataset.table.attrs.get("first_line", 2)
    return Inspection(Path(path), layout, _summary(dataset, pictures), problems, notes, first_line=first_line)


def _look_at_images(dataset: Dataset, *, progress: bool) -> pd.DataFrame:
    """Read every image of the table and return what its file states.

    Returns:
        DataFrame indexed by `landmarks.image_names`, with the columns image, `_STATED` (missing if the file does not
        state it), fault ("" if there is none), remarks and orientation.
    """
    rows, identities = [], []
    names = landmarks.image_names(dataset.table)
    first = dataset.table[~names.duplicated()]
    each_once = zip(names.unique(), first["image"], landmarks.frames(first), strict=True)
    for name, image, frame in tqdm(each_once, "pictures", len(first), disable=not progress, leave=False):
        file, row = dataset.path(image), {"name": name, "image": image, "fault": ""}
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
    stated = pd.DataFrame(rows, columns=["name", "image", *_STATED, "fault", "remarks", "orientation"]).set_index(
        "name"
    )
    for image, clash in identity.clashes(identities):
        stated.loc[(stated["image"] == image) & (stated["fault"] == ""), "fault"] = clash
    return stated


def _unit_problems(table: pd.DataFrame, placeholders: pd.Index, *, judged: bool) -> pd.DataFrame:
    """Return the points that stand for "not marked", and where the unit must be judged, what looks like another one."""
    empty = 'the point stands for "not marked", as (0, 0) and (-1, -1) do, and counts as missing: leave x and y empty'
    found = [_problems(table, placeholders, "x", empty)]
    for suspicion in units.suspicions(table) if judged else ():
        whole = pd.DataFrame([(-1, "", "x, y", suspicion.problem)], columns=COLUMNS)
        found.append(_problems(table, suspicion.rows, "x, y", suspicion.problem) if len(suspicion.rows) else whole)
    return pd.concat(found, ignore_index=True)


def _table_problems(dataset: Dataset, pictures: pd.DataFrame) -> pd.DataFrame:
    found, rows = landmarks.problems(dataset.table), pd.concat([dataset.table, dataset.neighbours])
    if dataset.neighbours is not None:
        found = pd.concat([found, landmarks.neighbour_problems(dataset.neighbours)], ignore_index=True)
    images = rows["image"].reindex(found["row"]).fillna("").to_numpy()
    # An image that cannot be opened has no size either; only the first of these problems is reported.
    closed = landmarks.image_names(rows).map(pictures["width"].isna()).reindex(found["row"], fill_value=False)
    unknown = closed.to_numpy(dtype=bool) & found["column"].isin(("width", "height")).to_numpy()
    return found.assign(image=images).loc[~unknown, list(COLUMNS)]


def _order_problems(table: pd.DataFrame, pictures: pd.DataFrame) -> pd.DataFrame:
    rows = landmarks.misordered(table, pictures["orientation"].dropna().to_dict())
    return _problems(table, rows, "y", "the level lies above the one it should lie below")


def _image_problems(dataset: Dataset, pictures: pd.DataFrame) -> pd.DataFrame:
    table, names = dataset.table, landmarks.image_names(dataset.table)
    seen, first = pictures.reindex(names).set_axis(table.index), ~names.duplicated()
    found = [
        _problems(table, table.index[(seen["fault"] == fault) & first], "image", fault)
        for fault in sorted(set(pictures["fault"]) - {""})
    ]
    for column in _STATED:
        if column == "view":
            same = table[column] == seen[column]
        else:
            stated = pd.to_numeric(table[column], errors="coerce")
            same = np.isclose(stated, pd.to_numeric(seen[column]), rtol=1e-4, atol=0) | stated.isna()
        differs = seen[column].notna() & ~same & first
        found.append(_problems(table, table.index[differs], column, f"the picture's {column} differs from the table"))
    return pd.concat(found, ignore_index=True)


def _problems(table: pd.DataFrame, rows: pd.Index, column: str, problem: str) -> pd.DataFrame:
    images = table.loc[rows, "image"].to_numpy()
    return pd.DataFrame({"row": rows, "image": images, "column": column, "problem": problem}, columns=COLUMNS)


def _summary(dataset: Dataset, pictures: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    table, names = dataset.table, landmarks.image_names(dataset.table)
    per_image = table[~names.duplicated()]
    missing = pd.to_numeric(table["x"], errors="coerce").isna() | pd.to_numeric(table["y"], errors="coerce").isna()
    absent = int(pictures["width"].isna().sum())
    fewer = table[table["view"] != "axial"].groupby(names)["level"].nunique().lt(len(landmarks.LEVELS)).sum()
    return (
        ("pictures", f"{len(pictures)}" + (f", {len(pictures) - absent} of them can be opened" if absent else "")),
        ("patients", str(table["patient"].nunique())),
        ("sources", _counts(per_image["source"])),
        ("views", _counts(per_image["view"])),
        ("contrasts", _counts(per_image["contrast"])),
        ("sizes", _sizes(per_image)),
        ("points", f"{len(table)}, {int(missing.sum())} of them missing (not visible or not marked)"),
        ("levels", _counts(table["level"]) + (f"; {fewer} picture(s) without all five" if fewer else "")),
    )


def _counts(values: pd.Series) -> str:
    """Return each value with its count; long lists are cut."""
    counts = values.replace("", "unknown").value_counts(sort=False).sort_index()
    shown = ", ".join(f"{value} {count}" for value, count in counts.head(8).items())
    return shown + (f" and {len(counts) - 8} more" if len(counts) > 8 else "")


def _sizes(per_image: pd.DataFrame) -> str:
    sizes = per_image[["width", "height"]].apply(pd.to_numeric, errors="coerce")
    low, high = sizes.min(), sizes.max()
    return f"{low['width']:g} to {high['width']:g} wide, {low['height']:g} to {high['height']:g} high"
