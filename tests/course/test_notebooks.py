"""The stored notebooks, their outputs checked by nbval, and their execution by papermill with other parameters."""

import ast
import importlib.util
import os
import re
import statistics
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import nbformat
import papermill
import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager
from papermill.exceptions import PapermillExecutionError

from lumbar.core.constants import HEADLESS
from lumbar.core.extras import SOURCE
from lumbar.course import exercises, runner
from tests.course import failures

NOTEBOOKS = sorted(runner.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
PROFILES = sorted((runner.NOTEBOOKS / "profiles").glob("*.yaml"))
README = (runner.NOTEBOOKS.parent / "README.md").read_text(encoding="utf-8")
EXPECTED = yaml.safe_load((Path(__file__).parent / "notebook_metrics.yaml").read_text())
CLAIMS = yaml.safe_load((Path(__file__).parent / "notebook_claims.yaml").read_text(encoding="utf-8"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)

AT_THE_SIDE = re.compile(r"(exercises|game)\.check\(|game\.open_last_door\(|quiz\.ask\(")
"""Cells that only check what the reader thinks."""

STATED_TIME = re.compile(r"\*\*Time:\*\* about (\d+) (seconds|minutes?)")


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook: nbformat.NotebookNode) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def tagged(notebook: nbformat.NotebookNode, tag: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", ())]


def lines_of_code(cell: nbformat.NotebookNode) -> int:
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in cell.source.splitlines())


def stated_seconds(notebook: nbformat.NotebookNode) -> int:
    number, unit = STATED_TIME.search(notebook.cells[0].source).groups()
    return int(number) * (1 if unit == "seconds" else 60)


def test_the_notebooks_are_numbered_without_a_gap():
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"{number:02}" for number in range(len(NOTEBOOKS))]
    assert len(NOTEBOOKS) >= 7


@each_notebook
def test_stored_as_executed_from_top_to_bottom(path):
    notebook = read(path)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert notebook.metadata.kernelspec.name == "python3"
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"], "a warning or progress bar is stored"
    assert not [output for output in outputs if "widget-view" in str(output.get("data", {}).keys())]


@each_notebook
def test_one_cell_has_the_parameters_as_literals_with_comments(path):
    (cell,) = tagged(read(path), "parameters")
    for line in cell.source.strip().splitlines():
        assert re.fullmatch(r"[A-Z][A-Z0-9_]* = [^#]+  # .+", line), line
        ast.literal_eval(ast.parse(line).body[0].value)
    assert len(papermill.inspect_notebook(str(path))) == len(cell.source.strip().splitlines())


@each_notebook
def test_thin_cells_and_enough_prose(path):
    notebook = read(path)
    lengths = [lines_of_code(cell) for cell in code_cells(notebook) if not AT_THE_SIDE.search(cell.source)]
    assert 15 <= len(lengths) <= 30
    assert statistics.median(lengths) <= 5
    assert max(lengths) <= 25
    functions = [cell for cell in code_cells(notebook) if "exercise" not in cell.metadata.get("tags", ())]
    assert sum(len(re.findall(r"^def ", cell.source, re.MULTILINE)) for cell in functions) <= 2
    words = len(prose(notebook).split()) - sum(len(cell.source.split()) for cell in tagged(notebook, "solution"))
    assert 900 <= words <= 2000, words


@each_notebook
@pytest.mark.parametrize(("on_colab", "installed"), [(True, False), (True, True), (False, False)])
def test_the_first_cell_installs_the_course_on_colab_alone(path, on_colab, installed, monkeypatch):
    first = code_cells(read(path))[0]
    assert first.metadata["tags"] == ["colab"]
    assert first.metadata["jupyter"]["source_hidden"], "readers elsewhere need not see it"
    asked = []
    shell = SimpleNamespace(run_line_magic=lambda *words: asked.append(words))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: installed or None)
    if on_colab:
        monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    exec(TransformerManager().transform_cell(first.source), {"get_ipython": lambda: shell})
    wanted = [("pip", f'install --quiet "lumbar[course] @ git+{SOURCE}"')]
    assert asked == (wanted if on_colab and not installed else [])


@each_notebook
def test_opening_and_closing(path):
    notebook = read(path)
    first = notebook.cells[0].source
    assert first.startswith("# ")
    for promise in ("**You will learn**", "**You need**"):
        assert promise in first
    assert stated_seconds(notebook) <= 120, "the course promises less than two minutes a notebook"
    headings = re.findall(r"^## (.+)$", prose(notebook), re.MULTILINE)
    assert headings[-2:] == ["What you have now", "What comes next"]


@each_notebook
def test_the_readme_states_the_same_time(path):
    (row,) = (line for line in README.splitlines() if f"(notebooks/{path.name})" in line)
    assert row.endswith(f"| {' '.join(STATED_TIME.search(read(path).cells[0].source).groups())} |")


@each_notebook
def test_every_figure_has_a_text_alternative(path):
    for number, cell in enumerate(code_cells(read(path)), start=1):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                alternative = output.metadata.get("image/png", {}).get("alt", "")
                assert len(alternative.split()) >= 5, f"the figure of code cell {number} has no text alternative"


@each_notebook
def test_the_untouched_exercises_do_not_pass(path):
    notebook = read(path)
    assert len(tagged(notebook, "exercise")) >= 2
    answers = {name: value for name, value in exercises.recorded(notebook).items() if name.startswith("Exercise")}
    assert len(answers) == len(tagged(notebook, "exercise"))
    assert not any(answers.values())


def alternatives(notebook: nbformat.NotebookNode) -> list[str]:
    """Return the text alternatives of all figures."""
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return [output.metadata["image/png"]["alt"] for output in outputs if "image/png" in output.get("data", {})]


def broken_claims(stem: str, notebook: nbformat.NotebookNode) -> list[str]:
    """Return the claims of a notebook's prose that its recorded values, or the texts of its figures, do not meet."""
    other = {path.stem[:2]: exercises.recorded(read(path)) for path in NOTEBOOKS}
    known = {"other": other, "figures": alternatives(notebook), **exercises.recorded(notebook)}
    return [claim for claim in CLAIMS["all"] + CLAIMS.get(stem, []) if not _holds(claim, known)]


def _holds(claim: str, known: dict) -> bool:
    try:
        return bool(eval(claim, dict(known)))
    except (ArithmeticError, LookupError):  # a share of nothing, a value that is not there
        return False


@each_notebook
def test_the_recorded_numbers_are_as_the_prose_says(path):
    assert not broken_claims(path.stem, read(path))


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_each_override_is_a_parameter(path):
    assert set(runner.read_profile(path)) <= {notebook.stem for notebook in NOTEBOOKS}


def test_the_profiles_quick_and_full_have_the_documented_values():
    profiles = {path.stem: runner.read_profile(path) for path in PROFILES}
    assert set(profiles["quick"]) == {notebook.stem for notebook in NOTEBOOKS}
    assert profiles["full"]["04_train"]["EPOCHS"] == 50


def execute(source: Path, target: Path, folder: Path, parameters: dict | None = None) -> None:
    """Execute a notebook from a folder, and write it, also if a cell fails."""
    papermill.execute_notebook(
        str(source),
        str(target),
        parameters=parameters,
        kernel_name="python3",
        cwd=str(folder),
        execution_timeout=1800,
        progress_bar=False,
    )


@pytest.mark.slow
@each_notebook
def test_quick_run_solves_the_exercises_and_records_what_is_expected(path, tmp_path, monkeypatch):
    """Each notebook runs in an empty home folder, independently of the others, with solutions in place of stubs."""
    monkeypatch.setenv("LUMBAR_HOME", str(tmp_path))
    monkeypatch.setenv(HEADLESS, "1")
    solved = tmp_path / path.name
    nbformat.write(exercises.with_solutions(read(path)), solved)
    parameters = runner.read_profile(runner.NOTEBOOKS / "profiles" / "quick.yaml")[path.stem]
    with failures.kept(path, executed := tmp_path / "executed.ipynb"):
        execute(solved, executed, path.parent, parameters)
        found = exercises.recorded(read(executed))
        unsolved = [name for name, value in found.items() if name.startswith("Exercise") and not value]
        assert not unsolved
        for name, (low, high) in EXPECTED[path.stem].items():
            assert low <= found[name] <= high, f"{name} = {found[name]}"


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.mark.slow
@each_notebook
def test_nbval_agrees_with_the_stored_outputs(path, shared_home, tmp_path, monkeypatch):
    checked = [cell for cell in code_cells(read(path)) if "NBVAL_CHECK_OUTPUT" in cell.source]
    assert checked, "no output is compared"
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-cell-timeout=1800", "-p", "no:cacheprovider"]
    result = subprocess.run(
        [*command, "-q", "--override-ini=filterwarnings=default", str(path)],
        env=os.environ | {"LUMBAR_HOME": str(shared_home), HEADLESS: "1"},
        capture_output=True,
        text=True,
    )
    with failures.kept(path, executed := tmp_path / path.name):
        if result.returncode:  # nbval keeps nothing of what it has executed
            monkeypatch.setenv("LUMBAR_HOME", str(shared_home))
            monkeypatch.setenv(HEADLESS, "1")
            with suppress(PapermillExecutionError):
                execute(path, executed, path.parent)
        assert result.returncode == 0, result.stdout[-6000:]
