"""Pictures with what was found or marked on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D

from lumbar.figures.style import BLACK, Drawing, colour, listed, marker, names_for, number, styled
from lumbar.geometry import Affine

PICTURE_INCHES = 2.5
"""Side of one picture in a grid."""

SMALL = 64
"""Pictures with fewer rows than this are shown with their single pixels to be seen."""


def show_picture(axes: Axes, picture: np.ndarray, title: str = "", *, aspect: float = 1.0) -> None:
    """One grey picture without axes.

    Args:
        axes: Where to draw.
        picture: (rows, columns); uint8 is shown as it is, anything else from its darkest to its brightest value.
        title: What to write above it.
        aspect: Height of a pixel divided by its width.
    """
    limits = (0, 255) if picture.dtype == np.uint8 else (float(np.nanmin(picture)), float(np.nanmax(picture)))
    smoothing = "nearest" if len(picture) < SMALL else "bilinear"
    axes.imshow(picture, cmap="gray", vmin=limits[0], vmax=limits[1], aspect=aspect, interpolation=smoothing)
    axes.set(xlim=(-0.5, picture.shape[1] - 0.5), ylim=(picture.shape[0] - 0.5, -0.5))
    axes.set_axis_off()
    if title:
        axes.set_title(title, fontsize=10, loc="center")


def mark_points(axes: Axes, points: np.ndarray, channels: Sequence[str], *, size: float = 42) -> None:
    """Points on a picture, each in its landmark's colour and shape.

    Args:
        axes: Where to draw.
        points: (K, 2) pixels of the picture shown; NaN is left out.
        channels: K names.
        size: Area of a mark, square points.
    """
    for name, (x, y) in zip(channels, points, strict=True):
        if np.isfinite(x + y):
            axes.scatter(x, y, s=size, c=colour(name), marker=marker(name), edgecolors="black", linewidths=0.8)


def mark_errors(axes: Axes, true: np.ndarray, predicted: np.ndarray, channels: Sequence[str]) -> None:
    """True points as rings, predicted ones as crosses, a line between those that belong together.

    Args:
        axes: Where to draw.
        true: (K, 2) pixels of the picture shown, NaN missing.
        predicted: (K, 2), the same.
        channels: K names.
    """
    for name, there, here in zip(channels, true, predicted, strict=True):
        if np.isfinite(there).all():
            axes.plot(*np.transpose([there, here]), color=colour(name), linewidth=1.6)
            axes.scatter(*there, s=60, facecolors="none", edgecolors=colour(name), linewidths=1.8)
            axes.scatter(*here, s=45, c=colour(name), marker="x", linewidths=1.8)


def grid_of(count: int, columns: int, *, heading: str = "", extra: float = 0.0) -> tuple[Drawing, list[Axes]]:
    """A figure with room for `count` pictures.

    Args:
        count: Pictures.
        columns: Pictures in a row, at most.
        heading: Title of the whole figure.
        extra: Further height for a legend, inches.

    Returns:
        The figure, and one empty axes a picture.
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


def add_legend(figure: Drawing, channels: Sequence[str], *, errors: bool = False) -> None:
    """Say below the pictures which mark is which landmark."""
    look = {"linestyle": "none", "markersize": 7}
    if errors:
        handles = [Line2D([], [], color=colour(name), linewidth=4, label=name) for name in channels]
        ring = Line2D([], [], marker="o", markerfacecolor="none", color=BLACK, label="true", **look)
        handles += [ring, Line2D([], [], marker="x", color=BLACK, label="predicted", **look)]
    else:
        look |= {"markeredgecolor": "black"}
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
) -> Drawing:
    """Pictures side by side, with their landmarks and, if given, what a network answered.

    Args:
        images: N grey pictures (rows, columns), of any size.
        points: (N, K, 2) true points in pixels of the pictures shown, NaN missing.
        predicted: (N, K, 2) a network's answers, the same.
        channels: K names; the five levels, the two sides or both if left out.
        titles: N titles.
        columns: Pictures in a row.
        heading: Title of the whole figure.
    """
    titles = [""] * len(images) if titles is None else titles
    names = () if points is None else names_for(channels, np.shape(points)[1])
    lines = 1 + max(title.count("\n") for title in titles)
    rows = -(-len(images) // columns)
    extra = (0.4 if names else 0) + 0.2 * rows * (lines - 1)
    figure, cells = grid_of(len(images), columns, heading=heading, extra=extra)
    for position, (axes, picture, title) in enumerate(zip(cells, images, titles, strict=True)):
        show_picture(axes, np.asarray(picture), title)
        if predicted is not None:
            mark_errors(axes, points[position], predicted[position], names)
        elif names:
            mark_points(axes, points[position], names)
    what = f"{len(images)} grey picture{'s' if len(images) > 1 else ''}"
    if names:
        seen = np.isfinite(np.asarray(points)).all(axis=(0, 2)) if len(images) == 1 else np.ones(len(names), bool)
        shown = [name for name, is_seen in zip(names, seen, strict=True) if is_seen]
        add_legend(figure, shown, errors=predicted is not None)
        what += f" with {listed(shown)} marked"
    if predicted is not None:
        away = np.linalg.norm(np.asarray(predicted) - np.asarray(points), axis=-1)
        what += f", and a network's answers beside them, on average {number(np.nanmean(away))} pixels away"
    figure.alt = f"{heading + ': ' if heading else ''}{what}."
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
    """One picture and what augmentation made of it; the points must have moved along.

    Args:
        original: (rows, columns) uint8.
        points: (K, 2) its points, pixels of the 256 frame.
        pictures: M changed pictures.
        moved: (M, K, 2) their points, NaN where one has left the picture.
        channels: K names.
        columns: Pictures in a row.
    """
    titles = ["original"] + [f"changed, {number + 1}" for number in range(len(pictures))]
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
    """Where a heatmap network looks for each landmark: its maps, laid over the picture.

    Args:
        picture: (rows, columns) uint8.
        maps: (h, w, K) not negative, on a coarser grid over the same picture; each is shown from 0 to its maximum.
        channels: K names.
        points: (K, 2) true points in pixels of `picture`, NaN missing.
        answers: (K, 2) what the maps were read out as, marked with crosses; their centres of mass if left out.
    """
    names = names_for(channels, maps.shape[-1])
    rows, columns = picture.shape
    to_picture = Affine.unit(*maps.shape[1::-1]).then(Affine.unit(columns, rows).inverse())
    figure, cells = grid_of(len(names) + 1, 3 if len(names) < 6 else 4)
    show_picture(cells[0], picture, "picture")
    for order, (axes, name) in enumerate(zip(cells[1:], names, strict=True)):
        show_picture(axes, picture, name)
        fading = LinearSegmentedColormap.from_list(name, [(*_rgb(name), 0.0), (*_rgb(name), 0.95)])
        box = (-0.5, columns - 0.5, rows - 0.5, -0.5)
        axes.imshow(maps[..., order], cmap=fading, vmin=0, extent=box, interpolation="bilinear")
        answer = to_picture.points(_centre_of_mass(maps[..., order])) if answers is None else answers[order]
        axes.scatter(*answer, s=60, c="white", marker="x", linewidths=1.4)
        if points is not None and np.isfinite(points[order]).all():
            axes.scatter(*points[order], s=90, facecolors="none", edgecolors="white", linewidths=1.4)
    ring = ", a white ring the true point" if points is not None else ""
    figure.alt = (
        f"A picture, and over copies of it one heatmap each for {listed(names)}; a white cross marks the answer{ring}."
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
    """The pictures a network got most wrong, the worst first.

    Args:
        images: N pictures (rows, columns) uint8; only the worst are read.
        true: (N, K, 2) pixels of the pictures, NaN missing.
        predicted: (N, K, 2), the same.
        channels: K names.
        titles: N titles; each picture's mean error is added.
        count: How many to show.
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
        f"crosses; the worst is {number(mean[worst[0]])} pixels off, the last shown {number(mean[worst[-1]])}."
    )
    return figure


def _centre_of_mass(weights: np.ndarray) -> np.ndarray:
    """(x, y) in pixels of the map."""
    rows, columns = np.indices(weights.shape)
    return np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()


def _rgb(name: str) -> tuple[float, float, float]:
    digits = colour(name).removeprefix("#")
    return tuple(int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4))
