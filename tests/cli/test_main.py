"""The command line: help without slow imports, errors that say what to do, and exit codes."""

import subprocess
import sys

import pytest

from lumbar.cli import main
from lumbar.core import paths


def lumbar(*words: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "lumbar", *words], capture_output=True, text=True, **options)


def test_the_help_lists_every_verb():
    answer = lumbar("--help")
    assert answer.returncode == 0
    for verb in main.VERBS:
        assert verb in answer.stdout


@pytest.mark.parametrize("verb", main.VERBS)
def test_help_imports_no_heavy_packages(verb):
    code = (
        "import sys\nfrom lumbar.cli.main import main\n"
        f"try:\n    main([{verb!r}, '--help'])\nexcept SystemExit as done:\n    assert done.code == 0\n"
        "heavy = {'tensorflow', 'keras', 'pandas', 'matplotlib', 'cv2'} & set(sys.modules)\nassert not heavy, heavy"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert "usage: python -m lumbar " + verb in answer.stdout


@pytest.mark.parametrize("script", ["train.py", "evaluate.py"])
def test_the_documented_scripts_have_help(script):
    answer = subprocess.run([sys.executable, paths.REPOSITORY / script, "--help"], capture_output=True, text=True)
    assert answer.returncode == 0
    assert "default:" in answer.stdout


def test_an_unknown_verb_is_a_usage_error():
    assert lumbar("teleport").returncode == 2


def test_a_problem_is_printed_without_a_traceback(tmp_path):
    answer = lumbar("check", str(tmp_path / "nowhere"))
    assert answer.returncode == 1
    assert "nowhere" in answer.stdout + answer.stderr
    assert "Traceback" not in answer.stderr
