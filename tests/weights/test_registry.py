"""Trained networks are found by name, released small and unchanged, and their confidence is calibrated."""

import json
from dataclasses import replace

import numpy as np
import pytest

from lumbar import inference, models, training, weights
from lumbar.core.backend import keras
from lumbar.core.errors import TableError
from lumbar.core.schema import to_dict
from lumbar.imaging.modality import kinds_of
from lumbar.runs.settings import TrainingSettings
from lumbar.storage.files import write_json
from lumbar.weights import calibration, registry
from tests.support.prepared import spots


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> weights.Weights:
    file = tmp_path_factory.mktemp("run") / "best.keras"
    keras.utils.set_random_seed(0)
    model = models.build("heatmap", 5, width=4, depth=4)
    model.compile(optimizer="adam", loss="mse")
    model.save(file)
    settings = TrainingSettings(model="heatmap", width=4, depth=4)
    write_json(file.parent / "config.json", {"settings": to_dict(settings)})
    return weights.Weights(
        file, ("sagittal",), "stretch", True, slope=1.23456, offset=-0.5, doubtful=0.34567, modalities=("MR",)
    )


def test_a_released_network_answers_as_the_run_did_and_takes_less_room(network, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "HERE", tmp_path)
    file = weights.release(network, "small", tmp_path)
    assert file.stat().st_size < 0.7 * network.file.stat().st_size
    assert weights.released() == ["small"]
    found = weights.find("small")
    assert found == replace(network, file=file, slope=1.2346, doubtful=0.3456)
    assert weights.architecture("small") == weights.architecture(network.file.parent)
    assert weights.architecture("small")["width"] == 4
    weights.release(replace(network, count_slope=0.98765, count_offset=1.5), "small", tmp_path)
    assert (weights.find("small").count_slope, weights.find("small").count_offset) == (0.9877, 1.5)
    before, after = (inference.predict_points(each.file, spots(2), progress=False) for each in (network, found))
    np.testing.assert_allclose(before, after, atol=0.5)


def test_confidence_is_calibrated_to_how_often_points_are_right(network):
    rng = np.random.default_rng(0)
    true_odds = rng.normal(2, 2, 20_000)
    right = rng.random(20_000) < 1 / (1 + np.exp(-true_odds))
    probability = 1 / (1 + np.exp(-(true_odds - 1) / 2))  # of a network that is underconfident
    slope, offset = calibration.fit_platt(probability, right)
    confidence = replace(network, slope=slope, offset=offset).confidence(probability)
    for low, high in ((0.2, 0.4), (0.6, 0.8), (0.9, 0.99)):
        inside = (confidence > low) & (confidence < high)
        assert right[inside].mean() == pytest.approx(confidence[inside].mean(), abs=0.03)


def test_a_count_is_calibrated_to_how_often_it_is_one_off(network):
    """A network that holds a miscount for less likely than it is, both ways."""
    rng = np.random.default_rng(1)
    odds = np.exp(rng.normal(-3, 2, (20_000, 2)))
    true = odds / (1 + odds.sum(axis=1, keepdims=True))
    draw = rng.random(len(true))
    shifts = np.where(draw < true[:, 0], 1, np.where(draw < true.sum(axis=1), -1, 0))
    said = np.exp(1.5 * np.log(odds) - 1)
    said /= 1 + said.sum(axis=1, keepdims=True)
    slope, offset = calibration.fit_count(said, shifts)
    assert (slope, offset) == pytest.approx((1 / 1.5, 1 / 1.5), abs=0.05)
    found = replace(network, count_slope=slope, count_offset=offset).miscounted(said)
    for way, column in ((1, found[:, 0]), (-1, found[:, 1])):
        for low, high in ((0.0, 0.05), (0.1, 0.3), (0.5, 0.9)):
            inside = (column >= low) & (column < high)
            assert (shifts[inside] == way).mean() == pytest.approx(column[inside].mean(), abs=0.04)


def test_a_count_that_was_never_wrong_stays_possible_and_one_that_was_not_calibrated_is_unknown(network):
    said = np.full((100, 2), 1e-9)
    slope, offset = calibration.fit_count(said, np.zeros(100))
    assert 1e-3 < calibration.count_probability(said, slope, offset).sum(axis=1)[0] < 0.03
    assert np.isnan(network.miscounted(said)).all()
    half = replace(network, count_slope=1.0, count_offset=0.0).miscounted(np.array([[np.nan, np.nan], [0.5, 0.5]]))
    assert np.isnan(half[0]).all()
    assert half[1].sum() <= 1


def test_reliability_compares_groups_with_wilsons_interval():
    probability = np.array([0.95] * 10 + [0.5] * 4 + [1.0, 0.0])
    happened = np.array([True] * 9 + [False] + [True, False] * 2 + [True, False])
    zero, half, most, one = calibration.reliability(probability, happened)
    assert (zero["count"], zero["observed"], half["observed"], one["predicted"]) == (1, 0, 0.5, 1)
    assert (most["count"], most["predicted"], most["observed"]) == (10, pytest.approx(0.95), 0.9)
    assert (most["low"], most["high"]) == pytest.approx((0.5958, 0.9821), abs=1e-4)


def test_points_of_one_patient_make_the_interval_of_a_group_no_narrower():
    probability, happened = np.full(20, 0.75), np.arange(20) % 10 > 0
    (of_points,) = calibration.reliability(probability, happened, edges=(0, 0.5, 1))
    (of_two,) = calibration.reliability(probability, happened, edges=(0, 0.5, 1), patient_of=np.arange(20) // 10)
    (alike,) = calibration.reliability(probability, happened, edges=(0, 0.5, 1), patient_of=np.arange(20))
    assert alike == of_points
    assert {**of_two, "low": 0, "high": 0} == {**of_points, "low": 0, "high": 0}
    assert of_two["low"] < of_points["low"] < of_points["high"] < of_two["high"]
    assert len(calibration.reliability(probability, happened, edges=(0, 0.7, 0.8, 1))) == 1


def test_other_kinds_of_imaging_are_unfamiliar_unless_nothing_is_known(network):
    assert network.unfamiliar("MR") == network.unfamiliar("") == network.unfamiliar("SC") == ()
    (sentence,) = replace(network, modalities=("CT", "MR")).unfamiliar("DX")
    assert sentence == "X-ray, and the network was trained on CT and MR only"
    assert replace(network, modalities=()).unfamiliar("CT") == ()


def test_the_kinds_of_imaging_of_a_data_set_are_known_only_if_they_are_of_every_image():
    assert kinds_of(["T1", "T2", "STIR", "random"]) == ("MR",)
    assert kinds_of(["X-ray", "CT", "T2"]) == ("CT", "MR", "X-ray")
    assert kinds_of(["T1", ""]) == kinds_of(["PD fat sat", "T2"]) == ()


def test_without_a_probability_there_is_no_confidence(network):
    assert np.isnan(network.confidence(np.array([np.nan, 0.5]))).tolist() == [True, False]


def test_a_run_that_starts_from_real_patients_does_not_count_as_synthetic(few_patients):
    small = {"data": few_patients, "epochs": 1, "batch_size": 8, "width": 2, "depth": 3, "tensorboard": False}
    first = training.train(training.TrainingSettings(**small, name="first"), progress=False)
    assert weights.find("first").synthetic
    assert weights.find("first").modalities == ("MR",)
    config = json.loads((first / "config.json").read_text())
    config["data"]["modalities"] = ["CT"]
    write_json(first / "config.json", config | {"synthetic": False})  # as if it had been trained on CT of real patients
    training.train(training.TrainingSettings(**small, weights="first", name="second"), progress=False)
    assert not weights.find("second").synthetic
    assert weights.find("second").modalities == ("CT", "MR")
    del config["data"]["modalities"]  # a run of an earlier version does not state them
    write_json(first / "config.json", config)
    assert weights.find("first").modalities == ()


def test_no_patient_is_measured_on_whom_the_first_weights_were_trained_on(few_patients):
    """Another seed splits the same patients differently: some that were trained on would become test patients."""
    small = {"data": few_patients, "epochs": 1, "batch_size": 8, "width": 2, "depth": 3, "tensorboard": False}
    training.train(training.TrainingSettings(**small, name="knows"), progress=False)
    training.train(training.TrainingSettings(**small, weights="knows", name="knows-too"), progress=False)
    with pytest.raises(TableError, match="more than one part"):
        training.train(training.TrainingSettings(**small, weights="knows-too", seed=1, name="leaks"), progress=False)
