"""A run is trained again from its folder, and the two are compared."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from lumbar.cli.main import main
from lumbar.core import paths
from lumbar.core.errors import RunError
from lumbar.evaluation import EvaluationSettings, evaluate
from lumbar.experiments.rerun import free_name, rerun
from lumbar.runs import provenance
from lumbar.runs.folder import load_config, load_settings
from lumbar.runs.settings import TrainingSettings
from lumbar.training.job import train


@pytest.fixture(scope="module")
def run(few_patients) -> Path:
    settings = TrainingSettings(
        data=few_patients, epochs=2, batch_size=4, width=4, depth=3, dropout=0.5, tensorboard=False, name="first"
    )
    folder = train(settings, progress=False)
    evaluate(EvaluationSettings(run=folder, bootstrap=20), progress=False)
    return folder


@pytest.fixture
def copy(run, request) -> Path:
    """A copy of the run under another name."""
    folder = paths.runs() / request.node.name
    shutil.copytree(run, folder)
    change(folder, settings={"name": folder.name})
    return folder


def change(run: Path, **parts: dict) -> None:
    """Change some values in the parts of a run's config.json."""
    config = load_config(run)
    for part, values in parts.items():
        config[part] |= values
    (run / "config.json").write_text(json.dumps(config))


def test_a_run_is_repeated_to_the_bit_and_left_as_it_was(run, capsys):
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    assert main(["rerun", "first"]) == 0
    printed = capsys.readouterr().out
    for what in ("best.keras", "last.keras", "history", "metrics, test part"):
        assert any(line.split("  ")[1] == what and "identical" in line for line in printed.splitlines()[1:-1]), printed
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before
    again = paths.runs() / "first-rerun"
    assert load_settings(again) == replace(load_settings(run), name="first-rerun")
    assert free_name(run, load_settings(run)) == "first-rerun-2"
    (again / "learning_curves.png").unlink()
    assert free_name(run, load_settings(run)) == "first-rerun", "a repetition that was stopped resumes"


def test_differences_and_their_cause_are_reported_and_data_may_have_moved(copy, capsys):
    from lumbar.core.backend import keras

    network = keras.saving.load_model(copy / "best.keras")
    network.layers[-2].bias.assign_add([0.25] * 10)
    network.save(copy / "best.keras")
    metrics = json.loads((copy / "metrics.json").read_text())
    metrics["network"]["mae_px"] = {"value": -1.0}
    (copy / "metrics.json").write_text(json.dumps(metrics))
    config = load_config(copy)
    config["starts"][0]["record"]["packages"]["keras"] = "3.0.0"
    moved = shutil.copytree(config["settings"]["data"], paths.data() / "moved")
    config["settings"]["data"] = str(paths.data() / "nowhere")
    (copy / "config.json").write_text(json.dumps(config))
    assert main(["rerun", copy.name]) == 1
    assert "nowhere" in capsys.readouterr().err
    assert main(["rerun", copy.name, "--data", str(moved), "--name", "elsewhere"]) == 1
    printed = capsys.readouterr().out
    assert re.search(r"best\.keras +1 of \d+ arrays differ, by at most 0\.25", printed)
    assert "last.keras          identical" in printed
    assert "mae_px" in printed
    assert "packages keras: 3.0.0, then" in printed


def test_changed_data_are_refused_before_any_training(copy):
    change(copy, data={"fingerprint": "of other pictures"})
    with pytest.raises(RunError, match=r"data have changed(.|\n)*found(.|\n)*expected: of other pictures"):
        rerun(copy, progress=False)
    assert not list(paths.runs().glob(f"{copy.name}-rerun*"))


def test_an_unfinished_run_is_finished_first(copy):
    history = (copy / "history.csv").read_text().splitlines(keepends=True)
    (copy / "history.csv").write_text("".join(history[:-1]))
    with pytest.raises(RunError, match="unfinished"):
        rerun(copy, progress=False)


def test_the_provenance_holds_what_bits_depend_on(run, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    here, then = provenance.environment(), load_config(run)["starts"][0]["record"]
    assert json.loads(json.dumps(here)) == here
    assert provenance.differences(then, here) == ["switches OMP_NUM_THREADS: not known, then 3"]
    assert here["packages"]["keras"]
    assert here["machine"]["processor"]


def test_differences_name_what_was_removed_added_or_changed():
    one = {"packages": {"keras": "3.14.0", "jax": "0.7"}, "git": {"commit": "abc", "modified": False}, "cores": 2}
    other = {"packages": {"keras": "3.15.1"}, "git": None, "cores": 2, "python": "3.13.1"}
    assert provenance.differences(one, other) == [
        "packages keras: 3.14.0, then 3.15.1",
        "packages jax: 0.7, then not known",
        "git: commit abc, modified no, then not known",
        "python: not known, then 3.13.1",
    ]


def test_the_state_of_a_checkout_is_recorded_but_not_that_of_a_repository_around_it(tmp_path):
    def git(*words: str) -> None:
        names = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
        subprocess.run(["git", "-C", str(tmp_path), *names, *words], check=True, capture_output=True)

    assert provenance._git(tmp_path) is None
    git("init")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-m", "first")
    assert provenance._git(tmp_path)["modified"] is False
    (tmp_path / "file").write_text("two")
    assert provenance._git(tmp_path)["modified"] is True
    (tmp_path / "within").mkdir()
    assert provenance._git(tmp_path / "within") is None, "a package installed inside another repository"
