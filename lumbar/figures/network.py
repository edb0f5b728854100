"""Plots of networks: their receptive fields, and how several compare."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from lumbar.figures.pictures import show_picture
from lumbar.figures.style import BLUE, ORANGE, STYLE, Drawing, count_plainly, format_number, styled


@styled
def receptive_fields(
    picture: np.ndarray, sides: Mapping[str, float], *, centre: tuple[float, float] | None = None
) -> Drawing:
    """Show the receptive field of one unit of each layer, as nested squares on an image.

    Args:
        picture: The image as the network gets it, uint8, shape (rows, columns).
        sides: Layer name → side of its receptive field, pixels.
        centre: (x, y) of the unit's centre, pixels; the centre of the image if left out.
    """
    rows, columns = picture.shape
    x, y = ((columns - 1) / 2, (rows - 1) / 2) if centre is None else centre
    figure = Drawing(figsize=(7, 4.8))
    axes = figure.subplots()
    show_picture(axes, picture)
    shades = [each["color"] for each in STYLE["axes.prop_cycle"]]
    for order, (name, side) in enumerate(sides.items()):
        box = Rectangle(
            (x - side / 2, y - side / 2),
            side,
            side,
            facecolor="none",
            edgecolor=shades[order % len(shades)],
            linewidth=2.2,
            label=f"{name}: {format_number(side)} px",
            clip_on=True,
        )
        axes.add_patch(box)
    axes.plot(x, y, "+", color="white", markersize=9)
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    seen = ", ".join(f"{name} {format_number(side)}" for name, side in sides.items())
    figure.alt = f"Nested squares on a picture: the side, in pixels, of what one unit of each layer sees: {seen}."
    return figure


@styled
def networks_compared(table: pd.DataFrame) -> Drawing:
    """Plot the error of several networks and the time that each takes per image.

    Args:
        table: One row per network, as ``benchmarks/models.py`` writes it, with columns network, radial_px,
            radial_low_px and radial_high_px (mean radial error with its interval, pixels of the 256 frame) and
            ms_per_picture. Columns real_radial_px, real_radial_low_px and real_radial_high_px (the same for real
            patients) are optional.
    """
    figure = Drawing(figsize=(9.4, 1.4 + 0.42 * len(table)))
    errors, costs = figure.subplots(1, 2, sharey=True, width_ratios=(2, 1))
    places = np.arange(len(table))
    looks = {"": ("synthetic test patients", BLUE, "o"), "real_": ("real patients", ORANGE, "D")}
    for order, (prefix, (label, colour, marker)) in enumerate(looks.items()):
        if f"{prefix}radial_px" in table:
            middle, low, high = (table[f"{prefix}radial_{name}px"] for name in ("", "low_", "high_"))
            spread = np.stack([middle - low, high - middle])
            look = {"color": colour, "marker": marker, "linestyle": "none", "capsize": 3}
            errors.errorbar(middle, places + 0.22 * (order - 0.5), xerr=spread, label=label, **look)
    errors.set(xscale="log", xlabel="mean radial error, px of 256", yticks=places)
    errors.set_yticklabels(table["network"])
    count_plainly(errors.xaxis)
    errors.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    costs.barh(places, table["ms_per_picture"], color=BLUE, height=0.5)
    costs.set(xlabel="ms a picture, one core")
    costs.invert_yaxis()
    words = [f"{row.network} {format_number(row.radial_px)}" for row in table.itertuples()]
    figure.alt = f"Mean radial error in pixels of each network on synthetic test patients: {', '.join(words)}."
    return figure
