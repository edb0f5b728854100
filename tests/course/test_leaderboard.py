"""The leaderboard: comparable networks only, the best in time first, and nobody's entry is lost."""

from dataclasses import replace

import pandas as pd
import pytest

from lumbar.core import paths
from lumbar.core.errors import RunError, SettingsError
from lumbar.course import leaderboard
from lumbar.runs.folder import HISTORY
from lumbar.runs.settings import TrainingSettings, run_name, validated

LESSON = TrainingSettings(patients=16, epochs=6, batch_size=8)
SCORES = "validation MAE, px of 256"


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A home folder, and settings → (validation errors of the epochs, seconds of one) that training takes there."""
    monkeypatch.setenv("LUMBAR_HOME", str(tmp_path))
    results = {}

    def train(settings, progress):
        errors, seconds = results[settings.epochs]
        run = paths.runs() / run_name(validated(settings))
        run.mkdir(parents=True, exist_ok=True)
        rows = [(epoch + 1, 1, 9, 1, error, 0.001, seconds) for epoch, error in enumerate(errors)]
        pd.DataFrame(rows, columns=list(HISTORY)).to_csv(run / "history.csv", index=False)
        return run

    monkeypatch.setattr(leaderboard, "train", train)
    return results


def test_the_best_epoch_counts_and_who_was_too_slow_comes_last(trained):
    trained |= {6: ([9, 3, 4], 10), 8: ([9, 2.5, 2.75], 15), 50: ([2, 1, 1], 60)}
    leaderboard.enter("Ada", LESSON)
    leaderboard.enter("Ben", LESSON, epochs=50, model="heatmap")
    table = leaderboard.enter("Eve", LESSON, epochs=8, dropout=0.1)
    assert list(table.columns) == list(leaderboard.COLUMNS)
    assert list(table.index) == [1, 2, 3]
    assert list(table["who"]) == ["Eve", "Ada", "Ben"]
    assert list(table[SCORES]) == [2.5, 3, 1]
    assert list(table["minutes"]) == [0.75, 0.5, 3]
    assert list(table["in time"]) == [True, True, False]
    assert table["what"][1] == "dropout 0.1, epochs 8, batch_size 8"
    assert table["what"][3] == "model heatmap, batch_size 8"
    assert table.equals(leaderboard.table(LESSON))


def test_only_networks_of_the_same_patients_are_compared(trained):
    trained |= {6: ([3], 10)}
    leaderboard.enter("Ada", LESSON)
    elsewhere = replace(LESSON, seed=1)
    assert leaderboard.table(elsewhere).empty
    assert list(leaderboard.enter("Ben", elsewhere)["who"]) == ["Ben"]
    assert list(leaderboard.table(LESSON)["who"]) == ["Ada"]


def test_whoever_was_first_with_some_settings_stays_until_the_entry_is_removed(trained):
    trained |= {6: ([3], 10)}
    leaderboard.enter("Ada", LESSON)
    assert list(leaderboard.enter("Ben", LESSON)["who"]) == ["Ada"]
    (entry,) = (paths.runs() / leaderboard.FOLDER).iterdir()
    entry.unlink()
    assert list(leaderboard.enter("Ben", LESSON)["who"]) == ["Ben"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seed": 3}, "must be the same for all"),
        ({"weights": "phantom"}, "must be the same for all"),
        ({"patients": 900}, "must be the same for all"),
        ({"epoch": 3}, "no setting named epoch"),
        ({"dropout": 2}, "dropout"),
    ],
)
def test_what_would_not_be_fair_is_refused_before_anything_is_trained(trained, change, says):
    with pytest.raises(SettingsError, match=says):
        leaderboard.enter("Ada", LESSON, **change)
    assert leaderboard.table(LESSON).empty


def test_an_entry_that_another_process_is_writing_is_not_read(trained):
    trained |= {6: ([3], 10)}
    leaderboard.enter("Ada", LESSON)
    (paths.runs() / leaderboard.FOLDER / ".machine-1.run.json").write_text("{", encoding="utf-8")
    assert list(leaderboard.table(LESSON)["who"]) == ["Ada"]


def test_a_damaged_entry_says_which_file_it_is(trained):
    trained |= {6: ([3], 10)}
    leaderboard.enter("Ada", LESSON)
    (entry,) = (paths.runs() / leaderboard.FOLDER).iterdir()
    entry.write_text("{", encoding="utf-8")
    with pytest.raises(RunError, match="cannot be read") as error:
        leaderboard.table(LESSON)
    assert str(entry) in str(error.value)
