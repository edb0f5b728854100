"""Plot of the results of a search for better settings."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lumbar.figures.style import (
    BLUE,
    GREEN,
    GREY,
    PURPLE,
    VERMILION,
    Drawing,
    format_number,
    format_value,
    spans_decades,
    styled,
)

NOT_SEARCHED = ("trial", "status", "epochs")
"""Columns of a leaderboard that are not settings."""

FEW = 5
"""Largest number of values of a setting that are all written on its axis."""

BEST_COLOURS = (VERMILION, BLUE, GREEN, PURPLE)
"""Colours of the best trial, the second best, and so on."""


@styled
def search_results(table: pd.DataFrame, objective: str, *, best: int = 3) -> Drawing:
    """Plot the trials of a search: their sorted scores, and the settings of each as a line through parallel axes.

    Each of the best trials has a colour of its own, the same in both panels.

    Args:
        table: Leaderboard as `lumbar.experiments.tuning.leaderboard` returns it: columns trial, status, the objective
            (NaN if the trial was not completed), epochs, and one column per setting that was searched.
        objective: Column with the score; smaller is better.
        best: How many trials to highlight, at most 4.
    """
    table = table[table[objective].notna()].sort_values(objective, ignore_index=True)
    settings = [name for name in table.columns if name not in (*NOT_SEARCHED, objective)]
    figure = Drawing(figsize=(max(7.5, 3.4 + 1.25 * len(settings)), 4.4))
    left, right = figure.subplots(1, 2, width_ratios=[2.4, 1.1 * max(len(settings), 1) + 1])
    shades = [BEST_COLOURS[place] if place < best else GREY for place in range(len(table))]
    left.hlines(table.index, 0, table[objective], color=shades, linewidth=2)
    left.scatter(table[objective], table.index, color=shades, zorder=3)
    left.set(xlabel=objective, xlim=(0, None), title="trials, the best first")
    left.set_yticks(table.index, table["trial"].astype(str).str[-6:] if "trial" in table else table.index + 1)
    left.invert_yaxis()
    left.grid(visible=False, axis="y")
    _plot_parallel_axes(right, table, [*settings, objective], shades)
    winner = ", ".join(f"{name} {format_value(table[name].iloc[0])}" for name in settings) if len(table) else "none"
    score = f", score {format_number(table[objective].iloc[0])} ({objective})" if len(table) else ""
    figure.alt = f"Scores and settings of {len(table)} trials; the best: {winner}{score}."
    return figure


def _plot_parallel_axes(axes: Axes, table: pd.DataFrame, columns: list[str], shades: list[str]) -> None:
    """Plot one vertical axis per column, from its smallest to its largest value, and one line per trial."""
    heights = {}
    for place, name in enumerate(columns):
        heights[name], ticks = _heights(table[name])
        axes.axvline(place, color="#BBBBBB", linewidth=1, zorder=0)
        for height, label in ticks:
            paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6}
            beside = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "fontsize": 8, "bbox": paper}
            axes.annotate(label, (place, height), zorder=5, **beside)
    lines = np.column_stack(list(heights.values()))
    for trial, shade in reversed(list(enumerate(shades))):
        width, order = (1, 2) if shade == GREY else (2.2, 3)
        axes.plot(range(len(columns)), lines[trial], color=shade, linewidth=width, zorder=order)
    axes.set_xticks(range(len(columns)), columns, rotation=25, ha="right")
    axes.set(xlim=(-0.2, len(columns) - 0.4), ylim=(-0.06, 1.06), yticks=[], title="settings of each trial")
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(length=0)


def _heights(column: pd.Series) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Return the height of each value on an axis from 0 to 1, and the ticks: (height, label)."""
    as_numbers = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    values = sorted(column.unique(), key=None if as_numbers else str)
    if len(values) == 1 or not as_numbers:
        places = np.linspace(0, 1, len(values)) if len(values) > 1 else [0.5]
        heights = dict(zip(values, places, strict=True))
        ticks = [(height, format_value(value)) for value, height in heights.items()]
        return column.map(heights).to_numpy(dtype=float), ticks
    low, high = float(values[0]), float(values[-1])
    logarithmic = spans_decades(low, high)
    line = np.log if logarithmic else np.asarray
    heights = (line(column.to_numpy(dtype=float)) - line(low)) / (line(high) - line(low))
    if len(values) > FEW:
        middle = np.sqrt(low * high) if logarithmic else (low + high) / 2
        return heights, [(0.0, format_number(low)), (0.5, format_number(middle)), (1.0, format_number(high))]
    shares = [(line(value) - line(low)) / (line(high) - line(low)) for value in values]
    return heights, [(float(share), format_value(value)) for share, value in zip(shares, values, strict=True)]
