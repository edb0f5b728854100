"""The content of the report on a run: results and baselines, learning curves, worst cases, settings, provenance."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from lumbar.core.constants import PARTS
from lumbar.core.errors import RunError
from lumbar.exports import notices
from lumbar.reports import tables
from lumbar.reports.page import Embedded, embed_file
from lumbar.runs import load_config, load_settings, provenance, read_history, read_json

FIGURES = {
    "worst_cases": "Worst cases",
    "error_curves": "Share of points within each distance",
    "errors_by_level": "Errors by level",
    "predicted_against_true": "Predicted against true",
}
"""Figures of an evaluation, file name → title, in the order of the page."""


def content(run: Path) -> dict[str, Any]:
    """Return the values that the template ``run.html.j2`` needs.

    Args:
        run: Folder of the run.

    Raises:
        RunError: If the folder is not a run, or one of its files is damaged.
    """
    settings = load_settings(run)
    config = load_config(run)
    history = read_history(run)
    return {
        "name": run.name,
        "notices": notices(config.get("synthetic", True)),
        "model": settings.model,
        "views": settings.views,
        "epochs": len(history),
        "data": config["data"],
        "parts": PARTS,
        "evaluations": [_evaluation(file) for file in sorted(run.glob("metrics*.json"))],
        "curves": _figure(run / "learning_curves.png"),
        "history": {"columns": list(history), "rows": history.round(5).astype(str).to_numpy().tolist()},
        "settings": _settings(settings, config["resolved"]),
        "starts": [(start["epoch"], provenance.lines(start["record"])) for start in config.get("starts", ())],
    }


def _evaluation(file: Path) -> dict[str, Any]:
    """Return the table and the figures of one evaluation.

    Args:
        file: Its metrics*.json.
    """
    metrics = read_json(file, problem="a file of the run is damaged", remedy="evaluate the run again")
    suffix = file.stem.removeprefix("metrics")
    figures = ((title, _figure(file.with_name(f"{name}{suffix}.png"))) for name, title in FIGURES.items())
    return {
        "part": metrics["part"],
        "opening": tables.opening(metrics),
        "headings": [" ".join(heading).strip() for heading in tables.HEADINGS],
        "rows": tables.rows(metrics),
        "closing": tables.closing(metrics),
        "figures": [(title, figure) for title, figure in figures if figure],
    }


def _figure(file: Path) -> Embedded | None:
    """Return a figure of the run; None if it does not exist.

    Raises:
        RunError: If the file is damaged.
    """
    try:
        return embed_file(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError("a figure of the run is damaged", file=file, found=error) from error


def _settings(settings: Any, resolved: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each setting with its value, its meaning, and whether it differs from the default."""
    rows = []
    for field in fields(settings):
        value = resolved.get(field.name)
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        rows.append(
            {
                "name": field.name,
                "value": "–" if shown in (None, "") else shown,
                "meaning": field.metadata["help"],
                "chosen": getattr(settings, field.name) != field.default,
            }
        )
    return rows
