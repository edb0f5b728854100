"""Pictures with the points that a network found, one file each."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lumbar import scans
from lumbar.figures.pictures import pictures_with_points
from lumbar.landmarks import channel


def overlay(table: pd.DataFrame, folder: Path) -> Path:
    """Draw each picture of a table of predictions with its points.

    Args:
        table: See `lumbar.prediction.Predictions`.
        folder: Where to; a file is named by its picture's place in the table and its name.

    Returns:
        `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, (image, points) in enumerate(table.groupby("image", sort=False), start=1):
        figure = pictures_with_points(
            [scans.read(image).pixels],
            points[["x", "y"]].to_numpy()[None],
            channels=channel(points).tolist(),
            titles=[Path(image).name],
            columns=1,
        )
        figure.savefig(folder / f"{number:04d}_{Path(image).stem}.png")
    return folder
