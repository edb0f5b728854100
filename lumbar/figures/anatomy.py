"""Names of what is on an image, for a reader without radiology."""

from __future__ import annotations

import numpy as np

from lumbar.figures.pictures import mark_points, name_places, show_picture
from lumbar.figures.style import Drawing, styled
from lumbar.landmarks import LEVELS

PLACES_MM = {
    "vertebra": ("L3/L4", "L4/L5", 0.5, -12.0),
    "disc": ("L2/L3", "L3/L4", 0.0, -12.0),
    "canal": ("L1/L2", "L2/L3", 0.5, 9.0),
    "sacrum": ("L4/L5", "L5/S1", 1.6, -14.0),
}
"""Part → two levels, how far along the line from the first to the second, and mm behind that line (in front of it if
negative). These are places on a spine of usual size, for a label; nothing is measured by them."""

AROUND_MM = {
    "vertebra": ("L3/L4", (0, -15, 18)),
    "disc": ("L3/L4", (0, -18, 0)),
    "canal": ("L3/L4", (0, 8, 0)),
    "muscle": ("L3/L4", (-40, 30, 0)),
    "sacrum": ("L5/S1", (0, -2, -22)),
}
"""Part → a level, and how far the part is from its point, patient mm (LPS); for labels, too."""


@styled
def anatomy(picture: np.ndarray, points: np.ndarray, *, pixel_width: float, pixel_height: float) -> Drawing:
    """Show a mid-sagittal image twice: as it is, and with the five points and names for what they stand on.

    Args:
        picture: Grey values, shape (rows, columns); the front of the body is on the left, the head at the top.
        points: Shape (5, 2), native pixels: the levels from the top down.
        pixel_width: Distance between columns, mm.
        pixel_height: Distance between rows, mm.
    """
    figure = Drawing(figsize=(8.4, 4.3))
    plain, named = figure.subplots(1, 2)
    for axes, title in ((plain, "what you get to see"), (named, "with names")):
        show_picture(axes, picture, title, aspect=pixel_height / pixel_width)
    mark_points(named, points, LEVELS)
    name_places(named, dict(zip(LEVELS, points, strict=True)), right=True, gap=6)
    name_places(named, parts_of_spine(points, pixel_width=pixel_width))
    figure.alt = (
        "A spine seen from the side, twice. On the right, arrows lead from the words vertebra, disc, canal and sacrum "
        "to what they name, and from the five levels to their points: at the back edge of each disc, where the canal "
        "begins."
    )
    return figure


def parts_of_spine(points: np.ndarray, *, pixel_width: float) -> dict[str, np.ndarray]:
    """Return where a mid-sagittal image shows a vertebra, a disc, the canal and the sacrum.

    Args:
        points: Shape (5, 2), pixels of the image: the levels from the top down.
        pixel_width: Distance between columns of the image, mm.

    Returns:
        Part → (x, y), pixels of the image.
    """
    places = {}
    for part, (first, second, along, behind) in PLACES_MM.items():
        start, end = points[LEVELS.index(first)], points[LEVELS.index(second)]
        places[part] = start + along * (end - start) + np.array([behind / pixel_width, 0])
    return places


def parts_in_patient(points_mm: np.ndarray) -> dict[str, np.ndarray]:
    """Return where on a spine of usual size some parts lie, for labels in views from the side and from below.

    Args:
        points_mm: The five sagittal points from the top down, (5, 3), patient mm (LPS).

    Returns:
        Part → its place, (3,), patient mm (LPS).
    """
    return {part: points_mm[LEVELS.index(level)] + np.array(away) for part, (level, away) in AROUND_MM.items()}
