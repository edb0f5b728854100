"""Parameter files and notebooks that `sweep` cannot use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from tests.stress.bad_input import REFUSED, Case, Words


def sweep(grid: str | bytes, language: str = "python") -> Callable[[Path], Words]:
    """Return a function that writes a notebook with the parameter RATE and a grid, and returns the command's words."""

    def build(folder: Path) -> Words:
        cell = new_code_cell("RATE = 0.1  # any number")
        cell.metadata["tags"] = ["parameters"]
        metadata = {"language_info": {"name": language}}
        nbformat.write(new_notebook(cells=[cell], metadata=metadata), folder / "tiny.ipynb")
        (folder / "grid.yaml").write_bytes(grid if isinstance(grid, bytes) else grid.encode())
        return ["sweep", folder / "tiny.ipynb", "--grid", folder / "grid.yaml"]

    return build


def case(name: str, build: Callable[[Path], Words], says: str) -> Case:
    return Case("parameters", name, build, REFUSED, says, 1)


CASES = [
    case("a grid in Latin-1", sweep("RATE: [1, 2]  # für".encode("latin-1")), "not text in UTF-8"),
    case("a grid with infinity", sweep("RATE: [0.1, .inf]"), "cannot be the value of a parameter"),
    case("a grid with a time for a number", sweep("RATE: [1:30]"), "must be a number"),
    case("a grid with a tag that does not fit", sweep("RATE: !!bool maybe"), "not a YAML file"),
    case("a grid with a name twice", sweep("RATE: 1\nRATE: 2"), "a name occurs twice"),
    case("a notebook in another language", sweep("RATE: [1, 2]", "R"), "not in Python"),
]
