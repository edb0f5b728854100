"""The content of the report on a file of points: each image with its points, and the images to check first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lumbar import imaging
from lumbar.core.constants import NEIGHBOURS
from lumbar.core.digests import digest_of_values
from lumbar.core.errors import ScanError
from lumbar.datasets.quality import FAIL, PASS, UNSURE
from lumbar.decoding.doubts import count_in_words
from lumbar.exports import NOT_FOR_DIAGNOSIS, csv_points, json_points, judgement, notices_of_points, number
from lumbar.geometry import Affine
from lumbar.imaging.scan import BURNED_IN
from lumbar.inference import UNJUDGED
from lumbar.landmarks import frames, row_channels
from lumbar.prediction import Picture, by_picture, is_judged
from lumbar.preprocess import windowed
from lumbar.reports.page import Embedded, embed_pixels, read_script

if TYPE_CHECKING:
    from lumbar.imaging import Scan

SIDE = 384
"""Side of an image on the page, in pixels."""

UNKNOWN_NETWORK = (
    "The table does not name the network that found the points. If it was trained on synthetic patients only, its "
    "errors on real patients are unknown until they are measured."
)
"""Notice for a CSV table, which does not name its network."""
NAME_WIDTH, NAME_HEIGHT = 60, 14
"""Space that the name of a point takes, in pixels of the image on the page."""


@dataclass(frozen=True)
class Mark:
    """A point on an image of the page.

    Args:
        name: Name of the point.
        x: Column, in pixels of the image on the page.
        y: Row, in pixels of the image on the page.
        colour: Colour of the marker.
        path: Outline of the marker, as an SVG path centred at (0, 0).
        to_the_left: Whether the name is to the left of the marker, not to the right.
        neighbour: Whether it is a disc next to the levels, which only shows how they were counted.
    """

    name: str
    x: float
    y: float
    colour: str
    path: str
    to_the_left: bool
    neighbour: bool = False


@dataclass(frozen=True)
class Card:
    """One image of the report, with its points.

    Args:
        name: Short name, unique in the table.
        image: Path of the image, as in the table.
        view: Plane of the image.
        flagged: Whether its points must be checked before they are used; None if the network could not judge.
        count: How likely it is that the levels are counted rightly, in a sentence; "" if it is not known.
        remarks: Remarks on the image, in sentences.
        points: For each point its name, x, y, mm (x, y, z, or None), confidence and whether it is absent; unknown
            values are None.
        picture: The image on the page; None if it is not shown.
        marks: The points on the image.
    """

    name: str
    image: str
    view: str
    flagged: bool | None
    count: str
    remarks: list[str]
    points: list[dict[str, Any]]
    picture: Embedded | None
    marks: list[Mark]


def content(file: Path, pictures: int) -> dict[str, Any]:
    """Return the values that the template ``points.html.j2`` needs.

    Args:
        file: CSV or JSON file that ``predict`` has written.
        pictures: Largest number of images to show; the others are only listed.

    Raises:
        DatasetError: If the file does not contain points.
        TableError: If the points in the file are invalid.
    """
    table, known, facts = _read(file)
    groups = list(by_picture(table))
    flagged_first = sorted(range(len(groups)), key=lambda order: not groups[order][2]["flagged"].any())
    shown = set(flagged_first[:pictures])
    cards = [_card(*group, known.get(group[1]), file.parent, order in shown) for order, group in enumerate(groups)]
    return facts | {
        "file": file.name,
        "cards": cards,
        "flagged": [card for card in cards if card.flagged],
        "unjudged": "" if is_judged(table) else UNJUDGED,
        "shown": sum(card.picture is not None for card in cards),
        "count": len(table),
        "has_neighbours": any(mark.neighbour for card in cards for mark in card.marks),
        "has_mm": any(point["mm"] for card in cards for point in card.points),
        "side": SIDE,
        "qualities": (PASS, FAIL, UNSURE),
        "report": _key(table),
        "script": read_script("quality.js"),
    }


def _key(table: pd.DataFrame) -> str:
    """Return a key of the images and their points: a browser keeps the judgements of other points apart."""
    rows = table[["image", "x", "y"]].itertuples(index=False)
    return digest_of_values([[row.image, number(row.x), number(row.y)] for row in rows])


def _read(file: Path) -> tuple[pd.DataFrame, dict[str, Picture], dict[str, Any]]:
    """Return the table of points, image path → details of the image, and the facts on the whole file."""
    if file.suffix.lower() == ".json":
        found = json_points.read(file)
        left_out = [{"image": error.file, "problem": error.problem, "remedy": error.remedy} for error in found.refused]
        facts = {"network": found.network, "notices": notices_of_points(found.synthetic), "left_out": left_out}
        return found.table, {picture.image: picture for picture in found.pictures}, facts
    facts = {"network": None, "notices": [UNKNOWN_NETWORK, NOT_FOR_DIAGNOSIS], "left_out": []}
    return csv_points.read(file), {}, facts


def _card(name: str, image: str, points: pd.DataFrame, known: Picture | None, folder: Path, shown: bool) -> Card:
    remarks, picture, marks = [], None, []
    if shown:
        try:
            scan = imaging.read(csv_points.path_of(image, folder), frame=frames(points)[0])
        except ScanError as error:
            remarks.append(f"The picture cannot be shown: {error.problem}.")
        else:
            known = known or _known(scan, image, points)
            if BURNED_IN in scan.warnings:
                remarks.append("The picture is not shown.")  # the text in it may identify the patient
            else:
                picture, marks = _plot(scan, points)
    else:
        remarks.append("The picture is left out to keep the page small.")
    remarks += _remarks(known)
    flagged, view = judgement(points["flagged"]), str(points["view"].iloc[0])
    return Card(name, image, view, flagged, _count(points), remarks, _rows(points), picture, marks)


def _known(scan: Scan, image: str, points: pd.DataFrame) -> Picture:
    """Return the details of an image that a CSV table does not contain."""
    height, width = scan.pixels.shape
    size = {"width": width, "height": height, "pixel_width": scan.pixel_width, "pixel_height": scan.pixel_height}
    return Picture(image, points["view"].iloc[0], **size, warnings=scan.warnings)


def _remarks(known: Picture | None) -> list[str]:
    """Return remarks on size, pixel spacing, assumed plane and warnings of an image, in sentences."""
    if known is None:
        return []
    spacing = "pixel spacing unknown"
    if known.pixel_width is not None and known.pixel_height is not None:
        spacing = f"{known.pixel_width:.3g} × {known.pixel_height:.3g} mm per pixel"
    remarks = [f"{known.width} × {known.height} pixels, {spacing}."]
    if known.assumed:
        remarks.append(f"The file does not state its plane; it was treated as {known.view}.")
    return remarks + [f"{warning[0].upper()}{warning[1:]}." for warning in known.warnings]


def _plot(scan: Scan, points: pd.DataFrame) -> tuple[Embedded, list[Mark]]:
    """Return the image in true proportions on a square of `SIDE` pixels, and its points on that square."""
    from lumbar.figures.style import OUTLINES, colour, outline

    height, width = scan.pixels.shape
    spacing = {"pixel_width": scan.pixel_width or 1, "pixel_height": scan.pixel_height or 1}
    to_page = Affine.letterbox(width, height, SIDE, **spacing)
    names = row_channels(points)
    there = ", ".join(names[points["x"].notna()]) or "none: it shows no level"
    alt = f"{points['view'].iloc[0]} picture with the points {there}; the table gives their coordinates"
    above, below = points[["x_higher", "y_higher"]].to_numpy()[:1], points[["x_lower", "y_lower"]].to_numpy()[-1:]
    positions = to_page.points(np.concatenate([points[["x", "y"]].to_numpy(), above, below]))
    looks = [(name, colour(name), outline(name), False) for name in names]
    looks += [(name, "none", OUTLINES["o"], True) for name in NEIGHBOURS]
    marks = [
        Mark(name, round(x, 2), round(y, 2), fill, shape, _crowded(x, y, positions), neighbour)
        for (name, fill, shape, neighbour), (x, y) in zip(looks, positions, strict=True)
        if np.isfinite(x + y)
    ]
    return embed_pixels(to_page.image(windowed(scan.pixels), SIDE, SIDE), alt), marks


def _count(points: pd.DataFrame) -> str:
    """Return how likely the levels of an image are counted rightly, in a sentence; "" if it is not known."""
    higher, lower = points[[*json_points.COUNT]].iloc[0]
    if np.isnan(higher + lower):
        return ""
    return f"{count_in_words(higher, lower)}."


def _crowded(x: float, y: float, positions: np.ndarray) -> bool:
    """Return whether a name to the right of a point would leave the image or cover another point."""
    right, down = (positions - [x, y]).T
    return x > SIDE - NAME_WIDTH or bool(((right > 0) & (right < NAME_WIDTH) & (np.abs(down) < NAME_HEIGHT)).any())


def _rows(points: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the points of a card, see `Card`."""
    rows = []
    for name, row in zip(row_channels(points), points.to_dict("records"), strict=True):
        mm = [number(row[axis]) for axis in ("x_mm", "y_mm", "z_mm")]
        position = {"x": number(row["x"]), "y": number(row["y"]), "mm": None if None in mm else mm}
        rows.append({"name": name, **position, "confidence": number(row["confidence"]), "absent": row["absent"] > 0.5})
    return rows
