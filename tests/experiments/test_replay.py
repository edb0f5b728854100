"""Searches over trainings that are done: they pay what they would have paid, and see what they would have seen."""

import itertools

import numpy as np
import pandas as pd
import pytest

from lumbar.experiments.tuning.replay import replay

SETTINGS = ["learning_rate", "batch_norm", "dropout"]
LONGEST = 9
PRICE = 12 * LONGEST


def made(*, diverged: float | None = None) -> pd.DataFrame:
    """Trainings whose score falls with the epochs, and depends on the learning rate; no two are alike."""
    values = itertools.product([0.001, 0.003, 0.01, 0.03], [False, True], [0.0, 0.2, 0.4])
    table = pd.DataFrame(list(values), columns=SETTINGS)
    rank = table["learning_rate"].rank() + 0.1 * table.index
    table["strangers_px"] = 2 + rank
    for epoch in range(1, LONGEST + 1):
        table[f"epoch_{epoch}"] = rank + 50 / epoch
    table.loc[table["learning_rate"] == diverged, f"epoch_{LONGEST}"] = np.nan
    return table


@pytest.mark.parametrize("algorithm", ["random", "bayesian"])
def test_every_trial_is_a_whole_training_and_none_is_tried_twice(algorithm):
    table = made()
    found = replay(table, SETTINGS, algorithm, epochs=24 * LONGEST, seed=1)
    assert found["epochs"].tolist() == [LONGEST * (trial + 1) for trial in range(24)]
    assert found["best_px"].iloc[-1] == table[f"epoch_{LONGEST}"].min(), "all 24 combinations were tried"
    assert found["strangers_px"].iloc[-1] == table["strangers_px"].min()


def test_hyperband_pays_for_short_trials_and_sees_no_more_of_them():
    table = made()
    found = replay(table, SETTINGS, "hyperband", epochs=PRICE, seed=1)
    prices = found["epochs"].diff().fillna(found["epochs"])
    assert set(prices) == {1, 3, 9}
    assert found["epochs"].iloc[-1] <= PRICE
    assert found["best_px"].iloc[0] >= table["epoch_1"].min(), "a trial of one epoch has the score of one epoch"
    assert found["strangers_px"].iloc[0] in set(table["strangers_px"]), "what its settings are worth, not the trial"


@pytest.mark.parametrize("algorithm", ["random", "bayesian", "hyperband"])
def test_a_search_keeps_its_best_and_never_chooses_what_diverged(algorithm):
    table = made(diverged=0.001)
    found = replay(table, SETTINGS, algorithm, epochs=PRICE, seed=2)
    assert found["best_px"].is_monotonic_decreasing
    assert found["strangers_px"].iloc[-1] > table.loc[table["learning_rate"] == 0.001, "strangers_px"].max()


def test_the_seed_makes_the_search_and_the_strangers_do_not():
    table = made()
    one, same, other = (replay(table, SETTINGS, "random", epochs=PRICE, seed=seed)["best_px"] for seed in (1, 1, 2))
    assert one.equals(same)
    assert not one.equals(other)
    table["strangers_px"] = 100 - table["strangers_px"]
    assert replay(table, SETTINGS, "random", epochs=PRICE, seed=1)["best_px"].equals(one)
