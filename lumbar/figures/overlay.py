"""Images with the points that a network found, one file each."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lumbar import imaging
from lumbar.figures.pictures import pictures_with_points
from lumbar.figures.style import fit_name
from lumbar.imaging.scan import BURNED_IN
from lumbar.landmarks import frames, row_channels
from lumbar.prediction import by_picture
from lumbar.storage.files import describe_os_error

TITLE_INCHES = 4.6
"""Width of the name above an image; that of the narrowest figure is 4.8."""


def overlay(table: pd.DataFrame, folder: Path) -> Path:
    """Write each image of a table of predictions with its points; leave out images with text burned into them.

    Args:
        table: The predictions, see `lumbar.prediction.Predictions`.
        folder: Folder to write to; `lumbar.prediction.by_picture` gives the names of the files.

    Returns:
        `folder`.
    """
    with describe_os_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, image, points in by_picture(table):
        scan = imaging.read(image, frame=frames(points)[0])
        if BURNED_IN in scan.warnings:  # the text may identify the patient
            continue
        figure = pictures_with_points(
            [scan.pixels],
            points[["x", "y"]].to_numpy()[None],
            channels=row_channels(points).tolist(),
            titles=[fit_name(Path(image).name, TITLE_INCHES)],
            columns=1,
        )
        figure.savefig(folder / f"{name}.png")
    return folder
