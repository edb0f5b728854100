"""Read points from the CSV table that ``predict --out`` writes, whose columns are `lumbar.prediction.COLUMNS`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from lumbar.core.errors import ScanError, TableError
from lumbar.datasets.csv_text import header_names
from lumbar.datasets.dataset import read_csv
from lumbar.exports.json_points import LATER, NUMBERS

KNOWN_BY = {"image", "level", "x", "y", "confidence", "flagged"}
"""Columns that such a table has and a landmark table has not all of."""


def is_one(file: Path) -> bool:
    """Return whether a CSV file is a table of points that a network found, not a landmark table."""
    return file.is_file() and header_names(file) >= KNOWN_BY


def read(file: Path) -> pd.DataFrame:
    """Read the table.

    Returns:
        DataFrame with the columns of the file, and NaN for those numbers that files of the first release lack.
        `flagged` is boolean, missing where nobody judged.

    Raises:
        DatasetError: If the file is not a table, or lacks a column.
        TableError: If a number is not one.
    """
    table = read_csv(file, text=("image", "view", "level", "side", "flagged"), numbers=NUMBERS)
    for name in LATER:
        table[name] = pd.to_numeric(table[name], errors="coerce") if name in table else np.nan
    try:
        table = table.astype(dict.fromkeys(NUMBERS, float))
    except ValueError as error:
        raise TableError("a coordinate is not a number", file=file, found=error) from error
    flagged = table["flagged"].str.strip().str.lower()
    return table.assign(flagged=(flagged == "true").astype("boolean").mask(flagged.fillna("") == ""))


def path_of(image: str, folder: Path) -> Path:
    """Return the path of an image of the table: as it stands there, or relative to the folder of the table.

    Args:
        image: Value of the column `image`.
        folder: Folder of the table.

    Raises:
        ScanError: If there is an image at both places, and they are not the same file.
    """
    path, beside = Path(image), folder / image
    if path.is_file() and beside.is_file() and not path.samefile(beside):
        raise ScanError(
            "the path of the table leads to two images",
            file=image,
            found=f"{path.resolve()} and {beside.resolve()}",
            remedy="go to the folder that the paths of the table start from",
        )
    return path if path.is_file() else beside
