"""One page of pictures, synthetic beside real if there are any, to judge by eye what the synthetic ones lack."""

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
    """Draw pictures of a data set on one PNG, optionally beside those of another.

    The pictures are spread evenly over the data set, windowed and stretched to 256×256, as a network gets them.

    Args:
        dataset: The synthetic patients, or where they are.
        file: PNG to write.
        beside: A second data set, or any folder of pictures, for the right half of the page.
        count: Pictures of each.
        view: Which of `lumbar.landmarks.VIEWS` to show; the first of them that a data set has, if left out. A folder
            without a table shows all it has.
        points: Whether to mark the landmarks, where there is a table.

    Returns:
        `file`.

    Raises:
        DatasetError: If there is no picture to show.
    """
    halves = [dataset] if beside is None else [dataset, beside]
    columns = int(np.ceil(np.sqrt(count)))
    figure = Figure(figsize=(2 * columns * len(halves), 2 * int(np.ceil(count / columns)) + 0.4), layout="constrained")
    for axes, half in zip(figure.subplots(1, len(halves), squeeze=False)[0], halves, strict=True):
        name, pictures, marks = _chosen(half, count, view)
        axes.imshow(_montage(pictures, columns), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
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
    """(title, pictures uint8 (256, 256), points (k, 2) in the 256 frame) of one half of the page."""
    dataset = half if isinstance(half, Dataset) else _opened(Path(half))
    if dataset is None:
        files = sorted(file for file in Path(half).rglob("*") if file.suffix.lower() in {*PICTURES, ".dcm"})
        frames, marks = [None] * len(files), [np.empty((0, 2))] * len(files)
        name = Path(half).name
    else:
        view = view or next(each for each in VIEWS if (dataset.table["view"] == each).any())
        table = dataset.table[dataset.table["view"] == view].sort_values(["level", "side"], kind="stable")
        groups = [rows for _, rows in table.groupby(landmarks.picture(table), sort=False)]
        files, name = [dataset.path(rows["image"].iloc[0]) for rows in groups], dataset.name
        frames, marks = [landmarks.frames(rows)[0] for rows in groups], [rows[["x", "y"]].to_numpy() for rows in groups]
    if not files:
        raise DatasetError("there is no picture to show", file=str(half), expected=f"{view} pictures")
    chosen = sorted(set(np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int)))
    prepared = [_prepared(files[index], frames[index], marks[index]) for index in chosen]
    return f"{name} ({len(files)} pictures)", [picture for picture, _ in prepared], [xy for _, xy in prepared]


def _opened(folder: Path) -> Dataset | None:
    """The data set in a folder; None if it is a folder without a table."""
    try:
        datasets.find_reader(folder)
    except DatasetError:
        if folder.is_dir():
            return None
        raise
    return datasets.load(folder)


def _prepared(file: Path, frame: int | None, xy_native: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    image, to_256 = prepare_scan(imaging.read(file, frame=frame), PreprocessSettings())
    return image, to_256.points(xy_native)


def _montage(pictures: list[np.ndarray], columns: int) -> np.ndarray:
    rows = -(-len(pictures) // columns)
    sheet = np.zeros((rows * SIZE, columns * SIZE), dtype=np.uint8)
    for index, picture in enumerate(pictures):
        top, left = SIZE * (index // columns), SIZE * (index % columns)
        sheet[top : top + SIZE, left : left + SIZE] = picture
    return sheet
