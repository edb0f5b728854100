"""Read a folder with `landmarks.csv`: studies that `lumbar.phantom` wrote, or others with the same columns."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from lumbar import landmarks
from lumbar.datasets.dataset import Dataset, Reader, read_csv, with_standard_words

TABLE = "landmarks.csv"
RECIPE = "phantom.json"
_NUMBERS = ("x", "y", "width", "height", "pixel_width", "pixel_height")
_TEXT = tuple(column for column in landmarks.REQUIRED if column not in _NUMBERS)


def read(root: Path) -> Dataset:
    """Read the landmark table of a folder, without checking it.

    Args:
        root: The folder.

    Raises:
        DatasetError: If `landmarks.csv` cannot be read or lacks a column of the schema.
    """
    table = read_csv(root / TABLE, text=_TEXT, numbers=_NUMBERS)
    table, spelling = with_standard_words(table)
    notes = (*table.attrs["notes"], *spelling, *_notes(root))
    if "frame" in table:  # an empty cell means that the file has one image
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
        return (f"{RECIPE} cannot be read: the settings of these synthetic patients are unknown",)
    return (f"synthetic patients ({', '.join(f'{name} {value}' for name, value in settings.items())})",)


READER = Reader(
    layout="phantom study folder",
    looks_for=f"{TABLE} with the columns of a landmark table, and the pictures that it names",
    recognises=lambda root: (root / TABLE).is_file(),
    read=read,
    table=TABLE,
    user_made=True,
)
