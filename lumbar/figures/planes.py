"""Several views of one patient, with the lines in which their planes intersect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from lumbar.core.constants import TOWARDS
from lumbar.figures.pictures import name_places, show_picture
from lumbar.figures.style import ORANGE, SKY, VERMILION, YELLOW, Drawing, join_words, outlined, styled
from lumbar.geometry import Plane
from lumbar.preprocess import windowed

if TYPE_CHECKING:
    from lumbar.imaging import Scan

VIEW_COLOURS = {"sagittal": ORANGE, "coronal": SKY, "axial": VERMILION}

NEAR_MM = 12
"""A part of the body is named in a view if its place lies no farther from the plane."""


@styled
def planes(
    scans: Mapping[str, Scan],
    point_mm: np.ndarray | None = None,
    *,
    named: Mapping[str, np.ndarray] | None = None,
) -> Drawing:
    """Show views side by side in true proportions; a dashed line in one shows where the plane of another cuts it.

    A line has the colour of its view's title. Words at the edges say which side of the patient lies there.

    Args:
        scans: View → scan with a plane in the patient.
        point_mm: A point to mark in each view, where it falls perpendicularly: (3,), patient mm (LPS).
        named: Part → its place, (3,), patient mm (LPS), to name in each view that passes near it; see
            `lumbar.figures.anatomy.parts`.
    """
    named = named or {}
    figure = Drawing(figsize=(3.6 * len(scans), 4.2))
    for axes, (view, scan) in zip(figure.subplots(1, len(scans), squeeze=False)[0], scans.items(), strict=True):
        rows, columns = scan.pixels.shape
        show_picture(axes, windowed(scan.pixels), aspect=scan.plane.pixel_height / scan.plane.pixel_width)
        axes.set_title(view, color=VIEW_COLOURS.get(view, "black"), fontweight="bold", loc="center")
        _name_edges(axes, scan.plane)
        for other, cutting in scans.items():
            line = cut_line(scan.plane, cutting.plane, columns, rows) if other != view else None
            if line is not None:
                axes.plot(*line.T, color=VIEW_COLOURS.get(other, "white"), linestyle=(0, (6, 3)), linewidth=1.6)
        if point_mm is not None:
            # A ring, lest the mark hide what it marks.
            axes.scatter(*scan.plane.to_pixels(point_mm), s=160, facecolors="none", edgecolors=YELLOW, linewidths=2)
        near = {part: place for part, place in (named or {}).items() if abs(scan.plane.distance(place)) < NEAR_MM}
        name_places(axes, {part: scan.plane.to_pixels(place) for part, place in near.items()})
    sides = {view: edge_names(scan.plane)[:2] for view, scan in scans.items()}
    edges = [f"{view} ({left} at the left edge, {right} at the right)" for view, (left, right) in sides.items()]
    figure.alt = (
        f"Pictures of one patient: {join_words(edges)}. In each, dashed lines in the colours of the other titles show "
        f"where those planes cut it."
    )
    if point_mm is not None:
        figure.alt = f"{figure.alt[:-1]}, and a ring the same point in all of them."
    if named:
        figure.alt += f" Lines lead from the words {join_words(named)} to what they name."
    return figure


def edge_names(plane: Plane) -> tuple[str, str, str, str]:
    """Return which side of the patient lies at the left, right, upper and lower edge of an image: "front" and so on."""
    sides = []
    for direction in (plane.along_row, plane.along_column):
        axis = int(np.argmax(np.abs(direction)))
        ends = TOWARDS[axis] if direction[axis] > 0 else TOWARDS[axis][::-1]
        sides += [ends[1], ends[0]]
    return tuple(sides)


def _name_edges(axes: Axes, plane: Plane) -> None:
    places = ((0.02, 0.02, "left", "bottom"), (0.98, 0.02, "right", "bottom"), (0.5, 0.98, "center", "top"))
    look = {"color": "white", "fontsize": 9, "transform": axes.transAxes, "path_effects": outlined(2.5)}
    for name, (x, y, across, down) in zip(edge_names(plane), (*places, (0.5, 0.02, "center", "bottom")), strict=True):
        axes.text(x, y, name, ha=across, va=down, **look)


def cut_line(shown: Plane, other: Plane, columns: int, rows: int) -> np.ndarray | None:
    """Return the ends of the line where one plane cuts an image of another.

    Args:
        shown: Plane of the image.
        other: Plane that cuts it.
        columns: Columns of the image.
        rows: Rows of the image.

    Returns:
        Two points, shape (2, 2), pixels of `shown`; None if `other` does not cut the image.
    """
    corners = np.array([[-0.5, -0.5], [columns - 0.5, -0.5], [columns - 0.5, rows - 0.5], [-0.5, rows - 0.5]])
    distance = other.distance(shown.to_patient(corners))
    ends = []
    for here, there in zip(range(4), (1, 2, 3, 0), strict=True):
        if distance[here] * distance[there] < 0:  # this edge of the image crosses the plane
            along = distance[here] / (distance[here] - distance[there])
            ends.append(corners[here] + along * (corners[there] - corners[here]))
    return np.array(ends) if len(ends) == 2 else None
