"""A search leaves ordinary runs and a leaderboard, resumes after a stop, and marks failed trials."""

from dataclasses import replace

import numpy as np
import pytest

from lumbar.core import paths
from lumbar.core.errors import DatasetError, RunError
from lumbar.experiments.tuning import search, trials
from lumbar.experiments.tuning.search import TuningSettings, leaderboard, tune
from lumbar.experiments.tuning.space import space
from lumbar.runs.folder import load_settings, read_history
from lumbar.runs.settings import TrainingSettings
from lumbar.training import loop


@pytest.fixture(scope="module")
def common(few_patients) -> TrainingSettings:
    return TrainingSettings(data=few_patients, epochs=1, batch_size=8, width=4, depth=3, tensorboard=False)


@pytest.fixture(scope="module")
def searched(common):
    settings = TuningSettings(
        trials=3, trial_epochs=1, search=("dropout", "learning_rate", "batch_norm"), name="search"
    )
    return settings, tune(settings, common, progress=False)


def test_each_trial_is_a_run_with_its_own_settings(searched, common):
    _, best = searched
    table = leaderboard(best.parent)
    assert table["status"].tolist() == ["COMPLETED"] * 3
    for row in table.itertuples():
        run = best.parent / "trials" / row.trial
        used = load_settings(run)
        assert (used.dropout, used.learning_rate, used.batch_norm) == (row.dropout, row.learning_rate, row.batch_norm)
        assert used.width == common.width
        assert read_history(run)["val_mae_px"].min() == pytest.approx(row.val_mae_px)


def test_the_leaderboard_begins_with_the_best_trial_which_is_trained_again_and_evaluated(searched):
    _, best = searched
    table = leaderboard(best.parent)
    assert table["val_mae_px"].is_monotonic_increasing
    assert load_settings(best).learning_rate == table["learning_rate"].iloc[0]
    assert (best / "metrics.json").is_file()
    assert {"leaderboard.csv", "leaderboard.png", "config.json"} <= {path.name for path in best.parent.iterdir()}


def test_a_search_that_was_stopped_resumes_without_repeating(searched, common, monkeypatch, capsys):
    settings, best = searched
    trained = []
    monkeypatch.setattr(loop, "fit", lambda job, **_: trained.append(job.run))
    assert tune(settings, common, progress=False) == best
    assert trained == []
    assert "combinations" not in capsys.readouterr().err, "all trials that were asked for were run"


def test_two_searches_never_write_over_each_other(searched, common):
    with pytest.raises(RunError, match="other settings"):
        tune(replace(searched[0], trials=9), common, progress=False)


def test_a_failed_trial_is_recorded_and_the_search_goes_on(common, monkeypatch):
    train = trials.train

    def sometimes(settings, **options):
        if settings.dropout > 0.2:
            raise RunError("the loss is no longer a number")
        return train(settings, **options)

    monkeypatch.setattr(trials, "train", sometimes)
    settings = TuningSettings(trials=6, trial_epochs=1, search=("dropout",), name="failing")
    best = tune(settings, common, progress=False)
    table = leaderboard(best.parent)
    assert set(table["status"]) == {"COMPLETED", "FAILED"}
    assert table["status"].iloc[0] == "COMPLETED"
    assert table.loc[table["status"] == "FAILED", "val_mae_px"].isna().all()


def test_no_completed_trial_is_an_error_however_many_failed(common, monkeypatch):
    def never(settings, **options):
        raise RunError("out of luck")

    monkeypatch.setattr(trials, "train", never)
    with pytest.raises(RunError, match="no trial"):
        tune(TuningSettings(trials=4, trial_epochs=1, search=("dropout",), name="hopeless"), common, progress=False)
    assert leaderboard(paths.runs() / "hopeless")["status"].tolist() == ["FAILED"] * 4


def test_missing_data_are_an_error_before_any_trial(common, tmp_path):
    with pytest.raises(DatasetError, match="no such folder"):
        tune(TuningSettings(trials=2, name="lost"), replace(common, data=tmp_path / "typo"), progress=False)
    assert leaderboard(paths.runs() / "lost").empty


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["hyperband", "bayesian"])
def test_the_other_algorithms_search_too(common, algorithm):
    settings = TuningSettings(
        algorithm=algorithm, trials=3, trial_epochs=3, search=("dropout", "learning_rate"), name=algorithm
    )
    best = tune(settings, common, progress=False)
    table = leaderboard(best.parent)
    assert (table["status"] == "COMPLETED").all()
    assert len(table) >= 3
    if algorithm == "hyperband":
        assert set(table["epochs"]) == {1, 3}, "few epochs for many trials, all epochs for the best"


@pytest.mark.parametrize(("algorithm", "ended"), [("bayesian", "2 of 5 trials"), ("hyperband", "2 trials")])
def test_a_search_that_has_tried_everything_ends_and_says_so(common, capsys, algorithm, ended):
    name = f"small-{algorithm}"
    settings = TuningSettings(algorithm=algorithm, trials=5, trial_epochs=3, search=("batch_norm",), name=name)
    table = leaderboard(tune(settings, common, progress=False).parent)
    assert sorted(table["batch_norm"]) == [False, True]
    assert f"ended after {ended}, because all 2 combinations" in capsys.readouterr().err


def test_everything_that_can_be_searched_is_a_training_setting():
    names = search.TuningSettings().search
    values = space(names).values
    assert set(values) == set(names) <= set(TrainingSettings.__dataclass_fields__)
    TrainingSettings(**values)


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("dropout", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        ("augmentation", [0.0, 0.5, 1.0, 1.5]),
        ("depth", [3, 4, 5]),
        ("width", [8, 12, 16, 24]),
    ],
)
def test_a_search_can_draw_each_value_of_a_range_both_ends_included(name, offered):
    [parameter] = space((name,)).space
    shares = (np.arange(1000) + 0.5) / 1000  # random numbers from 0 to 1, evenly spread
    assert sorted({parameter.prob_to_value(share) for share in shares}) == offered


def test_a_folder_without_a_search_has_an_empty_leaderboard(tmp_path):
    assert leaderboard(tmp_path).empty
    assert np.isin(["trial", "status", "val_mae_px"], leaderboard(tmp_path).columns).all()
    assert not (paths.runs() / "never").exists()
