"""The questions at the end of the lessons."""

from collections import Counter

import nbformat
import pytest

from lumbar.course import quiz, runner

QUIZZES = sorted(quiz.QUIZZES.glob("*.yaml"))
each_quiz = pytest.mark.parametrize("file", QUIZZES, ids=lambda file: file.stem)


def test_each_lesson_has_a_quiz_and_asks_it():
    asking = {
        path.stem[:2]
        for path in runner.notebooks()
        if any(f'quiz.ask("{path.stem[:2]}")' in cell.source for cell in nbformat.read(path, as_version=4).cells)
    }
    assert asking == {file.stem for file in QUIZZES} == {path.stem[:2] for path in runner.notebooks()}


@each_quiz
def test_five_questions_with_one_right_choice_each(file):
    questions = quiz.read_quiz(file.stem)
    assert len(questions) == 5
    assert all(len(each.choices) in (3, 4) for each in questions)
    assert [sum(choice.right for choice in each.choices) for each in questions] == [1] * 5
    choices = [choice for each in questions for choice in each.choices]
    assert all(len(choice.why.split()) >= 5 for choice in choices), "each choice says why"
    assert len({choice.why for choice in choices}) == len(choices)
    assert len({choice.text for each in questions for choice in each.choices}) == len(choices)


@each_quiz
def test_neither_place_nor_length_gives_the_right_choice_away(file):
    questions = quiz.read_quiz(file.stem)
    places = Counter(next(n for n, choice in enumerate(each.choices) if choice.right) for each in questions)
    assert max(places.values()) <= 3
    longest = [max(each.choices, key=lambda choice: len(choice.text)).right for each in questions]
    assert sum(longest) <= 3


def test_the_stored_questions_are_those_of_the_file():
    for path in runner.notebooks():
        for cell in nbformat.read(path, as_version=4).cells:
            if "quiz.ask(" in cell.source:
                (output,) = cell.outputs
                assert output.data["text/markdown"] == quiz.markdown(quiz.read_quiz(path.stem[:2]))


def test_a_choice_is_folded_and_its_marks_are_read():
    question = quiz.Question(
        "Which?", (quiz.Choice("x < 3 and `a < b`", "It *is*.", right=True), quiz.Choice("y", "No."))
    )
    text = quiz.markdown([question])
    assert "<details><summary>x &lt; 3 and <code>a &lt; b</code></summary>\n\n✓ It *is*.\n\n</details>" in text
    assert "✗ No." in text
