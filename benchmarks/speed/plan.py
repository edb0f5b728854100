"""How thoroughly to measure, and progress on the screen."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

_BEGIN = time.perf_counter()


@dataclass(frozen=True)
class Plan:
    """How thoroughly to measure.

    Args:
        repeats: Number of rounds.
        quick: Only check that everything runs: one round of very little work; the figures mean nothing.
        before: Checkout of another version, which row "answering" measures beside this one.
        patience: The slower trainings of row "learning" are stopped after this many times the seconds of our own.
    """

    repeats: int = 5
    quick: bool = False
    patience: float = 4.0
    before: Path | None = None

    @property
    def rounds(self) -> int:
        """Number of rounds: `repeats`, or one if `quick`."""
        return 1 if self.quick else self.repeats


def log(line: str) -> None:
    """Print a line of progress, with the seconds since the beginning."""
    print(f"{time.perf_counter() - _BEGIN:6.0f} s  {line}", file=sys.stderr, flush=True)
