"""What installs the package elsewhere names files that exist, and the Pythons and users that it should."""

import json
import shlex

import pytest
import yaml

from lumbar.core import paths

ROOT = paths.REPOSITORY


def test_the_image_copies_what_the_wheel_is_built_from_and_runs_as_a_plain_user():
    lines = [shlex.split(line) for line in (ROOT / "Dockerfile").read_text().splitlines() if line[:1] not in ("#", "")]
    copied = {name for word, *names in lines if word == "COPY" for name in names[:-1]}
    assert copied == {"pyproject.toml", "setup.py", "README.md", "LICENSE", "lumbar", "notebooks"}
    assert all((ROOT / name).exists() for name in copied)
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {f"!{name}" for name in copied} <= set(ignored)
    commands = [word for word, *_ in lines]
    assert commands.index("USER") < commands.index("ENTRYPOINT")
    assert ["USER", "root"] not in lines


def test_the_development_container_is_built_from_a_file_that_is_there():
    folder = ROOT / ".devcontainer"
    stated = json.loads((folder / "devcontainer.json").read_text())
    built = (folder / stated["build"]["dockerfile"]).read_text()
    assert f"useradd --create-home --uid 1000 --shell /bin/bash {stated['remoteUser']}" in built
    assert stated["postCreateCommand"].split()[1] + ":" in (ROOT / "Makefile").read_text().replace("$(VENV)", ".venv")


def test_binder_installs_the_pinned_requirements():
    assert (ROOT / ".binder" / "requirements.txt").read_text().split() == ["--requirement", "../requirements.txt"]
    assert (ROOT / ".binder" / "runtime.txt").read_text().strip() == "python-3.12"
    assert (ROOT / ".binder" / "postBuild").stat().st_mode & 0o111


@pytest.mark.parametrize("file", sorted((ROOT / ".github" / "workflows").iterdir()), ids=lambda file: file.name)
def test_a_workflow_runs_commands_that_exist(file):
    jobs = yaml.safe_load(file.read_text())["jobs"]
    runs = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    targets = [word for run in runs for word in shlex.split(run)[1:] if run.startswith("make ")]
    makefile = (ROOT / "Makefile").read_text()
    assert targets
    assert all(f"\n{target}:" in makefile for target in targets if "=" not in target)
