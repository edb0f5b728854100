"""However a study is stored, training and prediction see the same image: upright, points with it."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lumbar import datasets
from lumbar.core import paths
from lumbar.core.errors import DatasetError, RunError
from lumbar.datasets import inspection
from lumbar.evaluation import evaluate
from lumbar.geometry import Affine
from lumbar.imaging import read
from lumbar.preprocess import PreprocessSettings, prepare_scan
from lumbar.runs import load_config, read_history
from lumbar.runs.settings import EvaluationSettings, TrainingSettings
from lumbar.storage.files import write_json
from lumbar.training import data, train
from tests.support.turned_studies import WAYS, turned_study
from tests.training.test_training import outcome


@pytest.fixture(scope="module")
def small(few_patients) -> TrainingSettings:
    return TrainingSettings(data=few_patients, epochs=1, batch_size=4, width=4, depth=3, tensorboard=False)


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
@pytest.mark.parametrize("way", WAYS)
def test_a_turned_study_is_prepared_like_the_upright_one(few_patients, tmp_path, way, resize):
    settings = PreprocessSettings(resize=resize)
    turned = datasets.load(turned_study(few_patients, tmp_path / "turned", way))
    assert turned.table["x"].notna().all(), "no point is thrown away because its image is upside down"
    one, other = (
        datasets.prepare(dataset, settings, workers=1, progress=False)
        for dataset in (datasets.load(few_patients), turned)
    )
    np.testing.assert_array_equal(one.images, other.images)
    np.testing.assert_allclose(one.points, other.points, atol=1e-4)
    np.testing.assert_allclose(one.mm_per_pixel, other.mm_per_pixel, rtol=1e-6)
    table = turned.table[turned.table["image"] == other.index["image"][0]]
    back = Affine(other.to_native[0]).points(other.points[0])
    np.testing.assert_allclose(back, table[["x", "y"]], atol=1e-9)


def test_training_and_prediction_see_the_same_image(few_patients, tmp_path):
    folder = turned_study(few_patients, tmp_path / "turned", "on its side, mirrored")
    dataset = datasets.load(folder)
    prepared = datasets.prepare(dataset, workers=1, progress=False)
    for number in (0, 5):
        image, to_256 = prepare_scan(read(dataset.path(prepared.index["image"][number])), PreprocessSettings())
        np.testing.assert_array_equal(image, prepared.images[number])
        np.testing.assert_allclose(to_256.inverse().matrix, prepared.to_native[number], atol=1e-12)


@pytest.mark.slow
def test_a_mirrored_and_upside_down_study_trains_to_the_same_weights(small, tmp_path):
    upright = shutil.copytree(small.data, tmp_path / "upright")
    table = pd.read_csv(upright / "landmarks.csv")
    table[["x", "y"]] = table[["x", "y"]].round()  # whole pixels survive a turn to the last bit
    table.to_csv(upright / "landmarks.csv", index=False)
    turned = turned_study(upright, tmp_path / "turned", "turned by 180 degrees")
    runs = [train(replace(small, data=data, name=data.name), progress=False) for data in (upright, turned)]
    (history, weights), (other_history, other_weights) = map(outcome, runs)
    pd.testing.assert_frame_equal(history, other_history, check_exact=True)
    for ours, theirs in zip(weights, other_weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_levels_in_the_wrong_order_are_found_in_turned_images_too(few_patients, tmp_path):
    folder = turned_study(few_patients, tmp_path / "turned", "upside down")
    assert inspection.inspect(folder, progress=False).ok
    table = pd.read_csv(folder / "landmarks.csv")
    first = table["image"] == table["image"].iloc[0]
    wrong = table.copy()
    wrong.loc[first, ["x", "y"]] = wrong.loc[first, ["x", "y"]].to_numpy()[::-1]
    wrong.to_csv(folder / "landmarks.csv", index=False)
    problems = inspection.inspect(folder, progress=False).problems
    assert problems["image"].unique().tolist() == [table["image"].iloc[0]]
    # One whose levels are named the wrong way round throughout is refused, whichever way its images are stored.
    names = dict(zip(sorted(table["level"].unique()), sorted(table["level"].unique(), reverse=True), strict=True))
    upright = tmp_path / "upright"
    turned_study(few_patients, upright, "mirrored")
    named = pd.read_csv(upright / "landmarks.csv")
    named.assign(level=named["level"].map(names)).to_csv(upright / "landmarks.csv", index=False)
    with pytest.raises(DatasetError, match="the levels are in the wrong order in every picture"):
        datasets.load(upright)


@pytest.mark.slow
def test_a_run_of_an_earlier_release_says_that_it_saw_turned_images(small, tmp_path):
    """The first release left turned images as they were stored; such a run neither resumes nor is evaluated."""
    folder = turned_study(small.data, tmp_path / "turned", "upside down")
    run = train(replace(small, data=folder, name="early"), progress=False)
    config = load_config(run)
    earlier = {"fingerprint": "0" * 16} | {
        name: value for name, value in config["data"].items() if name not in ("fingerprint", "preparation")
    }
    write_json(run / "config.json", config | {"data": earlier})
    (run / "learning_curves.png").unlink()
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    with pytest.raises(RunError, match="as they were stored"):
        train(replace(small, data=folder, name="early"), progress=False)
    with pytest.raises(RunError, match="as they were stored"):
        evaluate(EvaluationSettings(run=run, bootstrap=0), progress=False)
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before
    # A run whose images are all stored upright was trained on the same images as now, and resumes.
    upright = train(replace(small, name="upright-early"), progress=False)
    config = load_config(upright)
    del config["data"]["preparation"]
    write_json(upright / "config.json", config)
    (upright / "learning_curves.png").unlink()
    assert len(read_history(train(replace(small, name="upright-early"), progress=False))) == 1
    assert json.loads((paths.runs() / "upright-early" / "config.json").read_text())["settings"]["name"]


@pytest.mark.parametrize(
    ("recorded", "otherwise"), [({}, True), ({"preparation": 1}, True), ({"preparation": 2}, False)]
)
def test_only_the_first_release_prepared_turned_images_otherwise(recorded, otherwise):
    """Later versions of the preparation differ in few images; a run of theirs is evaluated as it is."""
    assert data.prepared_otherwise({"data": recorded}) == otherwise
