"""A failed notebook test leaves something to look at."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests.course import failures


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """A committed notebook, and one whose output differs."""
    monkeypatch.setattr(failures, "FOLDER", tmp_path / "failed")
    for folder, count in (("committed", 12), ("executed", 13)):
        (tmp_path / folder).mkdir()
        cell = new_code_cell("print(count)", id="count", outputs=[new_output("stream", text=f"{count} patients\n")])
        nbformat.write(new_notebook(cells=[cell]), tmp_path / folder / "05_count.ipynb")
    return tmp_path / "committed" / "05_count.ipynb", tmp_path / "executed" / "05_count.ipynb"


def test_the_executed_notebook_and_the_differences_are_kept(notebooks, capsys):
    with pytest.raises(AssertionError), failures.kept(*notebooks):
        raise AssertionError("a claim is broken")
    assert "05_count.*" in capsys.readouterr().out
    assert (failures.FOLDER / "05_count.ipynb").read_text() == notebooks[1].read_text()
    difference = (failures.FOLDER / "05_count.diff").read_text()
    assert "-12 patients" in difference
    assert "+13 patients" in difference


def test_what_was_not_executed_leaves_nothing(notebooks):
    notebooks[1].unlink()
    with pytest.raises(AssertionError), failures.kept(*notebooks):
        raise AssertionError("a kernel did not start")
    assert not failures.FOLDER.exists()
