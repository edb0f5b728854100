"""Plots of a data set: its patients, the positions of its landmarks, the brightness of its images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd

from lumbar.figures.pictures import add_legend, mark_points, name_places, show_picture
from lumbar.figures.style import BLACK, PART_COLOURS, STYLE, Drawing, channel_names, colour, join_words, marker, styled
from lumbar.geometry import SIZE
from lumbar.landmarks import PARTS, image_names


@styled
def split_overview(table: pd.DataFrame, parts: pd.Series) -> Drawing:
    """Plot the number of patients per source and of images per view in each part of a split.

    Args:
        table: Landmark table, or any table with columns image, patient, source and view.
        parts: Part of each patient, as `lumbar.splits.split` returns it.
    """
    rows = table[["image", "patient", "source", "view"]].assign(part=table["patient"].map(parts))
    people = _counts(rows.drop_duplicates("patient"), "source")
    pictures = _counts(rows[~image_names(table).duplicated()], "view")
    height = 1.7 + 0.5 * max(len(people), len(pictures))
    figure = Drawing(figsize=(9.5, height))
    panels = {"patients, by source": people, "pictures, by view": pictures}
    for axes, (title, counts) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        start = np.zeros(len(counts))
        for part in [part for part in PARTS if part in counts]:
            width = counts[part].to_numpy()
            bars = axes.barh(counts.index, width, left=start, height=0.62, color=PART_COLOURS[part], label=part)
            wide = [f"{value}" if value > 0.05 * counts.to_numpy().sum(axis=1).max() else "" for value in width]
            axes.bar_label(bars, wide, label_type="center", color=BLACK if part == "validation" else "white")
            start += width
        axes.set(title=title, xlabel=f"number of {title.partition(',')[0]}")
        axes.grid(visible=False, axis="y")
        axes.margins(y=0.15)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    totals = [f"{people[part].sum()} for {part}" for part in PARTS if part in people]
    shown = [part for part in PARTS if part in pictures]
    images = [f"{pictures[part].sum()}" for part in shown]
    views = [f"{view} {', '.join(map(str, row))}" for view, *row in pictures[shown].itertuples()]
    figure.alt = (
        f"Bar charts of the split: patients {', '.join(totals)}; pictures {', '.join(images)}, of these "
        f"{'; '.join(views)}."
    )
    return figure


@styled
def landmark_cloud(
    points: np.ndarray, *, channels: Sequence[str] | None = None, background: np.ndarray | None = None
) -> Drawing:
    """Plot the positions of the landmarks of all images in the 256 frame.

    Args:
        points: Shape (N, K, 2), pixels of the 256 frame; NaN where a landmark is missing.
        channels: K names; see `lumbar.figures.style.channel_names` for the default.
        background: Grey image behind them, shape (256, 256), for example the mean image.
    """
    points = np.asarray(points)
    names = channel_names(channels, points.shape[1])
    figure = Drawing(figsize=(6.4, 5.2))
    axes = figure.subplots()
    if background is not None:
        axes.imshow(background, cmap="gray", alpha=0.55)
        axes.grid(visible=False)
    for order, name in enumerate(names):
        x, y = points[:, order].T
        axes.scatter(x, y, s=14, color=colour(name), marker=marker(name), alpha=0.65, linewidths=0, label=name)
    axes.set(xlim=(-0.5, SIZE - 0.5), ylim=(SIZE - 0.5, -0.5), aspect="equal", xlabel="x, pixels", ylabel="y, pixels")
    legend = axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), markerscale=2)
    for handle in legend.legend_handles:
        handle.set_alpha(1)
    known = [order for order in range(len(names)) if np.isfinite(points[:, order]).any()]
    means = [
        f"{names[order]} ({np.nanmean(points[:, order, 0]):.0f}, {np.nanmean(points[:, order, 1]):.0f})"
        for order in known
    ]
    figure.alt = f"The landmarks of {len(points)} pictures in one frame; mean x and y in pixels: {', '.join(means)}."
    return figure


@styled
def intensities(pictures: Mapping[str, np.ndarray], *, title: str = "", xlabel: str = "grey value") -> Drawing:
    """Plot histograms of the grey values.

    Args:
        pictures: Name → array of grey values, any shape.
        title: Title of the figure.
        xlabel: What the values are.
    """
    figure = Drawing(figsize=(7, 3.6))
    axes = figure.subplots()
    shades = cycle(each["color"] for each in STYLE["axes.prop_cycle"])
    whole = all(np.asarray(values).dtype == np.uint8 for values in pictures.values())
    stated = []
    for shade, (name, values) in zip(shades, pictures.items(), strict=False):
        flat = np.asarray(values).ravel()
        edges = np.linspace(0, 256, 65) if whole else np.linspace(flat.min(), flat.max(), 65)
        share = 100 * np.histogram(flat, bins=edges)[0] / max(flat.size, 1)
        axes.stairs(share, edges, color=shade, linewidth=1.8, label=name)
        axes.stairs(share, edges, color=shade, alpha=0.18, fill=True)
        stated.append(f"{name}: median {np.median(flat):.0f}, {share[-1]:.0f} % of the pixels in the highest bin")
    axes.set(xlabel=xlabel, ylabel="pixels, %", ylim=(0, None))
    axes.margins(x=0)
    if len(pictures) > 1:
        axes.legend()
    if title:
        axes.set_title(title)
    figure.alt = f"Histogram of {xlabel}. {'; '.join(stated)}."
    return figure


def _counts(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return the number of rows for each value of a column (rows) and each part (columns)."""
    return pd.crosstab(rows[by], rows["part"])


@styled
def one_picture(
    picture: np.ndarray,
    points: np.ndarray | None = None,
    *,
    channels: Sequence[str] | None = None,
    title: str = "",
    places: Mapping[str, Sequence[float]] | None = None,
) -> Drawing:
    """Show one image, large and with axes in pixels, to see what a coordinate means.

    Args:
        picture: Grey values, shape (rows, columns).
        points: Shape (K, 2), pixels of the image; NaN where a landmark is missing.
        channels: K names; see `lumbar.figures.style.channel_names` for the default.
        title: Title of the figure.
        places: Words to write on the image → the place (x, y) that they name, pixels of the image.
    """
    names = () if points is None else channel_names(channels, len(points))
    figure = Drawing(figsize=(5.6, 5.8 if names else 5.4))
    axes = figure.subplots()
    show_picture(axes, picture, title)
    axes.set_axis_on()
    axes.grid(visible=False)
    axes.set(xlabel="x, pixels (column)", ylabel="y, pixels (row)")
    if names:
        mark_points(axes, points, names, size=60)
        shown = [name for name, point in zip(names, points, strict=True) if np.isfinite(point).all()]
        add_legend(figure, shown)
    else:
        shown = []
    name_places(axes, places or {})
    rows, columns = picture.shape
    marked = f" with {join_words(shown)} marked" if shown else ""
    if places:
        marked += f"; {join_words(places)} labelled"
    figure.alt = f"{title + ': ' if title else ''}a grey picture of {columns} by {rows} pixels{marked}."
    return figure
