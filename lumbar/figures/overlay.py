"""Pictures with the points that a network found, one file each."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lumbar import scans
from lumbar.figures.pictures import pictures_with_points
from lumbar.landmarks import channel
from lumbar.prediction import by_picture


def overlay(table: pd.DataFrame, folder: Path) -> Path:
    """Draw each picture of a table of predictions with its points.

    Args:
        table: See `lumbar.prediction.Predictions`.
        folder: Where to; the files are named as `lumbar.prediction.by_picture` has it.

    Returns:
        `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, image, points in by_picture(table):
        figure = pictures_with_points(
            [scans.read(image).pixels],
            points[["x", "y"]].to_numpy()[None],
            channels=channel(points).tolist(),
            titles=[Path(image).name],
            columns=1,
        )
        figure.savefig(folder / f"{name}.png")
    return folder
