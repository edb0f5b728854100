"""A sweep executes each combination once, even if it is stopped; errors for a wrong grid; the table and the figure."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import nbformat
import pandas as pd
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

from lumbar.cli.main import INTERRUPTED, RESUME, main
from lumbar.core import paths
from lumbar.core.errors import LumbarError, RunError, SettingsError
from lumbar.course import runner
from lumbar.course.grid import Grid, read_grid
from lumbar.course.sweep import sweep
from lumbar.storage.files import write_json
from lumbar.storage.locks import exclusive_lock
from tests.support.clusters import count_workers, until, worker

PARAMETERS = """NUMBER = 1  # any number
WORD = "a"  # any word
SECONDS = 0.0  # duration"""

BODY = """import os, time
from pathlib import Path
from lumbar.core import paths
from lumbar.course import exercises
with open("executed.txt", "a") as log:
    log.write(f"{NUMBER}{WORD} {os.getpid()}\\n")
time.sleep(SECONDS)
if Path(f"broken-{NUMBER}").exists():
    raise ValueError("it is\\n  broken")
threads = os.environ.get("TF_NUM_INTRAOP_THREADS", "any")
exercises.record(product=NUMBER * len(WORD), runs=str(paths.runs()), threads=threads, solved=False)"""


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """A notebook that records its number times the length of its word, and logs the id of its process in a file."""
    monkeypatch.setenv("LUMBAR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(paths.REPOSITORY))
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    parameters = new_code_cell(PARAMETERS)
    parameters.metadata["tags"] = ["parameters"]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = tmp_path / "tiny.ipynb"
    nbformat.write(new_notebook(cells=[parameters, new_code_cell(BODY)], metadata=kernel), path)
    return path


def executed(notebook: Path) -> list[list[str]]:
    """Return [number and word, process id] of each execution, in the order in which they started."""
    log = notebook.with_name("executed.txt")
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def at_work(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def alive(notebook: Path) -> list[str]:
    return [process for _, process in executed(notebook) if psutil.pid_exists(int(process))]


def grid_file(notebook: Path, text: str) -> Path:
    path = notebook.with_name("grid.yaml")
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.slow
def test_all_combinations_are_executed_and_failed_ones_are_executed_again(notebook, capsys):
    broken = notebook.with_name("broken-2")
    broken.touch()
    grid = grid_file(notebook, "WORD: [a, bb]\nNUMBER: [1, 2]\nSECONDS: 0")
    command = ["sweep", str(notebook), "--grid", str(grid), "--workers", "2"]
    assert main(command) == 1
    assert "2 of 4 combinations failed" in capsys.readouterr().out
    (out,) = (paths.runs() / "sweeps").iterdir()
    table = pd.read_csv(out / "sweep.csv", dtype={"combination": str})
    assert list(table) == [
        *("combination", "WORD", "NUMBER", "state", "minutes", "product", "runs", "solved", "threads", "error")
    ]
    assert list(table["combination"]) == ["001", "002", "003", "004"]
    assert list(table["state"]) == ["done", "FAILED"] * 2
    assert set(table["error"].dropna()) == {"cell 3: ValueError: it is broken"}
    assert "ValueError" in (out / "002" / "tiny.html").read_text()
    assert len(executed(notebook)) == 4

    broken.unlink()
    assert main(command) == 0
    assert "2 of 4 combinations were done before" in capsys.readouterr().out
    assert sorted(name for name, _ in executed(notebook)[4:]) == ["2a", "2bb"]
    table = pd.read_csv(out / "sweep.csv", dtype={"combination": str})
    assert list(table["product"]) == [1, 2, 2, 4]
    assert list(table["runs"]) == [str(out / name / "runs") for name in table["combination"]]
    assert set(table["threads"]) == {max(1, (os.cpu_count() or 1) // 2)}, "the two processes share the cores"
    assert (out / "sweep.png").is_file()

    with pytest.raises(RunError, match="another grid"):
        sweep(notebook, Grid({"NUMBER": [1]}), out)
    with pytest.raises(SettingsError, match="no combination recorded") as refusal:
        sweep(notebook, read_grid(grid, notebook), metrics=["solved"], progress=False)
    assert "product, minutes" in str(refusal.value), "a boolean is not a number"
    assert len(executed(notebook)) == 6
    assert sweep(notebook, Grid({"NUMBER": [5]}), progress=False).figure is None, "nothing was varied"


def started(notebook: Path, out: Path, workers: int, seconds: int) -> subprocess.Popen:
    """Start a sweep over five notebooks, each of which takes at least some seconds."""
    grid = grid_file(notebook, f"NUMBER: [1, 2, 3, 4, 5]\nSECONDS: {seconds}")
    flags = ["--grid", str(grid), "--out", str(out), "--workers", str(workers)]
    return subprocess.Popen(
        [sys.executable, "-m", "lumbar", "sweep", str(notebook), *flags],
        start_new_session=True,  # so that Ctrl-C reaches its processes and not this one
        # A shell starts a command in the background with Ctrl-C ignored, and a process hands that on.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def records(out: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in out.glob("*/record.json")}


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_sweep_is_continued(notebook, tmp_path, workers):
    out = tmp_path / "out"
    process = started(notebook, out, workers, seconds=1)
    until(lambda: records(out) and len(executed(notebook)) > len(records(out)))
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    until(lambda: not any(map(at_work, family)))  # a worker that was writing its record ends with the sweep
    until(lambda: not alive(notebook))  # no notebook outlives the sweep
    kept, before = records(out), executed(notebook)
    assert 1 <= len(kept) <= len(before), "nearly always fewer: on a slow machine the kill may come late"

    done = sweep(notebook, read_grid(notebook.with_name("grid.yaml"), notebook), out, progress=False)
    assert list(done.table["product"]) == [1, 2, 3, 4, 5]
    assert done.failed == 0
    assert len(executed(notebook)) == len(before) + 5 - len(kept)
    assert kept.items() <= records(out).items()
    assert not list(out.rglob(".*")), "the half-written files of the killed process are removed"


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_the_notebooks_at_once(notebook, tmp_path, workers):
    process = started(notebook, tmp_path / "out", workers, seconds=3600)
    until(lambda: len(executed(notebook)) >= workers)
    os.killpg(process.pid, signal.SIGINT)
    _, printed = process.communicate(timeout=600)
    assert process.returncode == INTERRUPTED
    assert RESUME in printed
    until(lambda: not alive(notebook))
    assert not records(tmp_path / "out"), "an interrupted notebook does not count as failed"


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_table(notebook, tmp_path, scheduler):
    address, file, _ = scheduler
    grid = Grid({"NUMBER": [1, 2], "WORD": ["a", "bb"]})
    with worker(file, threads=2), worker(file):  # two notebooks in one process share nothing
        until(lambda: count_workers(address) == 2)
        there = sweep(notebook, grid, tmp_path / "there", scheduler=address, progress=False)
    assert len(executed(notebook)) == 4
    here = sweep(notebook, grid, tmp_path / "here", progress=False)
    what_differs = ["minutes", "runs"]
    pd.testing.assert_frame_equal(there.table.drop(columns=what_differs), here.table.drop(columns=what_differs))
    assert list(there.table["runs"]) == [str(tmp_path / "there" / name / "runs") for name in there.table["combination"]]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the grid is empty"),
        ("- NUMBER", "does not contain a mapping"),
        ("NUMBER: [1", "not a YAML file"),
        ("NUMBER: []", "no values"),
        ("NUMBER: [1, 2, 1]", "a value occurs twice"),
        ("NUMBER: [1]\nWORD: [a]\nNUMBER: [2]", "a name occurs twice"),
        ("NUMBRE: [1, 2]", "no such parameter"),
        ("7: [1, 2]", "no such parameter"),
        ("NUMBER: [1:30, 2:30]", "must be a number"),
        ("NUMBER: [{a: 1}]", "cannot be the value"),
        ("NUMBER: [1, .inf]", "cannot be the value"),
        ("WORD: [!!timestamp 2020-01-01]", "cannot be the value"),
    ],
)
def test_a_wrong_grid_is_an_error_with_the_reason(notebook, text, problem):
    path = grid_file(notebook, text)
    with pytest.raises(SettingsError, match=problem) as refusal:
        read_grid(path, notebook)
    assert str(path) in str(refusal.value)


def test_a_grid_gives_all_combinations_and_a_single_value_is_constant(notebook):
    grid = read_grid(grid_file(notebook, "WORD: [a, b]\nSECONDS: 2\nNUMBER: [1, 2.5]"), notebook)
    assert grid.varied == ["WORD", "NUMBER"]
    assert [tuple(each.values()) for each in grid.combinations] == [
        ("a", 2, 1),
        ("a", 2, 2.5),
        ("b", 2, 1),
        ("b", 2, 2.5),
    ]
    assert read_grid(grid_file(notebook, "WORD: [[a, b], [a], null]"), notebook).varied == ["WORD"], "lists are values"
    numbers = read_grid(grid_file(notebook, "NUMBER: [1e-3, 010]\nWORD: 2026-11-28"), notebook)
    assert numbers.offered == {"NUMBER": [0.001, 10], "WORD": ["2026-11-28"]}
    with pytest.raises(SettingsError, match="no such grid"):
        read_grid(notebook.with_name("gird.yaml"), notebook)


def test_a_notebook_is_found_by_its_path_or_the_beginning_of_its_name(notebook):
    assert runner.find(str(notebook)) == notebook
    for content in (b"\xff", b"{}", b"7"):
        notebook.with_name("other.ipynb").write_bytes(content)
        with pytest.raises(SettingsError, match="not a notebook"):
            runner.find(str(notebook.with_name("other.ipynb")))
    assert runner.find("04") == runner.NOTEBOOKS / "04_train.ipynb"
    for name, problem in {"0": "several", "99": "no such notebook"}.items():
        with pytest.raises(SettingsError, match=problem):
            runner.find(name)


def test_the_grids_of_the_repository_fit_their_notebooks():
    grids = sorted((runner.NOTEBOOKS / "grids").glob("*.yaml"))
    assert grids
    for path in grids:
        assert read_grid(path, runner.NOTEBOOKS / f"{path.stem}.ipynb").varied


def finished(out: Path, **recorded: list) -> Path:
    """Write the records of combinations as Jupyter stores them: a number that is not finite is text."""
    for number, values in enumerate(zip(*recorded.values(), strict=True), start=1):
        (out / f"{number:03}").mkdir(parents=True)
        given = {name: value for name, value in zip(recorded, values, strict=True) if value is not None}
        record = {"name": "tiny", "complete": True, "minutes": number, "recorded": given, "error": ""}
        write_json(out / f"{number:03}" / "record.json", {"parameters": {}, **record})
    return out


def test_what_diverged_is_named_and_the_rest_is_plotted(notebook, tmp_path):
    out = finished(
        tmp_path / "out",
        val_px=[6.0, 4.0, "nan", "inf"],
        loss=[1, None, 3, 5],
        word=["a", "nan", "b", "c"],
        lost=["nan", "-inf", "nan", "nan"],
    )
    grid = Grid({"NUMBER": [1, 2], "WORD": ["a", "bb"]})
    done = sweep(notebook, grid, out, metrics=["val_px", "lost"], progress=False)
    assert [str(value) for value in done.table["val_px"]] == ["6.0", "4.0", "nan", "inf"]
    assert done.table["val_px"].dtype == float
    assert list(done.table["word"]) == ["a", "nan", "b", "c"], "among words it is a word"
    assert done.diverged == (
        "val_px is not a finite number in 2 of 4 combinations: 003 (NUMBER 2, WORD a), 004 (NUMBER 2, WORD bb)",
        "lost is not a finite number in 4 of 4 combinations: "
        "001 (NUMBER 1, WORD a), 002 (NUMBER 1, WORD bb), 003 (NUMBER 2, WORD a) and 1 more",
    )
    assert "\n".join(done.diverged) in str(done)
    alt = Image.open(done.figure).text["Description"]
    assert "val_px over NUMBER and WORD, 2 combinations." in alt
    assert "Mean val_px by NUMBER: 5 at 1. Mean val_px by WORD: 6 at a and 4 at bb." in alt
    assert alt.endswith(f"Not drawn: {done.diverged[0]}.")
    assert pd.read_csv(out / "sweep.csv", dtype=str, keep_default_na=False)["val_px"].tolist() == [
        *("6.0", "4.0", "nan", "inf")
    ]
    assert sweep(notebook, grid, out, metrics=["lost"], progress=False).figure is None, "it is finite nowhere"
    everything = sweep(notebook, grid, out, progress=False)
    assert Image.open(everything.figure).text["Description"].startswith("val_px and loss over")
    with pytest.raises(SettingsError, match="no combination recorded") as refusal:
        sweep(notebook, grid, out, metrics=["word"], progress=False)
    assert refusal.value.expected == "val_px, loss, lost, minutes"


def test_recorded_names_may_be_those_of_other_columns(notebook, tmp_path):
    out = finished(tmp_path / "out", error=[0.5, 0.25], minutes=[7, 8], NUMBER=[3, 4])
    done = sweep(notebook, Grid({"NUMBER": [1, 2]}), out, progress=False)
    assert list(done.table["error (recorded)"]) == [0.5, 0.25]
    assert list(done.table["minutes (recorded)"]) == [7, 8]
    assert (list(done.table["NUMBER"]), list(done.table["NUMBER (recorded)"])) == ([1, 2], [3, 4])
    assert (done.failed, list(done.table["minutes"])) == (0, [1, 2])


def test_a_combination_that_another_process_executes_is_an_error(notebook, tmp_path):
    out = tmp_path / "out"
    with exclusive_lock(out / "001"), pytest.raises(RunError, match="another process is at work"):
        sweep(notebook, Grid({"NUMBER": [1]}), out, progress=False)
    assert not executed(notebook)


def test_a_folder_with_another_sweep_is_an_error(notebook, tmp_path, monkeypatch):
    monkeypatch.setattr("lumbar.course.sweep._execute_missing", lambda *_: pytest.fail("it was executed"))
    out = tmp_path / "out"
    out.mkdir()
    (out / "sweep.json").write_text(json.dumps({"digest": "of another"}))
    with pytest.raises(LumbarError, match="another grid or notebook"):
        sweep(notebook, Grid({"NUMBER": [1]}), out)
