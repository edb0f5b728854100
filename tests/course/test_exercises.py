"""Recorded values can be read from a notebook, and the solution of an exercise replaces its stub."""

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from lumbar.course import exercises


def tagged(cell, *tags):
    cell.metadata["tags"] = list(tags)
    return cell


def notebook() -> nbformat.NotebookNode:
    return new_notebook(
        cells=[
            new_code_cell("from lumbar.course import exercises\nexercises.record(error_px=0.25, count=3)"),
            tagged(new_code_cell("half = None  # your answer"), "exercise"),
            new_code_cell('exercises.check_answer("Exercise 1", lambda: half * 2 == 256, "what is 256 / 2?")'),
            tagged(
                new_markdown_cell("<details><summary>Solution</summary>\n\n```python\nhalf = 128\n```\n\n</details>"),
                "solution",
            ),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )


@pytest.fixture(scope="module")
def executed():
    return [NotebookClient(each).execute() for each in (notebook(), exercises.with_solutions(notebook()))]


def test_recorded_values_are_read_as_data(executed):
    assert exercises.recorded(executed[0])["error_px"] == 0.25
    assert exercises.recorded(executed[0])["count"] == 3


def test_the_unchanged_stub_fails_and_the_solution_passes(executed):
    assert [exercises.recorded(each)["Exercise 1"] for each in executed] == [False, True]


def test_an_exercise_without_a_solution_is_an_error():
    incomplete = notebook()
    del incomplete.cells[3]
    with pytest.raises(ValueError, match="no solution"):
        exercises.with_solutions(incomplete)
