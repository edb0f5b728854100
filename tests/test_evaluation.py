import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lumbar import evaluation, inference, runs, weights
from lumbar.core.errors import RunError, TableError
from lumbar.core.schema import to_dict
from lumbar.evaluation import EvaluationSettings, evaluate
from lumbar.geometry import Affine
from lumbar.landmarks import LEVELS, SIDES, channels
from lumbar.preprocess import VERSION
from lumbar.runs.folder import run_folder
from lumbar.runs.settings import TrainingSettings
from lumbar.storage.files import write_json
from lumbar.training import data

VIEWS = ("sagittal", "axial")
DRAW = evaluation._draw
FIGURES = ("predicted_against_true", "error_curves", "errors_by_level", "worst_cases")


def prepared(part: str, patients: int, source: str = "phantom"):
    """Each patient's sagittal and axial picture, 512×320 pixels of 0.5×0.75 mm, one sagittal point missing."""
    count = 2 * patients
    view = np.tile(VIEWS, patients)
    points = np.full((count, 7, 2), np.nan)
    points[::2, :5] = np.stack([np.full(5, 120.0), 50 + 30.0 * np.arange(5)], axis=-1)
    points[1::2, 5:] = [[150.0, 120.0], [100.0, 120.0]]
    points += np.random.default_rng(0).normal(0, 2, (count, 1, 2))
    points[0, 0] = np.nan
    index = pd.DataFrame(
        {
            "image": [f"{number}.dcm" for number in range(count)],
            "patient": np.repeat([f"{part}{number}" for number in range(patients)], 2),
            "source": source,
            "view": view,
            "contrast": "T2",
            "level": np.where(view == "axial", "L3/L4", ""),
        }
    )
    part = SimpleNamespace(
        images=np.zeros((count, 256, 256), np.uint8),
        index=index,
        people=index[["patient", "source"]].assign(picture=""),
        points=points,
        to_native=np.tile(Affine.stretch(512, 320).inverse().matrix, (count, 1, 1)),
        mm_per_pixel=np.tile([512 / 256 * 0.5, 320 / 256 * 0.75], (count, 1)),
        channels=channels(VIEWS),
    )
    part.without_neighbours = lambda: part
    return part


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A trained run whose network is always 3 pixels too far right and 4 too low; epochs 2 and 3 were trained."""
    parts = {part: prepared(part, count) for part, count in (("train", 6), ("validation", 3), ("test", 4))}
    settings = TrainingSettings(epochs=50, weights="phantom+mr")
    monkeypatch.setattr(data, "prepared_parts", lambda settings, progress: parts)
    history = pd.DataFrame({"epoch": [1, 2, 3], "val_mae_px": [0.3, 0.1, 0.2]})
    monkeypatch.setattr(runs, "read_history", lambda run: history)
    monkeypatch.setattr(
        evaluation,
        "predict_points",
        lambda network, part, progress: np.nan_to_num(part.points, nan=7.0) + np.array([3.0, 4.0]),
    )
    monkeypatch.setattr(evaluation, "_draw", lambda *_: {})  # drawing takes longer than all the rest
    folder = tmp_path / "runs" / "first"
    folder.mkdir(parents=True)
    (folder / "best.keras").write_bytes(b"weights")
    known = {"fingerprint": "", "preparation": VERSION}
    write_json(folder / "config.json", {"settings": to_dict(settings), "data": known})
    split = {name: part for part in parts for name in parts[part].index["patient"]}
    pd.Series(split, name="part").rename_axis("patient").reset_index().assign(source="phantom").to_csv(
        folder / "split.csv", index=False
    )
    monkeypatch.setenv("LUMBAR_HOME", str(tmp_path))
    return folder


def test_a_run_is_measured_and_everything_is_written(run, monkeypatch):
    monkeypatch.setattr(evaluation, "_draw", DRAW)
    results = evaluate(EvaluationSettings(run=run, bootstrap=50), progress=False)
    written = json.loads((run / "metrics.json").read_text())
    assert written["network"]["radial_mean_px"] == pytest.approx(5)
    assert written["network"]["mae_mm"] == pytest.approx((3 * 1.0 + 4 * 0.9375) / 2)
    assert (written["network"]["points"], written["network"]["missing"]) == (27, 1)
    assert (written["epochs_trained"], written["best_epoch"]) == (3, 2)
    assert set(written["baselines"]) == {"mean per landmark", "mean point", "image centre", "always zero"}
    assert set(written["groups"]["level"]) == set(LEVELS)
    assert written["groups"]["level"]["L3/L4"]["points"] == 4 + 8, "axial points belong to the level their slice shows"
    assert set(written["groups"]["side"]) == set(SIDES)
    assert sorted(file.name for file in run.iterdir()) == sorted(
        [
            "best.keras",
            "config.json",
            "split.csv",
            "metrics.json",
            "predictions.csv",
            *(f"{name}.png" for name in FIGURES),
        ]
    )
    assert all(figure.alt for figure in results.figures.values())


def test_predictions_are_written_in_both_frames(run):
    evaluate(EvaluationSettings(run=run, bootstrap=0), progress=False)
    table = pd.read_csv(run / "predictions.csv", keep_default_na=False, na_values=[""])
    assert len(table) == 4 * (5 + 2)
    one = table.query("image == '1.dcm' and side == 'left'").iloc[0]
    assert one["level"] == "L3/L4"
    back = Affine.stretch(512, 320).points([one["predicted_x"], one["predicted_y"]])
    assert back == pytest.approx([one["predicted_x_256"], one["predicted_y_256"]])
    assert one["predicted_x"] - one["x"] == pytest.approx(3 * 512 / 256)
    assert one["radial_mm"] == pytest.approx(np.hypot(3, 4 * 0.9375))
    missing = table[table["x"].isna()]
    assert missing[["image", "level"]].to_numpy().tolist() == [["0.dcm", "L1/L2"]]
    assert missing["predicted_x"].notna().all(), "what was answered is worth knowing there too"


def test_the_table_says_who_was_measured_in_which_units(run):
    text = str(evaluate(EvaluationSettings(run=run, bootstrap=50), progress=False))
    for part in (
        "4 patients",
        "8 pictures",
        "27 points (1 missing)",
        "trained for 3 of 50 epochs",
        "px [95 %]",
        "mm [95 %]",
    ):
        assert part in text
    assert "Trained on synthetic patients" in text
    assert "from the weights of phantom+mr" in text
    assert "5.00 [5.00, 5.00]" in text
    assert "network by view" in text
    assert "network by contrast" not in text, "there is only one"
    assert max(map(len, text.splitlines())) <= 110


def test_looks_at_the_test_patients_are_counted(run):
    settings = EvaluationSettings(run=run, bootstrap=0)
    assert "looked at 1 time in this run, with 1 network" in str(evaluate(settings, progress=False))
    evaluate(EvaluationSettings(run=run, part="validation", bootstrap=0), progress=False)
    assert "looked at 2 times in this run, with 1 network" in str(evaluate(settings, progress=False))
    (run / "best.keras").write_bytes(b"other weights")
    assert "3 times in this run, with 2 networks: choosing settings" in str(evaluate(settings, progress=False))


def test_another_part_leaves_the_test_results_alone(run):
    evaluate(EvaluationSettings(run=run, bootstrap=0), progress=False)
    before = (run / "metrics.json").read_bytes()
    text = str(evaluate(EvaluationSettings(run=run, part="validation", bootstrap=0), progress=False))
    assert "looked at" not in text
    assert (run / "metrics.json").read_bytes() == before
    assert json.loads((run / "metrics_validation.json").read_text())["network"]["patients"] == 3


def test_a_patient_who_was_trained_on_is_not_measured_on(run):
    split = (run / "split.csv").read_text()
    (run / "split.csv").write_text(split.replace("test1,test", "test1,train"))
    with pytest.raises(TableError, match="more than one part"):
        evaluate(EvaluationSettings(run=run, bootstrap=0), progress=False)
    assert not (run / "metrics.json").exists()


@pytest.mark.parametrize("earlier", [True, False], ids=["a run of an earlier release", "a run of this release"])
@pytest.mark.parametrize(
    ("source", "picture", "seen"), [("B", "beef", False), ("B", "f00d", True), ("A", "beef", True)]
)
def test_another_source_with_equal_file_names_is_measured(run, monkeypatch, earlier, source, picture, seen):
    """The run was trained on files of source A; split.csv of an earlier release has no column picture."""
    other = prepared("train", 3)
    other.people = other.people.assign(source=source, picture=picture)
    monkeypatch.setattr(evaluation, "_other_set", lambda *_: ("all of B", other))
    parts = data.prepared_parts(None, progress=False)
    for part in parts.values():
        part.people = part.people.assign(source="A", picture="f00d")
    then = data.index_of(parts).drop_duplicates()
    then.drop(columns="picture" if earlier else []).to_csv(run / "split.csv", index=False)
    settings = EvaluationSettings(run=run, data=run, bootstrap=0)
    if seen:
        with pytest.raises(TableError, match=r"train0 in all of B and train"):
            evaluate(settings, progress=False)
    else:
        assert evaluate(settings, progress=False).metrics["network"]["patients"] == 3


def test_a_released_network_is_measured_on_a_data_set_of_ones_own(run, monkeypatch, tmp_path):
    own = prepared("own", 3, source="spider")
    asked = {}

    def load(folder, how, *, views, progress):
        asked.update(views=views, resize=how.resize)
        return SimpleNamespace(root=folder), own

    monkeypatch.setattr(evaluation, "load_prepared", load)
    settings = EvaluationSettings(run=Path("phantom+mr"), data=tmp_path / "mine", bootstrap=50)
    results = evaluate(settings, progress=False)
    network = weights.find("phantom+mr")
    assert asked == {"views": network.views, "resize": network.resize}
    written = json.loads((run.parent / "phantom+mr" / "metrics_all_of_mine.json").read_text())
    assert written["network"]["radial_mean_px"] == pytest.approx(5)
    assert set(written["baselines"]) == {"image centre", "always zero"}, "there are no training patients to learn from"
    text = str(results)
    assert "Network phantom+mr, released with lumbar" in text
    assert "trained on patients of spider: if these are the same, the numbers are too good" in text
    assert "in this run" not in text
    own.index["source"] = "ours"
    assert "too good" not in str(evaluate(settings, progress=False))
    assert run_folder(None) == run, "the results are no run"


def test_a_released_network_without_a_data_set_says_what_is_missing(run):
    with pytest.raises(RunError, match="no test patients here") as error:
        evaluate(EvaluationSettings(run=Path("phantom")), progress=False)
    assert "--data FOLDER" in error.value.remedy


def test_a_run_of_the_name_of_a_released_network_stays_the_run(run):
    named = run.rename(run.parent / "phantom")
    results = evaluate(EvaluationSettings(run=Path("phantom"), bootstrap=0), progress=False)
    assert (results.run, results.metrics["part"]) == (named, "test")


def test_one_patient_measures_nothing_and_that_is_said(run):
    said = "One patient measures nothing"
    assert said not in str(evaluate(EvaluationSettings(run=run, bootstrap=50), progress=False))
    data.prepared_parts(None, progress=False)["test"] = prepared("test", 1)
    text = str(evaluate(EvaluationSettings(run=run, bootstrap=50), progress=False))
    assert said in text
    assert "95 % intervals" not in text, "one patient has none"


def test_the_newest_trained_run_is_taken_if_none_is_named(run):
    (run.parent / "unfinished").mkdir()
    assert run_folder(None) == run == run_folder("first") == run_folder(run)


@pytest.mark.parametrize(("name", "words"), [("unfinished", "no trained network"), ("absent", "no such run")])
def test_a_run_that_cannot_be_measured_is_refused(run, name, words):
    (run.parent / "unfinished").mkdir()
    with pytest.raises(RunError, match=words):
        run_folder(name)


def test_without_any_run_the_remedy_is_to_train(tmp_path, monkeypatch):
    monkeypatch.setenv("LUMBAR_HOME", str(tmp_path))
    with pytest.raises(RunError, match="train one: python -m lumbar train"):
        run_folder(None)


def test_a_network_for_other_landmarks_is_refused(tmp_path):
    from lumbar import models
    from tests.support.prepared import spots

    models.build("baseline", 2, width=2).save(tmp_path / "two.keras")
    with pytest.raises(RunError, match="other landmarks"):
        inference.predict_points(tmp_path / "two.keras", spots(2), progress=False)


def test_a_network_that_answers_with_no_number_is_refused(tmp_path):
    from lumbar import models
    from tests.support.prepared import spots

    model = models.build("baseline", 5, width=2)
    model.set_weights([np.full_like(weights, np.nan) for weights in model.get_weights()])
    model.save(tmp_path / "burst.keras")
    with pytest.raises(RunError, match="not a number"):
        inference.predict_points(tmp_path / "burst.keras", spots(2), progress=False)


def test_pictures_without_any_known_point_are_measured_all_the_same(run, monkeypatch):
    data.prepared_parts(None, progress=False)["test"].points[:] = np.nan
    monkeypatch.setattr(evaluation, "_draw", DRAW)
    results = evaluate(EvaluationSettings(run=run, bootstrap=50), progress=False)
    assert results.metrics["network"]["mae_px"] is None
    assert "no worst cases" in results.figures["worst_cases"].alt
