"""Several views of one patient, with the lines in which their planes intersect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lumbar.figures.pictures import show_picture
from lumbar.figures.style import ORANGE, SKY, VERMILION, YELLOW, Drawing, join_words, styled
from lumbar.geometry import Plane
from lumbar.preprocess import windowed

if TYPE_CHECKING:
    from lumbar.imaging import Scan

VIEW_COLOURS = {"sagittal": ORANGE, "coronal": SKY, "axial": VERMILION}


@styled
def planes(scans: Mapping[str, Scan], point_mm: np.ndarray | None = None) -> Drawing:
    """Show views side by side in true proportions; a dashed line in one shows where the plane of another cuts it.

    Args:
        scans: View → scan with a plane in the patient.
        point_mm: A point to mark in each view, where it falls perpendicularly: (3,), patient mm (LPS).
    """
    figure = Drawing(figsize=(3.6 * len(scans), 4.2))
    for axes, (view, scan) in zip(figure.subplots(1, len(scans), squeeze=False)[0], scans.items(), strict=True):
        rows, columns = scan.pixels.shape
        show_picture(axes, windowed(scan.pixels), aspect=scan.plane.pixel_height / scan.plane.pixel_width)
        axes.set_title(view, color=VIEW_COLOURS.get(view, "black"), fontweight="bold", loc="center")
        for other, cutting in scans.items():
            line = cut_line(scan.plane, cutting.plane, columns, rows) if other != view else None
            if line is not None:
                axes.plot(*line.T, color=VIEW_COLOURS.get(other, "white"), linestyle=(0, (6, 3)), linewidth=1.6)
        if point_mm is not None:
            # A ring, lest the mark hide what it marks.
            axes.scatter(*scan.plane.to_pixels(point_mm), s=160, facecolors="none", edgecolors=YELLOW, linewidths=2)
    figure.alt = f"{join_words(scans)} pictures of one patient; dashed lines show where the other planes cut each."
    if point_mm is not None:
        figure.alt = f"{figure.alt[:-1]}, and a ring the same point in all of them."
    return figure


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
