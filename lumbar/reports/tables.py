"""What an evaluation reports: a row for each point, the groups looked at, and a table for the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lumbar.landmarks import PARTS

if TYPE_CHECKING:
    pass

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
"""Column headings, two lines each. px: pixels of the 256×256 picture; unit: fractions of the picture's side."""


def as_text(metrics: dict[str, Any]) -> str:
    """The table: network and trivial predictors, then the network by level, side, view, source and contrast.

    Where all pictures are of one view (or side, source, contrast), there is nothing to tell apart, and no such rows.

    Args:
        metrics: What `lumbar.evaluation.evaluate` writes to metrics.json.
    """
    body = _aligned([*zip(*HEADINGS, strict=True), *rows(metrics)])
    return "\n".join([*opening(metrics), "", body, "", *closing(metrics)])


def rows(metrics: dict[str, Any]) -> list[tuple[str, ...]]:
    """The table's rows below `HEADINGS`; one whose cells are all empty but the first heads the groups after it."""
    found = [_row("network", metrics["network"])]
    found += [_row(name, numbers) for name, numbers in metrics["baselines"].items()]
    for kind, groups in metrics["groups"].items():
        if len(groups) > 1:
            found.append((f"network by {kind}",) + ("",) * (len(HEADINGS) - 1))
            found += [_row(f"  {name}", numbers) for name, numbers in groups.items()]
    return found


def comparison(networks: dict[str, dict[str, Any]]) -> str:
    """A table of several networks on the same pictures.

    Args:
        networks: Name → numbers, as `lumbar.metrics.summary` has them, with level_shift_share and perhaps confidence.
    """
    rows = [
        ("", "median", "mean radial error", "MAE/axis", "within", "level", "misses in the"),
        ("", "px", "px [95 %]", "px", "5 px", "shifted", "flagged 5 %"),
    ]
    for name, numbers in networks.items():
        sure = numbers.get("confidence")
        rows.append(
            (
                name,
                _number(numbers["radial_median_px"]),
                _bounded(numbers, "radial_mean_px"),
                _number(numbers["mae_px"]),
                _percent(numbers["pck_5px"]),
                _percent(numbers["level_shift_share"]),
                f"{_percent(sure['misses_flagged'])} of {sure['misses']}" if sure else "–",
            )
        )
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


def opening(metrics: dict[str, Any]) -> list[str]:
    """What was measured, of which network, and what the numbers are worth: a line each."""
    network = metrics["network"]
    measured = metrics["part"] + (" part" if metrics["part"] in PARTS else "")
    counts = (
        f"{measured}: {_count(network['patients'], 'patient')}, {_count(network['images'], 'picture')}, "
        f"{_count(network['points'], 'point')} ({network['missing']} missing)"
    )
    best = f", the best after epoch {metrics['best_epoch']}" if metrics["best_epoch"] is not None else ""
    lines = [
        f"Run {metrics['run']}: {metrics['model']} network, {_epochs(metrics)} trained{best}",
        counts[0].upper() + counts[1:],
    ]
    if metrics["synthetic_share"] == 1:
        synthetic = set(metrics["groups"]["source"]) == {"phantom"}
        measured_on = ": the numbers tell nothing about real ones." if synthetic else ", measured on others."
        lines.append(f"Trained on synthetic patients{measured_on}")
    elif metrics["synthetic_share"] > 0:
        lines.append(
            f"Trained on synthetic patients in part: {100 * metrics['synthetic_share']:.0f} % of the pictures."
        )
    if metrics.get("started_from"):
        lines.append(f"Its training went on from the weights of {metrics['started_from']}, whose patients it knows.")
    return lines


def _epochs(metrics: dict[str, Any]) -> str:
    trained, asked = metrics["epochs_trained"], metrics["epochs_asked"]
    return _count(trained, "epoch") + (f" of {asked}" if trained < asked else "")


def closing(metrics: dict[str, Any]) -> list[str]:
    """What the table's words mean and what else there is to know: a line each."""
    network = metrics["network"]
    lines = [
        "px: pixels of the 256×256 picture; unit: fractions of its side; mm: in the patient",
        "MAE/axis: mean of |dx| and |dy|; radial: distance from the true point",
    ]
    if network["points"]:
        lines.append(f"Mean squared error: {network['mse_unit']:.3g} unit² (the documented loss)")
    if metrics["settings"]["bootstrap"]:
        lines.append(f"95 % intervals: {metrics['settings']['bootstrap']} bootstrap resamples of the patients")
    if network["level_shift_share"] is not None:
        lines.append(f"Pictures whose points fit a neighbouring level better: {_percent(network['level_shift_share'])}")
    if metrics["part"] == "test":
        looks = metrics["test_looks"]
        networks = len({look["network"] for look in looks})
        lines.append(
            f"The test patients were looked at {_count(len(looks), 'time')} in this run, "
            f"with {_count(networks, 'network')}"
            + (": settings chosen by such looks make the numbers too good" if networks > 1 else "")
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
