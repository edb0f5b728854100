"""A training repeats itself for its seed, keeps its promises about the run folder, and survives being killed."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lumbar import inference, runs
from lumbar.core import paths
from lumbar.core.backend import keras
from lumbar.core.constants import LEVELS, NEIGHBOURS, PARTS
from lumbar.core.errors import RunError, SettingsError, TableError
from lumbar.evaluation import EvaluationSettings, evaluate
from lumbar.phantom import PhantomSettings, write_dataset
from lumbar.runs.folder import HISTORY, load_settings, read_history, read_split
from lumbar.runs.settings import TrainingSettings
from lumbar.training import loop, optimization
from lumbar.training.data import fingerprint, prepared_parts
from lumbar.training.job import train
from lumbar.weights.starting import starting_point


@pytest.fixture(scope="module")
def small(few_patients) -> TrainingSettings:
    """The smallest training that has everything in it: dropout, augmentation, a schedule."""
    return TrainingSettings(
        data=few_patients,
        epochs=3,
        batch_size=4,
        width=4,
        depth=3,
        dropout=0.5,
        schedule="cosine",
        tensorboard=False,
    )


@pytest.fixture(scope="module")
def straight(small) -> Path:
    return train(replace(small, name="straight"), progress=False)


def outcome(run: Path) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Return what must not depend on chance or interruption: history without times, weights, optimizer."""
    model = keras.saving.load_model(run / "last.keras")
    best = keras.saving.load_model(run / "best.keras", compile=False)
    weights = [*model.get_weights(), *(np.asarray(each) for each in model.optimizer.variables), *best.get_weights()]
    return read_history(run).drop(columns="seconds"), weights


def assert_same(one: Path, other: Path) -> None:
    (history, weights), (other_history, other_weights) = outcome(one), outcome(other)
    pd.testing.assert_frame_equal(history, other_history, check_exact=True)
    for ours, theirs in zip(weights, other_weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_run_folder(straight, small):
    assert load_settings(straight) == replace(small, name="straight")
    history = read_history(straight)
    assert history["epoch"].tolist() == [1, 2, 3]
    assert tuple(history.columns) == HISTORY
    assert np.isfinite(history.to_numpy(float)).all()
    split = pd.read_csv(straight / "split.csv")
    config = json.loads((straight / "config.json").read_text())
    assert config["data"]["patients"] == split["part"].value_counts().to_dict()
    assert (straight / "learning_curves.png").stat().st_size > 10_000


def test_the_parts_share_no_patient(small):
    parts = prepared_parts(small, progress=False)
    people = {part: set(prepared.index["patient"]) for part, prepared in parts.items()}
    assert all(people.values())
    assert sum(map(len, people.values())) == len(set.union(*people.values())) == 16


def test_only_series_of_the_views_are_made_unless_all_are_there():
    settings = TrainingSettings(patients=8, patients_seed=31)
    alone = fingerprint(prepared_parts(settings, progress=False))
    part = paths.data() / "phantom-8-31-sagittal"
    assert {file.parent.name for file in part.glob("*/*/*.dcm")} == {"sagittal-t1", "sagittal-t2"}
    shutil.rmtree(part)
    write_dataset(paths.data() / "phantom-8-31", PhantomSettings(patients=8, seed=31), progress=False)
    assert fingerprint(prepared_parts(settings, progress=False)) == alone
    assert not part.exists()


def test_best_is_the_epoch_with_the_lowest_validation_error(straight, small):
    from lumbar.batches import Batches
    from lumbar.losses import MeanAbsoluteErrorPixels

    metric = MeanAbsoluteErrorPixels()
    model = keras.saving.load_model(straight / "best.keras", compile=False)
    images, points = Batches(prepared_parts(small, progress=False)["validation"], 64)[0]
    metric.update_state(points, model(images))
    assert float(metric.result()) == pytest.approx(read_history(straight)["val_mae_px"].min(), rel=1e-4)


def test_the_same_seed_gives_the_same_run_and_another_seed_does_not(straight, small):
    assert_same(straight, train(replace(small, name="again"), progress=False))
    other = train(replace(small, name="other", seed=1), progress=False)
    assert not read_history(other)["val_mae_px"].equals(read_history(straight)["val_mae_px"])


def test_a_finished_run_is_returned_as_it_is(straight, small):
    before = (straight / "last.keras").stat().st_mtime_ns
    assert train(replace(small, name="straight"), progress=False) == straight
    assert (straight / "last.keras").stat().st_mtime_ns == before


def test_another_training_never_writes_into_a_run(straight, small):
    with pytest.raises(RunError, match="other settings"):
        train(replace(small, name="straight", epochs=4), progress=False)


def test_an_unfinished_run_does_not_go_on_with_other_data(small):
    run = train(replace(small, name="changed", epochs=1), progress=False)
    (run / "learning_curves.png").unlink()
    config = json.loads((run / "config.json").read_text())
    config["data"]["fingerprint"] = "of other pictures"
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match="data have changed"):
        train(replace(small, name="changed", epochs=1), progress=False)


def test_other_settings_have_another_name(small):
    assert runs.default_name(small) != runs.default_name(replace(small, learning_rate=0.5))


def test_a_folder_without_a_run_is_an_error(tmp_path):
    with pytest.raises(RunError, match="no run"):
        load_settings(tmp_path)


def test_a_loss_that_is_not_a_number_stops_the_training_with_an_error(small):
    with pytest.raises(RunError, match="no longer a number"):
        train(replace(small, name="burst", learning_rate=1e30), progress=False)


@pytest.mark.slow
def test_killed_at_any_moment_it_resumes_to_the_same_end(straight, small):
    """After SIGKILL at random moments, the result is that of an undisturbed training, to the bit."""
    flags = ["--data", small.data, "--epochs", 3, "--batch-size", 4, "--width", 4, "--depth", 3, "--dropout", 0.5]
    command = [sys.executable, "train.py", *flags, "--schedule", "cosine", "--no-tensorboard", "--name", "killed"]
    rng, kills, run = random.Random(0), 0, paths.runs() / "killed"
    for _ in range(10):
        process = subprocess.Popen(
            list(map(str, command)),
            cwd=paths.REPOSITORY,
            env=os.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun = len(read_history(run))
        while kills < 4 and process.poll() is None and len(read_history(run)) == begun:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.15))
        if kills < 4 and process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        _, complaint = process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, complaint
    assert kills >= 2
    assert_same(straight, run)


def test_the_training_step_is_traced_once(small, monkeypatch):
    """TensorFlow would trace it a second time if it had to create the optimizer's variables."""
    traced = []

    def counting(*given):
        model = optimization.compiled(*given)
        step = model.train_step
        model.train_step = lambda *data: traced.append(data) or step(*data)
        return model

    monkeypatch.setattr(loop, "compiled", counting)
    train(replace(small, epochs=2, name="traced"), progress=False)
    assert len(traced) == 1


def test_the_notes_of_a_data_set_are_printed_when_it_is_used_for_training(small, capsys):
    prepared_parts(small, progress=True)
    assert "note: " in capsys.readouterr().err


def test_settings_are_checked_and_normalised_however_they_were_made(straight, small, monkeypatch):
    monkeypatch.chdir(small.data.parent)
    by_hand = replace(small, data=str(small.data.name), views=["sagittal"], name="straight")
    assert train(by_hand, progress=False) == straight
    with pytest.raises(SettingsError, match="resize"):
        train(replace(small, resize="squeeze"), progress=False)


def test_further_data_are_for_training_alone_and_share_no_patient(small, tmp_path):
    more = write_dataset(
        tmp_path / "more", PhantomSettings(patients=2, seed=99, series=("sagittal-t2",)), workers=1, progress=False
    )
    plain, extended = (prepared_parts(each, progress=False) for each in (small, replace(small, extra=(more,))))
    assert len(extended["train"].images) == len(plain["train"].images) + 2
    assert set(extended["train"].index["patient"]) - set(plain["train"].index["patient"]) == {
        "phantom-99-0001",
        "phantom-99-0002",
    }
    for part in ("validation", "test"):
        np.testing.assert_array_equal(plain[part].images, extended[part].images)
    with pytest.raises(TableError, match="more than one part"):
        prepared_parts(replace(small, extra=(small.data,)), progress=False)


def test_over_all_folds_each_patient_is_tested_once(small):
    folds = [prepared_parts(replace(small, folds=3, fold=number), progress=False) for number in (1, 2, 3)]
    tested = [patient for parts in folds for patient in parts["test"].index["patient"].unique()]
    everybody = {patient for part in folds[0].values() for patient in part.index["patient"]}
    assert len(tested) == len(set(tested))
    assert set(tested) == everybody
    with pytest.raises(SettingsError, match="fold does not exist"):
        train(replace(small, folds=3, fold=4), progress=False)


def test_a_training_starts_from_the_weights_it_is_given(straight, small):
    settings = replace(small, weights="straight", epochs=1, learning_rate=1e-12, schedule="constant", name="continued")
    again = train(settings, progress=False)
    before, after = (keras.saving.load_model(run / "best.keras", compile=False) for run in (straight, again))
    for ours, theirs, name in zip(before.get_weights(), after.get_weights(), before.weights, strict=True):
        if "moving" not in name.path:  # batch normalisation's statistics follow the new batches
            np.testing.assert_allclose(ours, theirs, atol=1e-6)
    for change in ({"width": 5}, {"activation": "gelu"}):
        with pytest.raises(RunError, match="another architecture"):
            train(replace(settings, **change, name=f"another-{next(iter(change))}"), progress=False)


def test_a_loss_that_compares_heatmaps_needs_a_network_with_heatmaps(small):
    with pytest.raises(SettingsError, match="coordinates"):
        train(replace(small, loss="crossentropy"), progress=False)


def test_the_heatmap_network_is_reproducible_and_gives_points_and_probabilities(small):
    settings = replace(small, model="heatmap", dropout=0.0, epochs=2)
    run, again = (train(replace(settings, name=name), progress=False) for name in ("maps", "maps-again"))
    assert_same(run, again)
    test = prepared_parts(settings, progress=False)["test"]
    points, probability, absent, *_ = inference.predict_with_probability(run / "best.keras", test, progress=False)
    assert points.shape == test.points.shape
    assert ((probability > 0) & (probability <= 1)).all()
    assert np.isnan(absent).all(), "this network always answers every level"


def test_a_network_learns_the_neighbouring_discs_where_the_data_state_them(small, tmp_path):
    more = write_dataset(
        tmp_path / "more",
        PhantomSettings(patients=4, seed=2, series=("sagittal-t2",), neighbours=True, field_of_view=0.6),
        workers=1,
        progress=False,
    )
    settings = replace(small, model="heatmap", dropout=0.0, epochs=1, absent=True, extra=(str(more),))
    parts = prepared_parts(settings, progress=False)
    assert all(part.channels == (*LEVELS, *NEIGHBOURS) for part in parts.values())
    own = parts["train"]
    assert own.absent.any(), "some of these show a part of the levels only"
    known = (np.isfinite(own.points).all(axis=2) | own.absent)[:, 5:].all(axis=1)
    assert known.tolist() == (own.index["patient"].str.startswith("phantom-2-")).tolist()
    run = train(replace(settings, name="beside"), progress=False)
    test = parts["test"].without_neighbours()
    answer = inference.predict_with_probability(run / "best.keras", test, progress=False)
    assert answer.points.shape == test.points.shape
    assert inference.predict_with_probability(run / "best.keras", parts["test"], progress=False).points.shape[1] == 7
    results = evaluate(EvaluationSettings(run=run, bootstrap=0), progress=False)
    assert set(pd.read_csv(run / "predictions.csv")["level"]) == set(LEVELS)
    assert np.isfinite(results.metrics["network"]["radial_mean_px"])
    # Data without neighbours: a network without; it may start from one with them, and the other way round.
    plain = replace(settings, extra=(), weights="beside", name="levels-only", learning_rate=1e-12, schedule="constant")
    without = keras.saving.load_model(train(plain, progress=False) / "best.keras", compile=False)
    before = keras.saving.load_model(run / "best.keras", compile=False)
    assert without.output_shape[-1] == 5
    for kept, old in zip(without.get_weights()[-3:], before.get_weights()[-3:], strict=True):
        np.testing.assert_allclose(kept, old[..., :5], atol=1e-6)
    back = train(replace(settings, weights="levels-only", name="beside-again"), progress=False)
    assert keras.saving.load_model(back / "best.keras", compile=False).output_shape[-1] == 7


def test_a_network_learns_what_is_absent_and_may_start_from_one_that_cannot_tell(small):
    train(replace(small, model="heatmap", dropout=0.0, epochs=1, name="plain"), progress=False)
    settings = replace(small, model="heatmap", dropout=0.0, epochs=2, absent=True, field_of_view=0.7, weights="plain")
    run, again = (train(replace(settings, name=name), progress=False) for name in ("absent", "absent-again"))
    assert_same(run, again)
    test = prepared_parts(settings, progress=False)["test"]
    points, probability, absent, *_ = inference.predict_with_probability(run / "best.keras", test, progress=False)
    assert points.shape == test.points.shape
    assert ((absent >= 0) & (absent <= 1)).all()
    assert (probability <= 1 - absent + 1e-6).all()
    with pytest.raises(RunError, match="another architecture"):
        train(replace(settings, absent=False, weights="absent", name="back"), progress=False)
    with pytest.raises(SettingsError, match="only a network that answers with heatmaps"):
        train(replace(small, absent=True), progress=False)


def two_sources(folder: Path) -> tuple[Path, Path]:
    """Write two data sets of different pictures whose files have the same names and whose tables state no patient."""
    rng = np.random.default_rng(5)
    for name, count in (("A", 8), ("B", 2)):
        (folder / name).mkdir()
        lines = ["image,level,x,y"]
        for number in range(count):
            picture = rng.integers(0, 255, (64, 64)).astype(np.uint8)
            Image.fromarray(picture).save(folder / name / f"{number:03}.png")
            lines += [f"{number:03}.png,{level},32,{10 + 10 * order}" for order, level in enumerate(LEVELS)]
        (folder / name / "points.csv").write_text("\n".join(lines))
    return folder / "A", folder / "B"


def test_equal_file_names_of_two_sources_are_different_patients(small, tmp_path):
    first, second = two_sources(tmp_path)
    alone = prepared_parts(replace(small, data=first), progress=False)
    parts = prepared_parts(replace(small, data=first, extra=(second,)), progress=False)
    for part in PARTS[1:]:
        assert parts[part].index["patient"].tolist() == alone[part].index["patient"].tolist()
    assert {*alone["train"].index["patient"]} | {"000", "001"} == {*parts["train"].index["patient"]}
    assert len(parts["train"].images) == len(alone["train"].images) + 2
    shutil.copytree(first, tmp_path / "copy")
    with pytest.raises(TableError, match=r"more than one part[\s\S]*column `patient`"):
        prepared_parts(replace(small, data=first, extra=(tmp_path / "copy",)), progress=False)


def test_a_network_may_start_from_one_trained_on_equal_file_names_of_another_source(small, tmp_path):
    first, second = two_sources(tmp_path)
    shutil.copytree(first, tmp_path / "copy")
    trained = train(replace(small, data=first, extra=(second,), epochs=1, name="first source"), progress=False)
    split = read_split(trained)
    assert len(split) == 10
    assert set(split.loc[split["source"] == "B", "patient"]) == {"000", "001"}
    others = {
        part: replace(each, images=255 - np.asarray(each.images), index=each.index.assign(source="C"))
        for part, each in prepared_parts(replace(small, data=first), progress=False).items()
    }
    assert starting_point(trained.name, others).network.file == trained / "best.keras"
    copied = replace(small, data=tmp_path / "copy", seed=small.seed + 1)
    with pytest.raises(TableError, match="more than one part"):
        starting_point(trained.name, prepared_parts(copied, progress=False))


WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = None  # as if it were not installed
from lumbar.cli.main import main
flags = ["--epochs", "1", "--width", "2", "--depth", "3", "--data", sys.argv[1]]
codes = [main(["train", *flags, "--name", "run"]), main(["evaluate", "--run", "run"])]
sys.exit(max(*codes, main(["tune", "--trials", "1", *flags[:2], *flags[-2:], "--name", "search"])))
"""


@pytest.mark.slow
def test_where_there_is_no_tensorflow_jax_trains_and_searches(few_patients, tmp_path):
    """As on Python 3.14, for which there is no TensorFlow."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, str(few_patients)],
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "LUMBAR_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for run in ("run", "search/best"):
        assert (tmp_path / "runs" / run / "metrics.json").exists()
        assert list((tmp_path / "runs" / run / "tensorboard" / "validation").glob("*tfevents*"))


@pytest.mark.parametrize(("frozen", "trained"), [(2, True), (3, False), (4, False)])
def test_a_backbone_that_is_never_let_go_needs_no_gradients(frozen, trained):
    settings = TrainingSettings(model="transfer", width=4, epochs=3, frozen_epochs=frozen)
    model = optimization.compiled(settings, ("a", "b"), steps=1)
    backbone = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    assert bool(backbone.trainable_variables) == trained
    assert model.trainable_variables, "the part on top learns"
