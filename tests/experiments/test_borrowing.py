"""Two starts are compared pair by pair: what both trainings of a seed have in common does not widen the interval."""

import numpy as np
import pandas as pd
import pytest

from lumbar.experiments import borrowing


def table(error):
    """A table of trainings, its rows shuffled; `error` gives px for (start, patients, seed, stranger)."""
    places = [(start, n, seed, who) for start in "ab" for n in (20, 5) for seed in range(4) for who in range(10)]
    rows = [(*place, error(*place)) for place in places]
    columns = ["start", "patients", "seed", "stranger", "radial_px"]
    return pd.DataFrame(rows, columns=columns).sample(frac=1, random_state=0)


def test_the_gain_is_the_mean_difference_of_pairs():
    shared = np.random.default_rng(0).uniform(0, 50, (2, 4, 10))
    found = borrowing.gains(
        table(lambda start, n, seed, who: shared[n // 20, seed, who] + (start == "b") * n / 10), "a", "b"
    )
    assert found.index.tolist() == [5, 20]
    for column in ("gain_px", "low_px", "high_px"):
        np.testing.assert_allclose(found[column], [0.5, 2])
    assert found["pairs"].tolist() == found["won"].tolist() == [4, 4]


def test_pairs_that_disagree_make_a_wide_interval_and_are_counted():
    found = borrowing.gains(table(lambda start, n, seed, who: (start == "b") * (4 if seed else -4)), "a", "b")
    assert found["won"].tolist() == [3, 3]
    assert (found["low_px"] < 0).all()
    assert (found["high_px"] > 2).all()
    np.testing.assert_allclose(found["gain_px"], 2)


def test_means_keep_starts_and_sizes_apart():
    found = borrowing.means(table(lambda start, n, seed, who: n + 100 * (start == "b"))).set_index(
        ["start", "patients"]
    )
    for column in ("mean_px", "low_px", "high_px"):
        assert {place: found.loc[place, column] for place in found.index} == pytest.approx(
            {("a", 5): 5, ("a", 20): 20, ("b", 5): 105, ("b", 20): 120}
        )
