"""What a tolerance means: circles of that radius around the points of an image, and the share of points within."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke

from lumbar.figures.pictures import show_picture
from lumbar.figures.style import BLUE, GREY, VERMILION, Drawing, channel_names, colour, format_number, styled

MARGIN = 34
"""What is shown of the image around its points, pixels: about the distance of two levels."""


@styled
def pck(
    picture: np.ndarray,
    true: np.ndarray,
    predicted: np.ndarray,
    radial: np.ndarray,
    tolerance: float,
    *,
    channels: Sequence[str] | None = None,
) -> Drawing:
    """Show one image with circles of a tolerance around its true points, and the share of all points within it (PCK).

    Args:
        picture: Grey values, (256, 256).
        true: Its true points, (K, 2), pixels of the 256 frame; NaN where a landmark is missing.
        predicted: Its predicted points, (K, 2), pixels of the 256 frame.
        radial: Radial errors of all images, any shape, pixels of the 256 frame; NaN is left out.
        tolerance: Radius within which a point counts as found, pixels of the 256 frame.
        channels: K names; see `lumbar.figures.style.channel_names` for the default.
    """
    names = channel_names(channels, len(true))
    figure = Drawing(figsize=(8.6, 4.2))
    shown, curve = figure.subplots(1, 2, width_ratios=(1, 1.5))
    show_picture(shown, picture, f"solid ring: the answer (×) lies within {tolerance:g} px")
    within = np.linalg.norm(predicted - true, axis=-1) <= tolerance
    on_grey = [withStroke(linewidth=3, foreground="black")]
    for name, centre, answer, found in zip(names, true, predicted, within, strict=True):
        if np.isfinite(centre).all():
            line = {"edgecolor": colour(name), "linestyle": "-" if found else ":", "linewidth": 1.8}
            shown.add_patch(Circle(centre, tolerance, fill=False, path_effects=on_grey, **line))
            shown.scatter(*answer, s=40, c=colour(name), marker="x", linewidths=1.6, path_effects=on_grey)
    low, high = np.nanmin(np.vstack([true, predicted]), axis=0), np.nanmax(np.vstack([true, predicted]), axis=0)
    half = max((high - low).max() / 2 + MARGIN, 1)
    x, y = (low + high) / 2
    shown.set(xlim=(x - half, x + half), ylim=(y + half, y - half))
    errors = np.sort(np.asarray(radial)[np.isfinite(radial)])
    share = 100 * np.mean(errors <= tolerance)
    limit = max(1.3 * tolerance, 20)
    steps = np.concatenate([[0], errors[errors <= limit], [limit]])
    shares = 100 * np.append(np.arange(len(steps) - 1), len(steps) - 2) / len(errors)
    curve.step(steps, shares, where="post", color=BLUE)
    curve.axvline(tolerance, color=GREY, linewidth=1, linestyle="--")
    curve.plot(tolerance, share, "o", markersize=11, fillstyle="none", markeredgewidth=2, color=VERMILION)
    curve.set(xlim=(0, limit), ylim=(0, 103), xlabel="tolerance, px of 256", ylabel="points within it, %")
    curve.set_title(f"PCK at {tolerance:g} px: {share:.1f} %")
    known = np.isfinite(true).all(axis=1).sum()
    figure.alt = (
        f"A picture with circles of {tolerance:g} px around its true points, solid where the answer lies within "
        f"({within.sum()} of {known}), else dotted; beside it the share of all points within a tolerance, "
        f"{format_number(share)} % at {tolerance:g} px."
    )
    return figure
