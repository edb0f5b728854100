"""Without extras, what finds points and handles data works; the rest says which extra it needs and how to get it."""

import subprocess
import sys
import tomllib

import pytest

from lumbar.cli.main import NEEDS, VERBS
from lumbar.core import extras, paths

HEAVY = ("tensorflow", "torch", "sklearn", "jupyter_client", "nbclient", "nbformat")
MISSING = sorted({name for names in extras.PACKAGES.values() for name in names} | set(HEAVY))


PROGRAM = f"""
import sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *where: None if name.partition(".")[0] in {MISSING} else find(name, *where)
from lumbar.cli.main import main
sys.exit(main())
"""


def lumbar(folder, *words):
    """Run a command in a process that has no extra."""
    command = [sys.executable, "-c", PROGRAM, *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_points_and_data_need_no_extra(tmp_path):
    for words in (
        ("phantom", "people", "--patients", "1"),
        ("check", "people"),
        ("prepare", "people"),
        ("predict", "people", "--out", "points.csv", "--overlay", "overlays"),
        ("report", "points.csv", "--out", "page.html"),
        ("locate", "people/phantom-7-0001", "--out", "located"),
        ("evaluate", "--run", "phantom", "--data", "people", "--bootstrap", "0"),
        ("datasets",),
        ("doctor",),
    ):
        answer = lumbar(tmp_path, *words)
        assert answer.returncode == 0, (words, answer.stderr)
    assert answer.stdout.count("[--] extra") == 2


FURTHER = {"sweep": ("a.ipynb", "--grid", "a.yaml"), "rerun": ("run",)}


@pytest.mark.parametrize(("verb", "extra"), NEEDS.items())
def test_a_command_names_the_extra_that_it_needs(tmp_path, verb, extra):
    answer = lumbar(tmp_path, verb, *FURTHER.get(verb, ()))
    assert answer.returncode == 1
    assert f'pip install -e ".[{extra}]"' in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (("fetch", "spider"), "fetch"),
        (("predict", "people", "--structured-report", "reports"), "dicom-sr"),
        (("predict", "people", "--disc-labels", "labels"), "nifti"),
        (("locate", "people", "--disc-labels", "labels"), "nifti"),
        (("predict", "people", "--engine", "keras"), "train"),
        (("export", "--to", "pixels-to-points"), "graph"),
        (("prepare", "people", "--scheduler", "127.0.0.1:1"), "dask"),
    ],
)
def test_an_option_names_the_extra_that_it_needs(tmp_path, words, extra):
    lumbar(tmp_path, "phantom", "people", "--patients", "1")
    answer = lumbar(tmp_path, *words)
    assert answer.returncode == 1
    assert f'pip install -e ".[{extra}]"' in answer.stderr, answer.stderr


def test_every_command_has_help_without_extras(tmp_path):
    for verb in VERBS:
        assert lumbar(tmp_path, verb, "--help").returncode == 0, verb


def test_each_extra_is_stated_and_recognised_by_what_it_installs():
    project = tomllib.loads((paths.REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(project["optional-dependencies"]) - {"test", "benchmarks"} == set(extras.PACKAGES)
    assert project["urls"]["Source"] == extras.SOURCE
