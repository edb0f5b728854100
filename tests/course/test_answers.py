"""The exercises of the lessons: each right answer passes, and each usual mistake gets its own words."""

import importlib
import pkgutil
import re

import nbformat
import numpy as np
import pytest

from lumbar.course import answers, runner
from lumbar.course.riddles import EMPTY, Riddle
from tests.course import facts

_MODULES = [
    importlib.import_module(f"tests.course.facts.{module.name}") for module in pkgutil.iter_modules(facts.__path__)
]
FACTS = {exercise: given for module in _MODULES for exercise, given in module.FACTS.items()}
ANSWERED = {exercise: answer for module in _MODULES for exercise, answer in module.ANSWERED.items()}
each_exercise = pytest.mark.parametrize("exercise", FACTS)


def test_every_exercise_of_the_lessons_is_tested_here():
    asked = {
        found
        for path in runner.notebooks()
        for cell in nbformat.read(path, as_version=4).cells
        for found in re.findall(r'exercises\.check\("(\d\d\.\w+)"', cell.source)
    }
    assert asked == FACTS.keys() == ANSWERED.keys()


@each_exercise
def test_an_untouched_stub_a_right_answer_and_each_usual_mistake_are_told_apart(exercise):
    riddle = answers.riddle(exercise, *FACTS[exercise])
    assert riddle.feedback(None) == EMPTY
    assert riddle.feedback(ANSWERED[exercise]) == ""
    assert len(riddle.mistakes) >= 3
    for hint, wrong in riddle.mistakes.items():
        found = {riddle.feedback(each) for each in wrong}
        assert hint in found
        assert found <= riddle.mistakes.keys()
    for rubbish in (object(), "no idea", float("nan"), -98765, {}):
        assert riddle.feedback(rubbish).endswith(riddle.hint)


def squares(**values) -> Riddle:
    """A riddle whose answer is a function."""
    wrong = {"that doubles": [lambda x: 2 * x], "that has no sign": [lambda x: -x * x]}
    return Riddle(lambda x: x * x, "multiply it by itself", wrong, tried=lambda f: [f(3), f(-4)], **values)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: x**2, ""),
        (lambda x: x + x, "that doubles"),
        (lambda x: None, EMPTY),
        (lambda x: x + 1, "multiply it by itself"),
        (lambda x: 1 / 0, "it raised ZeroDivisionError: division by zero; multiply it by itself"),
        (lambda: 9, "it raised TypeError"),
        (9, "it raised TypeError: 'int' object is not callable"),
    ],
)
def test_a_function_is_judged_by_what_it_gives(function, said):
    assert squares().feedback(function).startswith(said)
    assert bool(squares().feedback(function)) == bool(said)


@pytest.mark.parametrize(
    ("answer", "right", "wrong"),
    [
        (320, ["320", 320.0, np.int64(320), np.array(320)], [321, [320], True, {320}]),
        ("L4/L5", ["l4/l5", " L4/L5 "], ["L4", 4, None]),
        (True, [True, np.True_], [1, "True", False]),
        ({"gelu", "swish"}, [["swish", "GELU"], ("gelu", "swish")], ["gelu", {"gelu"}, "gelu swish", 5]),
        ([1, 2, 3], [(1, 2, 3), np.array([1.0, 2, 3])], [[3, 2, 1], [1, 2], 1, "1 2 3"]),
    ],
)
def test_an_answer_counts_in_any_reasonable_form(answer, right, wrong):
    riddle = Riddle(answer, "think again")
    assert [riddle.feedback(each) for each in right] == [""] * len(right)
    assert "" not in [riddle.feedback(each) for each in wrong]
