"""Helpers for notebooks: numbers that a test can read back, and exercises that check themselves.

An exercise consists of three cells: a code cell tagged ``exercise`` with a stub that runs unchanged, a code cell that
calls `check`, and a Markdown cell tagged ``solution`` whose ``<details>`` block contains one fenced block of Python.
`with_solutions` replaces the stub with that block, so the tests run the solution that the student reads;
`without_solutions` leaves the solutions out, for a class.
"""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import nbformat
import numpy as np

from lumbar.core.errors import SettingsError
from lumbar.course.answers import riddle

MIME_TYPE = "application/vnd.lumbar.record+json"
"""MIME type of recorded values in the outputs of a notebook, beside the text that the reader sees."""

_SOLUTION = re.compile(r"<details>.*?```python\n(.*?)```.*?</details>", re.DOTALL)


def record(**values: Any) -> None:
    """Store named values in the outputs of the notebook; the tests and the summary of the course read them.

    Args:
        values: Name → value: a number, text, True, False, None, or a list or dictionary of them. NumPy's scalars and
            arrays, and the tensors of a backend, are stored as plain numbers.

    Raises:
        SettingsError: If a value is of another kind.
    """
    from IPython.display import display

    plain = {name: _plain(name, value) for name, value in values.items()}
    text = ", ".join(
        f"{name} = {value:.4g}" if isinstance(value, float) else f"{name} = {value}" for name, value in plain.items()
    )
    display({MIME_TYPE: plain, "text/plain": f"recorded: {text}"}, raw=True)


def _plain(name: str, value: Any) -> Any:
    """Return a recorded value as JSON can hold it."""
    try:
        return json.loads(json.dumps(value, default=_numbers))
    except (TypeError, ValueError) as error:
        raise SettingsError(
            "this value cannot be recorded",
            field=name,
            found=f"{value!r} ({type(value).__name__})",
            expected="a number, text, True, False or None",
            remedy="convert it, for example with float(...) or str(...)",
        ) from error


def _numbers(value: Any) -> Any:
    """Return a NumPy scalar, an array or a tensor as plain numbers, for `json.dumps`."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{type(value).__name__} holds no numbers")
    return array.tolist()


def recorded(notebook: nbformat.NotebookNode) -> dict[str, Any]:
    """Return all values that an executed notebook recorded, name → value; a later value replaces an earlier one.

    Jupyter stores a number that is not finite as text: "nan", "inf" or "-inf".
    """
    found: dict[str, Any] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            found |= output.get("data", {}).get(MIME_TYPE, {})
    return found


def check(exercise: str, answer: Any, *facts: Any) -> None:
    """Print and record whether an exercise of a lesson is solved; a wrong answer does not stop the notebook.

    Args:
        exercise: Number of the lesson and of the exercise, such as "01.2".
        answer: The student's answer; None if there is none yet.
        *facts: What the right answer follows from, see the exercise in `lumbar.course.answers`.
    """
    report(f"Exercise {exercise.partition('.')[2]}", riddle(exercise, *facts).feedback(answer))


def report(exercise: str, hint: str) -> None:
    """Print and record whether an exercise is solved.

    Args:
        exercise: Name of the exercise, as in its heading.
        hint: What helps against the wrong answer; "" if the answer is right.
    """
    print(f"{exercise}: not yet. Hint: {hint}" if hint else f"{exercise}: correct, well done.")
    record(**{exercise: not hint})


def with_solutions(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a copy of the notebook in which each stub is replaced by the solution of its exercise.

    Raises:
        ValueError: If no solution cell follows an exercise, or a solution contains no fenced block of Python.
    """
    solved = copy.deepcopy(notebook)
    stub = None
    for number, cell in enumerate(solved.cells):
        tags = cell.metadata.get("tags", ())
        if "exercise" in tags:
            if stub is not None:
                raise ValueError(f"the exercise before cell {number} has no solution cell")
            stub = cell
        elif "solution" in tags:
            code = _SOLUTION.search(cell.source)
            if stub is None or code is None:
                raise ValueError(f"the solution in cell {number} follows no exercise, or has no fenced block of Python")
            stub.source, stub = code.group(1), None
    if stub is not None:
        raise ValueError("the last exercise has no solution cell")
    return solved


def without_solutions(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a copy of the notebook without solutions and outputs, as a teacher hands it out."""
    handout = copy.deepcopy(notebook)
    handout.cells = [cell for cell in handout.cells if "solution" not in cell.metadata.get("tags", ())]
    for cell in handout.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return handout
