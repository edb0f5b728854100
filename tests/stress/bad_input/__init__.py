"""Every kind of bad input we know of, made of real bytes, with what must happen: one source for the test and the table.

``python -m tests.stress.bad_input`` runs the real command on each and prints the table.
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
"""What may happen: nothing is taken from it; a check names it; it is put right and said; it is harmless; its points are
marked as doubtful; it is used and a person is told."""


class AbsentError(Exception):
    """What a case is made of is not at hand, or cannot be made here."""


Words = Sequence[str | Path]
Answer = tuple[int, str]


def in_this_process(words: Words, folder: Path) -> Answer:
    """Exit code and everything printed by ``python -m lumbar`` with these words; its home is `folder`."""
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
        family: What is bad: "scan", "picture", "table", "network" or "output".
        name: What is bad about it.
        build: Makes the files in an empty folder and gives the command's words.
        outcome: What must happen.
        says: What the command must print, a regular expression.
        code: Its exit code.
        facts: Further facts, given the folder after the command; raises AssertionError.
        run: How the command is run.
        real: Whether the answer of the real network matters.
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
    """All of them, in the order of the table."""
    from tests.stress.bad_input import networks, outputs, pictures, scans, tables

    return [*scans.CASES, *pictures.CASES, *tables.CASES, *networks.CASES, *outputs.CASES]
