"""The results of the trials of a search."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from lumbar.experiments.tuning.oracles import STATE

OBJECTIVE = "val_mae_px"
"""What a search minimises: the lowest validation error of a trial, mean over both axes, pixels of the 256 frame."""


def trial_records(folder: Path) -> list[dict[str, Any]]:
    """Return Keras Tuner's record of each trial of the search in `folder`, unfinished ones included."""
    files = sorted((folder / "trials" / "keras_tuner").glob("*/trial_*/trial.json"))
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def statuses(folder: Path) -> list[str]:
    """Return the status of each trial of the search in `folder`: RUNNING, COMPLETED or FAILED."""
    return [trial["status"] for trial in trial_records(folder)]


def leaderboard(folder: Path) -> pd.DataFrame:
    """Return all trials of a search, the best first.

    Args:
        folder: The search's folder.

    Returns:
        DataFrame with columns trial, status (see `statuses`), val_mae_px (pixels of the 256 frame; NaN if not
        completed), epochs (None unless hyperband chose them), one column per searched setting, in the order of
        the search space, and reason (why a trial failed; "" if it did not).
    """
    rows = []
    names = _searched(folder)
    for trial in trial_records(folder):
        values = trial["hyperparameters"]["values"]
        rows.append(
            {
                "trial": trial["trial_id"],
                "status": trial["status"],
                OBJECTIVE: trial["score"],
                "epochs": values.get("tuner/epochs"),
                **{name: values[name] for name in names},
                "reason": (trial["message"] or "").strip().rpartition("\n")[2].rpartition("FailedTrialError: ")[2],
            }
        )
    table = pd.DataFrame(rows, columns=None if rows else ["trial", "status", OBJECTIVE, "epochs", "reason"])
    return table.sort_values(OBJECTIVE, na_position="last", ignore_index=True, kind="stable")


def _searched(folder: Path) -> list[str]:
    """Return the names of the searched settings; a worker's record of a trial has them in another order."""
    states = sorted((folder / "trials" / "keras_tuner").glob(f"*/{STATE}"))
    space = json.loads(states[0].read_text(encoding="utf-8"))["hyperparameters"]["space"] if states else []
    names = [parameter["config"]["name"] for parameter in space]
    return [name for name in names if not name.startswith("tuner/")]
