"""Recorded values can be read from a notebook, and the solution of an exercise replaces its stub."""

from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from lumbar.core.errors import SettingsError
from lumbar.course import exercises

NUMPY = "c=np.bool_(True), few=np.int64(3), loss=np.float32(0.5), curve=np.array([1.0, 2]), pair=(np.uint8(1), None)"


def tagged(cell, *tags):
    cell.metadata["tags"] = list(tags)
    return cell


def notebook() -> nbformat.NotebookNode:
    return new_notebook(
        cells=[
            new_code_cell("from lumbar.course import exercises\nexercises.record(error_px=0.25, count=3)"),
            new_code_cell(f"import numpy as np\nexercises.record({NUMPY})"),
            tagged(new_code_cell("half = None  # your answer"), "exercise"),
            new_code_cell('exercises.report("Exercise 1", "" if half == 128 else "what is 256 / 2?")'),
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


def test_numpy_values_are_recorded_as_plain_ones(executed):
    found = exercises.recorded(executed[0])
    plain = {"c": True, "few": 3, "loss": 0.5, "curve": [1.0, 2.0], "pair": [1, None]}
    assert {name: found[name] for name in plain} == plain
    assert (type(found["c"]), type(found["few"])) == (bool, int)
    assert executed[0].cells[1].outputs[0].data["text/plain"].startswith("recorded: c = True, few = 3, loss = 0.5")


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j, np.datetime64("2026-11-28"), np.array(["a", None])])
def test_a_value_of_another_kind_is_an_error_with_its_name(value):
    with pytest.raises(SettingsError, match="cannot be recorded") as refusal:
        exercises.record(fine=1, strange=value)
    assert refusal.value.field == "strange"


def test_the_unchanged_stub_fails_and_the_solution_passes(executed):
    assert [exercises.recorded(each)["Exercise 1"] for each in executed] == [False, True]


def test_a_handout_has_neither_solutions_nor_outputs(executed):
    handout = exercises.without_solutions(executed[1])
    assert [cell.cell_type for cell in handout.cells] == ["code"] * 4
    assert not any(cell.outputs or cell.execution_count for cell in handout.cells)
    assert executed[1].cells[-1].metadata.tags == ["solution"], "the notebook itself is left as it was"


def test_a_check_prints_and_records_what_becomes_of_an_answer(capsys, monkeypatch):
    kept = []
    monkeypatch.setattr("IPython.display.display", lambda data, **words: kept.append(data[exercises.MIME_TYPE]))
    facts = SimpleNamespace(Rows=512, Columns=256, PixelSpacing=[0.5, 1.25])
    exercises.check("01.1", 128, facts)
    exercises.check("01.1", 320, facts)
    assert "Exercise 1: not yet. Hint: the two spacings are swapped" in capsys.readouterr().out
    assert kept == [{"Exercise 1": False}, {"Exercise 1": True}]


def test_an_exercise_without_a_solution_is_an_error():
    incomplete = notebook()
    del incomplete.cells[4]
    with pytest.raises(ValueError, match="no solution"):
        exercises.with_solutions(incomplete)
