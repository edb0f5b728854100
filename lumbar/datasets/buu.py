"""Read BUU-LSPINE (Burapha University): frontal and lateral radiographs with the two ends of each endplate.

The files lie in `AP/` and `LA/`, or all in one folder. Each `<number>-<sex>-<age>Y<0 or 1>.jpg` has a CSV of the same
name without a header. Its rows are x1, y1, x2, y2, class, from the upper endplate of L1 to the lower one of L5 and, in
lateral views, the upper one of S1. Y0 is the frontal view (AP), Y1 the lateral one (LA). In lateral views the patient
faces left, and the first end is the anterior one. File names and the order of the ends follow public code; the layout
follows the authors of the set (Klinwichit et al., Applied Sciences 13, 8646, 2023).

The point of a level lies between the lower endplate of the vertebra above and the upper endplate of the vertebra below.
In lateral views it is the midpoint of their posterior ends, on the posterior margin of the disc. In frontal views it is
the mean of all four ends, the centre of the disc. S1 is not marked in frontal views, so L5/S1 is missing there.
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
from lumbar.datasets.headers import read_image_headers

VIEWS = {"AP": "coronal", "LA": "sagittal"}
"""View of each folder; the last digit of a file's name states it too."""

ENDPLATES = {"coronal": 10, "sagittal": 11}
"""Number of endplates that are marked in each view."""

_NAME = re.compile(r"^(?P<patient>\d+)-[FM]-\d+Y(?P<view>[01])$", re.IGNORECASE)
_BY_DIGIT = {"0": "coronal", "1": "sagittal"}


def read(root: Path) -> Dataset:
    """Read the landmark table of the unpacked set, without checking it.

    Args:
        root: Folder of the set.

    Raises:
        DatasetError: If none of the tables of endplates can be read.
    """
    rows: list[dict] = []
    faults: list[str] = []
    reversed_ends = 0
    for table, view in tables(root):
        try:
            ends, classes = _endplates(table, ENDPLATES[view])
        except (OSError, ValueError, csv.Error) as error:
            faults.append(f"{table.relative_to(root)}: {error}")
            continue
        reversed_ends += int((ends[:, 1, 0] <= ends[:, 0, 0]).sum()) if view == "sagittal" else 0
        rows += _rows(table, root, view, level_points(ends, view), classes)
    if not rows:
        raise DatasetError("none of the tables of endplates can be read", file=root, found=faults[0])
    found = pd.DataFrame(rows)
    sizes = read_image_headers(root, found["image"].unique().tolist()).drop(columns="view")
    found = found.join(sizes, on="image")
    notes = [
        "points are posterior disc margins in lateral views, disc centres in frontal views; pixel spacings are unknown"
    ]
    if faults:
        notes.append(f"{len(faults)} tables cannot be read and are left out; the first is {faults[0]}")
    if reversed_ends:
        notes.append(
            f"{reversed_ends} endplates in lateral views have their anterior end right of the posterior one: check them"
        )
    return Dataset(root.name, root, found, tuple(notes))


def tables(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield the tables of endplates in a folder, each with its view."""
    for folder, view in VIEWS.items():
        yield from ((table, view) for table in sorted((root / folder).glob("*.csv")))
    for table in sorted(root.glob("*.csv")):
        name = _NAME.match(table.stem)
        if name:
            yield table, _BY_DIGIT[name["view"]]


def level_points(ends: np.ndarray, view: str) -> np.ndarray:
    """Compute the points of the five levels from the ends of the endplates.

    Args:
        ends: (endplates, 2, 2), native pixels: the two ends of each endplate, from the upper one of L1 downwards.
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
    """Read the ends, (endplates, 2, 2), native pixels, and the class of each endplate."""
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
    of_image = {
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
        yield of_image | {"level": level, "x": x, "y": y} | around


READER = Reader(
    layout="BUU-LSPINE",
    looks_for="AP/ or LA/ with a CSV of endplates for each JPEG",
    recognises=lambda root: root.is_dir() and next(tables(root), None) is not None,
    read=read,
)
