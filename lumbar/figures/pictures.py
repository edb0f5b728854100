"""Images with landmarks, predictions or heatmaps on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D
from matplotlib.path import Path

from lumbar.figures.style import (
    BLACK,
    Drawing,
    channel_names,
    colour,
    format_number,
    introduce,
    join_words,
    marker,
    outlined,
    styled,
)
from lumbar.geometry import Affine

PICTURE_INCHES = 2.5
"""Side of one image in a grid, inches."""

TICKS = Path([(0, 0.4), (0, 1), (0, -0.4), (0, -1), (0.4, 0), (1, 0), (-0.4, 0), (-1, 0)], [1, 2] * 4)
"""A marker that leaves free what it points at."""

SMALL = 64
"""Images with fewer rows than this are not smoothed, so that single pixels can be seen."""


def show_picture(axes: Axes, picture: np.ndarray, title: str = "", *, aspect: float = 1.0) -> None:
    """Show one grey image without axes.

    Args:
        axes: Axes to plot on.
        picture: Shape (rows, columns); uint8 is shown as it is, other types from their smallest to their largest value.
        title: Title above it.
        aspect: Height of a pixel divided by its width.
    """
    limits = (0, 255) if picture.dtype == np.uint8 else (float(np.nanmin(picture)), float(np.nanmax(picture)))
    smoothing = "nearest" if len(picture) < SMALL else "bilinear"
    axes.imshow(picture, cmap="gray", vmin=limits[0], vmax=limits[1], aspect=aspect, interpolation=smoothing)
    axes.set(xlim=(-0.5, picture.shape[1] - 0.5), ylim=(picture.shape[0] - 0.5, -0.5))
    axes.set_axis_off()
    if title:
        axes.set_title(title, fontsize=10, loc="center")


def mark_points(axes: Axes, points: np.ndarray, channels: Sequence[str], *, size: float = 54) -> None:
    """Mark points on an image, each in the colour and shape of its landmark; the marks are hollow and hide nothing.

    Args:
        axes: Axes to plot on.
        points: Shape (K, 2), pixels of the image; NaN is left out.
        channels: K names.
        size: Area of a mark, square points.
    """
    for name, (x, y) in zip(channels, points, strict=True):
        if np.isfinite(x + y):
            look = {"facecolors": "none", "edgecolors": colour(name), "linewidths": 1.4}
            axes.scatter(x, y, s=size, marker=marker(name), path_effects=outlined(2.8), **look)


def name_places(axes: Axes, places: Mapping[str, Sequence[float]], *, right: bool = False, gap: float = 3.0) -> None:
    """Write words at an edge of an image, one below the other, with an arrow from each to the place that it names.

    Args:
        axes: Axes of an image.
        places: Word → (x, y), pixels of the image.
        right: Whether the words stand at the right edge; else at the left one.
        gap: Distance between the tip of an arrow and its place, points.
    """
    start, end = axes.get_xlim()
    side = start + (end - start) * (0.96 if right else 0.04)
    arrow = {"arrowstyle": "-|>", "mutation_scale": 6, "color": "white", "linewidth": 1.2, "shrinkB": gap}
    arrow["path_effects"] = outlined(3)
    lowest, highest = axes.get_ylim()
    height = -np.inf
    for word, (x, y) in sorted(places.items(), key=lambda item: item[1][1]):
        height = max(y, height + 0.05 * (lowest - highest))
        words = {"ha": "right" if right else "left", "va": "center", "color": "white", "fontsize": 9}
        axes.annotate(word, (x, y), (side, height), arrowprops=arrow, path_effects=outlined(2.5), **words)


def mark_errors(axes: Axes, true: np.ndarray, predicted: np.ndarray, channels: Sequence[str]) -> None:
    """Mark true points as rings and predicted points as crosses, with a line between the two of each landmark.

    All crosses are above all rings: in an image that is miscounted by a level, each lies in the ring of another one.

    Args:
        axes: Axes to plot on.
        true: Shape (K, 2), pixels of the image; NaN where a landmark is missing.
        predicted: Shape (K, 2), pixels of the image.
        channels: K names.
    """
    for name, there, here in zip(channels, true, predicted, strict=True):
        if np.isfinite(there).all():
            axes.plot(*np.transpose([there, here]), color=colour(name), linewidth=1.6, zorder=2)
            axes.scatter(*there, s=60, facecolors="none", edgecolors=colour(name), linewidths=1.8, zorder=3)
            look = {"marker": "x", "linewidths": 1.6, "path_effects": outlined(2.6), "zorder": 4}
            axes.scatter(*here, s=30, c=colour(name), **look)


def image_grid(count: int, columns: int, *, heading: str = "", extra: float = 0.0) -> tuple[Drawing, list[Axes]]:
    """Return a figure with space for several images.

    Args:
        count: Number of images.
        columns: Largest number of images in a row.
        heading: Title of the whole figure.
        extra: Additional height for a legend, inches.

    Returns:
        The figure, and one empty axes per image.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    height = rows * (PICTURE_INCHES + 0.25) + extra + (0.4 if heading else 0)
    figure = Drawing(figsize=(max(columns * PICTURE_INCHES, 4.8), height))
    cells = list(figure.subplots(rows, columns, squeeze=False).flat)
    for spare in cells[count:]:
        spare.set_axis_off()
    if heading:
        figure.suptitle(heading)
    return figure, cells[:count]


def add_legend(figure: Drawing, channels: Sequence[str], *, crosses: str = "") -> None:
    """Add a legend of the landmarks below the images.

    Args:
        figure: Figure of the images.
        channels: Names of the landmarks shown.
        crosses: What the crosses of `mark_errors` are; "" if the marks are those of `mark_points`.
    """
    look = {"linestyle": "none", "markersize": 7}
    if crosses:
        handles = [Line2D([], [], color=colour(name), linewidth=4, label=name) for name in channels]
        ring = Line2D([], [], marker="o", markerfacecolor="none", color=BLACK, label="true", **look)
        handles += [ring, Line2D([], [], marker="x", color=BLACK, label=crosses, **look)]
    else:
        look |= {"markerfacecolor": "none", "markeredgewidth": 1.4, "path_effects": outlined(2.8)}
        handles = [Line2D([], [], color=colour(name), marker=marker(name), label=name, **look) for name in channels]
    fitting = max(int(figure.get_figwidth() / 0.95), 1)
    spacing = {"columnspacing": 1.0, "handletextpad": 0.3}
    figure.legend(handles=handles, loc="outside lower center", ncols=min(fitting, len(handles)), **spacing)


@styled
def pictures_with_points(
    images: Sequence[np.ndarray],
    points: np.ndarray | None = None,
    predicted: np.ndarray | None = None,
    *,
    channels: Sequence[str] | None = None,
    titles: Sequence[str] | None = None,
    columns: int = 4,
    heading: str = "",
    by: str = "",
    places: Sequence[Mapping[str, Sequence[float]]] = (),
    seen: str = "",
) -> Drawing:
    """Show images side by side, with their landmarks and, if given, the answers of a network or a person.

    Args:
        images: N grey images (rows, columns), of any size.
        points: True points, shape (N, K, 2), pixels of the images; NaN where a landmark is missing.
        predicted: Points that somebody else gives, shape (N, K, 2), pixels of the images.
        channels: K names; see `lumbar.figures.style.channel_names` for the default.
        titles: N titles.
        columns: Largest number of images in a row.
        heading: Title of the whole figure.
        by: Who gave the predicted points; a network if left out.
        places: For each image, words to write on it → the place (x, y) that they name, pixels of the image.
        seen: What there is to see, in a sentence that ends the text alternative.
    """
    titles = [""] * len(images) if titles is None else titles
    names = () if points is None else channel_names(channels, np.shape(points)[1])
    lines = 1 + max(title.count("\n") for title in titles)
    rows = -(-len(images) // columns)
    extra = (0.4 if names else 0) + 0.2 * rows * (lines - 1)
    figure, cells = image_grid(len(images), columns, heading=heading, extra=extra)
    for position, (axes, picture, title) in enumerate(zip(cells, images, titles, strict=True)):
        show_picture(axes, np.asarray(picture), title)
        if predicted is not None:
            mark_errors(axes, points[position], predicted[position], names)
        elif names:
            mark_points(axes, points[position], names)
        if places:
            name_places(axes, places[position], gap=6 if names else 3)
    what = f"{len(images)} grey picture{'s' if len(images) > 1 else ''}"
    if any(titles):
        what += f" ({join_words(', '.join(title.splitlines()) for title in titles)})"
    if names:
        known = np.isfinite(np.asarray(points)).all(axis=(0, 2)) if len(images) == 1 else np.ones(len(names), bool)
        shown = [name for name, is_known in zip(names, known, strict=True) if is_known]
        add_legend(figure, shown, crosses="" if predicted is None else by or "predicted")
        what += f" with {join_words(shown)} marked"
        heights = np.asarray(points, np.float64)[..., 1]
        if len(shown) > 1 and not (np.diff(heights, axis=1) <= 0).any():  # a comparison with NaN is False
            what += " from the top down"
    if predicted is not None:
        away = np.linalg.norm(np.asarray(predicted) - np.asarray(points), axis=-1)
        what += f", and what {by or 'a network'} answered, on average {format_number(np.nanmean(away))} pixels away"
    words = list(dict.fromkeys(" ".join(word.split()) for each in places for word in each))
    if words:
        what += f"; {join_words(words)} labelled"
    figure.alt = introduce(heading, f"{what}. {seen}".rstrip())
    return figure


@styled
def augmentations(
    original: np.ndarray,
    points: np.ndarray,
    pictures: Sequence[np.ndarray],
    moved: np.ndarray,
    *,
    channels: Sequence[str] | None = None,
    columns: int = 4,
) -> Drawing:
    """Show an image and augmented copies of it; the points must have moved with the pixels.

    Args:
        original: The image, uint8, shape (rows, columns).
        points: Its points, shape (K, 2), pixels of the 256 frame.
        pictures: M augmented copies.
        moved: Their points, shape (M, K, 2), pixels of the 256 frame; NaN where a point has left the image.
        channels: K names; see `lumbar.figures.style.channel_names` for the default.
        columns: Largest number of images in a row.
    """
    titles = ["original"] + [f"changed, {copy + 1}" for copy in range(len(pictures))]
    both = np.concatenate([np.asarray(points)[None], moved])
    figure = pictures_with_points([original, *pictures], both, channels=channels, titles=titles, columns=columns)
    figure.alt = (
        f"A picture and {len(pictures)} randomly changed copies of it; the landmarks have moved with the picture."
    )
    return figure


@styled
def heatmaps(
    picture: np.ndarray,
    maps: np.ndarray,
    *,
    channels: Sequence[str] | None = None,
    points: np.ndarray | None = None,
    answers: np.ndarray | None = None,
) -> Drawing:
    """Show the heatmaps of a network, each over a copy of the image.

    Args:
        picture: The image, uint8, shape (rows, columns).
        maps: The heatmaps, shape (h, w, K), not negative, on a coarser grid over the same image. Each is shown from 0
            to its maximum.
        channels: K names; see `lumbar.figures.style.channel_names` for the default.
        points: True points, shape (K, 2), pixels of `picture`; NaN where a landmark is missing.
        answers: Points decoded from the heatmaps, shape (K, 2), pixels of `picture`, pointed at by four ticks; the
            centres of mass of the heatmaps if left out.
    """
    names = channel_names(channels, maps.shape[-1])
    rows, columns = picture.shape
    to_picture = Affine.unit(*maps.shape[1::-1]).then(Affine.unit(columns, rows).inverse())
    figure, cells = image_grid(len(names) + 1, 3 if len(names) < 6 else 4)
    show_picture(cells[0], picture, "picture")
    for order, (axes, name) in enumerate(zip(cells[1:], names, strict=True)):
        show_picture(axes, picture, name)
        fading = LinearSegmentedColormap.from_list(name, [(*_rgb(name), 0.0), (*_rgb(name), 0.95)])
        box = (-0.5, columns - 0.5, rows - 0.5, -0.5)
        axes.imshow(maps[..., order], cmap=fading, vmin=0, extent=box, interpolation="bilinear")
        answer = to_picture.points(_centre_of_mass(maps[..., order])) if answers is None else answers[order]
        seen_on_white = {"path_effects": outlined(2.5), "linewidths": 1.2}
        axes.scatter(*answer, s=330, c="white", marker=TICKS, **seen_on_white)
        if points is not None and np.isfinite(points[order]).all():
            axes.scatter(*points[order], s=330, facecolors="none", edgecolors="white", **seen_on_white)
    ring = ", a white ring goes around the true point" if points is not None else ""
    figure.alt = (
        f"A picture, and over copies of it one heatmap each for {join_words(names)}; "
        f"four white ticks point at the answer{ring}."
    )
    return figure


@styled
def worst_cases(
    images: Sequence[np.ndarray],
    true: np.ndarray,
    predicted: np.ndarray,
    *,
    channels: Sequence[str] | None = None,
    titles: Sequence[str] | None = None,
    count: int = 8,
) -> Drawing:
    """Show the images with the largest errors of a network, the worst first.

    Args:
        images: N images (rows, columns), uint8; only the worst are read.
        true: True points, shape (N, K, 2), pixels of the images; NaN where a landmark is missing.
        predicted: Predicted points, shape (N, K, 2), pixels of the images.
        channels: K names; see `lumbar.figures.style.channel_names` for the default.
        titles: N titles; the mean error of each image is added.
        count: Largest number of images to show.
    """
    away = np.linalg.norm(np.asarray(predicted) - np.asarray(true), axis=-1)
    judged = np.isfinite(away).any(axis=1)
    mean = np.full(len(away), -np.inf)
    mean[judged] = np.nanmean(away[judged], axis=1)
    worst = [position for position in np.argsort(-mean, kind="stable")[:count] if judged[position]]
    if not worst:
        figure = Drawing(figsize=(4.8, 0.6))
        figure.text(0, 0.3, "No picture has a known point.")
        figure.alt = "No picture has a known point, so there are no worst cases."
        return figure
    above = [f"{titles[position]}\n" if titles is not None else "" for position in worst]
    labels = [f"{title}{mean[position]:.1f} px off" for title, position in zip(above, worst, strict=True)]
    figure = pictures_with_points(
        [images[position] for position in worst],
        np.asarray(true)[worst],
        np.asarray(predicted)[worst],
        channels=channels,
        titles=labels,
        heading="Worst cases",
    )
    figure.alt = (
        f"The {len(worst)} pictures with the largest mean errors, true points as rings joined to predicted points as "
        f"crosses; the worst is {format_number(mean[worst[0]])} pixels off, "
        f"the last shown {format_number(mean[worst[-1]])}."
    )
    return figure


def _centre_of_mass(weights: np.ndarray) -> np.ndarray:
    """Return (x, y), pixels of the map."""
    rows, columns = np.indices(weights.shape)
    return np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()


def _rgb(name: str) -> tuple[float, float, float]:
    """Return the colour of a landmark as red, green and blue, 0 to 1."""
    digits = colour(name).removeprefix("#")
    return tuple(int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4))
