"""The slides: one for each lesson, on a page that is nothing but them.

The page is ``docs/slides.md``. Its figures, results and questions are those of the committed lessons.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from docs.site.build import COVERS, LESSONS, collected_cover
from lumbar.core.paths import REPOSITORY
from lumbar.course import quiz
from lumbar.course.highlights import read_highlight

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PAGE = "docs/slides"

NOTE = "Measured on synthetic patients. For teaching, not for diagnosis."
"""What stands on each slide."""


def alone(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> str | None:
    """Return the template of the page of slides, which has no menu; None for any other page."""
    return "slides.html" if pagename == PAGE else None


class Slides(SphinxDirective):
    """``{slides}``: a slide for each lesson, with its cover, its result in words, and its first question."""

    def run(self) -> list[nodes.Node]:
        """Return the slides."""
        return [self._slide(lesson) for lesson in sorted(REPOSITORY.glob(LESSONS))]

    def _slide(self, lesson: Path) -> nodes.section:
        number = lesson.name[:2]
        highlight = read_highlight(lesson, COVERS["slides"])
        slide = nodes.section(ids=[f"lesson-{number}"], names=[f"lesson {number}"], classes=["slide"])
        address = f"../{lesson.relative_to(REPOSITORY).with_suffix('').as_posix()}.html"
        title = nodes.reference("", f"{number} · {highlight.title}", refuri=address, internal=True)
        slide += nodes.title("", "", title)
        if highlight.cover:
            kept, _ = collected_cover(lesson, highlight.cover, "slides")
            slide += nodes.image(uri=f"/{kept.as_posix()}", alt=highlight.cover.alt)
        words = nodes.container(classes=["words"])
        words += nodes.paragraph("", highlight.result, classes=["result"])
        words += self._question(quiz.read_quiz(number)[0])
        words += nodes.paragraph("", NOTE, classes=["note"])
        slide += words
        return slide

    def _question(self, asked: quiz.Question) -> nodes.container:
        """Return a question with its folded choices."""
        question = nodes.container(classes=["question"])
        text = "\n\n".join([asked.question, *map(quiz.folded, asked.choices)])
        self.state.nested_parse(StringList(text.splitlines(), source="quiz"), 0, question)
        return question
