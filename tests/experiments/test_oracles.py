"""A search tries no settings twice, tries all of a small space, and then ends."""

import pytest

from lumbar.experiments.tuning import oracles
from lumbar.experiments.tuning.space import combinations, space


def search(algorithm, names, folder, *, trials=20, score=lambda values: 1.0):
    """Return the settings of each trial of a search, in their order; no network is trained."""
    import keras_tuner

    oracle = oracles.oracle(
        algorithm,
        trials=trials,
        epochs=6,
        seed=0,
        objective=keras_tuner.Objective("error", "min"),
        hyperparameters=space(names),
    )
    oracle.verbose = 0
    oracle._set_project_dir(folder, "search")
    tried = []
    while (trial := oracle.create_trial("tuner")).status == "RUNNING":
        tried.append({name: trial.hyperparameters.values[name] for name in names})
        oracle.update_trial(trial.trial_id, {"error": score(tried[-1])})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    return tried


@pytest.mark.parametrize("algorithm", ["random", "bayesian"])
@pytest.mark.parametrize("names", [("dropout", "batch_norm"), ("depth", "width"), ("batch_norm",)])
def test_each_combination_is_tried_once_and_then_the_search_ends(algorithm, names, tmp_path):
    tried = search(algorithm, names, tmp_path)
    every = combinations(space(names))
    assert len(tried) == len(every) < 20
    assert all(tried.count(values) == 1 for values in every)


def test_a_bayesian_search_goes_on_to_the_most_promising_settings_that_were_not_tried(tmp_path):
    names = ("dropout", "batch_norm")
    tried = search("bayesian", names, tmp_path, trials=9, score=lambda values: values["dropout"])
    assert sorted(values["dropout"] for values in tried)[:4] == [0.0, 0.0, 0.1, 0.1]


def test_a_bayesian_search_whose_best_value_is_the_end_of_its_range_does_not_stay_there(tmp_path):
    tried = search("bayesian", ("learning_rate",), tmp_path, trials=9, score=lambda values: values["learning_rate"])
    rates = [values["learning_rate"] for values in tried]
    assert len(set(rates)) == len(rates) == 9
    assert 1e-4 in rates, "the best value was found"


def test_a_bayesian_search_of_a_countable_space_misses_no_combination_that_promises_more(tmp_path):
    """The scores are a valley; after the random trials at the start, only combinations near its bottom are tried."""
    names = ("dropout", "width", "augmentation")
    bottom = {"dropout": 0.3, "width": 16, "augmentation": 1.0}
    spans = {"dropout": 0.5, "width": 16, "augmentation": 1.5}

    def depth(values):
        return sum(((values[name] - bottom[name]) / spans[name]) ** 2 for name in names)

    tried = search("bayesian", names, tmp_path, trials=20, score=depth)
    assert bottom in tried
    assert max(depth(values) for values in tried[-5:]) < sorted(map(depth, combinations(space(names))))[30]


def test_a_continuous_setting_has_no_list_of_combinations():
    assert combinations(space(("dropout", "learning_rate"))) is None
