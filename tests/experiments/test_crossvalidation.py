"""Every patient is used once, to measure a network not trained on them; networks are compared on the same images."""

import json

import numpy as np
import pandas as pd
import pytest

from lumbar.cli.main import main
from lumbar.core import paths
from lumbar.core.errors import SettingsError
from lumbar.experiments import crossvalidation
from lumbar.experiments.crossvalidation import PUBLISHED, Crossvalidation, CrossvalidationSettings, crossvalidate
from lumbar.inference import predict_with_probability
from lumbar.reports.tables import miscount_table
from lumbar.runs.settings import TrainingSettings
from lumbar.training.job import train


@pytest.fixture(scope="module")
def small(few_patients) -> TrainingSettings:
    return TrainingSettings(
        data=few_patients, model="heatmap", folds=2, epochs=1, batch_size=4, width=2, depth=3, tensorboard=False
    )


@pytest.fixture(scope="module")
def found(small) -> Crossvalidation:
    other = TrainingSettings(**(vars(small) | {"folds": 1, "name": "other"}))
    train(other, progress=False)
    return crossvalidate(CrossvalidationSettings(also=("other",), name="cross"), small, progress=False)


def test_each_patient_is_measured_once_by_each_network(found):
    looks = found.points.drop_duplicates(["network", "fold", "patient"])
    assert set(looks["network"]) == {"this training", "other"}
    assert (looks.groupby(["network", "patient"]).size() == 1).all()
    for fold in (1, 2):
        split = pd.read_csv(paths.runs() / "cross" / f"fold-{fold}" / "split.csv")
        known = set(split.loc[split["part"] != "test", "patient"])
        assert not known & set(looks.loc[looks["fold"] == fold, "patient"])


def test_the_numbers_are_those_of_the_points(found):
    points = found.points[found.points["network"] == "this training"]
    off = np.hypot(points["predicted_x_256"] - points["x_256"], points["predicted_y_256"] - points["y_256"])
    numbers = found.metrics["networks"]["this training"]
    assert numbers["radial_mean_px"] == pytest.approx(off.mean())
    assert numbers["pck_5px"] == pytest.approx((off <= 5).mean())
    assert numbers["patients"] == points["patient"].nunique()
    sure = numbers["confidence"]
    assert sure["misses"] == (off > 10).sum()
    assert 0 < sure["flagged_pictures"] < 0.3
    assert (
        json.loads((found.folder / "metrics.json").read_text())["networks"].keys() == found.metrics["networks"].keys()
    )


def test_the_published_table_names_no_patient(found, small, tmp_path):
    settings = CrossvalidationSettings(also=("other",), name="cross", publish=tmp_path / "errors.csv")
    again = crossvalidate(settings, small, progress=False)
    table = pd.read_csv(tmp_path / "errors.csv")
    assert tuple(table) == PUBLISHED
    by_network = pd.concat([points for _, points in again.points.groupby("network", sort=False)])
    np.testing.assert_allclose(table["radial_px"], by_network["radial_px"], atol=0.006)
    assert table[["confidence", "one_higher", "one_lower"]].apply(lambda column: column.between(0, 1)).all(axis=None)
    for name, numbers in found.metrics["networks"].items():
        off = table[table["network"] == name].drop_duplicates("picture")["shift"]
        assert (off.abs() == 1).sum() == len(numbers["miscounted"])


def test_the_labels_that_fit_least_are_listed_first(found):
    table = pd.read_csv(found.folder / "suspicious_labels.csv")
    assert table.groupby("network")["image"].nunique().to_dict() == {"this training": 16, "other": 16}
    for name, rows in table.groupby("network"):
        assert rows["radial_px"].is_monotonic_decreasing
        points = found.points[found.points["network"] == name]
        assert rows["radial_px"].iloc[0] == pytest.approx(points.groupby("image")["radial_px"].mean().max(), abs=0.006)


def test_it_plots_coverage_and_the_worst_cases(found):
    plotted = {file.name for file in found.folder.glob("*.png")}
    names = ("this_training", "other")
    kinds = ("worst_cases", "reliability")
    assert plotted == {"coverage.png", *(f"{kind}_{name}.png" for kind in kinds for name in names)}


def test_it_tells_how_images_that_are_cut_off_are_answered(found):
    for numbers in found.metrics["networks"].values():
        assert list(numbers["cut_off"]) == ["whole", "above L5/S1", "just below L5/S1", "below L1/L2"]
        above = numbers["cut_off"]["above L5/S1"]
        assert above["wrong"] == above["images"] == numbers["images"], "these networks answer every level"
        assert 0 <= above["wrong_unflagged"] <= 1


def test_the_images_that_are_counted_wrongly_are_named_with_what_the_network_says(found):
    for name, numbers in found.metrics["networks"].items():
        points = found.points[found.points["network"] == name]
        assert points["one_higher"].between(0, 1).all()
        assert points["one_lower"].between(0, 1).all()
        pictures = points["image"].unique()
        off = numbers["miscounted"]
        assert len(off) == round(numbers["level_shift_share"] * len(pictures))
        for each in off:
            assert set(each) == {"picture", "shift", "one_higher", "one_lower", "flagged"}
            here = points[points["image"] == each["picture"]]
            assert abs(each["shift"]) == 1
            doubtful = here["probability"].min() <= numbers["confidence"]["doubtful_probability"]
            miscounted = each["one_higher"] + each["one_lower"] > 0.1
            assert each["flagged"] == (doubtful or here["unclear"].iloc[0] or miscounted)


def test_probabilities_are_compared_with_what_happened_before_and_after_calibration(found):
    for name, numbers in found.metrics["networks"].items():
        points = found.points[found.points["network"] == name]
        assert set(numbers["reliability"]) == {"point within 5 px", "count one off"}
        for what, by_time in numbers["reliability"].items():
            every = len(points) if what.startswith("point") else 2 * points["image"].nunique()
            for groups in by_time.values():
                assert sum(group["count"] for group in groups) == every
        after = numbers["reliability"]["point within 5 px"]["after calibration"]
        predicted = sum(group["count"] * group["predicted"] for group in after) / len(points)
        assert predicted == pytest.approx(numbers["pck_5px"], abs=0.05)
    assert "before calibration" in str(found)


@pytest.mark.parametrize(("last", "file"), [(True, "last.keras"), (False, "best.keras")])
def test_the_last_epoch_is_measured_on_request(found, small, monkeypatch, last, file):
    asked = set()

    def noted(network, *arguments, **options):
        asked.add(network.name)
        return predict_with_probability(network, *arguments, **options)

    monkeypatch.setattr(crossvalidation, "predict_with_probability", noted)
    crossvalidate(CrossvalidationSettings(name="cross", last=last), small, progress=False)
    assert asked == {file}


def test_several_seeds_are_several_rows_and_each_contrast_has_its_own(small, tmp_path, few_patients):
    published = tmp_path / "errors.csv"
    settings = CrossvalidationSettings(seeds=2, title="net", name="twice", publish=published)
    found = crossvalidate(settings, small, progress=False)
    networks = found.metrics["networks"]
    assert list(networks) == ["net, seed 0", "net, seed 1", "net"]
    one, other, both = networks.values()
    assert both["points"] == one["points"] + other["points"]
    assert both["patients"] == one["patients"] == other["patients"]
    assert both["radial_mean_px"] == pytest.approx((one["radial_mean_px"] + other["radial_mean_px"]) / 2)
    assert {"confidence", "reliability", "cut_off"} <= both.keys()
    assert not {"confidence", "reliability", "miscounted"} & one.keys()
    for cut, numbers in both["cut_off"].items():
        of_seeds = [each["cut_off"][cut] for each in (one, other)]
        assert numbers["images"] == sum(each["images"] for each in of_seeds)
        assert numbers["wrong"] == sum(each["wrong"] for each in of_seeds)
    table = pd.read_csv(published)
    assert table["network"].unique().tolist() == ["net", "net, seed 1"]
    first, second = (each.sort_values(["picture", "level"]) for _, each in table.groupby("network", sort=False))
    assert first["picture"].tolist() == second["picture"].tolist()
    truth = found.points[found.points["network"] == "net, seed 0"]
    assert sorted(first["radial_px"]) == pytest.approx(sorted(truth["radial_px"]), abs=0.006)
    runs = {folder.name for folder in found.folder.iterdir() if folder.is_dir()}
    assert runs == {f"seed-{seed}-fold-{fold}" for seed in (0, 1) for fold in (1, 2)}
    one, other = (points for _, points in found.points.groupby("network"))
    assert set(one["image"]) == set(other["image"])
    assert (one["predicted_x"].to_numpy() != other["predicted_x"].to_numpy()).any()
    for numbers in networks.values():
        contrasts = numbers.get("by_contrast", {})
        assert sum(each["points"] for each in contrasts.values()) in (0, numbers["points"])


def test_the_table_of_miscounts_says_which_way_and_what_the_network_thought():
    row = {"picture": "a.png", "shift": -1, "one_higher": 0.004, "one_lower": 0.31, "flagged": True}
    lines = miscount_table({"net": {"miscounted": [row]}, "none": {"miscounted": []}, "old": {}}).splitlines()
    assert len(lines) == 2
    assert lines[1].split() == ["net", "a.png", "too", "high", "0.4", "%", "31.0", "%", "yes"]
    assert miscount_table({"none": {"miscounted": []}}) == ""


def test_printed_it_is_a_table_with_a_row_for_each_network(found):
    text = str(found)
    assert "wrong, not flagged" in text
    assert "this training" in text
    assert "other" in text
    assert "had not seen the patient" in text


def test_one_fold_is_not_a_cross_validation(small, capsys):
    assert main(["crossvalidate", "--data", str(small.data)]) == 1
    assert "--folds 5" in capsys.readouterr().err
    with pytest.raises(SettingsError):
        crossvalidate(CrossvalidationSettings(), TrainingSettings(folds=3), progress=False)
