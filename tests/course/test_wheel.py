"""The wheel holds all that the course needs, and works in an empty folder."""

import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from lumbar.core import paths
from lumbar.course import runner

FACTS = """
from lumbar.core import paths
from lumbar.course import runner
print(paths.home(), len(runner.notebooks()), *sorted(file.name for file in paths.MEASURED.iterdir()))
"""


@pytest.mark.slow
def test_the_wheel_works_away_from_the_checkout(tmp_path):
    source, installed, empty = (tmp_path / name for name in ("source", "installed", "empty"))
    empty.mkdir()
    for name in ("lumbar", "notebooks"):
        shutil.copytree(paths.REPOSITORY / name, source / name)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(paths.REPOSITORY / name, source)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*build, tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(installed)

    def python(*words):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LUMBAR")}
        environment["PYTHONPATH"] = str(installed)
        command = [sys.executable, *map(str, words)]
        return subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True, timeout=600)

    measured = sorted(file.name for file in paths.MEASURED.iterdir())
    assert python("-c", FACTS).stdout.split() == [str(empty), str(len(runner.notebooks())), *measured]
    profile = installed / "lumbar" / "course" / "notebooks" / "profiles" / "quick.yaml"
    answer = python("-m", "lumbar", "course", "--only", "01", "--profile", profile)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert (empty / "runs" / "course" / "index.html").is_file()
