"""A mid-sagittal image with the names of what is on it, for a reader without radiology."""

from __future__ import annotations

import numpy as np
from matplotlib.patheffects import withStroke

from lumbar.figures.pictures import mark_points, show_picture
from lumbar.figures.style import Drawing, styled
from lumbar.landmarks import LEVELS

PLACES_MM = {
    "vertebra": ("L3/L4", "L4/L5", 0.5, -12.0),
    "disc": ("L2/L3", "L3/L4", 0.0, -12.0),
    "canal": ("L1/L2", "L2/L3", 0.5, 9.0),
    "sacrum": ("L4/L5", "L5/S1", 1.6, -4.0),
}
"""Part → two levels, how far along the line from the first to the second, and mm behind that line (in front of it if
negative). These are places on a spine of usual size, for a label; nothing is measured by them."""


@styled
def anatomy(picture: np.ndarray, points: np.ndarray, *, pixel_width: float, pixel_height: float) -> Drawing:
    """Show a mid-sagittal image twice: as it is, and with the five points and names for what they stand on.

    Args:
        picture: Grey values, shape (rows, columns); the front of the body is on the left, the head at the top.
        points: Shape (5, 2), native pixels: the levels from the top down.
        pixel_width: Distance between columns, mm.
        pixel_height: Distance between rows, mm.
    """
    figure = Drawing(figsize=(8.4, 4.9))
    plain, named = figure.subplots(1, 2)
    for axes, title in ((plain, "what you get to see"), (named, "with names")):
        show_picture(axes, picture, title, aspect=pixel_height / pixel_width)
    mark_points(named, points, LEVELS, size=28)
    look = {"color": "white", "fontsize": 9, "path_effects": [withStroke(linewidth=2.5, foreground="black")]}
    width = picture.shape[1]
    for level, (x, y) in zip(LEVELS, points, strict=True):
        named.annotate(level, (x, y), (0.93 * width, y), ha="right", va="center", arrowprops=_line(), **look)
    for part, (first, second, along, behind) in PLACES_MM.items():
        start, end = points[LEVELS.index(first)], points[LEVELS.index(second)]
        place = start + along * (end - start) + np.array([behind / pixel_width, 0])
        named.annotate(part, place, (0.06 * width, place[1]), ha="left", va="center", arrowprops=_line(), **look)
    figure.alt = (
        "A spine seen from the side, twice. On the right, lines lead from the words vertebra, disc, canal and sacrum "
        "to what they name, and from the five levels to their points: at the back edge of each disc, where the canal "
        "begins."
    )
    return figure


def _line() -> dict[str, object]:
    return {
        "arrowstyle": "-",
        "color": "white",
        "linewidth": 1.2,
        "path_effects": [withStroke(linewidth=3, foreground="black")],
    }
