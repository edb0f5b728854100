"""A run survives damaged files, a full disk, missing data, a failed start, and two processes at a time."""

import json
import os
import re
import resource
import shutil
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from lumbar.cli.main import main
from lumbar.core import paths
from lumbar.core.backend import keras
from lumbar.core.errors import LumbarError, OutputError, RunError
from lumbar.evaluation import EvaluationSettings, evaluate
from lumbar.experiments.rerun import compare
from lumbar.runs import provenance
from lumbar.runs.folder import load_config, load_settings, read_history
from lumbar.runs.settings import TrainingSettings
from lumbar.storage.locks import LOCK, exclusive_lock
from lumbar.training.checkpoints import RunKeeper
from lumbar.training.job import finished, train
from lumbar.weights import safe_loading


@pytest.fixture(scope="module")
def small(few_patients) -> TrainingSettings:
    return TrainingSettings(data=few_patients, epochs=3, batch_size=4, width=4, depth=3, dropout=0.5, schedule="cosine")


@pytest.fixture(scope="module")
def straight(small) -> Path:
    """A run that nothing disturbed."""
    return train(replace(small, name="straight"), progress=False)


@pytest.fixture(scope="module")
def halfway(small) -> Path:
    """The same run, stopped after its second epoch."""
    begin = RunKeeper.on_epoch_begin

    def stop(keeper, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt
        begin(keeper, epoch, logs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunKeeper, "on_epoch_begin", stop)
        with pytest.raises(KeyboardInterrupt):
            train(replace(small, name="halfway"), progress=False)
    return paths.runs() / "halfway"


def copy(run: Path, request) -> Path:
    """Copy a run to a folder named after a test."""
    folder = paths.runs() / "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    shutil.copytree(run, folder)
    config = load_config(folder)
    config["settings"]["name"] = folder.name
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def stopped(halfway, request) -> Path:
    return copy(halfway, request)


@pytest.fixture
def done(straight, request) -> Path:
    return copy(straight, request)


def resume(run: Path) -> None:
    train(load_settings(run), progress=False)


def assert_same(run: Path, other: Path) -> None:
    comparison = compare(run, other)
    assert comparison.same, str(comparison)


def halve(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def shorten(file: Path) -> None:
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:2]))


@pytest.mark.parametrize(
    ("name", "damage", "note"),
    [
        ("last.keras", halve, r"last\.keras: (.|\n)*resumes after epoch"),
        ("best.keras", halve, r"best\.keras: (.|\n)*starts from the beginning"),
        ("history.csv", halve, r"history\.csv: (.|\n)*starts from the beginning"),
        ("history.csv", shorten, r"last\.keras: it holds 2 epochs, and history\.csv only 1"),
    ],
)
def test_a_damaged_file_is_reported_and_the_run_ends_as_without_the_damage(
    straight, stopped, name, damage, note, capsys
):
    damage(stopped / name)
    resume(stopped)
    printed = capsys.readouterr().err
    assert re.search(note, printed), printed
    assert_same(straight, stopped)


def test_a_run_whose_network_is_damaged_does_not_count_as_finished(done):
    assert finished(done, load_settings(done))
    flip(done / "best.keras")
    assert safe_loading.damage(done / "best.keras") == "its part model.weights.h5 is damaged"
    assert not finished(done, load_settings(done))


def test_a_lock_that_a_kill_at_the_very_end_left_goes_with_the_next_start(straight, done):
    (done / LOCK).touch()
    resume(done)
    assert not (done / LOCK).exists()
    assert_same(straight, done)


def test_after_a_kill_between_the_last_epochs_two_checkpoints_both_are_there(small, request):
    run = train(replace(small, epochs=1, name="one-epoch"), progress=False)
    killed = copy(run, request)
    for name in ("last.keras", "learning_curves.png"):
        (killed / name).unlink()
    resume(killed)
    assert_same(run, killed)


def test_after_a_kill_at_the_end_of_the_first_epoch_there_is_nothing_to_report(straight, stopped, capsys):
    (stopped / "last.keras").unlink()
    resume(stopped)
    assert capsys.readouterr().err == ""
    assert_same(straight, stopped)
    assert_each_epoch_once(straight)
    assert_each_epoch_once(stopped)


def assert_each_epoch_once(run: Path) -> None:
    """Assert that the TensorBoard log has each epoch once."""
    history = read_history(run)
    for part, column in (("train", "loss"), ("validation", "val_mae_px")):
        log = EventAccumulator(str(run / "tensorboard" / part), size_guidance={"tensors": 0}).Reload()
        points = log.Tensors(f"epoch_{column.removeprefix('val_')}")
        assert [point.step for point in points] == history["epoch"].tolist()
        np.testing.assert_allclose([make_ndarray(point.tensor_proto) for point in points], history[column])


def test_settings_that_cannot_be_read_are_an_error_with_a_remedy(stopped):
    halve(stopped / "config.json")
    with pytest.raises(RunError, match=r"cannot be read(.|\n)*what to do"):
        load_settings(stopped)


def test_who_was_in_which_part_is_not_guessed(done):
    table = (done / "split.csv").read_text()
    for damage in (table.replace("part", "prat", 1), "", None):
        (done / "split.csv").unlink()
        if damage is not None:
            (done / "split.csv").write_text(damage)
        with pytest.raises(RunError, match=r"split cannot be read(.|\n)*what to do"):
            evaluate(EvaluationSettings(run=done), progress=False)
        (done / "split.csv").write_text(table)


@contextmanager
def small_files(most: int):
    """Limit the size of the files that this process writes; beyond it writing fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_on_a_full_disk_finished_epochs_are_kept_and_the_run_resumes_when_there_is_space(straight, stopped):
    evaluate(EvaluationSettings(run=stopped, bootstrap=20), progress=False)
    checkpoints = {name: (stopped / name).read_bytes() for name in ("best.keras", "last.keras")}
    with small_files(20_000), pytest.raises(OutputError, match=r"\.keras(.|\n)*too large(.|\n)*what to do"):
        resume(stopped)
    assert {name: (stopped / name).read_bytes() for name in checkpoints} == checkpoints
    assert not [path for path in stopped.iterdir() if path.name.startswith(".")], "nothing half-written is left"
    measured = (stopped / "metrics.json").read_bytes()
    with small_files(500), pytest.raises(OutputError, match=r"metrics\.json"):
        evaluate(EvaluationSettings(run=stopped, bootstrap=20), progress=False)
    assert (stopped / "metrics.json").read_bytes() == measured
    resume(stopped)
    assert_same(straight, stopped)


def test_a_log_that_cannot_be_written_is_an_error_as_for_any_other_file(stopped):
    log = stopped / "tensorboard"
    shutil.rmtree(log)
    log.write_text("in the way")
    with pytest.raises(OutputError, match=r"tensorboard"):
        resume(stopped)


def test_missing_data_are_an_error_and_the_run_resumes_when_they_are_back(straight, stopped, few_patients):
    before = {path.name: path.read_bytes() for path in stopped.iterdir() if path.is_file()}
    away = few_patients.rename(few_patients.with_name("away"))
    try:
        with pytest.raises(LumbarError, match=str(few_patients)):
            resume(stopped)
        assert {path.name: path.read_bytes() for path in stopped.iterdir() if path.is_file()} == before
    finally:
        away.rename(few_patients)

    def vanish() -> None:
        while len(read_history(stopped)) < 3:
            time.sleep(0.001)
        few_patients.rename(away)

    thread = threading.Thread(target=vanish)
    thread.start()
    try:
        resume(stopped)  # the images were read before the first epoch
        thread.join()
        assert not few_patients.exists()
    finally:
        away.rename(few_patients)
    assert_same(straight, stopped)


def test_two_trainings_of_one_run_at_a_time_are_refused(stopped):
    with exclusive_lock(stopped), pytest.raises(RunError, match=f"at work in this folder(.|\n)*process {os.getpid()}"):
        resume(stopped)


def test_a_failed_start_leaves_no_folder(straight, few_patients):
    words = ["train", "--data", few_patients, "--weights", "straight", "--epochs", 1, "--depth", 3, "--name", "second"]
    assert main([*map(str, words), "--width", "5"]) == 1
    assert not (paths.runs() / "second").exists()


def test_a_run_does_not_resume_if_the_network_it_started_from_has_changed(small, done):
    second = train(replace(small, weights=done.name, epochs=1, name=f"{done.name}-second"), progress=False)
    (second / "learning_curves.png").unlink()
    flip(done / "best.keras")
    with pytest.raises(RunError, match=f"{second.name} started from has changed(.|\n)*best.keras"):
        resume(second)


def test_a_run_that_resumes_with_other_versions_reports_it_once(done, capsys, monkeypatch):
    here = provenance.environment()
    elsewhere = here | {"packages": here["packages"] | {"keras": "3.0.0"}}
    for environment in (here, elsewhere, elsewhere):
        monkeypatch.setattr(provenance, "environment", lambda environment=environment: environment)
        (done / "learning_curves.png").unlink(missing_ok=True)
        resume(done)
    assert capsys.readouterr().err.count(f"packages keras: {here['packages']['keras']}, then 3.0.0") == 1
    assert [start["record"]["packages"]["keras"] for start in load_config(done)["starts"]] == [
        here["packages"]["keras"],
        "3.0.0",
    ]


def test_dropout_inside_a_backbone_follows_seed_and_epoch_too(few_patients, tmp_path):
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dropout(0.5)])
    outer = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), inner])
    batches = type("", (), {"epoch": 0})()
    keeper = RunKeeper(tmp_path, TrainingSettings(seed=5), batches, progress=False)
    keeper.set_model(outer)
    keeper.on_epoch_begin(3)
    states = [layer.seed_generator.state.numpy() for layer in (outer.layers[0], *inner.layers)]
    assert len({int(seed) for seed, _ in states}) == 3
    assert [int(epoch) for _, epoch in states] == [3, 3, 3]


def test_history_is_read_to_the_last_bit(tmp_path):
    values = np.random.default_rng(0).random(400) * 100
    rows = {"epoch": range(1, 401), **dict.fromkeys(("loss", "mae_px", "val_loss", "val_mae_px"), values)}
    table = pd.DataFrame(rows | {"learning_rate": values, "seconds": 1.0})
    table.to_csv(tmp_path / "history.csv", index=False)
    assert (read_history(tmp_path)["val_mae_px"].to_numpy() == values).all()
