"""Plots of results: learning curves, and the errors of predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap

from lumbar.figures.pictures import add_legend, mark_errors, show_picture
from lumbar.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILION,
    Drawing,
    channel_names,
    colour,
    count_plainly,
    format_number,
    marker,
    styled,
)
from lumbar.geometry import SIZE

STRIP_POINTS = 400
"""Largest number of single points plotted per landmark; more would overlap and hide each other."""

SQUASHED = 8
"""From so many times the largest upper quartile on, a single error squashes the boxes of `errors_by_level`."""

TILE_EDGES = (0, 2, 5, 10, 1000)
"""Bounds of the classes of errors in `errors_by_patient`, pixels of the 256 frame."""

TILE_COLOURS = ("#E3EEF6", "#8DB9DC", BLUE, VERMILION)
"""Colour of each class: the darker, the worse, and another hue for points that lie on another disc."""


@styled
def learning_curves(history: pd.DataFrame, *, title: str = "") -> Drawing:
    """Plot loss, error and learning rate over the epochs.

    Args:
        history: history.csv of a run, with columns epoch, loss, val_loss, mae_px, val_mae_px and learning_rate. A panel
            is left out if its column is missing.
        title: Title of the whole figure.
    """
    panels = {
        "loss": "loss (logarithmic)",
        "mae_px": "mean error per axis, pixels of 256",
        "learning_rate": "learning rate (logarithmic)",
    }
    panels = {name: label for name, label in panels.items() if name in history}
    figure = Drawing(figsize=(4.2 * len(panels), 3.4))
    epochs = history["epoch"] if "epoch" in history else pd.Series(range(1, len(history) + 1))
    for axes, (name, label) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        dots = "." if len(history) < 15 else None
        axes.plot(epochs, history[name], color=BLUE, marker=dots, label="training")
        if f"val_{name}" in history:
            validation = history[f"val_{name}"]
            axes.plot(epochs, validation, color=ORANGE, marker=dots, linestyle="--", label="validation")
            if validation.notna().any():
                best = validation.idxmin()
                axes.scatter(epochs[best], validation[best], s=80, facecolors="none", edgecolors=VERMILION, zorder=3)
                axes.plot([], [], "o", markerfacecolor="none", color=VERMILION, label=f"best: {validation[best]:.3g}")
            axes.legend()
        axes.set(xlabel="epoch", title=label, yscale="linear" if name == "mae_px" else "log")
        axes.xaxis.get_major_locator().set_params(integer=True)
    if title:
        figure.suptitle(title)
    figure.alt = _learning_in_words(history, epochs, panels)
    return figure


@styled
def one_step(
    ratios: Mapping[float, float],
    rate: float,
    picture: np.ndarray,
    true: np.ndarray,
    answers: np.ndarray,
    *,
    channels: Sequence[str],
) -> Drawing:
    """Plot what one step of training does to the loss at several learning rates, and to the answers at one of them.

    Args:
        ratios: Learning rate → loss after the step, divided by the loss before it.
        rate: The learning rate to mark.
        picture: One of the images of the step, uint8, shape (rows, columns).
        true: Its true points, shape (K, 2), pixels of the image.
        answers: The answers after the step with that rate, shape (K, 2), pixels of the image.
        channels: K names.
    """
    figure = Drawing(figsize=(8.6, 4.4))
    curve, shown = figure.subplots(1, 2, width_ratios=(3, 2))
    curve.plot(list(ratios), list(ratios.values()), "o-", color=BLUE)
    curve.axhline(1, color=GREY, linewidth=1)
    curve.scatter(rate, ratios[rate], s=160, facecolors="none", edgecolors=VERMILION, linewidths=2, zorder=3)
    curve.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="loss after the step / loss before it")
    for axis in (curve.xaxis, curve.yaxis):
        count_plainly(axis)
    show_picture(shown, picture)
    mark_errors(shown, true, answers, channels)
    add_legend(figure, channels, crosses="predicted")
    figure.suptitle(f"One step with learning rate {rate:g}, and the answers after it")
    best = min(ratios, key=ratios.get)
    away = np.nanmean(np.linalg.norm(np.asarray(answers) - true, axis=-1))
    figure.alt = (
        f"Loss after one step over the learning rate: at best {ratios[best]:.2g} of the loss before, at {best:g}. "
        f"At {rate:g}, marked, it is {ratios[rate]:.2g} of it, and the answers on a picture beside the curve are on "
        f"average {format_number(away)} pixels away from the true points."
    )
    return figure


def _learning_in_words(history: pd.DataFrame, epochs: pd.Series, panels: Mapping[str, str]) -> str:
    """Return the text alternative of learning curves."""
    text = f"Learning curves over {len(history)} epochs."
    for name in panels:
        first, last = (format_number(history[name].iloc[row]) for row in (0, -1))
        text += f" {name.replace('_', ' ')} from {first} to {last}"
        if f"val_{name}" in history and history[f"val_{name}"].notna().any():
            best = history[f"val_{name}"].idxmin()
            text += (
                f", on validation at best {format_number(history[f'val_{name}'][best])} in epoch {int(epochs[best])}"
            )
        text += "."
    return text


@styled
def predicted_against_true(
    true: np.ndarray, predicted: np.ndarray, *, channels: Sequence[str] | None = None
) -> Drawing:
    """Plot every predicted coordinate over the true one; perfect predictions lie on the diagonal.

    Args:
        true: True points, shape (N, K, 2), pixels of the 256 frame; NaN where a landmark is missing.
        predicted: Predicted points, shape (N, K, 2), pixels of the 256 frame.
        channels: K names; see `lumbar.figures.style.channel_names` for the default.
    """
    names = channel_names(channels, np.shape(true)[1])
    figure = Drawing(figsize=(9, 4.6))
    correlations = []
    for axis, (axes, letter) in enumerate(zip(figure.subplots(1, 2), "xy", strict=True)):
        axes.plot([0, SIZE], [0, SIZE], color=GREY, linewidth=1.2, linestyle="--", zorder=1)
        for order, name in enumerate(names):
            look = {"s": 16, "alpha": 0.6, "color": colour(name), "marker": marker(name), "linewidths": 0}
            axes.scatter(true[:, order, axis], predicted[:, order, axis], label=name, **look)
        there = np.isfinite(true[..., axis])
        along, answered = true[..., axis][there], predicted[..., axis][there]
        varied = len(along) > 1 and along.std() > 0 and answered.std() > 0
        correlations.append(np.corrcoef(along, answered)[0, 1] if varied else np.nan)
        everything = np.concatenate([along, answered])
        low, high = (everything.min() - 5, everything.max() + 5) if len(everything) else (0, SIZE)
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal", title=f"{letter}, pixels of 256")
        axes.set(xlabel=f"true {letter}", ylabel=f"predicted {letter}")
    handles = axes.get_legend_handles_labels()
    legend = figure.legend(*handles, loc="outside right center", markerscale=2)
    for handle in legend.legend_handles:
        handle.set_alpha(1)
    figure.alt = (
        "Scatter plots of predicted over true coordinates; the correlation is "
        f"{format_number(correlations[0])} along x and {format_number(correlations[1])} along y."
    )
    return figure


@styled
def error_curves(
    radial: Mapping[str, np.ndarray],
    *,
    unit: str = "px",
    limit: float | None = None,
    marks: Sequence[float] = (2, 3, 5, 10),
) -> Drawing:
    """Plot the share of points with a radial error of at most r, over r, for each predictor.

    Args:
        radial: Name of a predictor → its radial errors, any shape; NaN is left out. The first has the thickest line.
        unit: Unit of the errors: "px" (pixels of the 256 frame) or "mm".
        limit: Largest r; by default the r that holds 99 % of the first predictor's points, but at least 1.2 times the
            largest mark.
        marks: Radii with a thin vertical line, by default those of the tables.
    """
    sorted_errors = {name: np.sort(np.asarray(each)[np.isfinite(each)]) for name, each in radial.items()}
    main = next(iter(sorted_errors.values()))
    limit = max(1.2 * max(marks), np.quantile(main, 0.99) if len(main) else 0) if limit is None else limit
    figure = Drawing(figsize=(8.6, 4.2))
    axes = figure.subplots()
    for each in marks:
        axes.axvline(each, color="#AAAAAA", linewidth=0.9, linestyle=":", zorder=0)
        axes.annotate(f"{each:g}", (each, 101), ha="center", va="bottom", fontsize=8, annotation_clip=False)
    for order, (name, errors) in enumerate(sorted_errors.items()):
        inside = errors[errors <= limit]
        share = 100 * np.arange(len(inside) + 1) / max(len(errors), 1)
        look = {
            "linewidth": 2.8 if order == 0 else 1.8,
            "linestyle": ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))][order % 5],
        }
        axes.step(np.concatenate([[0], inside, [limit]]), np.append(share, share[-1]), where="post", label=name, **look)
    axes.set(xlim=(0, limit), ylim=(0, 101), ylabel="points within r, %")
    axes.set_xlabel(f"r, {'pixels of 256' if unit == 'px' else unit}")
    figure.legend(loc="outside right upper", handlelength=2.6)
    middle = marks[len(marks) // 2]
    shares = [
        f"{name} {format_number(100 * np.mean(errors <= middle))} %"
        for name, errors in sorted_errors.items()
        if len(errors)
    ]
    figure.alt = f"Share of points within a radius; within {middle:g} {unit}: {', '.join(shares)}."
    return figure


@styled
def errors_by_level(
    radial: np.ndarray, *, channels: Sequence[str] | None = None, unit: str = "px", what: str = "radial error"
) -> Drawing:
    """Plot the radial errors of each landmark: a box (median and middle half, whiskers at 5 % and 95 %) and the points.

    The axis is logarithmic if single points lie so far off (`SQUASHED`) that they would squash the boxes.

    Args:
        radial: Radial errors, shape (N, K); NaN where a landmark is missing.
        channels: K names; see `lumbar.figures.style.channel_names` for the default.
        unit: Unit of the errors: "px" (pixels of the 256 frame) or "mm".
        what: What the distances are.
    """
    names = channel_names(channels, np.shape(radial)[1])
    kept = [np.asarray(column)[np.isfinite(column)] for column in np.transpose(radial)]
    figure = Drawing(figsize=(max(1.3 * len(names), 4.5), 4.2))
    axes = figure.subplots()
    chosen = np.random.default_rng(0)
    for place, (name, errors) in enumerate(zip(names, kept, strict=True)):
        some = chosen.choice(errors, STRIP_POINTS, replace=False) if len(errors) > STRIP_POINTS else errors
        look = {"color": colour(name), "size": 3, "alpha": 0.5, "jitter": 0.22, "zorder": 1}
        sns.stripplot(x=np.full(len(some), place), y=some, native_scale=True, legend=False, ax=axes, **look)
    # Matplotlib's own boxes: seaborn 0.13 calls them with an argument that matplotlib has deprecated.
    axes.boxplot(
        kept,
        positions=range(len(names)),
        orientation="vertical",
        widths=0.5,
        whis=(5, 95),
        showfliers=False,
        medianprops={"color": VERMILION, "linewidth": 2.2},
        boxprops={"linewidth": 1.4},
    )
    axes.set_xticks(range(len(names)), [f"{name}\nn = {len(errors)}" for name, errors in zip(names, kept, strict=True)])
    label = f"{what}, {'pixels of 256' if unit == 'px' else unit}"
    logarithmic = _squashed(kept)
    if logarithmic:
        axes.set(xlabel="", ylabel=f"{label} (logarithmic)", yscale="log")
        count_plainly(axes.yaxis)
    else:
        axes.set(xlabel="", ylabel=label, ylim=(0, None))
    axes.grid(visible=False, axis="x")
    axes.set_title("red: median; box: middle half; whiskers: 5 % to 95 %; dots: single points", fontsize=9)
    medians = [
        f"{name} {format_number(np.median(errors))}" for name, errors in zip(names, kept, strict=True) if len(errors)
    ]
    figure.alt = f"Box plots of the {what} for each landmark; medians in {unit}: {', '.join(medians)}."
    if logarithmic:
        farthest = max(errors.max(initial=0) for errors in kept)
        figure.alt += f" The axis is logarithmic, as the largest is {format_number(farthest)}."
    return figure


def _squashed(kept: Sequence[np.ndarray]) -> bool:
    """Return whether single errors would squash the boxes on a linear axis, and a logarithmic one can show all."""
    errors = np.concatenate(kept)
    if not len(errors) or errors.min() <= 0:
        return False
    return errors.max() > SQUASHED * max(np.quantile(each, 0.75) for each in kept if len(each))


@styled
def errors_by_patient(
    radial: Mapping[str, np.ndarray],
    marked: Mapping[str, np.ndarray],
    mark: str,
    *,
    channels: Sequence[str] | None = None,
) -> Drawing:
    """Plot all radial errors as tiles: a column a patient, the best on the left; a row a landmark; a panel a network.

    Args:
        radial: Name of a network → its radial errors, shape (N, K), pixels of the 256 frame; NaN where a landmark is
            missing. N and K are the same for all.
        marked: Name of a network → which of its patients get a mark above their column, boolean (N,).
        mark: What the mark means, in words.
        channels: K names; see `lumbar.figures.style.channel_names` for the default.
    """
    names = channel_names(channels, next(iter(radial.values())).shape[1])
    shades = BoundaryNorm(TILE_EDGES, len(TILE_COLOURS))
    figure = Drawing(figsize=(9, 0.4 + 1.75 * len(radial)))
    words = []
    panels = figure.subplots(len(radial), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (network, errors) in zip(panels, radial.items(), strict=True):
        order = _best_first(errors)
        tiles = axes.imshow(
            errors[order].T, cmap=ListedColormap(TILE_COLOURS), norm=shades, aspect="auto", interpolation="nearest"
        )
        above = np.flatnonzero(np.asarray(marked[network])[order])
        axes.scatter(above, np.full(len(above), -0.85), s=22, c=BLACK, marker="v", clip_on=False, label=mark)
        axes.set_yticks(range(len(names)), names)
        axes.set_title(network, pad=12)
        axes.grid(visible=False)
        far = errors > TILE_EDGES[-2]
        here = np.asarray(marked[network])[:, None] & far
        words.append(
            f"{network}: {far.sum()} of {np.isfinite(errors).sum()} points more than {TILE_EDGES[-2]} px off, "
            f"{here.sum()} of them in the {len(above)} marked patients"
        )
    axes.set_xlabel("patients, from the smallest mean error to the largest")
    bar = figure.colorbar(tiles, ax=list(panels), ticks=TILE_EDGES[:-1], shrink=0.8, pad=0.02)
    bar.set_label("radial error, px of 256")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right")
    figure.alt = (
        f"Tiles of the errors of {len(order)} patients (columns) and {len(names)} levels (rows). {'; '.join(words)}."
    )
    return figure


@styled
def reliability(groups: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]]) -> Drawing:
    """Plot how often something happened over its predicted probability, before and after calibration.

    Of well-calibrated probabilities the points lie on the diagonal. Bars are 95 % intervals, and the area of a point
    grows with the number of predictions in its group. If there is one series, each point also states that number.

    Args:
        groups: What was predicted → when (before or after calibration) → groups as
            `lumbar.weights.calibration.reliability` returns them.
    """
    figure = Drawing(figsize=(4.4 * len(groups) + 0.6, 4.3))
    words = []
    for axes, (what, by_time) in zip(np.atleast_1d(figure.subplots(1, len(groups))), groups.items(), strict=True):
        axes.plot([0, 100], [0, 100], color=GREY, linewidth=1, zorder=0, label="observed as predicted")
        for (when, rows), hue, shape in zip(by_time.items(), (ORANGE, BLUE), "so", strict=False):
            predicted, observed, low, high, count = (
                np.array([row[name] for row in rows]) for name in ("predicted", "observed", "low", "high", "count")
            )
            bars = 100 * np.abs(np.stack([low, high]) - observed)
            axes.errorbar(100 * predicted, 100 * observed, bars, fmt="none", ecolor=hue, elinewidth=1.2, alpha=0.7)
            size = 20 + 160 * np.sqrt(count / count.sum())
            axes.scatter(100 * predicted, 100 * observed, size, c=hue, marker=shape, edgecolors="black", label=when)
            if len(by_time) == 1:
                _state_counts(axes, predicted, observed, count)
            off = np.average(np.abs(predicted - observed), weights=count)
            words.append(f"{what} {when}: {format_number(100 * off)} percentage points from the diagonal on average")
        axes.set(xlabel=f"predicted: {what}, %", ylabel="observed, %", xlim=(-3, 103), ylim=(-3, 103))
        axes.legend(loc="lower right")
    figure.alt = f"Observed over predicted probability. {'; '.join(words)}."
    return figure


def _state_counts(axes: Axes, predicted: np.ndarray, observed: np.ndarray, count: np.ndarray) -> None:
    """Write the number of predictions beside each point, above and below in turn, as most points lie close together."""
    for order, (x, y, number) in enumerate(zip(predicted, observed, count, strict=True)):
        side = -1 if order % 2 else 1
        axes.annotate(
            f"{number:,}",
            (100 * x, 100 * y),
            (-9 * side, 11 * side),
            textcoords="offset points",
            ha="right" if side > 0 else "left",
            va="center",
            fontsize=8.5,
        )


@styled
def coverage(most_confident_first: Mapping[str, np.ndarray], *, miss_px: float = 10.0) -> Drawing:
    """Plot how the error falls if the images with the lowest confidence are left unanswered.

    Beside each network's curve stands what an oracle would reach, who leaves out the images with the largest errors,
    and what leaving out images at random gives: nothing.

    Args:
        most_confident_first: Name of a network → its radial errors, shape (N, K), pixels of the 256 frame, its images
            sorted from the highest to the lowest confidence; NaN where there is no true point. Several entries may be
            the same errors, sorted by different confidences: they share an oracle.
        miss_px: Error above which a point counts as a miss, pixels of the 256 frame.
    """
    figure = Drawing(figsize=(9.6, 3.8))
    panels = figure.subplots(1, 2)
    of_all = {name: _answered(radial, miss_px) for name, radial in most_confident_first.items()}
    of_best = {name: _answered(radial[_best_first(radial)], miss_px) for name, radial in most_confident_first.items()}
    words = []
    for (name, curves), hue in zip(of_all.items(), cycle((BLUE, ORANGE, GREEN, PURPLE)), strict=False):
        shared = sum(np.array_equal(of_best[name][0], oracle) for oracle, _ in of_best.values()) > 1
        answered = 100 * np.arange(1, len(curves[0]) + 1) / len(curves[0])
        for axes, curve, oracle in zip(panels, curves, of_best[name], strict=True):
            axes.plot(answered, curve, color=hue, label=name)
            axes.plot(answered, oracle, color=BLACK if shared else hue, linewidth=1.3, linestyle=":")
            axes.axhline(curve[-1], color=BLACK if shared else hue, linewidth=1, linestyle="--")
        mean, at_95 = curves[0], min(int(0.95 * len(answered)), len(answered) - 1)
        words.append(
            f"{name}: with the surest 95 % answered, the mean error is {format_number(mean[at_95])} px instead of "
            f"{format_number(mean[-1])} px, and an oracle would reach {format_number(of_best[name][0][at_95])} px"
        )
    panels[0].set(ylabel="mean radial error, px of 256")
    panels[1].set(ylabel=f"points more than {miss_px:g} px off, %")
    for axes in panels:
        axes.set(xlabel="pictures answered, surest first, %", ylim=(0, None))
    for label, style in (("oracle", ":"), ("at random", "--")):
        panels[1].plot([], [], color=BLACK, linewidth=1.3, linestyle=style, label=label)
    figure.legend(*panels[1].get_legend_handles_labels(), loc="outside right upper")
    figure.alt = f"Mean error and share of misses over the share of pictures answered. {'; '.join(words)}."
    return figure


def _best_first(radial: np.ndarray) -> np.ndarray:
    """Return the order of images from the smallest mean error to the largest, (N,); those without a point come last."""
    known = np.isfinite(radial)
    total = np.where(known, radial, 0).sum(axis=1)
    means = np.divide(total, known.sum(axis=1), out=np.full(len(radial), np.inf), where=known.any(axis=1))
    return np.argsort(means, kind="stable")


def _answered(radial: np.ndarray, miss_px: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean error and the share of misses, %, of the first 1, 2, … N images, (N,) each."""
    known = np.isfinite(radial)
    points = np.maximum(np.cumsum(known.sum(axis=1)), 1)
    mean = np.cumsum(np.where(known, radial, 0).sum(axis=1)) / points
    return mean, 100 * np.cumsum((known & (np.nan_to_num(radial) > miss_px)).sum(axis=1)) / points


@styled
def doubts_by_group(doubt: np.ndarray, group: np.ndarray, limit: float, *, xlabel: str, ylabel: str) -> Drawing:
    """Plot one doubt per image over the group that the image belongs to, and the limit above which it is flagged.

    Args:
        doubt: (N,), from 0 to 1.
        group: (N,), anything that can be sorted.
        limit: Flagged is what lies above.
        xlabel: What the groups are.
        ylabel: What is doubted.
    """
    names, codes = np.unique(group, return_inverse=True)
    figure = Drawing(figsize=(7, 3.2))
    axes = figure.subplots()
    sideways = np.random.default_rng(0).uniform(-0.2, 0.2, len(codes))  # lest the points hide each other
    axes.scatter(codes + sideways, doubt, s=14, alpha=0.6)
    axes.axhline(limit, color=GREY, linestyle="--", label="flagged above this line")
    axes.set_xticks(range(len(names)), names)
    axes.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, 1.3 * max(limit, np.max(doubt))))
    axes.legend(loc="upper right")
    words = [
        f"{name}: median {format_number(np.median(of))}, {np.sum(of > limit)} of {len(of)} above the limit"
        for name, of in ((name, np.asarray(doubt)[codes == code]) for code, name in enumerate(names))
    ]
    figure.alt = f"Strips of dots, {ylabel} by {xlabel}; {'; '.join(words)}."
    return figure


@styled
def flag_price(
    curves: Mapping[str, pd.DataFrame], flags: Mapping[str, pd.Series], wrong: float, *, unit: str = "pictures"
) -> Drawing:
    """Plot which share of the wrong answers is found over the share that is flagged, with 95 % intervals.

    A line shows what flags at random would find, and another what an oracle that knows the wrong answers would.

    Args:
        curves: By what the answers were sorted → the table that `lumbar.experiments.flags.price` returns.
        flags: Name of a single flag → its row in such a table.
        wrong: Share of all answers that are wrong, 0 to 1.
        unit: What is flagged.
    """
    figure = Drawing(figsize=(7, 4.4))
    axes = figure.subplots()
    axes.plot([0, 100 * wrong, 100], [0, 100, 100], color=BLACK, linewidth=1.2, linestyle=":", label="oracle")
    axes.plot([0, 100], [0, 100], color=GREY, linewidth=1.2, linestyle="--", label="at random")
    words = []
    for (name, table), hue in zip(curves.items(), (BLUE, ORANGE, GREEN, PURPLE), strict=False):
        axes.plot(100 * table["flagged"], 100 * table["found"], color=hue, label=name)
        band = (100 * table[column] for column in ("found_low", "found_high"))
        axes.fill_between(100 * table["flagged"], *band, color=hue, alpha=0.15, linewidth=0)
        tenth = table.iloc[max(round(0.1 * len(table)) - 1, 0)]
        words.append(f"{name}: a tenth flagged finds {100 * tenth['found']:.0f} %")
    for name, row in flags.items():
        bars = 100 * np.abs(row[["found_low", "found_high"]].to_numpy(float)[:, None] - row["found"])
        look = {"marker": "*", "markersize": 14, "color": VERMILION, "markeredgecolor": "black", "linestyle": "none"}
        axes.errorbar(100 * row["flagged"], 100 * row["found"], bars, label=name, zorder=3, **look)
        words.append(f"{name} flags {100 * row['flagged']:.0f} % and finds {100 * row['found']:.0f} %")
    axes.set(xlabel=f"{unit} flagged, %", ylabel="wrong answers found, %", xlim=(0, 100), ylim=(0, 103))
    axes.legend(loc="lower right")
    figure.alt = f"Share of the wrong answers found over the share of {unit} flagged. {'; '.join(words)}."
    return figure


@styled
def audit(is_wrong: np.ndarray) -> Drawing:
    """Plot what looking at the most suspicious labels finds, over the number of labels looked at.

    Args:
        is_wrong: Boolean, (n,): whether each label is really wrong, the most suspicious first; at least one is.
    """
    looked_at, found = np.arange(1, len(is_wrong) + 1), np.cumsum(is_wrong)
    wrong = found[-1]
    panels = {
        "precision: wrong ones of those looked at": (found / looked_at, np.full(len(found), wrong / len(found))),
        "recall: wrong ones that were looked at": (found / wrong, looked_at / len(found)),
    }
    figure = Drawing(figsize=(9, 3.4))
    for axes, (title, (share, chance)) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        axes.plot(looked_at, 100 * share, label="most suspicious first")
        axes.plot(looked_at, 100 * chance, color=GREY, linestyle="--", label="in random order")
        axes.axvline(wrong, color=BLACK, linewidth=0.8, linestyle=":", label="as many as are wrong")
        axes.set(xlabel="looked at", ylabel=f"{title.partition(':')[0]}, %", ylim=(0, 103), title=title)
    axes.legend(loc="lower right")
    last = int(np.flatnonzero(is_wrong)[-1]) + 1
    figure.alt = (
        f"Precision and recall of an audit: of the {wrong} most suspicious of {len(found)} labels, {found[wrong - 1]} "
        f"are wrong; the last of the {wrong} wrong ones is found at place {last}."
    )
    return figure
