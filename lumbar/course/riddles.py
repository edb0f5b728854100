"""A riddle: the right answer of an exercise, the usual wrong ones, and what to say to each.

The answers of the lessons stand in `lumbar.course.answers`, those of the escape room in
`lumbar.course.escape_room.riddles`: out of sight for a student who reads the check below an exercise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

EMPTY = "type your answer in place of None, and run both cells"
"""What an untouched stub gets to read."""


@dataclass(frozen=True)
class Riddle:
    """What is right in an exercise, and what is typically wrong.

    Args:
        answer: The right answer: a number, an array or list of numbers, a word, a truth value, or a set of words; with
            `tried`, a function.
        hint: One sentence that helps against any other wrong answer.
        mistakes: Hint → the wrong answers that it speaks to. An answer that is also right counts as right.
        tolerance: Largest difference between two numbers that count as the same.
        tried: For answers that are functions: tries one out, and returns what it gives; that is compared.
    """

    answer: Any
    hint: str
    mistakes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    tolerance: float = 0.0
    tried: Callable[[Any], Any] | None = None

    def feedback(self, given: Any) -> str:
        """Return what helps a student who gave this answer; "" if it is right."""
        if _untouched(given):
            return EMPTY
        try:
            value = self._value(given)
        except Exception as error:  # a half-written function may raise anything
            return f"it raised {type(error).__name__}: {error}; {self.hint}"
        if _untouched(value):
            return EMPTY
        if self._same(value, self._value(self.answer)):
            return ""
        for hint, wrong in self.mistakes.items():
            if any(self._same(value, self._value(other)) for other in wrong):
                return hint
        return self.hint

    def _value(self, answer: Any) -> Any:
        return answer if self.tried is None else self.tried(answer)

    def _same(self, given: Any, other: Any) -> bool:
        try:
            if isinstance(other, str):
                return _plain(given) == _plain(other)
            if isinstance(other, bool):
                return isinstance(given, bool | np.bool_) and given == other
            if isinstance(other, set):
                return not isinstance(given, str) and set(map(_plain, given)) == set(map(_plain, other))
            ours, theirs = np.asarray(other, float), np.asarray(given, float)
            return ours.shape == theirs.shape and np.allclose(ours, theirs, rtol=1e-9, atol=self.tolerance)
        except (TypeError, ValueError):
            return False


def _untouched(given: Any) -> bool:
    """Whether this is the None of a stub, or what functions give that return None."""
    return given is None or (isinstance(given, list | tuple) and bool(given) and all(each is None for each in given))


def _plain(word: Any) -> str:
    """Return a word as it is compared: capitals, blanks and the ending of a file do not count."""
    return str(word).casefold().replace(" ", "").removesuffix(".dcm")
