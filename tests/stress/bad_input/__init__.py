"""Cases of bad input, made of real bytes, with the expected outcome: one source for the test and for the table.

``python -m tests.stress.bad_input`` runs the real command on each case and prints the table.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lumbar.cli.main import main

REFUSED, NAMED, REPAIRED, READ, FLAGGED, WARNED = "refused", "named", "repaired", "read", "flagged", "warned of"
"""Outcomes: the input is not used; a check names it; it is repaired with a warning; it is harmless; its points are
flagged; it is used with a warning."""


class AbsentError(Exception):
    """The files of a case are not available, or cannot be made here."""


Words = Sequence[str | Path]
Answer = tuple[int, str]


def in_this_process(words: Words, folder: Path) -> Answer:
    """Run ``python -m lumbar`` with these arguments and its home in `folder`; return exit code and printed text."""
    printed = io.StringIO()
    before = os.environ.get("LUMBAR_HOME")
    os.environ["LUMBAR_HOME"] = str(folder / "home")
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            code = main([str(word) for word in words])
    finally:
        os.environ.pop("LUMBAR_HOME") if before is None else os.environ.update(LUMBAR_HOME=before)
    return code, printed.getvalue()


@dataclass(frozen=True)
class Case:
    """One kind of bad input.

    Args:
        family: What is bad: "scan", "picture", "table", "network", "output" or "parameters".
        name: What is bad about it.
        build: Function that makes the files in an empty folder and returns the arguments of the command.
        outcome: The expected outcome.
        says: Regular expression for what the command must print.
        code: Expected exit code.
        facts: Function that checks the folder after the command and raises AssertionError.
        run: Function that runs the command.
        real: Whether the case needs the real network.
    """

    family: str
    name: str
    build: Callable[[Path], Words]
    outcome: str
    says: str
    code: int
    facts: Callable[[Path], None] | None = None
    run: Callable[[Words, Path], Answer] = field(default=in_this_process)
    real: bool = False

    def __str__(self) -> str:
        return f"{self.family}: {self.name}"


def every_case() -> list[Case]:
    """Return all cases, in the order of the table."""
    from tests.stress.bad_input import networks, outputs, parameters, pictures, scans, tables

    return [*scans.CASES, *pictures.CASES, *tables.CASES, *networks.CASES, *outputs.CASES, *parameters.CASES]
