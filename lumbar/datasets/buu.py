"""BUU-LSPINE (Burapha University): X-ray pictures from the front and from the side, with the ends of each endplate.

Folders `AP/` and `LA/`, or all files in one: beside each `<number>-<sex>-<age>Y<0 or 1>.jpg` stands a CSV without a
header, rows x1, y1, x2, y2, class, from L1's upper endplate down to L5's lower one and, from the side, S1's upper one.
Y0 is the view from the front (AP), Y1 the one from the side (LA); from the side the patient looks to the left and the
first end is the anterior one. File names and order of the ends as public code reads them, the pictures' layout as the
set's authors describe it (Klinwichit et al., Applied Sciences 13, 8646, 2023).

A level's point lies between the lower endplate of the vertebra above and the upper one of that below: from the side
half-way between their posterior ends, which is on the posterior margin of the disc; from the front in the middle of
all four ends, the centre of the disc. From the front S1 is not marked, so L5/S1 is missing there.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from lumbar import landmarks
from lumbar.core.errors import DatasetError
from lumbar.datasets.dataset import Dataset, Reader
from lumbar.datasets.headers import look

VIEWS = {"AP": "coronal", "LA": "sagittal"}
"""View by folder; the last digit of a file's name says it too."""

ENDPLATES = {"coronal": 10, "sagittal": 11}

_NAME = re.compile(r"^(?P<patient>\d+)-[FM]-\d+Y(?P<view>[01])$", re.IGNORECASE)
_BY_DIGIT = {"0": "coronal", "1": "sagittal"}


def read(root: Path) -> Dataset:
    """The landmark table of the unpacked set, unchecked.

    Raises:
        DatasetError: If not one of the tables of endplates can be read.
    """
    rows: list[dict] = []
    faults: list[str] = []
    turned = 0
    for table, view in tables(root):
        try:
            ends, classes = _endplates(table, ENDPLATES[view])
        except (OSError, ValueError, csv.Error) as error:
            faults.append(f"{table.relative_to(root)}: {error}")
            continue
        turned += int((ends[:, 1, 0] <= ends[:, 0, 0]).sum()) if view == "sagittal" else 0
        rows += _rows(table, root, view, level_points(ends, view), classes)
    if not rows:
        raise DatasetError("not one table of endplates can be read", file=root, found=faults[0])
    found = pd.DataFrame(rows)
    sizes = look(root, found["image"].unique().tolist()).drop(columns="view")
    found = found.join(sizes, on="image")
    notes = ["points: from the side the disc's posterior margin, from the front its centre; spacings are not known"]
    if faults:
        notes.append(f"{len(faults)} tables cannot be read and are left out; the first is {faults[0]}")
    if turned:
        notes.append(f"{turned} endplates seen from the side have their anterior end right of the posterior one: look")
    return Dataset(root.name, root, found, tuple(notes))


def tables(root: Path) -> Iterator[tuple[Path, str]]:
    """The tables of endplates in a folder, and the view each belongs to."""
    for folder, view in VIEWS.items():
        yield from ((table, view) for table in sorted((root / folder).glob("*.csv")))
    for table in sorted(root.glob("*.csv")):
        name = _NAME.match(table.stem)
        if name:
            yield table, _BY_DIGIT[name["view"]]


def level_points(ends: np.ndarray, view: str) -> np.ndarray:
    """The points of the five levels.

    Args:
        ends: (endplates, 2, 2), native pixels: for each endplate, from L1's upper one down, its two ends.
        view: "sagittal" (the first end is the anterior one) or "coronal".

    Returns:
        (5, 2), native pixels; NaN where an endplate is not marked.
    """
    points = np.full((len(landmarks.LEVELS), 2), np.nan)
    for number in range(min(len(points), (len(ends) - 1) // 2)):
        neighbours = ends[2 * number + 1 : 2 * number + 3]
        points[number] = (neighbours[:, 1] if view == "sagittal" else neighbours.reshape(-1, 2)).mean(axis=0)
    return points


def _endplates(table: Path, expected: int) -> tuple[np.ndarray, list[str]]:
    """Ends, (endplates, 2, 2), and class of each endplate, as it stands."""
    with table.open(newline="", encoding="utf-8-sig") as lines:
        rows = [row for row in csv.reader(lines) if any(cell.strip() for cell in row)]
    if len(rows) != expected or any(len(row) != 5 for row in rows):
        widths = sorted({len(row) for row in rows})
        raise ValueError(f"{len(rows)} rows of {widths} cells, not {expected} of 5 (x1, y1, x2, y2, class)")
    numbers = [[float(cell) for cell in row[:4]] for row in rows]
    if not all(math.isfinite(number) for row in numbers for number in row):
        raise ValueError("not every coordinate is a finite number")
    return np.array(numbers).reshape(-1, 2, 2), [row[4].strip() for row in rows]


def _rows(table: Path, root: Path, view: str, points: np.ndarray, classes: list[str]) -> Iterator[dict]:
    name = _NAME.match(table.stem)
    image = table.with_suffix(".jpg")
    of_picture = {
        "image": image.relative_to(root).as_posix(),
        "patient": f"buu {name['patient'] if name else table.stem}",
        "source": "buu",
        "view": view,
        "contrast": "X-ray",
        "side": "",
    }
    classes = [*classes, ""]
    for number, (level, (x, y)) in enumerate(zip(landmarks.LEVELS, points, strict=True)):
        around = {"class_above": classes[2 * number + 1], "class_below": classes[2 * number + 2]}
        yield of_picture | {"level": level, "x": x, "y": y} | around


READER = Reader(
    layout="BUU-LSPINE",
    looks_for="AP/ or LA/ with a CSV of endplates beside each JPEG",
    recognises=lambda root: root.is_dir() and next(tables(root), None) is not None,
    read=read,
)
