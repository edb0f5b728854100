"""Trainings on some of the patients of a data set differ in the patients, not in the number of steps."""

import numpy as np
import pandas as pd
import pytest

from lumbar.core.errors import SettingsError
from lumbar.experiments.learning_curve import resampled_means, train_on_some
from lumbar.runs.folder import load_settings, read_history, read_split
from lumbar.runs.settings import TrainingSettings

SMALL = TrainingSettings(model="heatmap", batch_size=4, width=2, depth=3, tensorboard=False)


@pytest.fixture(scope="module")
def runs(few_patients):
    table = few_patients / "landmarks.csv"
    return {patients: train_on_some(SMALL, table, patients, 6) for patients in (8, 16)}


def test_each_size_makes_the_same_number_of_steps(runs):
    for run in runs.values():
        pictures = (read_split(run)["part"] == "train").sum()
        assert len(read_history(run)) * -(-pictures // 4) == 6


def test_the_seed_draws_the_patients(runs, few_patients):
    everyone = set(pd.read_csv(few_patients / "landmarks.csv")["patient"])
    drawn = {patients: set(read_split(run)["patient"]) for patients, run in runs.items()}
    assert len(drawn[8]) == 8
    assert drawn[8] < drawn[16] == everyone, "with one seed, the larger set contains the smaller one"
    other = TrainingSettings(**vars(SMALL) | {"seed": 1})
    assert set(read_split(train_on_some(other, few_patients / "landmarks.csv", 8, 1))["patient"]) != drawn[8]


def test_a_run_is_found_again(runs, few_patients):
    assert train_on_some(SMALL, few_patients / "landmarks.csv", 8, 6) == runs[8]
    assert load_settings(runs[8]).data.name == "8-0_landmarks.csv"


def test_more_patients_than_there_are_is_an_error(few_patients):
    with pytest.raises(SettingsError, match="at most 16"):
        train_on_some(SMALL, few_patients / "landmarks.csv", 17, 6)


def curve(error):
    """A table of a learning curve, its rows shuffled; `error` gives px for (patients, seed, stranger)."""
    rows = [(n, seed, who, error(n, seed, who)) for n in (40, 10, 20) for seed in range(3) for who in range(30)]
    table = pd.DataFrame(rows, columns=["patients", "seed", "stranger", "radial_px"])
    return table.sample(frac=1, random_state=0)


def test_resamples_keep_the_sizes_apart():
    means = resampled_means(curve(lambda n, seed, who: 100 / n), bootstrap=5)
    assert means.columns.tolist() == [10, 20, 40]
    np.testing.assert_allclose(means, [[10, 5, 2.5]] * 5)


def test_seeds_and_strangers_both_widen_the_interval():
    def spread(error):
        return resampled_means(curve(error), bootstrap=500)[10].std()

    assert spread(lambda n, seed, who: seed) == pytest.approx(np.sqrt(2 / 3 / 3), rel=0.1)
    assert spread(lambda n, seed, who: who) == pytest.approx(np.sqrt((30**2 - 1) / 12 / 30), rel=0.1)
