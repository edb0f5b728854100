"""Plots of searches for better settings: their trials, what each setting does, and what each way of choosing finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from lumbar.figures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PART_COLOURS,
    PURPLE,
    VERMILION,
    Drawing,
    count_plainly,
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

PALE = "#DDDDDD"
"""Colour of the trials that a filter leaves out."""


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
    widths = [2.2 if place < best else 1.0 for place in range(len(table))]
    left.hlines(table.index, 0, table[objective], color=shades, linewidth=2)
    left.scatter(table[objective], table.index, color=shades, zorder=3)
    left.set(xlabel=objective, xlim=(0, None), title="trials, the best first")
    left.set_yticks(table.index, table["trial"].astype(str).str[-6:] if "trial" in table else table.index + 1)
    left.invert_yaxis()
    left.grid(visible=False, axis="y")
    _plot_parallel_axes(right, table, [*settings, objective], shades, widths)
    right.set_title("settings of each trial")
    winner = ", ".join(f"{name} {format_value(table[name].iloc[0])}" for name in settings) if len(table) else "none"
    score = f", score {format_number(table[objective].iloc[0])} ({objective})" if len(table) else ""
    figure.alt = f"Scores and settings of {len(table)} trials; the best: {winner}{score}."
    return figure


@styled
def search_explored(table: pd.DataFrame, objective: str, settings: Sequence[str], chosen: Mapping[str, Any]) -> Drawing:
    """Plot many trials as lines through parallel axes, coloured by their score, those of chosen settings in front.

    Args:
        table: One row a trial, with the columns of the settings and the objective; trials without a score are left out.
        objective: Column with the score, pixels of the 256 frame; smaller is better.
        settings: The columns to show.
        chosen: Setting → its value, for the trials to bring to the front; all if empty.
    """
    table = table[table[objective].notna()].sort_values(objective, ignore_index=True)
    match = np.logical_and.reduce([table[name] == value for name, value in chosen.items()] or [table[objective] > 0])
    norm, colours = LogNorm(table[objective].min(), table[objective].max()), mpl.colormaps["viridis"]
    shades = np.where(match, [mpl.colors.to_hex(colours(norm(score))) for score in table[objective]], PALE)
    figure = Drawing(figsize=(9, 4.6))
    axes = figure.subplots()
    # Trials with the same value would hide each other: they are spread a little, the best lowest.
    _plot_parallel_axes(axes, table, [*settings, objective], list(shades), np.where(match, 1.4, 0.7), spread=0.05)
    bar = figure.colorbar(mpl.cm.ScalarMappable(norm, colours), ax=axes, label=f"{objective} (lower is better)")
    count_plainly(bar.ax.yaxis)
    seen = table.loc[match, objective]
    filters = ", ".join(f"{name} {format_value(value)}" for name, value in chosen.items()) or "all"
    scores = f"best {seen.min():.1f} px, median {seen.median():.1f} px" if len(seen) else "no such trial"
    axes.set_title(f"{filters}: {len(seen)} of {len(table)} trials, {scores}")
    figure.alt = f"Lines of {len(table)} trials through their settings; {filters}: {len(seen)} trials, {scores}."
    return figure


@styled
def setting_effects(table: pd.DataFrame, objective: str, settings: Sequence[str]) -> Drawing:
    """Plot the score of each trial over each setting, with the median for each value.

    Args:
        table: One row a trial, with the columns of the settings and the objective; trials without a score are left out.
        objective: Column with the score, pixels of the 256 frame; smaller is better.
        settings: The columns to show, a panel each.
    """
    table = table[table[objective].notna()]
    figure = Drawing(figsize=(2.6 * len(settings), 3.6))
    panels = figure.subplots(1, len(settings), sharey=True, squeeze=False)[0]
    spans = {}
    for axes, name in zip(panels, settings, strict=True):
        medians = table.groupby(name)[objective].median()
        for place, (value, rows) in enumerate(table.groupby(name)):
            beside = np.linspace(-0.28, 0.28, len(rows))
            axes.plot(place + beside, rows[objective].sort_values(), ".", color=GREY, markersize=4)
            axes.hlines(medians[value], place - 0.36, place + 0.36, color=VERMILION, linewidth=2.5, zorder=3)
        axes.set(xlabel=name, yscale="log")
        axes.set_xticks(range(len(medians)), [format_value(value) for value in medians.index], fontsize=8)
        axes.grid(visible=False, axis="x")
        spans[name] = medians
    panels[0].set_ylabel(f"{objective} of a trial")
    count_plainly(panels[0].yaxis)
    said = ", ".join(f"{name} from {each.min():.1f} to {each.max():.1f} px" for name, each in spans.items())
    figure.alt = f"Scores of {len(table)} trials over each setting; medians of the values reach, for {said}."
    return figure


@styled
def searches_compared(found: pd.DataFrame, whole: int) -> Drawing:
    """Plot what searches found for what they paid: the median over many searches, and the middle half of them.

    Args:
        found: Columns algorithm, seed (of the search), epochs (paid for so far) and strangers_px (error of the best
            settings so far on patients whom the search never saw, pixels of the 256 frame).
        whole: Epochs of one whole training.
    """
    figure = Drawing(figsize=(7.5, 3.8))
    axes = figure.subplots()
    prices = np.arange(whole, found["epochs"].max() + 1)
    ends = []
    colours = dict(zip(("random", "bayesian", "hyperband"), (GREY, BLUE, ORANGE), strict=True))
    for name, colour in colours.items():
        searches = [rows for _, rows in found[found["algorithm"] == name].groupby("seed")]
        held = np.array([_held(rows, prices) for rows in searches])
        low, middle, high = np.nanquantile(held, (0.25, 0.5, 0.75), axis=0)
        axes.plot(prices / whole, middle, color=colour, label=name)
        axes.fill_between(prices / whole, low, high, color=colour, alpha=0.2, linewidth=0)
        ends.append(f"{name} {middle[-1]:.1f} px")
    axes.set(xlabel="price, whole trainings", ylabel="error of the best so far, px", yscale="log")
    count_plainly(axes.yaxis)
    axes.legend(title=f"median of {found['seed'].nunique()} searches")
    figure.alt = (
        f"Error on other patients of the best settings found so far over the price of the search; in the end "
        f"{', '.join(ends)} in the median."
    )
    return figure


def _held(search: pd.DataFrame, prices: np.ndarray) -> np.ndarray:
    """Return what one search had found at each price; NaN before its first trial ended."""
    places = np.searchsorted(search["epochs"], prices, side="right") - 1
    return np.where(places < 0, np.nan, search["strangers_px"].to_numpy()[places.clip(0)])


@styled
def nested_folds(groups: int) -> Drawing:
    """Draw nested cross-validation: in each outer fold a search of its own, whose winner meets the patients put aside.

    Args:
        groups: Groups of patients. Each is put aside once; the others take turns to validate the trials of a search.
    """
    figure = Drawing(figsize=(9, 0.3 * groups * groups + 1.1))
    axes = figure.subplots()
    rows: dict[float, str] = {}
    for aside in range(groups):
        others = [group for group in range(groups) if group != aside]
        first = aside * (groups + 0.5)
        for turn, validating in enumerate([*others, None]):
            rows[first + turn] = "winner, trained again" if validating is None else f"search, inner fold {turn + 1}"
            parts = dict.fromkeys(others, "train") | {aside: "test" if validating is None else None}
            if validating is not None:
                parts[validating] = "validation"
            for group, part in parts.items():
                colour = PART_COLOURS[part] if part else "white"
                axes.barh(first + turn, 0.98, left=group, height=0.86, color=colour)
        axes.text(groups + 0.05, first + len(others) / 2, f"outer fold {aside + 1}", va="center")
    axes.set(xlim=(0, groups), xlabel="groups of patients")
    axes.set_xticks(np.arange(groups) + 0.49, [str(group + 1) for group in range(groups)])
    axes.set_yticks(list(rows), list(rows.values()), fontsize=9)
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    words = {"train": "trains", "validation": "chooses the winner", "test": "measures the winner"}
    handles = [mpl.patches.Patch(color=PART_COLOURS[part], label=said) for part, said in words.items()]
    figure.legend(handles=handles, loc="outside upper left", ncols=3)
    figure.alt = (
        f"Nested cross-validation with {groups} groups of patients. In each outer fold one group is put aside, "
        f"a search with {groups - 1} inner folds runs on the others, and its winner is measured on the group put aside."
    )
    return figure


def _plot_parallel_axes(
    axes: Axes,
    table: pd.DataFrame,
    columns: list[str],
    shades: list[str],
    widths: Sequence[float],
    *,
    spread: float = 0.0,
) -> None:
    """Plot one vertical axis per column, from its smallest to its largest value, and one line per trial.

    Trials that share a setting's value are spread over so much of the axis, in the order of the table.
    """
    heights = {}
    for place, name in enumerate(columns):
        heights[name], ticks = _heights(table[name])
        if spread and name != columns[-1]:
            heights[name] = heights[name] + spread * (table.groupby(name)[name].rank("first", pct=True) - 0.5)
        axes.axvline(place, color="#BBBBBB", linewidth=1, zorder=0)
        for height, label in ticks:
            paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6}
            beside = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "fontsize": 8, "bbox": paper}
            axes.annotate(label, (place, height), zorder=5, **beside)
    lines = np.column_stack(list(heights.values()))
    for trial, (shade, width) in reversed(list(enumerate(zip(shades, widths, strict=True)))):
        axes.plot(range(len(columns)), lines[trial], color=shade, linewidth=width, zorder=2 if width <= 1 else 3)
    axes.set_xticks(range(len(columns)), columns, rotation=25, ha="right")
    axes.set(xlim=(-0.2, len(columns) - 0.4), ylim=(-0.06, 1.06), yticks=[])
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
