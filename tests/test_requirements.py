"""The three ways to set up the environment agree, and every requirement may be used under MIT."""

import importlib.metadata
import itertools
import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from lumbar.core import paths

PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = ("Linux", "Darwin", "Windows")
ROOT = paths.REPOSITORY


def stated() -> list[Requirement]:
    """What the core, the extras train, course and site, and the tests require."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = (project["optional-dependencies"][extra] for extra in ("train", "course", "site", "test"))
    lines = [Requirement(line) for line in itertools.chain(project["dependencies"], *extras)]
    return [line for line in lines if line.name != "lumbar"]


def pinned() -> list[Requirement]:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def environment(python: str, platform: str) -> dict[str, str]:
    return {
        "python_version": python,
        "python_full_version": f"{python}.7",
        "platform_system": platform,
        "sys_platform": {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}[platform],
        "os_name": "nt" if platform == "Windows" else "posix",
        "platform_machine": "arm64" if platform == "Darwin" else "x86_64",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
    }


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_each_stated_requirement_is_pinned_once_and_fits(python, platform):
    here = environment(python, platform)
    pins = [pin for pin in pinned() if pin.marker is None or pin.marker.evaluate(here)]
    for requirement in stated():
        if requirement.marker is not None and not requirement.marker.evaluate(here):
            continue
        versions = [next(iter(pin.specifier)) for pin in pins if plain(pin.name) == plain(requirement.name)]
        assert len(versions) == 1, f"{requirement.name} is pinned {len(versions)} times"
        assert versions[0].operator == "=="
        assert requirement.specifier.contains(Version(versions[0].version)), requirement.name


def test_conda_installs_the_same_pins_and_pythons():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    by_pip = next(entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict))
    assert "--requirement requirements.txt" in by_pip
    # 3.14, which has no TensorFlow, is for the core alone.
    assert project["requires-python"] == ">=3.11,<3.15"
    assert "python >=3.11,<3.14" in conda["dependencies"]


def test_this_environment_is_the_pinned_one():
    here = [pin for pin in pinned() if pin.marker is None or pin.marker.evaluate()]
    different = {
        pin.name: importlib.metadata.version(pin.name)
        for pin in here
        if not pin.specifier.contains(importlib.metadata.version(pin.name))
    }
    assert not different, "run `make course` or `pip install -r requirements.txt`"


def test_no_requirement_has_a_licence_that_binds_us():
    binding = re.compile(r"\b(A?GPL|GNU (Affero )?General Public)\b", re.IGNORECASE)
    offered_otherwise = re.compile(r"LGPL|Lesser|\bOR\b|MIT|BSD|Apache|MPL", re.IGNORECASE)
    for pin in pinned():
        if pin.marker is None or pin.marker.evaluate():
            about = importlib.metadata.metadata(pin.name)
            words = [about.get("License-Expression") or "", (about.get("License") or "")[:200]]
            words += [line for line in about.get_all("Classifier") or () if line.startswith("License")]
            said = " | ".join(words)
            assert not binding.search(said) or offered_otherwise.search(said), f"{pin.name}: {said}"


def test_nobody_is_told_to_install_a_package_of_this_name_from_an_index():
    """There is none, and a stranger could publish one."""
    from_git = r"\[([a-z-]+|\{extra\})\] @ git\+"
    told = re.compile(rf"(pip|uv)[^\n`]* install[^\n`]*(?<![/\w])lumbar\b(?!{from_git})")
    files = [file for kind in ("*.md", "*.py", "*.ipynb", "*.yml", "*.toml") for file in ROOT.rglob(kind)]
    ours = [file for file in files if not {".venv", "runs", "build"} & set(file.relative_to(ROOT).parts)]
    assert len(ours) > 300
    found = [f"{file}: {told.search(text).group()}" for file in ours if told.search(text := file.read_text("utf-8"))]
    assert found == []
