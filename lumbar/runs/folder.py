"""A run's folder: its configuration, who was in which part of the split, and the history of its epochs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumbar.core import paths
from lumbar.core.errors import RunError
from lumbar.core.schema import from_dict, to_dict
from lumbar.runs import provenance
from lumbar.runs.settings import TrainingSettings
from lumbar.storage.files import write_json, write_table

if TYPE_CHECKING:
    import pandas as pd

HISTORY = ("epoch", "loss", "mae_px", "val_loss", "val_mae_px", "learning_rate", "seconds")
"""Columns of ``history.csv``, see `read_history`."""

SPLIT = ("patient", "source", "part")
"""Columns that every ``split.csv`` has; that of an earlier release lacks picture."""


def run_folder(run: Path | None) -> Path:
    """Return the folder of a trained run.

    Args:
        run: The folder, its name under runs/, or None for the newest one.

    Raises:
        RunError: If there is none, or it holds no trained network.
    """
    if run is None:
        trained = sorted(paths.runs().glob("*/best.keras"), key=lambda file: file.stat().st_mtime)
        if not trained:
            raise RunError("there is no trained run yet", file=paths.runs(), remedy="train one: python -m lumbar train")
        return trained[-1].parent
    folder = next((each for each in (Path(run), paths.runs() / run) if each.is_dir()), None)
    if folder is None:
        raise RunError("there is no such run", file=run, remedy=f"choose one of those in {paths.runs()}")
    if not (folder / "best.keras").is_file():
        raise RunError(
            "the run has no trained network",
            file=folder / "best.keras",
            remedy="finish its training: the same train command goes on where it stopped",
        )
    return folder


def read_json(file: Path, *, needs: str | None = None, problem: str, remedy: str) -> dict[str, Any]:
    """Return what a JSON file of a run holds.

    Args:
        file: The file.
        needs: Name of a mapping that must stand in it.
        problem: What the error says if the file is damaged.
        remedy: What the user can then do.

    Raises:
        RunError: If the file is damaged.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if needs is not None and not isinstance(content.get(needs), dict):
            raise ValueError(f"no {needs} in it")
    except (ValueError, AttributeError, RecursionError) as error:
        raise RunError(problem, file=file, found=error, remedy=remedy) from error
    return content


def load_config(run: Path) -> dict[str, Any]:
    """Return the content of a run's config.json, see `write_config`.

    Raises:
        RunError: If the folder is not a run, or the file is damaged.
    """
    path = run / "config.json"
    if not path.is_file():
        raise RunError(
            "there is no run in this folder", file=run, expected=path.name, remedy="run `python -m lumbar train`"
        )
    return read_json(
        path,
        needs="settings",
        problem="the run's settings cannot be read",
        remedy="bring the file back, or remove the folder and train again: the same settings give the same run",
    )


def load_settings(run: Path) -> TrainingSettings:
    """Return the settings that a run was trained with.

    Raises:
        RunError: If the folder is not a run.
    """
    return from_dict(TrainingSettings, load_config(run)["settings"])


def read_history(run: Path) -> pd.DataFrame:
    """Return the results of each finished epoch.

    Returns:
        DataFrame with columns epoch (from 1), loss, mae_px, val_loss (mean over the points that are present, whatever
        the batch size), val_mae_px (mean absolute error per axis, pixels of the 256 frame; the training values are
        means over the epoch, with augmentation and dropout), learning_rate (at the epoch's end) and seconds. Empty if
        no epoch is finished.

    Raises:
        RunError: If the file is damaged.
    """
    import pandas as pd

    path = run / "history.csv"
    if not path.is_file():
        return pd.DataFrame(columns=list(HISTORY))
    try:
        # Some versions of pandas read numbers wrong in the last bit; these decide which epoch is the best.
        history = pd.read_csv(path, dtype=str).astype(float)
        history["epoch"] = history["epoch"].astype(int)
        whole = tuple(history.columns) == HISTORY and history["epoch"].tolist() == list(range(1, len(history) + 1))
        if not whole or not history.notna().all(axis=None):
            raise ValueError("rows or columns are missing")
    except (ValueError, KeyError) as error:  # pandas's parsers raise subclasses of ValueError
        raise RunError(
            "the run's history is damaged",
            file=path,
            found=error,
            expected=f"{', '.join(HISTORY)} of each epoch",
            remedy="bring the file back, or give the train command again: it trains anew, and comes out the same",
        ) from error
    return history


def read_split(run: Path) -> pd.DataFrame:
    """Return the part of the split that each patient was in.

    Returns:
        DataFrame with the text columns patient, source and part, one row a patient; and picture, see `Prepared.people`.
        A patient who is named after a file has a row for each different image.

    Raises:
        RunError: If the file is missing or damaged.
    """
    import pandas as pd

    path = run / "split.csv"
    try:
        split = pd.read_csv(path, dtype=str, keep_default_na=False)
        if missing := {*SPLIT} - {*split.columns}:
            raise ValueError(f"no column {', '.join(sorted(missing))}")
    except (OSError, ValueError) as error:  # pandas's parsers raise subclasses of ValueError
        raise RunError(
            "the run's split cannot be read",
            file=path,
            found=error,
            expected=", ".join(SPLIT),
            remedy="bring the file back; without it nobody can tell which patients the network has seen",
        ) from error
    return split


def write_config(
    run: Path,
    settings: TrainingSettings,
    index: pd.DataFrame,
    data: dict[str, Any],
    start: dict[str, Any],
    finished_epochs: int,
) -> None:
    """Write ``config.json`` and ``split.csv``; for a run that goes on, add a start if anything has changed.

    ``config.json`` holds the settings as given and as resolved; the numbers of images and patients, their sources and
    fingerprint; whether everything that the network has learned from is synthetic; a digest of the network that it
    started from; and the provenance (`lumbar.runs.provenance.environment`, and the epochs finished by then) of the
    first start and of each later one at which something had changed. `read_split` reads ``split.csv``.

    Args:
        run: Its folder.
        settings: As they were given, open ones included.
        index: One row an image, with the columns of `SPLIT` and picture.
        data: What else is known of the data: fingerprint, version of the preparation, kinds of imaging.
        start: What identifies the network to start from: started_from (its digest, or None) and synthetic (whether it
            has seen synthetic patients only).
        finished_epochs: Epochs finished before this start.

    Raises:
        RunError: If the config.json that is there is damaged.
        OutputError: If the files cannot be written.
    """
    here = {"epoch": finished_epochs, "record": provenance.environment()}
    if (run / "config.json").is_file():
        _note_start(run, here)
        return
    write_table(run / "split.csv", index[[*SPLIT, "picture"]].drop_duplicates().sort_values("patient"))
    split = index[[*SPLIT]].drop_duplicates()
    write_json(
        run / "config.json",
        {
            "settings": to_dict(settings),
            "resolved": to_dict(settings.resolved()),
            "data": {
                "pictures": index["part"].value_counts().to_dict(),
                "patients": split["part"].value_counts().to_dict(),
                "sources": sorted(split["source"].unique()),
                **data,
            },
            # A network that goes on from one that has seen real patients has seen them, whatever this training shows.
            "synthetic": set(split["source"]) == {"phantom"} and start["synthetic"],
            "started_from": start["started_from"],
            "starts": [here],
        },
    )


def _note_start(run: Path, here: dict[str, Any]) -> None:
    """Record a start of a run that goes on if code, packages or machine have changed since the last one."""
    config = load_config(run)
    before = config.get("starts", [])
    changed = provenance.differences(before[-1]["record"], here["record"]) if before else []
    if changed:
        print(
            f"note: since the last start of {run} this has changed, and the result may differ in the last bits: "
            + "; ".join(changed),
            file=sys.stderr,
        )
    if changed or not before:
        write_json(run / "config.json", config | {"starts": [*before, here]})
