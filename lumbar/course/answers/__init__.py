"""The right answers of the lessons' exercises, the usual wrong ones, and what to say to each: one module a lesson.

A function here makes the riddle of one exercise from the facts that its notebook hands over, which are never the answer
itself. The rooms of lesson 11 are in `lumbar.course.escape_room`.
"""

from __future__ import annotations

from typing import Any

from lumbar.course.answers import (
    lesson_00,
    lesson_01,
    lesson_02,
    lesson_03,
    lesson_04,
    lesson_05,
    lesson_06,
    lesson_07,
    lesson_08,
    lesson_09,
    lesson_10,
    lesson_11,
    lesson_12,
    lesson_13,
)
from lumbar.course.riddles import Riddle

_LESSONS = {
    "00": lesson_00,
    "01": lesson_01,
    "02": lesson_02,
    "03": lesson_03,
    "04": lesson_04,
    "05": lesson_05,
    "06": lesson_06,
    "07": lesson_07,
    "08": lesson_08,
    "09": lesson_09,
    "10": lesson_10,
    "11": lesson_11,
    "12": lesson_12,
    "13": lesson_13,
}


def riddle(exercise: str, *facts: Any) -> Riddle:
    """Return the riddle of an exercise.

    Args:
        exercise: Number of the lesson and of the exercise, such as "01.2".
        *facts: What the right answer follows from, as the function of the exercise documents it.
    """
    lesson, _, number = exercise.partition(".")
    return getattr(_LESSONS[lesson], f"exercise_{number}")(*facts)
