"""What a training leaves in its folder besides networks: what it is, who was in which part, what each epoch brought."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumbar import places
from lumbar.errors import RunError
from lumbar.files import write_json, write_table
from lumbar.settings import to_dict

if TYPE_CHECKING:
    import pandas as pd

    from lumbar.preprocess import Prepared
    from lumbar.training import TrainingSettings

HISTORY = ("epoch", "loss", "mae_px", "val_loss", "val_mae_px", "learning_rate", "seconds")
"""Columns of ``history.csv``, see `read_history`."""

SPLIT = ("patient", "source", "part")
"""Columns of ``split.csv``."""


def run_folder(run: Path | None) -> Path:
    """The folder of a trained run.

    Args:
        run: The folder, its name under runs/, or None for the newest one.

    Raises:
        RunError: If there is none, or it holds no trained network.
    """
    if run is None:
        trained = sorted(places.runs().glob("*/best.keras"), key=lambda file: file.stat().st_mtime)
        if not trained:
            raise RunError("there is no trained run yet", file=places.runs(), remedy="train one: python train.py")
        return trained[-1].parent
    folder = next((each for each in (Path(run), places.runs() / run) if each.is_dir()), None)
    if folder is None:
        raise RunError("there is no such run", file=run, remedy=f"choose one of those in {places.runs()}")
    if not (folder / "best.keras").is_file():
        raise RunError(
            "the run has no trained network",
            file=folder / "best.keras",
            remedy="finish its training: the same train command goes on where it stopped",
        )
    return folder


def load_config(run: Path) -> dict[str, Any]:
    """What a run's config.json says, see `write_config`.

    Raises:
        RunError: If the folder is not a run, or the file is damaged.
    """
    path = run / "config.json"
    if not path.is_file():
        raise RunError("there is no run in this folder", file=run, expected=path.name, remedy="run `python train.py`")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(config.get("settings"), dict):
            raise ValueError("no settings in it")
    except (ValueError, AttributeError, RecursionError) as error:
        raise RunError(
            "the run's settings cannot be read",
            file=path,
            found=error,
            remedy="bring the file back, or remove the folder and train again: the same settings give the same run",
        ) from error
    return config


def read_history(run: Path) -> pd.DataFrame:
    """What each epoch brought.

    Returns:
        DataFrame with columns epoch (from 1), loss, mae_px, val_loss, val_mae_px (mean absolute error per axis, pixels
        of the 256 frame; the training values are means over the epoch, with augmentation and dropout), learning_rate
        (at the epoch's end) and seconds. Empty if no epoch is finished.

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
    except (ValueError, KeyError) as error:  # of pandas's parsers, too
        raise RunError(
            "the run's history is damaged",
            file=path,
            found=error,
            expected=f"{', '.join(HISTORY)} of each epoch",
            remedy="bring the file back, or give the train command again: it trains anew, and comes out the same",
        ) from error
    return history


def read_split(run: Path) -> pd.DataFrame:
    """Who was in which part.

    Returns:
        DataFrame with columns patient, source and part, text; a row a patient.

    Raises:
        RunError: If the file is missing or damaged.
    """
    import pandas as pd

    path = run / "split.csv"
    try:
        split = pd.read_csv(path, dtype=str)
        if missing := {*SPLIT} - {*split.columns}:
            raise ValueError(f"no column {', '.join(sorted(missing))}")
    except (OSError, ValueError) as error:  # of pandas's parsers, too
        raise RunError(
            "the run's split cannot be read",
            file=path,
            found=error,
            expected=", ".join(SPLIT),
            remedy="bring the file back; without it nobody can tell whom the network has seen",
        ) from error
    return split


def write_config(run: Path, settings: TrainingSettings, parts: dict[str, Prepared], finished_epochs: int) -> None:
    """Write what the run is, once all that could refuse it has been tried; of a run that goes on, where it does.

    ``config.json`` holds the settings as given and as resolved; how many pictures and patients there are, of what
    source, and their fingerprint; whether all that the network knows is synthetic; a digest of the network that it
    started from; and the record (`lumbar.record.environment`, and the epochs that were finished) of the first start
    and of each later one at which something had changed. ``split.csv`` is what `read_split` reads.

    Args:
        run: Its folder.
        settings: As they were given, what was left open included.
        parts: Of the split.
        finished_epochs: Before this start.

    Raises:
        RunError: If the network to start from is not there, or the config.json that is there is damaged.
        OutputError: If the system will not have them written.
    """
    import pandas as pd

    from lumbar import record, weights

    here = {"epoch": finished_epochs, "record": record.environment()}
    if (run / "config.json").is_file():
        _note_start(run, here)
        return
    index = pd.concat([prepared.index.assign(part=part) for part, prepared in parts.items()])
    split = index[[*SPLIT]].drop_duplicates().sort_values("patient")
    write_table(run / "split.csv", split)
    started_from = weights.find(settings.weights) if settings.weights else None
    write_json(
        run / "config.json",
        {
            "settings": to_dict(settings),
            "resolved": to_dict(settings.resolved()),
            "data": {
                "pictures": index["part"].value_counts().to_dict(),
                "patients": split["part"].value_counts().to_dict(),
                "sources": sorted(split["source"].unique()),
                "fingerprint": fingerprint(parts),
            },
            # A network that goes on from one that knew real patients knows them, whatever this training shows it.
            "synthetic": set(split["source"]) == {"phantom"} and (started_from is None or started_from.synthetic),
            "started_from": started_from and digest(started_from.file),
            "starts": [here],
        },
    )


def _note_start(run: Path, here: dict[str, Any]) -> None:
    """Add where, and with what, a run goes on, if that is otherwise than before."""
    from lumbar import record

    config = load_config(run)
    before = config.get("starts", [])
    changed = record.differences(before[-1]["record"], here["record"]) if before else []
    if changed:
        print(
            f"note: since the last start of {run} this has changed, and its end may differ in the last bits for it: "
            + "; ".join(changed),
            file=sys.stderr,
        )
    if changed or not before:
        write_json(run / "config.json", config | {"starts": [*before, here]})


def fingerprint(parts: dict[str, Prepared]) -> str:
    """Changes with any pixel and any point of the prepared parts."""
    import numpy as np

    found = hashlib.sha256()
    for prepared in parts.values():
        for picture in prepared.images:  # one by one: all together they may be too large for memory
            found.update(np.ascontiguousarray(picture))
        found.update(prepared.points.tobytes())
    return found.hexdigest()[:16]


def digest(file: Path) -> str:
    """Changes with any byte of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
