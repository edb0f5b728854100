"""Plot of the numbers that a notebook recorded over a grid of its parameters."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lumbar.figures.style import BLUE, GREY, Drawing, format_number, format_value, join_words, spans_decades, styled

FEW = 6
"""Largest number of values of a parameter that are all written on its axis."""


@styled
def sweep_results(table: pd.DataFrame, parameters: Sequence[str], metrics: Sequence[str], *, note: str = "") -> Drawing:
    """Plot each recorded number over each parameter: a dot per combination, a line through the mean of each value.

    Args:
        table: One row per combination of parameters, with a column for each parameter (numbers, text or booleans) and
            each recorded number. NaN and infinity are not drawn and do not count in the means.
        parameters: Columns of the parameters; at least one.
        metrics: Columns of the recorded numbers, in their own units; at least one.
        note: What the reader should know about the numbers that are not drawn, as one line without a full stop.
    """
    table = table.replace({metric: [np.inf, -np.inf] for metric in metrics}, np.nan)
    figure = Drawing(figsize=(max(1 + 3.1 * len(parameters), 5), 0.9 + 2.3 * len(metrics)))
    panels = figure.subplots(len(metrics), len(parameters), sharex="col", sharey="row", squeeze=False)
    for row, metric in zip(panels, metrics, strict=True):
        for axes, parameter in zip(row, parameters, strict=True):
            _plot(axes, table[parameter], table[metric].to_numpy(dtype=float))
        row[0].set_ylabel(metric)
    for axes, parameter in zip(panels[-1], parameters, strict=True):
        axes.set_xlabel(parameter)
    shown = int(table[list(metrics)].notna().any(axis=1).sum())
    title = ["Each dot is a combination; the line joins the means of each value"]
    if note:
        title += textwrap.wrap(f"Not drawn: {note}", width=int(13 * figure.get_figwidth()))
    figure.suptitle("\n".join(title), fontsize=10, fontweight="normal")
    figure.alt = f"{join_words(metrics)} over {join_words(parameters)}, {shown} combinations. " + " ".join(
        _in_words(table, parameter, metric) for metric in metrics for parameter in parameters
    )
    figure.alt += f" Not drawn: {note}." if note else ""
    return figure


def _plot(axes: Axes, column: pd.Series, heights: np.ndarray) -> None:
    places, ticks = _places(axes, column)
    axes.margins(x=0.12)
    means = pd.Series(heights).groupby(places).mean().dropna()
    axes.plot(means.index, means, color=BLUE, zorder=2)
    axes.scatter(places, heights, s=22, color=GREY, alpha=0.75, linewidth=0, zorder=3)
    if ticks is not None:
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.minorticks_off()


def _places(axes: Axes, column: pd.Series) -> tuple[np.ndarray, dict[float, str] | None]:
    """Return the position of each value on the axis, and position → label; None for matplotlib's own labels."""
    if _is_number(column):
        places = column.to_numpy(dtype=float)
        if spans_decades(places.min(), places.max()):
            axes.set_xscale("log")
        values = sorted(column.unique())
        return places, {float(value): format_number(value) for value in values} if len(values) <= FEW else None
    order = {value: float(place) for place, value in enumerate(column.unique())}
    axes.set_xlim(-0.5, len(order) - 0.5)
    axes.grid(visible=False, axis="x")
    return column.map(order).to_numpy(dtype=float), {place: format_value(value) for value, place in order.items()}


def _in_words(table: pd.DataFrame, parameter: str, metric: str) -> str:
    means = table.groupby(parameter, sort=_is_number(table[parameter]))[metric].mean().dropna()
    words = join_words(f"{format_number(mean)} at {format_value(value)}" for value, mean in means.items())
    return f"Mean {metric} by {parameter}: {words}."


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
