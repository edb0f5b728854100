"""A contact sheet: one page of images, synthetic beside real ones, to judge by eye what the synthetic ones lack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lumbar import datasets, imaging, landmarks
from lumbar.core.constants import PICTURES, VIEWS
from lumbar.core.errors import DatasetError
from lumbar.datasets import Dataset
from lumbar.figures.style import CHANNEL_COLOURS
from lumbar.geometry import SIZE
from lumbar.preprocess import PreprocessSettings, prepare_scan
from lumbar.storage.files import atomic_write


def contact_sheet(
    dataset: str | Path | Dataset,
    file: str | Path,
    *,
    beside: str | Path | Dataset | None = None,
    count: int = 16,
    view: str | None = None,
    points: bool = False,
) -> Path:
    """Write images of a data set to one PNG, optionally beside those of another.

    The images are chosen evenly from the data set, windowed and stretched to 256×256, as a network gets them.

    Args:
        dataset: A data set, or its folder; usually synthetic patients.
        file: PNG to write.
        beside: A second data set, or any folder of images, for the right half of the page.
        count: Largest number of images of each.
        view: One of `lumbar.landmarks.VIEWS`; the first of them that the data set has, if left out. It has no effect on
            a folder without a landmark table.
        points: Whether to mark the landmarks of data sets with a table.

    Returns:
        `file`.

    Raises:
        DatasetError: If there is no image to show.
    """
    halves = [dataset] if beside is None else [dataset, beside]
    columns = int(np.ceil(np.sqrt(count)))
    figure = Figure(figsize=(2 * columns * len(halves), 2 * int(np.ceil(count / columns)) + 0.4), layout="constrained")
    for axes, half in zip(figure.subplots(1, len(halves), squeeze=False)[0], halves, strict=True):
        name, images, marks = _chosen(half, count, view)
        axes.imshow(_montage(images, columns), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_title(name)
        axes.set_axis_off()
        if points:
            for index, xy in enumerate(marks):
                corner = np.array([index % columns, index // columns]) * SIZE
                colours = list(CHANNEL_COLOURS.values())[: len(xy)]
                axes.scatter(*(xy + corner).T, s=8, c=colours, linewidths=0)
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as temporary:
        figure.savefig(temporary, format="png", dpi=100, metadata={"Software": None})
    return file


def _chosen(half: str | Path | Dataset, count: int, view: str | None) -> tuple[str, list[np.ndarray], list[np.ndarray]]:
    """Return one half of the page: title, images uint8 (256, 256), and points (k, 2), pixels of the 256 frame."""
    dataset = half if isinstance(half, Dataset) else _open(Path(half))
    if dataset is None:
        files = sorted(file for file in Path(half).rglob("*") if file.suffix.lower() in {*PICTURES, ".dcm"})
        frames, marks = [None] * len(files), [np.empty((0, 2))] * len(files)
        name = Path(half).name
    else:
        view = view or next(each for each in VIEWS if (dataset.table["view"] == each).any())
        table = dataset.table[dataset.table["view"] == view].sort_values(["level", "side"], kind="stable")
        groups = [rows for _, rows in table.groupby(landmarks.image_names(table), sort=False)]
        files, name = [dataset.path(rows["image"].iloc[0]) for rows in groups], dataset.name
        frames, marks = [landmarks.frames(rows)[0] for rows in groups], [rows[["x", "y"]].to_numpy() for rows in groups]
    if not files:
        raise DatasetError(
            "there is no picture to show", file=str(half), expected=f"{view} pictures" if view else "pictures"
        )
    chosen = sorted(set(np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int)))
    prepared = [_prepared(files[index], frames[index], marks[index]) for index in chosen]
    return f"{name} ({len(files)} pictures)", [image for image, _ in prepared], [xy for _, xy in prepared]


def _open(folder: Path) -> Dataset | None:
    """Return the data set in a folder; None for a folder without a landmark table."""
    try:
        datasets.find_reader(folder)
    except DatasetError:
        if folder.is_dir():
            return None
        raise
    return datasets.load(folder)


def _prepared(file: Path, frame: int | None, xy_native: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an image and its points as a network gets them, in the 256 frame."""
    image, to_256 = prepare_scan(imaging.read(file, frame=frame), PreprocessSettings())
    return image, to_256.points(xy_native)


def _montage(images: list[np.ndarray], columns: int) -> np.ndarray:
    """Return the images, uint8 (256, 256), in rows on one sheet."""
    rows = -(-len(images) // columns)
    sheet = np.zeros((rows * SIZE, columns * SIZE), dtype=np.uint8)
    for index, image in enumerate(images):
        top, left = SIZE * (index // columns), SIZE * (index % columns)
        sheet[top : top + SIZE, left : left + SIZE] = image
    return sheet
