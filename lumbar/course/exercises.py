"""What a notebook needs beside the science: numbers that a test can read back, and exercises that check themselves.

An exercise is three cells: a code cell tagged ``exercise`` with a stub that runs as it stands, a code cell that calls
`check_answer`, and a markdown cell tagged ``solution`` whose ``<details>`` block hides one fenced piece of Python.
`with_solutions` puts that piece in the stub's place, so that the solution a student reads is the one that is tested.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import nbformat

MIME_TYPE = "application/vnd.lumbar.record+json"
"""Recorded values travel in a notebook's outputs under this type, beside the text a reader sees."""

_SOLUTION = re.compile(r"<details>.*?```python\n(.*?)```.*?</details>", re.DOTALL)


def record(**values: float | int | str | bool) -> None:
    """Keep named values in the notebook, as data: pytest and the course's summary read them with `recorded`."""
    from IPython.display import display

    text = ", ".join(
        f"{name} = {value:.4g}" if isinstance(value, float) else f"{name} = {value}" for name, value in values.items()
    )
    display({MIME_TYPE: values, "text/plain": f"recorded: {text}"}, raw=True)


def recorded(notebook: nbformat.NotebookNode) -> dict[str, Any]:
    """All values that an executed notebook recorded; a later one of the same name replaces an earlier."""
    found: dict[str, Any] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            found |= output.get("data", {}).get(MIME_TYPE, {})
    return found


def check_answer(exercise: str, holds: Callable[[], bool], hint: str) -> None:
    """Say whether an exercise is solved, and record it; an unsolved one never stops the notebook.

    Args:
        exercise: Its name, as the heading above it says.
        holds: Called without arguments; true if the answer is right. An error counts as "not yet".
        hint: One sentence to help, shown while the answer is not right.
    """
    try:
        solved = bool(holds())
        reason = ""
    except Exception as error:  # a half-written answer may raise anything
        untouched = isinstance(error, TypeError) and "NoneType" in str(error)  # the stub's None was computed with
        solved, reason = False, "" if untouched else f" (it raised {type(error).__name__}: {error})"
    print(f"{exercise}: correct, well done." if solved else f"{exercise}: not yet{reason}. Hint: {hint}")
    record(**{exercise: solved})


def with_solutions(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A copy of the notebook with each exercise's solution in its stub's place.

    Raises:
        ValueError: If an exercise has no solution cell after it, or the solution holds no fenced Python.
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
                raise ValueError(f"cell {number} is tagged solution but follows no exercise or holds no fenced Python")
            stub.source, stub = code.group(1), None
    if stub is not None:
        raise ValueError("the last exercise has no solution cell")
    return solved
