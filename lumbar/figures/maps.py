"""Maps as lessons show them: what kernels make of a picture, softmax at several temperatures, and heatmaps as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from lumbar.figures.pictures import TICKS, image_grid, show_picture
from lumbar.figures.style import Drawing, colour, format_number, join_words, styled
from lumbar.geometry import Affine

FULL = 0.02
"""Share of a map in one of its pixels from which on the pixel has the full colour."""

_ON_ANY = {"path_effects": [withStroke(linewidth=2.5, foreground="black")], "linewidths": 1.2}


@styled
def convolutions(picture: np.ndarray, kernels: Mapping[str, np.ndarray]) -> Drawing:
    """Show what each of several kernels makes of an image, and the kernels themselves.

    An answer is shown from black, its largest amount with a minus, over grey, 0, to white, its largest amount; if no
    answer is negative, from black, 0, to white.

    Args:
        picture: The image, shape (rows, columns).
        kernels: Name → kernel, as `keras.ops.conv` takes it: not turned around.
    """
    figure, cells = image_grid(len(kernels), 5, extra=0.9)
    grey = picture.astype(np.float32)
    for axes, (name, kernel) in zip(cells, kernels.items(), strict=True):
        answer = cv2.filter2D(grey, -1, np.asarray(kernel, np.float32))[1:-1, 1:-1]
        most = float(np.abs(answer).max()) or 1.0
        shown = answer / most if answer.min() >= 0 else (answer / most + 1) / 2
        show_picture(axes, np.round(255 * shown).astype(np.uint8))
        numbers = [" ".join(f"{value:2g}" for value in row) for row in np.asarray(kernel)]
        axes.set_title("\n".join([name, *numbers]), fontsize=10, loc="center", family="monospace")
    figure.alt = f"A picture after {'a convolution' if len(kernels) == 1 else 'convolutions'}: {join_words(kernels)}."
    return figure


@styled
def feature_maps(picture: np.ndarray, features: Mapping[str, np.ndarray]) -> Drawing:
    """Show what several networks make of an image: one row a network, one column a feature.

    Each map is shown from black, its smallest value, to white, its largest.

    Args:
        picture: The image, uint8, shape (rows, columns).
        features: Name of a network → its features, shape (height, width, n), the same n for all.
    """
    count = next(iter(features.values())).shape[-1]
    figure = Drawing(figsize=(9.4, 0.4 + 1.4 * len(features)))
    cells = figure.subplots(len(features), count + 1, squeeze=False)
    for row, (name, maps) in zip(cells, features.items(), strict=True):
        show_picture(row[0], picture)
        row[0].set_axis_on()
        row[0].set(xticks=[], yticks=[])
        row[0].set_ylabel(name)
        for axes, each in zip(row[1:], np.moveaxis(np.asarray(maps), -1, 0), strict=True):
            spread = float(np.ptp(each)) or 1.0
            show_picture(axes, np.round(255 * (each - each.min()) / spread).astype(np.uint8))
    for order, axes in enumerate(cells[0]):
        axes.set_title(f"feature {order}" if order else "picture", fontsize=10, loc="center")
    figure.alt = f"A picture, and beside it {count} features that a network makes of it: {join_words(features)}."
    return figure


@styled
def temperatures(scores: np.ndarray, values: Sequence[float]) -> Drawing:
    """Show the softmax of a map of scores that were divided by a temperature, and its centre of mass.

    Args:
        scores: The map before the softmax, (rows, columns).
        values: The temperatures; each has a panel.
    """
    figure, cells = image_grid(len(values), 5, extra=0.4)
    height, width = scores.shape
    places = []
    for axes, value in zip(cells, values, strict=True):
        raised = np.exp((scores - scores.max()) / value)  # the highest becomes 1
        share = raised / raised.sum()
        centre = np.array([share.sum(axis=0) @ np.arange(width), share.sum(axis=1) @ np.arange(height)])
        x, y = Affine.unit(width, height).points(centre)
        title = f"temperature {value:g}\nhighest pixel: {100 * share.max():.1f} %"
        show_picture(axes, np.round(255 * raised).astype(np.uint8), title)
        axes.scatter(*centre, s=330, c="white", marker=TICKS, **_ON_ANY)
        places.append(f"({x:.2f}, {y:.2f}) at {value:g}")
    figure.alt = (
        "The softmax of one map: sharp at a low temperature, even at a high one. Four ticks point at its centre of "
        f"mass, in fractions of the map: {join_words(places)}."
    )
    return figure


@styled
def overlaid_maps(
    picture: np.ndarray,
    maps: Sequence[np.ndarray],
    *,
    points: np.ndarray,
    channels: Sequence[str],
    titles: Sequence[str],
    columns: int = 4,
) -> Drawing:
    """Show several sets of heatmaps, each set over a copy of one image, in the colours of the landmarks.

    Args:
        picture: The image, uint8, shape (rows, columns).
        maps: N sets of heatmaps, each of shape (h, w, K); each map adds up to 1.
        points: True points, shape (K, 2), pixels of `picture`; a ring goes around each.
        channels: K names.
        titles: N titles.
        columns: Largest number of copies in a row.
    """
    rows, wide = picture.shape
    box = (-0.5, wide - 0.5, rows - 0.5, -0.5)
    figure, cells = image_grid(len(maps), columns, extra=0.6)
    for axes, each, title in zip(cells, maps, titles, strict=True):
        show_picture(axes, picture, title)
        for order, name in enumerate(channels):
            fading = LinearSegmentedColormap.from_list(
                name, [(*to_rgb(colour(name)), 0.0), (*to_rgb(colour(name)), 0.95)]
            )
            axes.imshow(each[..., order], cmap=fading, vmin=0, vmax=FULL, extent=box, interpolation="bilinear")
            axes.scatter(*points[order], s=180, facecolors="none", edgecolors="white", **_ON_ANY)
    handles = [Patch(color=colour(name), label=name) for name in channels]
    handles.append(
        Line2D([], [], marker="o", markersize=9, color="black", fillstyle="none", linestyle="none", label="true")
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles) if len(maps) > 1 else 3)
    highest = [format_number(100 * each.max(axis=(0, 1)).mean()) for each in maps]
    figure.alt = (
        f"A picture with rings around its true points and heatmaps for {join_words(channels)}. The highest pixel of a "
        "map holds, on average, "
        f"{join_words(f'{share} % ({title})' for share, title in zip(highest, titles, strict=True))}."
    )
    return figure
