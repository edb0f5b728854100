"""Each odd file as a picture, twice: as naive code shows it, and put right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from pydicom.dataset import Dataset

from lumbar.course.escape_room.riddles import places, true_step, white_from
from lumbar.figures.pictures import show_picture
from lumbar.figures.style import Drawing, styled

ROWS = ("as naive code shows it", "put right")
"""What the two pictures of a room are."""

NAMES = (
    "squashed",
    "negative",
    "dark",
    "headstand",
    "wrong label",
    "two scales",
    "glowing air",
    "a stranger",
    "shuffled",
    "too narrow",
)
"""Name of each room, in order."""


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture of a room.

    Args:
        pixels: (rows, columns), shown from the smallest to the largest value, or uint8, shown as it is.
        code: How it was made, in a few words.
        seen: What one sees, for the text alternative.
        aspect: Height of a pixel divided by its width.
        labels: (x, y, text): small words on the picture; x and y from 0 to 1, from the upper left corner.
    """

    pixels: np.ndarray
    code: str
    seen: str
    aspect: float = 1.0
    labels: tuple[tuple[float, float, str], ...] = ()


def picture_pair(files: Sequence[Path], room: int) -> tuple[Picture, Picture]:
    """Return a room's picture as naive code shows it, and put right.

    Args:
        files: The files of the room, sorted by name; they are read, never changed.
        room: Number of the room, from 1.
    """
    return _PAIRS[room - 1]([pydicom.dcmread(file) for file in files])


@styled
def show(pictures: Sequence[Picture], titles: Sequence[str]) -> Drawing:
    """Show the picture of a room, or two of them side by side.

    Args:
        pictures: The pictures.
        titles: What is written above each, before its code.
    """
    figure = Drawing(figsize=(3.6 * len(pictures), 3.4))
    for axes, picture, title in zip(np.ravel(figure.subplots(1, len(pictures))), pictures, titles, strict=True):
        _draw(axes, picture, f"{title}\n{picture.code}")
    figure.alt = "; ".join(f"{title}: {each.seen}" for each, title in zip(pictures, titles, strict=True)) + "."
    return figure


@styled
def show_all(pairs: Sequence[tuple[Picture, Picture]]) -> Drawing:
    """Show the pictures of all rooms, the right one below the naive one.

    Args:
        pairs: The two pictures of each room, in order.
    """
    columns = -(-len(pairs) // 2)
    figure = Drawing(figsize=(1.75 * columns + 0.3, 7.8))
    cells = figure.subplots(4, columns + 1, width_ratios=[0.12] + [1] * columns)
    for number, pair in enumerate(pairs):
        for part, picture in enumerate(pair):
            row, column = 2 * (number // columns) + part, number % columns
            _draw(cells[row, column + 1], picture, f"{number + 1} {NAMES[number]}" if part == 0 else "", size=6)
    for row, axes in enumerate(cells[:, 0]):
        axes.set_axis_off()
        axes.text(0.5, 0.5, ROWS[row % 2], rotation=90, va="center", ha="center", transform=axes.transAxes)
    figure.alt = "Ten odd files, each as naive code shows it and below it put right. " + " ".join(
        f"{number} {name}: {wrong.seen}, then {right.seen}."
        for number, (name, (wrong, right)) in enumerate(zip(NAMES, pairs, strict=True), start=1)
    )
    return figure


def _draw(axes: Axes, picture: Picture, title: str, size: float = 9) -> None:
    show_picture(axes, picture.pixels, title, aspect=picture.aspect)
    for x, y, text in picture.labels:
        look: dict[str, Any] = {"color": "white", "fontsize": size, "ha": "center", "va": "center"}
        outline = [withStroke(linewidth=2, foreground="black")]
        axes.text(x, 1 - y, text, transform=axes.transAxes, path_effects=outline, **look)


def _tiled(images: Sequence[np.ndarray], names: Sequence[str], columns: int) -> tuple[np.ndarray, tuple]:
    """Return several images as one, the middle half of each, and their names as labels.

    Args:
        images: (rows, columns) each, all of one size, on one scale.
        names: What to write on each.
        columns: Images in a row.
    """
    height, width = images[0].shape
    quarter = width // 4
    rows = -(-len(images) // columns)
    whole = np.full((rows, columns, height, width - 2 * quarter), float(np.min(images)))
    for number, image in enumerate(images):
        whole[number // columns, number % columns] = image[:, quarter : width - quarter]
    labels = tuple(
        ((number % columns + 0.5) / columns, (number // columns + 0.07) / rows, name)
        for number, name in enumerate(names)
    )
    return whole.swapaxes(1, 2).reshape(rows * height, -1), labels


def _squashed(datasets: list[Dataset]) -> tuple[Picture, Picture]:
    (dataset,) = datasets
    between_rows, between_columns = map(float, dataset.PixelSpacing)
    wrong = Picture(dataset.pixel_array, "ds.pixel_array", "a spine half as tall as it should be")
    right = "each pixel as tall as it is in the patient"
    return wrong, Picture(dataset.pixel_array, right, "a spine of the usual height", between_rows / between_columns)


def _negative(datasets: list[Dataset]) -> tuple[Picture, Picture]:
    pixels = datasets[0].pixel_array
    wrong = Picture(pixels, "ds.pixel_array", "a spine as on a photographic negative, the air around it white")
    return wrong, Picture(int(pixels.max()) - pixels, "the highest value black", "the air around the patient black")


def _dark(datasets: list[Dataset]) -> tuple[Picture, Picture]:
    (dataset,) = datasets
    pixels = dataset.pixel_array
    white = white_from(dataset)
    black = white - float(dataset.WindowWidth) + 1
    seen = "black but for a bright dot in the upper left corner"
    shown = np.clip(pixels, black, white)
    return Picture(pixels, "ds.pixel_array", seen), Picture(shown, "within the window", "a spine with its usual greys")


def _headstand(datasets: list[Dataset]) -> tuple[Picture, Picture]:
    pixels = datasets[0].pixel_array
    wrong = Picture(pixels, "ds.pixel_array", "a spine upside down, the sacrum at the top")
    return wrong, Picture(pixels[::-1], "ds.pixel_array[::-1]", "the same spine, the sacrum at the bottom")


def _mislabelled(datasets: list[Dataset]) -> tuple[Picture, Picture]:
    (dataset,) = datasets
    described = (0.08, 0.5, "front"), (0.92, 0.5, "back")
    stated = (0.08, 0.5, "right"), (0.92, 0.5, "left")
    wrong = "a spine from the front, its edges labelled front and back"
    right = "the same picture, its edges labelled right and left"
    return (
        Picture(dataset.pixel_array, "edges by the description", wrong, labels=described),
        Picture(dataset.pixel_array, "edges by the orientation", right, labels=stated),
    )


def _two_scales(datasets: list[Dataset]) -> tuple[Picture, Picture]:
    stored = [dataset.pixel_array for dataset in datasets]
    signal = [
        pixels * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        for pixels, dataset in zip(stored, datasets, strict=True)
    ]
    names = ("001.dcm", "002.dcm")
    wrong, labels = _tiled(stored, names, 2)
    right, _ = _tiled(signal, names, 2)
    return (
        Picture(wrong, "stored values, one scale of greys", "two neighbouring slices, one dark", labels=labels),
        Picture(right, "rescaled, one scale of greys", "two neighbouring slices alike", labels=labels),
    )


def _glowing(datasets: list[Dataset]) -> tuple[Picture, Picture]:
    (dataset,) = datasets
    raw = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)
    wrong = Picture(raw, 'np.frombuffer(ds.PixelData, "<u2")', "dark tissue and air white, bright tissue black")
    return wrong, Picture(dataset.pixel_array, "ds.pixel_array", "a spine with its usual greys")


def _two_patients(datasets: list[Dataset]) -> tuple[Picture, Picture]:
    names = [f"{number:03d}.dcm" for number in range(1, len(datasets) + 1)]
    numbers = [dataset.PatientID for dataset in datasets]
    own = [place for place, patient in enumerate(numbers) if numbers.count(patient) > 1]
    smallest = np.min([dataset.pixel_array.shape for dataset in datasets], axis=0)
    images = [_centred(_grey(dataset.pixel_array), smallest) for dataset in datasets]
    wrong, labels = _tiled(images, names, 3)
    right, kept = _tiled([images[place] for place in own], [names[place] for place in own], 3)
    return (
        Picture(wrong, "five files of one name", "five slices, one of another spine", labels=labels),
        Picture(right, "four files of one patient", "four slices of one spine", labels=kept),
    )


def _centred(image: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Return the middle of an image, of the given (rows, columns)."""
    top, left = (np.array(image.shape) - shape) // 2
    return image[top : top + shape[0], left : left + shape[1]]


def _grey(pixels: np.ndarray) -> np.ndarray:
    """Return pixels from 0 to 255, so that files on different scales fit into one picture."""
    return (pixels - pixels.min()) * (255 / np.ptp(pixels))


def _shuffled(datasets: list[Dataset]) -> tuple[Picture, Picture]:
    (dataset,) = datasets
    frames, order = dataset.pixel_array, np.argsort(places(dataset))
    wrong, labels = _tiled(frames, [str(number) for number in range(len(frames))], 4)
    right, sorted_labels = _tiled(frames[order], [str(number) for number in order], 4)
    return (
        Picture(wrong, "frames as stored", "seven frames, in which the spine comes and goes", labels=labels),
        Picture(right, "from right to left", "the same frames, from side to side", labels=sorted_labels),
    )


def _too_narrow(datasets: list[Dataset]) -> tuple[Picture, Picture]:
    volume = np.stack([dataset.pixel_array for dataset in datasets])
    # One row of each sagittal slice makes an axial picture: front at the top, the patient's right on the left.
    axial = volume[::-1, volume.shape[1] // 2].T
    across = float(datasets[0].PixelSpacing[1])
    seen = "an axial picture put together from sagittal slices"
    return tuple(
        Picture(axial, f"a slice every {step:g} mm", f"{seen}, {words}", across / step)
        for step, words in (
            (float(datasets[0].SliceThickness), "far too narrow"),
            (round(true_step(datasets), 2), "more than twice as wide"),
        )
    )


_PAIRS: tuple[Callable[[list[Dataset]], tuple[Picture, Picture]], ...] = (
    _squashed,
    _negative,
    _dark,
    _headstand,
    _mislabelled,
    _two_scales,
    _glowing,
    _two_patients,
    _shuffled,
    _too_narrow,
)
