"""What the report of a file of points shows: each picture with its points, and what is to be looked at first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lumbar import imaging
from lumbar.core.errors import ScanError, TableError
from lumbar.datasets.dataset import read_csv
from lumbar.exports import NOT_FOR_DIAGNOSIS, json_points, notices, number
from lumbar.geometry import Affine
from lumbar.imaging.scan import BURNED_IN
from lumbar.landmarks import channel, frames
from lumbar.prediction import Picture, by_picture
from lumbar.preprocess import windowed
from lumbar.reports.page import Embedded, embedded_pixels

if TYPE_CHECKING:
    from lumbar.imaging import Scan

SIDE = 384
"""Side of a picture on the page, pixels."""

UNKNOWN_NETWORK = (
    "The table does not say which network found the points. One that was trained on synthetic patients only says "
    "nothing about real ones until it is measured on them."
)
NAME_WIDTH, NAME_HEIGHT = 60, 14
"""Room that a point's name takes, pixels of the page's picture."""

SHAPES = {
    "o": "M-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0-11 0z",
    "s": "M-5-5h10v10h-10z",
    "D": "M0-6.5 6.5 0 0 6.5-6.5 0z",
    "^": "M0-6.5 6 5h-12z",
    "v": "M0 6.5 6-5h-12z",
    "<": "M-6.5 0 5-6v12z",
    ">": "M6.5 0-5-6v12z",
}
"""Matplotlib's markers, which the figures use, as paths about (0, 0)."""


@dataclass(frozen=True)
class Mark:
    """A point as it is drawn: name, place in pixels of the picture on the page, colour, path, where its name goes."""

    name: str
    x: float
    y: float
    colour: str
    path: str
    to_the_left: bool


@dataclass(frozen=True)
class Card:
    """One picture of the report.

    Args:
        name: Short, and different for each picture of the table.
        image: The file, as the table has it.
        view: Its plane.
        flagged: Whether its points are not to be believed unchecked.
        remarks: What else to say of it, in sentences.
        points: For each point its name, x, y, mm (x, y, z, or None) and confidence; None where unknown.
        picture: The picture for the page; None if it is not shown.
        marks: Its points on the picture.
    """

    name: str
    image: str
    view: str
    flagged: bool
    remarks: list[str]
    points: list[dict[str, Any]]
    picture: Embedded | None
    marks: list[Mark]


def content(file: Path, pictures: int) -> dict[str, Any]:
    """What the template ``points.html.j2`` needs.

    Args:
        file: CSV or JSON of ``predict``.
        pictures: How many to show; all are listed.

    Raises:
        DatasetError, TableError: If the file holds no points.
    """
    table, known, said = _read(file)
    groups = list(by_picture(table))
    flagged_first = sorted(range(len(groups)), key=lambda order: not groups[order][2]["flagged"].any())
    shown = set(flagged_first[:pictures])
    cards = [_card(*group, known.get(group[1]), file.parent, order in shown) for order, group in enumerate(groups)]
    return said | {
        "file": file.name,
        "cards": cards,
        "flagged": [card for card in cards if card.flagged],
        "shown": sum(card.picture is not None for card in cards),
        "count": len(table),
        "has_mm": any(point["mm"] for card in cards for point in card.points),
        "side": SIDE,
    }


def _read(file: Path) -> tuple[pd.DataFrame, dict[str, Picture], dict[str, Any]]:
    """The points, what the file knows of each picture, and what to say of them all."""
    if file.suffix.lower() == ".json":
        found = json_points.read(file)
        left_out = [{"image": error.file, "problem": error.problem, "remedy": error.remedy} for error in found.refused]
        said = {"network": found.network, "notices": notices(found.synthetic), "left_out": left_out}
        return found.table, {picture.image: picture for picture in found.pictures}, said
    said = {"network": None, "notices": [UNKNOWN_NETWORK, NOT_FOR_DIAGNOSIS], "left_out": []}
    return _read_table(file), {}, said


def _read_table(file: Path) -> pd.DataFrame:

    table = read_csv(file, text=("image", "view", "level", "side", "flagged"), numbers=json_points.NUMBERS)
    try:
        table = table.astype(dict.fromkeys(json_points.NUMBERS, float))
    except ValueError as error:
        raise TableError("a coordinate is no number", file=file, found=error) from error
    return table.assign(flagged=table["flagged"].str.lower() == "true")


def _card(name: str, image: str, points: pd.DataFrame, known: Picture | None, beside: Path, shown: bool) -> Card:
    remarks, picture, marks = [], None, []
    if shown:
        try:
            scan = _scan(image, frames(points)[0], beside)
        except ScanError as error:
            remarks.append(f"The picture cannot be shown: {error.problem}.")
        else:
            known = known or _known(scan, image, points)
            if BURNED_IN in scan.warnings:
                remarks.append("The picture is not shown.")  # it would carry the text on
            else:
                picture, marks = _drawn(scan, points)
    else:
        remarks.append("The picture is left out to keep the page small.")
    remarks += _remarks(known)
    flagged, view = bool(points["flagged"].any()), str(points["view"].iloc[0])
    return Card(name, image, view, flagged, remarks, _rows(points), picture, marks)


def _scan(image: str, frame: int | None, beside: Path) -> Scan:
    """The picture, sought where the table says, then beside the table.

    Raises:
        ScanError: If it is at neither place, or cannot be read.
    """
    path = Path(image)
    return imaging.read(path if path.is_file() else beside / path, frame=frame)


def _known(scan: Scan, image: str, points: pd.DataFrame) -> Picture:
    height, width = scan.pixels.shape
    size = {"width": width, "height": height, "pixel_width": scan.pixel_width, "pixel_height": scan.pixel_height}
    return Picture(image, points["view"].iloc[0], **size, warnings=scan.warnings)


def _remarks(known: Picture | None) -> list[str]:
    if known is None:
        return []
    spacing = "pixel spacing unknown"
    if known.pixel_width is not None and known.pixel_height is not None:
        spacing = f"{known.pixel_width:.3g} × {known.pixel_height:.3g} mm a pixel"
    remarks = [f"{known.width} × {known.height} pixels, {spacing}."]
    if known.assumed:
        remarks.append(f"The file does not say its plane; it was taken for {known.view}.")
    return remarks + [f"{warning[0].upper()}{warning[1:]}." for warning in known.warnings]


def _drawn(scan: Scan, points: pd.DataFrame) -> tuple[Embedded, list[Mark]]:
    """The picture in true proportions on a square of `SIDE` pixels, and its points there."""
    from lumbar.figures.style import colour, marker

    height, width = scan.pixels.shape
    spacing = {"pixel_width": scan.pixel_width or 1, "pixel_height": scan.pixel_height or 1}
    to_page = Affine.letterbox(width, height, SIDE, **spacing)
    names = channel(points)
    alt = f"{points['view'].iloc[0]} picture with the points {', '.join(names)} marked; the table gives their places"
    places = to_page.points(points[["x", "y"]])
    marks = [
        Mark(name, round(x, 2), round(y, 2), colour(name), SHAPES[marker(name)], _crowded(x, y, places))
        for name, (x, y) in zip(names, places, strict=True)
        if np.isfinite(x + y)
    ]
    return embedded_pixels(to_page.image(windowed(scan.pixels), SIDE, SIDE), alt), marks


def _crowded(x: float, y: float, places: np.ndarray) -> bool:
    """Whether a name to the right of a point would leave the picture or cover another point."""
    right, down = (places - [x, y]).T
    return x > SIDE - NAME_WIDTH or bool(((right > 0) & (right < NAME_WIDTH) & (np.abs(down) < NAME_HEIGHT)).any())


def _rows(points: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for name, row in zip(channel(points), points.to_dict("records"), strict=True):
        mm = [number(row[axis]) for axis in ("x_mm", "y_mm", "z_mm")]
        place = {"x": number(row["x"]), "y": number(row["y"]), "mm": None if None in mm else mm}
        rows.append({"name": name, **place, "confidence": number(row["confidence"])})
    return rows
