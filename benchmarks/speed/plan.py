"""How thoroughly to measure."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

_BEGIN = time.perf_counter()


@dataclass(frozen=True)
class Plan:
    """How thoroughly to measure.

    Args:
        repeats: Rounds.
        quick: Only whether everything works: one round of next to nothing; the figures mean nothing.
        patience: The slower trainings of row "learning" are stopped after so many times our own's seconds.
    """

    repeats: int = 5
    quick: bool = False
    patience: float = 4.0

    @property
    def rounds(self) -> int:
        """Repeats, or one."""
        return 1 if self.quick else self.repeats


def told(line: str) -> None:
    """A line of progress, with the seconds since the beginning."""
    print(f"{time.perf_counter() - _BEGIN:6.0f} s  {line}", file=sys.stderr, flush=True)
