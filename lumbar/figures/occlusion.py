"""Maps of occlusion sensitivity over the images that were covered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from lumbar.figures.pictures import TICKS, image_grid, show_picture
from lumbar.figures.style import ORANGE, VERMILION, Drawing, format_number, introduce, styled
from lumbar.geometry import SIZE

_FADING = LinearSegmentedColormap.from_list(
    "occlusion", [(0.0, (0.9, 0.6, 0.0, 0.0)), (0.4, (*to_rgb(ORANGE), 0.7)), (1.0, (*to_rgb(VERMILION), 0.9))]
)
"""From transparent, so that the image shows where nothing happens, to red."""


@styled
def occlusion_maps(
    images: Sequence[np.ndarray],
    maps: Sequence[np.ndarray],
    answers: np.ndarray,
    *,
    size: int | Sequence[int],
    most: float,
    label: str,
    titles: Sequence[str],
    columns: int = 4,
    heading: str = "",
) -> Drawing:
    """Show what covering each place of an image does to one point, see `lumbar.experiments.occlusion`.

    Args:
        images: N images, uint8 (256, 256).
        maps: N maps (n, n), each over its whole image: how much happens with the patch there. Negative is shown as 0.
        answers: (N, 2), the point in the image that is not covered, pixels of the 256 frame; four ticks point at it.
        size: Side of the patch, pixels of the 256 frame, or N of them; its outline is in the lower left corner.
        most: The value with the strongest colour, the same for all maps.
        label: What the colours mean, with the unit.
        titles: N titles.
        columns: Largest number of images in a row.
        heading: Title of the whole figure.
    """
    figure, cells = image_grid(len(images), columns, heading=heading)
    sizes = np.broadcast_to(size, len(images))
    box = (-0.5, SIZE - 0.5, SIZE - 0.5, -0.5)
    on_any = {"path_effects": [withStroke(linewidth=2.5, foreground="black")], "linewidths": 1.2}
    for axes, image, map_, answer, side, title in zip(cells, images, maps, answers, sizes, titles, strict=True):
        show_picture(axes, image, title)
        heat = axes.imshow(map_, cmap=_FADING, vmin=0, vmax=most, extent=box, interpolation="nearest")
        axes.scatter(*answer, s=200, c="white", marker=TICKS, **on_any)
        axes.add_patch(Rectangle((4, SIZE - 5 - side), side, side, fill=False, edgecolor="white", linewidth=1.2))
    figure.colorbar(heat, ax=cells, label=label, shrink=0.8, extend="max")
    highest = [format_number(np.max(each)) for each in maps]
    values = "; ".join(f"{' '.join(title.split())}: {value}" for title, value in zip(titles, highest, strict=True))
    figure.alt = introduce(
        heading,
        f"{len(images)} pictures; colours show what a patch there does to one point ({label}). "
        f"The highest value of each: {values}.",
    )
    return figure
