"""The tables of an evaluation and of a comparison of networks, as text for the screen and as rows for a page."""

from __future__ import annotations

from typing import Any

from lumbar.core.constants import PARTS

HEADINGS = (
    ("", ""),
    ("mean radial error", "px [95 %]"),
    ("median", "px"),
    ("MAE/axis", "px"),
    ("MAE/axis", "unit"),
    ("mean radial error", "mm [95 %]"),
    ("within", "5 px"),
    ("within", "4 mm"),
)
"""Column headings of two lines each. px: pixels of the 256×256 image; unit: fractions of the side of the image."""


def as_text(metrics: dict[str, Any]) -> str:
    """Return the table of an evaluation as text.

    The rows are the network and the trivial predictors, then the network by level, side, view, source and contrast. A
    grouping with a single group, such as a single view, has no rows.

    Args:
        metrics: The content of metrics.json, as `lumbar.evaluation.evaluate` writes it.
    """
    body = _aligned([*zip(*HEADINGS, strict=True), *rows(metrics)])
    return "\n".join([*opening(metrics), "", body, "", *closing(metrics)])


def rows(metrics: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows of the table below `HEADINGS`; a row with text in its first cell only is a heading of groups."""
    found = [_row("network", metrics["network"])]
    found += [_row(name, numbers) for name, numbers in metrics["baselines"].items()]
    for kind, groups in metrics["groups"].items():
        if len(groups) > 1:
            found.append((f"network by {kind}",) + ("",) * (len(HEADINGS) - 1))
            found += [_row(f"  {name}", numbers) for name, numbers in groups.items()]
    return found


def comparison(networks: dict[str, dict[str, Any]]) -> str:
    """Return a table of several networks on the same images, as text.

    Args:
        networks: Name → numbers of `lumbar.metrics.summary`, with level_shift_share and optionally confidence.
    """
    rows = [
        ("", "median", "mean radial error", "MAE/axis", "within", "level", "misses in the"),
        ("", "px", "px [95 %]", "px", "5 px", "shifted", "flagged 5 %"),
    ]
    for name, numbers in networks.items():
        rows.append(_compared(name, numbers))
        rows += [_compared(f"  {contrast}", each) for contrast, each in numbers.get("by_contrast", {}).items()]
    first = next(iter(networks.values()))
    return "\n".join(
        [
            f"{_count(first['patients'], 'patient')}, {_count(first['images'], 'picture')}, "
            f"{_count(first['points'], 'point')}, each measured by a network that had not seen the patient",
            "",
            _aligned(rows),
            "",
            "px: pixels of the 256×256 picture; misses: points more than 10 px off; 95 % intervals over patients",
        ]
    )


def _compared(name: str, numbers: dict[str, Any]) -> tuple[str, ...]:
    confidence = numbers.get("confidence")
    return (
        name,
        _number(numbers["radial_median_px"]),
        _bounded(numbers, "radial_mean_px"),
        _number(numbers["mae_px"]),
        _percent(numbers["pck_5px"]),
        _percent(numbers["level_shift_share"]),
        f"{_percent(confidence['misses_flagged'])} of {confidence['misses']}" if confidence else "–",
    )


def miscount_table(networks: dict[str, dict[str, Any]]) -> str:
    """Return a table of the images that networks counted a level off, as text; "" if there is none.

    Args:
        networks: Name → numbers, with miscounted: a dict for each such image, see `lumbar.experiments.crossvalidation`.
    """
    rows = [("", "counted a level off", "points", "network: one higher", "one lower", "flagged")]
    for name, numbers in networks.items():
        for found in numbers.get("miscounted", ()):
            said = (_percent(found[way]) for way in ("one_higher", "one_lower"))
            where = "too low" if found["shift"] > 0 else "too high"
            rows.append((name, found["picture"], where, *said, "yes" if found["flagged"] else "no"))
            name = ""
    return _aligned(rows) if len(rows) > 1 else ""


def cut_off_table(networks: dict[str, dict[str, Any]]) -> str:
    """Return a table of how networks answer for images that are cut off, as text; "" if none was measured.

    Args:
        networks: Name → numbers, with cut_off: cut → numbers of `lumbar.experiments.cut_off.summary`.
    """
    rows = [
        ("", "picture", "pictures", "wrong", "wrong, not flagged", "flagged,"),
        ("", "cut off", "", "", "share [95 %]", "though right"),
    ]
    for name, numbers in networks.items():
        for cut, found in numbers.get("cut_off", {}).items():
            bounds = found["wrong_unflagged_95"]
            between = f" [{', '.join(f'{100 * bound:.1f}' for bound in bounds)}]" if bounds else ""
            counts = (str(found["images"]), str(found["wrong"]))
            silent = f"{_percent(found['wrong_unflagged'])}{between}"
            rows.append((name, cut, *counts, silent, _percent(found["right_flagged"])))
            name = ""
    return _aligned(rows) if len(rows) > 2 else ""


def reliability_table(networks: dict[str, dict[str, Any]]) -> str:
    """Return a table of predicted probabilities and observed shares, as text; "" if no network gives probabilities.

    Args:
        networks: Name → numbers, with reliability: what → when → groups of `lumbar.weights.calibration.reliability`.
    """
    rows = [("", "probability of", "", "predicted", "observed [95 %]", "of")]
    for name, numbers in networks.items():
        for what, by_time in numbers.get("reliability", {}).items():
            for when, groups in by_time.items():
                for group in groups:
                    observed = f"{_percent(group['observed'])} [{100 * group['low']:.1f}, {100 * group['high']:.1f}]"
                    rows.append((name, what, when, _percent(group["predicted"]), observed, str(group["count"])))
                    name = what = when = ""
    return _aligned(rows) if len(rows) > 1 else ""


def opening(metrics: dict[str, Any]) -> list[str]:
    """Return the lines above the table: the network, the images, and how far the numbers can be trusted."""
    network = metrics["network"]
    measured = metrics["part"] + (" part" if metrics["part"] in PARTS else "")
    counts = (
        f"{measured}: {_count(network['patients'], 'patient')}, {_count(network['images'], 'picture')}, "
        f"{_count(network['points'], 'point')} ({network['missing']} missing)"
    )
    lines = [_described(metrics), counts[0].upper() + counts[1:]]
    if network["patients"] == 1:
        lines.append("One patient measures nothing: how far patients differ from each other cannot be seen")
    if metrics.get("trained_on"):
        lines.append(
            f"The network was trained on patients of {', '.join(metrics['trained_on'])}: if these are the same, "
            "the numbers are too good"
        )
    if metrics["synthetic_share"] == 1:
        synthetic = set(metrics["groups"]["source"]) == {"phantom"}
        lines.append(
            "Trained on synthetic patients and measured on them: the numbers say nothing about real patients"
            if synthetic
            else "Trained on synthetic patients, measured on others"
        )
    elif metrics["synthetic_share"]:
        lines.append(
            f"Trained partly on synthetic patients: {100 * metrics['synthetic_share']:.0f} % of the training pictures"
        )
    if metrics.get("started_from"):
        start = metrics["started_from"]
        lines.append(
            f"The training started from the weights of {start}: the network has seen their training patients, too"
        )
    return lines


def _described(metrics: dict[str, Any]) -> str:
    """Return the line on the network: the run that trained it, or that it is a released one."""
    if metrics.get("released"):
        return f"Network {metrics['run']}, released with lumbar; its model card says what it was trained on"
    best = f", best after epoch {metrics['best_epoch']}" if metrics["best_epoch"] is not None else ""
    return f"Run {metrics['run']}: {metrics['model']} network, trained for {_epochs(metrics)}{best}"


def _epochs(metrics: dict[str, Any]) -> str:
    trained, asked = metrics["epochs_trained"], metrics["epochs_asked"]
    return f"{trained} of {_count(asked, 'epoch')}" if trained < asked else _count(trained, "epoch")


def closing(metrics: dict[str, Any]) -> list[str]:
    """Return the lines below the table: the meaning of its terms, and numbers on the evaluation as a whole."""
    network = metrics["network"]
    lines = [
        "px: pixels of the 256×256 picture; unit: fractions of its side; mm: in the patient",
        "MAE/axis: mean of |dx| and |dy|; radial: distance from the true point",
    ]
    if network["points"]:
        lines.append(f"Mean squared error: {network['mse_unit']:.3g} unit² (the documented loss)")
    if metrics["settings"]["bootstrap"] and network["patients"] > 1:
        lines.append(f"95 % intervals: {metrics['settings']['bootstrap']} bootstrap resamples of the patients")
    if network["level_shift_share"] is not None:
        lines.append(f"Pictures whose points fit a neighbouring level better: {_percent(network['level_shift_share'])}")
    if metrics["part"] == "test":
        looks = metrics["test_looks"]
        networks = len({look["network"] for look in looks})
        lines.append(
            f"The test patients were looked at {_count(len(looks), 'time')} in this run, "
            f"with {_count(networks, 'network')}"
            + (": choosing settings by these results makes the numbers too good" if networks > 1 else "")
        )
    return lines


def _row(name: str, numbers: dict[str, Any]) -> tuple[str, ...]:
    return (
        name,
        _bounded(numbers, "radial_mean_px"),
        _number(numbers["radial_median_px"]),
        _number(numbers["mae_px"]),
        _number(numbers["mae_unit"]),
        _bounded(numbers, "radial_mean_mm"),
        _percent(numbers["pck_5px"]),
        _percent(numbers["sdr_4mm"]),
    )


def _aligned(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, *cells in rows:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), *padded]).rstrip())
    return "\n".join(lines)


def _bounded(numbers: dict[str, Any], name: str) -> str:
    interval = numbers[f"{name}_interval"]
    return _number(numbers[name]) + (f" [{_number(interval[0])}, {_number(interval[1])}]" if interval else "")


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
