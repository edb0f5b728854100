"""The five disc levels of a study: the mid-sagittal slice with its points, and the axial slice of each level."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill, shorten
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.patheffects import withStroke

from lumbar import imaging
from lumbar.core.constants import LEVELS
from lumbar.core.errors import ScanError
from lumbar.figures.pictures import mark_points, show_picture
from lumbar.figures.planes import cut_line
from lumbar.figures.style import GREY, Drawing, colour, fit_name, join_words, styled
from lumbar.geometry import Affine, upright
from lumbar.imaging.scan import BURNED_IN
from lumbar.preprocess import windowed
from lumbar.study.sagittal import ONLY_SLICE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lumbar.imaging import Scan
    from lumbar.study.sagittal import Midsagittal

_SIDES = {"sagittal": ("A", "P"), "axial": ("R", "L")}
"""Letters at the left and right edge of an image in radiological orientation."""

_WIDTHS = (5.52, 2.4, 2.4)
"""Widths of the three columns, inches; the file names above the images keep within them."""

_OUTLINED = {"fontweight": "bold", "path_effects": [withStroke(linewidth=2.5, foreground="black")]}
"""Style of text that is legible on dark and bright tissue."""


@styled
def levels(table: pd.DataFrame) -> Drawing:
    """Show the slices of a table of levels, in radiological orientation, with the points.

    A line in the colour of a level shows where the axial slice of that level cuts the sagittal slice. Levels that are
    flagged are named, with the reasons.

    Args:
        table: Five rows, see `lumbar.study.locating.Located`.

    Raises:
        ScanError: If a slice cannot be read, or has text burned into it, which the figure would show.
    """
    rows = list(table.itertuples())
    sagittal = imaging.read(rows[0].sagittal_file, frame=int(rows[0].sagittal_frame))
    figure = Drawing(figsize=(11, 7.6))
    grid = figure.add_gridspec(3, 3, width_ratios=_WIDTHS)
    main = figure.add_subplot(grid[:, 0])
    axials = {row.level: imaging.read(row.axial_file, frame=int(row.axial_frame)) for row in rows if row.axial_file}
    for scan in (sagittal, *axials.values()):
        if BURNED_IN in scan.warnings:
            raise ScanError(BURNED_IN, file=scan.path)
    kind = "sagittal" if ONLY_SLICE in rows[0].remark else "mid-sagittal"
    title = fit_name(Path(rows[0].sagittal_file).name, _WIDTHS[0], before=f"{kind}: ")
    shown = _show(main, sagittal, "sagittal", title)
    for row in rows:
        cut = _segment(sagittal, axials[row.level]) if row.level in axials else None
        if cut is not None:
            main.plot(*shown.points(cut).T, color=colour(row.level), linewidth=1.4, alpha=0.9)
        if pd.isna(row.sagittal_x):
            continue
        point = shown.points([row.sagittal_x, row.sagittal_y])
        mark_points(main, point[None], [row.level])
        _label(main, row.level, point)
    # Down the first column, then down the second: the order of the levels from head to feet.
    for row, place in zip(rows, [(n, 1) for n in range(3)] + [(n, 2) for n in range(3)], strict=False):
        _axial(figure.add_subplot(grid[place]), row, axials.get(row.level))
    flagged = _flagged(rows)
    _key(figure.add_subplot(grid[2, 2]), flagged)
    here = [row.level for row in rows if pd.notna(row.sagittal_x)]
    named = [f"{row.level} {row.distance_mm:.1f} mm away" for row in rows if row.level in axials]
    absent = [row.level for row in rows if row.level not in axials]
    figure.alt = (
        f"The {kind} slice with the points of {join_words(here) if here else 'no level'} from the head down, and "
        f"the axial slices nearest to them ({join_words(named)})"
        + (f"; no axial slice shows {join_words(absent)}" if absent else "")
        + f". {flagged}".rstrip()
    )
    return figure


@styled
def count(middle: Midsagittal, larger: Midsagittal) -> Drawing:
    """Show a larger view in which the count of the levels was checked, with its levels, beside the slice with its own.

    Args:
        middle: The mid-sagittal slice of the study.
        larger: That of the larger view.

    Raises:
        ScanError: If a slice cannot be read, or has text burned into it, which the figure would show.
    """
    figure = Drawing(figsize=(9, 5.2))
    for axes, each in zip(figure.subplots(1, 2), (larger, middle), strict=True):
        scan = imaging.read(each.slice.path, frame=each.slice.frame)
        if BURNED_IN in scan.warnings:
            raise ScanError(BURNED_IN, file=scan.path)
        shown = _show(axes, scan, "sagittal", fit_name(each.name, 4.2))
        for level, xy in zip(LEVELS, each.points.xy_native, strict=True):
            if np.isfinite(xy).all():
                point = shown.points(xy)
                mark_points(axes, point[None], [level])
                _label(axes, level, point)
    here = [level for level, xy in zip(LEVELS, middle.points.xy_native, strict=True) if np.isfinite(xy).all()]
    figure.alt = (
        f"{larger.name}, a larger view, with the levels counted in it, beside the slice of {middle.name} with "
        f"{join_words(here) if here else 'no level'}."
    )
    return figure


def _show(axes: Axes, scan: Scan, view: str, title: str) -> Affine:
    """Show a scan upright; return the map from its native pixels to those of the image shown."""
    rows, columns = scan.pixels.shape
    shown, width, height = upright(scan.orientation, columns, rows)
    pixel_width, pixel_height = np.abs(shown.vectors([scan.pixel_width, scan.pixel_height]))
    show_picture(axes, shown.image(windowed(scan.pixels), width, height), title, aspect=pixel_height / pixel_width)
    for letter, x, side in zip(_SIDES[view], (0.02, 0.98), ("left", "right"), strict=True):
        axes.text(x, 0.5, letter, color="white", transform=axes.transAxes, ha=side, va="center", **_OUTLINED)
    return shown


def _segment(sagittal: Scan, axial: Scan) -> np.ndarray | None:
    """Return the ends of the line where an axial image cuts the sagittal plane, (2, 2), pixels of the latter."""
    rows, columns = axial.pixels.shape
    ends = cut_line(axial.plane, sagittal.plane, columns, rows)
    return None if ends is None else sagittal.plane.to_pixels(axial.plane.to_patient(ends))


def _label(axes: Axes, level: str, point: np.ndarray) -> None:
    axes.annotate(level, point, (12, 7), textcoords="offset points", color=colour(level), **_OUTLINED)


def _axial(axes: Axes, row: Any, axial: Scan | None) -> None:
    if axial is None:
        axes.set_axis_off()
        axes.set_title(f"{row.level}: no slice", fontsize=10, loc="center")
        axes.text(0.5, 0.5, fill(row.remark, 26), ha="center", va="center", color=GREY, transform=axes.transAxes)
        return
    frame = f" frame {row.axial_frame}" if row.axial_frame else ""
    title = fit_name(Path(row.axial_file).name, _WIDTHS[1], before=f"{row.level}: ", after=frame)
    shown = _show(axes, axial, "axial", f"{title}\n{row.distance_mm:.1f} mm from the point")
    mark_points(axes, shown.points([[row.axial_x, row.axial_y]]), [row.level])


def _flagged(rows: list[Any]) -> str:
    """Return which levels need checking, and why; "" if none does."""
    doubtful = [row for row in rows if pd.notna(row.flagged) and row.flagged]
    why = "; ".join(dict.fromkeys(row.remark for row in doubtful if row.remark))
    named = f"Flagged, check before use: {join_words(row.level for row in doubtful)}"
    return shorten(f"{named}: {why}." if why else f"{named}.", 260, placeholder=" …") if doubtful else ""


def _key(axes: Axes, flagged: str) -> None:
    axes.set_axis_off()
    text = (
        "Lines: where the axial slices cut the sagittal one.\n\nA, P: the patient's front and back. "
        "R, L: the patient's right and left.\n\nNot for diagnosis."
    )
    text += f"\n\n{flagged}" if flagged else ""
    width, size = (44, 7.5) if flagged else (32, 9.5)
    wrapped = "\n".join(fill(part, width) for part in text.split("\n"))
    axes.text(0.05, 0.95, wrapped, ha="left", va="top", transform=axes.transAxes, fontsize=size)
