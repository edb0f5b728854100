"""Five questions at the end of a lesson: a reader chooses, opens the choice, and reads why it is right or wrong.

The questions stand in ``quizzes/NN.yaml``, a list of entries ``question`` and ``choices``; a choice has ``text``,
``why``, and ``right: true`` if it is the right one. They are shown as Markdown with foldable choices, which needs no
kernel: in JupyterLab, on the site and in a page made of the notebook alike.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

QUIZZES = Path(__file__).parent / "quizzes"


@dataclass(frozen=True)
class Choice:
    """One answer to choose.

    Args:
        text: The answer.
        why: Why it is right, or why it is wrong though it looks right. Markdown.
        right: Whether it is the right one.
    """

    text: str
    why: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    """A question with its choices; one of them is right.

    Args:
        question: The question, in Markdown.
        choices: The answers to choose from.
    """

    question: str
    choices: tuple[Choice, ...]


def read_quiz(lesson: str) -> list[Question]:
    """Return the questions of a lesson.

    Args:
        lesson: Number of the lesson, such as "01".
    """
    entries = yaml.safe_load((QUIZZES / f"{lesson}.yaml").read_text(encoding="utf-8"))
    return [Question(each["question"], tuple(Choice(**choice) for choice in each["choices"])) for each in entries]


def ask(lesson: str) -> None:
    """Show the questions of a lesson in its notebook.

    Args:
        lesson: Number of the lesson, such as "01".
    """
    from IPython.display import display

    text = markdown(read_quiz(lesson))
    display({"text/markdown": text, "text/plain": text}, raw=True)


def markdown(questions: list[Question]) -> str:
    """Return questions with foldable choices as Markdown."""
    return "\n\n".join(
        [
            "*Choose first, then open your choice.*",
            *(
                "\n\n".join([f"**{number}.** {each.question}", *map(folded, each.choices)])
                for number, each in enumerate(questions, start=1)
            ),
        ]
    )


def folded(choice: Choice) -> str:
    """Return a choice as Markdown that opens to its reason.

    Inside `summary` Markdown is not read, so code is marked as HTML.
    """
    text = re.sub("`(.+?)`", r"<code>\1</code>", html.escape(choice.text, quote=False))
    return f"<details><summary>{text}</summary>\n\n{'✓' if choice.right else '✗'} {choice.why}\n\n</details>"
