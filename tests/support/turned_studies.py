"""Data sets of DICOM files stored otherwise than they are shown: upside down, mirrored, on their side."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom

from lumbar.geometry import Plane

WAYS = {
    "upside down": lambda pixels: pixels[::-1],
    "mirrored": lambda pixels: pixels[:, ::-1],
    "turned by 180 degrees": lambda pixels: pixels[::-1, ::-1],
    "on its side": lambda pixels: pixels.T,
    "on its side, mirrored": lambda pixels: pixels.T[:, ::-1],
}
"""Name → what is done to the array of pixels; the header and the points follow."""


def store_turned(file: Path, target: Path, way: str) -> np.ndarray:
    """Write a DICOM file again with its pixels turned and its header saying so.

    Returns:
        (2, 3) matrix from the old native pixels to the new ones.
    """
    dataset = pydicom.dcmread(file)
    pixels = dataset.pixel_array
    rows, columns = np.indices(pixels.shape)
    pixels, rows, columns = (WAYS[way](each) for each in (pixels, rows, columns))
    old = plane_of(dataset)
    # Where the new first pixel, its right and its lower neighbour lay before.
    corner, right, below = (np.array([columns[place], rows[place]], float) for place in ((0, 0), (0, 1), (1, 0)))
    along_row, along_column = (old.to_patient(each) - old.to_patient(corner) for each in (right, below))
    dataset.ImagePositionPatient = [f"{value:.6f}" for value in old.to_patient(corner)]
    spacing = np.linalg.norm(along_row), np.linalg.norm(along_column)
    directions = np.concatenate([along_row / spacing[0], along_column / spacing[1]])
    dataset.ImageOrientationPatient = [f"{value:.10f}" for value in directions]
    swapped = pixels.shape != dataset.pixel_array.shape or way.startswith("on its side")
    dataset.PixelSpacing = list(dataset.PixelSpacing)[::-1] if swapped else dataset.PixelSpacing
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelData = np.ascontiguousarray(pixels).tobytes()
    target.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(target, enforce_file_format=True)
    back = np.column_stack([right - corner, below - corner])
    there = np.linalg.inv(back)
    return np.column_stack([there, -there @ corner])


def plane_of(dataset: pydicom.Dataset) -> Plane:
    directions = np.array(dataset.ImageOrientationPatient, float).reshape(2, 3)
    height, width = map(float, dataset.PixelSpacing)
    position = np.array(dataset.ImagePositionPatient, float)
    return Plane(position, *directions, pixel_width=width, pixel_height=height)


def turned_study(folder: Path, out: Path, way: str) -> Path:
    """Write a data set of synthetic patients again, each image turned, its points with it."""
    table = pd.read_csv(folder / "landmarks.csv")
    for image in table["image"].unique():
        matrix = store_turned(folder / image, out / image, way)
        here = table["image"] == image
        xy = table.loc[here, ["x", "y"]].to_numpy() @ matrix[:, :2].T + matrix[:, 2]
        table.loc[here, ["x", "y"]] = xy
    if way.startswith("on its side"):
        names = ["width", "height", "pixel_width", "pixel_height"]
        table[names] = table[[names[1], names[0], names[3], names[2]]].to_numpy()
        table = table.astype({"width": int, "height": int})
    table.to_csv(out / "landmarks.csv", index=False)
    shutil.copy(folder / "phantom.json", out / "phantom.json")
    return out
