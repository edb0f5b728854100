"""A leaderboard on this machine: whose network is best on a lesson's validation patients after two minutes of training.

Each run that is entered has a file of its own in ``runs/leaderboard/``; the table is made of all of them. So two
trainings that end at the same moment do not overwrite each other's entry.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from lumbar.core import paths
from lumbar.core.digests import digest_of_values
from lumbar.core.errors import SettingsError
from lumbar.core.schema import differences, from_dict, to_dict
from lumbar.runs import read_history, read_json
from lumbar.runs.settings import TrainingSettings, validated
from lumbar.storage.files import describe_os_error, write_json
from lumbar.training import train

if TYPE_CHECKING:
    import pandas as pd

MINUTES = 2.0
"""Time that the epochs of a network may take; slower ones stand at the end of the table."""

FOLDER = "leaderboard"
"""Name of the folder of the entries, beside those of the runs."""

SAME_FOR_ALL = (
    *("data", "patients", "patients_seed", "extra", "folds", "fold", "seed"),
    *("views", "resize", "absent", "weights", "backbone_weights"),
)
"""Settings that nobody may change: they decide on the patients, on what is measured, and on what a network knows at the
beginning."""

COLUMNS = ("who", "when", "validation MAE, px of 256", "minutes", "in time", "what")


def enter(who: str, lesson: TrainingSettings, *, progress: bool = True, **changes: Any) -> pd.DataFrame:
    """Train a network, or find it trained already, enter it, and return the table.

    Args:
        who: Name to stand in the table. If somebody has entered the same settings before, their name stays.
        lesson: Settings of the lesson; they decide on the patients.
        progress: Show a progress bar.
        **changes: Settings with other values, such as ``epochs=8``.

    Returns:
        See `table`.

    Raises:
        SettingsError: If a setting may not be changed, does not exist, or has a value that cannot be used.
        OutputError: If the entry cannot be written.
        LumbarError: See `lumbar.training.train`.
    """
    for name in SAME_FOR_ALL:
        if name in changes:
            raise SettingsError(
                "this setting must be the same for all who are compared",
                field=name,
                found=changes[name],
                expected=getattr(lesson, name),
                remedy="leave it out; it decides who is measured, or what a network knows before its training",
            )
    settings = from_dict(TrainingSettings, to_dict(lesson) | changes)
    run = train(settings, progress=progress)
    file = paths.runs() / FOLDER / f"{run.name}.json"
    if not file.is_file():
        history = read_history(run)
        minutes = float(history["seconds"].sum()) / 60
        entry = {
            "who": who,
            "when": datetime.now().isoformat(sep=" ", timespec="minutes"),
            "validation MAE, px of 256": float(history["val_mae_px"].min()),
            "minutes": minutes,
            "in time": minutes <= MINUTES,
            "what": _described(settings),
        }
        with describe_os_error(file):
            file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, {"entry": entry, "contest": _contest(settings)})
    return table(lesson)


def table(lesson: TrainingSettings) -> pd.DataFrame:
    """Return the networks that were entered for a lesson, the best first.

    The error chooses among networks, so it flatters the first of them. That is what validation patients are for; the
    test patients are not looked at.

    Args:
        lesson: Settings of the lesson. Networks of other patients are not comparable, and left out.

    Returns:
        Columns `COLUMNS`: the lowest validation MAE of any epoch, pixels of the 256 frame, the minutes that all epochs
        took, whether they are at most `MINUTES`, and the settings that are not the documented ones. The index is the
        rank, from 1.

    Raises:
        RunError: If the file of an entry is damaged.
    """
    import pandas as pd

    problem, remedy = "this entry of the leaderboard cannot be read", "remove the file, and enter the run again"
    files = sorted((paths.runs() / FOLDER).glob("[!.]*.json"))  # not what another process is just writing
    found = [read_json(file, needs="entry", problem=problem, remedy=remedy) for file in files]
    entries = [each["entry"] for each in found if each["contest"] == _contest(lesson)]
    ranked = pd.DataFrame(entries, columns=list(COLUMNS)).sort_values(
        ["in time", "validation MAE, px of 256"], ascending=[False, True], ignore_index=True
    )
    return ranked.set_axis(range(1, len(ranked) + 1))


def _contest(settings: TrainingSettings) -> str:
    """Return what networks have in common that can be compared."""
    values = to_dict(validated(settings))
    return digest_of_values({name: values[name] for name in SAME_FOR_ALL})


def _described(settings: TrainingSettings) -> str:
    """Return the settings that are not the documented ones, in words; those that are the same for all are left out."""
    other = differences(settings, TrainingSettings())
    words = [f"{name} {here}" for name, (here, _) in other.items() if name not in (*SAME_FOR_ALL, "name")]
    return ", ".join(words) or "as documented"
