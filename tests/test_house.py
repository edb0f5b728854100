"""The house is as CONTRIBUTING draws it: a short front, wings with one doorway each, imports in one direction."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from lumbar.core import paths

ROOT, PACKAGE = paths.REPOSITORY, paths.PACKAGE
FRONT = sorted(path for path in PACKAGE.glob("*.py") if not path.name.startswith("__"))
WINGS = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_front_can_be_read_in_an_afternoon():
    assert len(FRONT) <= 16
    lengths = {path.stem: len(path.read_text(encoding="utf-8").splitlines()) for path in FRONT}
    assert {name: length for name, length in lengths.items() if not 40 <= length <= 300} == {}


def test_contributing_names_each_module_of_the_front_and_each_wing():
    front, wings = (CONTRIBUTING.split(f"| {head} | what ")[1].split("\n\n")[0] for head in ("module", "package"))
    assert sorted(re.findall(r"^\| `(\w+)` \|", front, re.M)) == [path.stem for path in FRONT]
    assert sorted(re.findall(r"`(\w+)/`", wings)) == [path.name for path in WINGS]


def test_contributing_draws_the_layers_that_are_checked():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(each["layers"] for each in contracts if each["type"] == "layers")
    drawn = next(block for block in re.findall(r"```\n(.*?)```", CONTRIBUTING, re.S) if block.startswith("cli\n"))
    assert [line.split(" · ") for line in drawn.splitlines()] == [layer.split(" | ") for layer in layers]


def test_imports_go_one_way_and_in_no_circle():
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout


def test_each_wing_says_what_it_is_for():
    for wing in WINGS:
        text = ast.get_docstring(ast.parse((wing / "__init__.py").read_text(encoding="utf-8")))
        assert text, wing
        assert text.splitlines()[0].endswith("."), wing


def test_no_private_name_is_imported_from_another_module():
    taken = [
        f"{path.relative_to(ROOT)}: {alias.name} of {node.module}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lumbar")
        for alias in node.names
        if alias.name.startswith("_")
    ]
    assert taken == []
