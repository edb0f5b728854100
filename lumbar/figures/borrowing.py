"""Plots of trainings that start from different weights: every seed a dot."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lumbar.figures.style import BLUE, GREY, ORANGE, Drawing, count_plainly, format_number, styled

ASIDE = 0.16
"""Distance of the dots of a start from the middle of their place, in places."""


@styled
def paired_starts(table: pd.DataFrame, starts: tuple[str, str] = ("fresh", "borrowed")) -> Drawing:
    """Plot the error of fresh and borrowed weights over the number of patients; a panel for each amount of training.

    A thin line joins the two networks of a seed, which saw the same patients. Dashes are means over the seeds.

    Args:
        table: Columns steps, patients (labelled), start, seed, stranger and radial_px (pixels of the 256 frame).
        starts: The two starts, as the column has them.
    """
    amounts, sizes = sorted(table["steps"].unique()), sorted(table["patients"].unique())
    figure = Drawing(figsize=(9, 3.8))
    panels = figure.subplots(1, len(amounts), sharey=True, squeeze=False)[0]
    words = []
    for axes, steps in zip(panels, amounts, strict=True):
        here = table[table["steps"] == steps]
        of_seed = here.pivot_table("radial_px", ["patients", "seed"], "start")
        for place, size in enumerate(sizes):
            both = of_seed.loc[size, list(starts)].to_numpy()
            where = place + ASIDE * np.array([-1, 1])
            axes.plot(where, both.T, color=GREY, linewidth=0.8, zorder=1)
            for side, (colour, marker) in enumerate(((BLUE, "o"), (ORANGE, "D"))):
                label = starts[side] if place == 0 else None
                look = {"color": colour, "marker": marker, "fillstyle": "none", "markersize": 7, "linestyle": "none"}
                axes.plot(np.full(len(both), where[side]), both[:, side], label=label, **look)
                mean = both[:, side].mean()
                axes.hlines(mean, where[side] - 0.13, where[side] + 0.13, color=colour, linewidth=2.5)
            fresh, borrowed = map(format_number, both.mean(axis=0))
            words.append(f"{size} patients and {steps} steps {fresh} and {borrowed}")
        axes.set(xlabel="labelled patients", title=f"{steps} steps", xlim=(-0.5, len(sizes) - 0.5))
        axes.set_xticks(range(len(sizes)), sizes)
        axes.grid(visible=False, axis="x")
    panels[0].set_ylabel("mean radial error on strangers, px of 256")
    panels[0].set_yscale("log")
    count_plainly(panels[0].yaxis)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper")
    figure.alt = f"Mean error on strangers in pixels, {starts[0]} and {starts[1]}: with {'; '.join(words)}."
    return figure


@styled
def starts_compared(table: pd.DataFrame, means: pd.DataFrame) -> Drawing:
    """Plot the error of several starts: every seed a ring, and the mean; a panel for each number of patients.

    Args:
        table: Columns patients (labelled), start, seed, stranger and radial_px (pixels of the 256 frame).
        means: Columns start, patients, mean_px, low_px and high_px (pixels of the 256 frame), one row for each of both.
    """
    sizes, starts = sorted(table["patients"].unique()), list(means["start"].unique())
    figure = Drawing(figsize=(9.4, 1.5 + 0.42 * len(starts)))
    panels = figure.subplots(1, len(sizes), sharey=True, sharex=True, squeeze=False)[0]
    words = []
    for axes, size in zip(panels, sizes, strict=True):
        here = means[means["patients"] == size].set_index("start").loc[starts]
        places = np.arange(len(starts))
        for place, start in zip(places, starts, strict=True):
            seeds = table[(table["patients"] == size) & (table["start"] == start)].groupby("seed")["radial_px"].mean()
            look = {"marker": "o", "fillstyle": "none", "color": ORANGE, "markersize": 7, "linestyle": "none"}
            axes.plot(seeds, np.full(len(seeds), place - 0.17), label="one seed" if place == 0 else None, **look)
        spread = np.abs(here[["low_px", "high_px"]].to_numpy().T - here["mean_px"].to_numpy())
        look = {"color": BLUE, "marker": "D", "linestyle": "none", "capsize": 3, "label": "mean, 95 % interval"}
        axes.errorbar(here["mean_px"], places + 0.17, xerr=spread, **look)
        axes.set(xlabel="mean radial error on strangers, px of 256", title=f"{size} labelled patients")
        numbers = ", ".join(f"{start} {format_number(mean)}" for start, mean in here["mean_px"].items())
        words.append(f"with {size} labelled patients {numbers}")
    panels[0].set_yticks(places, starts)
    panels[0].invert_yaxis()
    panels[0].set_xscale("log")
    count_plainly(panels[0].xaxis)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    figure.alt = f"Mean error on strangers in pixels, {'; '.join(words)}."
    return figure
