"""Several raters on one scale: people, networks and baselines."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns

from lumbar.figures.style import BLACK, Drawing, colour, format_number, marker, styled
from lumbar.landmarks import LEVELS


@styled
def compare_raters(errors: Mapping[str, pd.Series], *, reference: Mapping[str, float] | None = None) -> Drawing:
    """Plot the error of every point of every rater, on one logarithmic scale, with the medians as black bars.

    Args:
        errors: Rater → errors in mm; the index holds the level of each (its last level, if it has several).
        reference: Words → a length in mm to compare with, shown as a line.
    """
    figure = Drawing(figsize=(8.6, 0.75 * len(errors) + 1.7))
    axes = figure.subplots()
    medians = []
    text = {"fontsize": 9, "bbox": {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}}
    for row, values in enumerate(errors.values()):
        levels = values.index.get_level_values(-1)
        for level in LEVELS:
            here = values[levels == level].clip(lower=0.05)
            look = {"color": colour(level), "marker": marker(level), "size": 5, "alpha": 0.75}
            where = {"orient": "h", "jitter": 0.25, "native_scale": True, "legend": False, "ax": axes}
            sns.stripplot(x=here, y=np.full(len(here), row), **where, **look)
        medians.append(float(values.median()))
        axes.plot([medians[-1]] * 2, [row - 0.36, row + 0.36], color=BLACK, linewidth=3, zorder=3)
        axes.text(medians[-1], row - 0.4, f"{format_number(medians[-1])} mm", ha="center", va="bottom", **text)
    for words, length in (reference or {}).items():
        axes.axvline(length, color="#555555", linestyle="--", linewidth=1.2)
        axes.text(length, -0.7, f"{words} ", ha="right", va="top", **text)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_yticks(range(len(errors)), list(errors))
    axes.set(xlabel="distance from the true point, mm (logarithmic)", ylabel="", ylim=(len(errors) - 0.4, -0.75))
    axes.grid(visible=False, axis="y")
    for level in LEVELS:
        axes.scatter([], [], color=colour(level), marker=marker(level), s=28, label=level)
    axes.legend(ncols=len(LEVELS), loc="upper center", bbox_to_anchor=(0.5, -0.2), handletextpad=0.1, columnspacing=1)
    stated = "; ".join(f"{rater}: {format_number(median)}" for rater, median in zip(errors, medians, strict=True))
    figure.alt = f"Distance of each rater's points from the true ones on a logarithmic scale; medians in mm: {stated}."
    return figure
