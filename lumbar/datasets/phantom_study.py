"""A folder with `landmarks.csv`: the studies that `lumbar.phantom` writes, or anybody's own in the same columns."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from lumbar import landmarks
from lumbar.datasets.dataset import Dataset, Reader, read_csv

TABLE = "landmarks.csv"
RECIPE = "phantom.json"
_NUMBERS = ("x", "y", "width", "height", "pixel_width", "pixel_height")
_TEXT = tuple(column for column in landmarks.REQUIRED if column not in _NUMBERS)


def read(root: Path) -> Dataset:
    """The landmark table of a folder, unchecked.

    Raises:
        DatasetError: If `landmarks.csv` cannot be read or lacks a column of the schema.
    """
    table = read_csv(root / TABLE, text=_TEXT, numbers=_NUMBERS)
    notes = (*table.attrs["notes"], *_notes(root))
    if "frame" in table:  # an empty cell: the file has one picture
        table["frame"] = table["frame"].replace("", pd.NA)
    return Dataset(root.name, root, table, notes)


def _notes(root: Path) -> tuple[str, ...]:
    recipe = root / RECIPE
    if not recipe.is_file():
        return ()
    try:
        content = json.loads(recipe.read_text(encoding="utf-8"))
        settings = {
            name: " ".join(map(str, value)) if isinstance(value, list) else value
            for name, value in content["settings"].items()
        }
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return (f"{RECIPE} cannot be read: how these patients were made is not known",)
    return (f"synthetic patients ({', '.join(f'{name} {value}' for name, value in settings.items())})",)


READER = Reader(
    layout="phantom study folder",
    looks_for=f"{TABLE} with the columns of a landmark table, and the pictures it names beside it",
    recognises=lambda root: (root / TABLE).is_file(),
    read=read,
    table=TABLE,
)
