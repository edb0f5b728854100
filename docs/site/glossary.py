"""The terms of ``docs/glossary.md``, and the lessons that set them in bold."""

from __future__ import annotations

import re
from functools import cache

import nbformat

from docs.site.build import LESSONS
from lumbar.core.paths import REPOSITORY

FILE = REPOSITORY / "docs" / "glossary.md"

_ENTRY = re.compile(r"^## (?P<heading>.+)\n\n(?:<!-- also: (?P<also>.+) -->\n)?", re.MULTILINE)
_BOLD = re.compile(r"\*\*([^*]+?)\*\*")
_CODE = re.compile(r"```.*?```", re.DOTALL)


def headings() -> list[str]:
    """Return the headings of the entries, in their order, such as "mean absolute error (MAE)"."""
    return [entry["heading"] for entry in _ENTRY.finditer(FILE.read_text(encoding="utf-8"))]


def names() -> list[tuple[str, str]]:
    """Return every name of every entry, as it is compared, and the anchor of the entry.

    Beside its heading, an entry is called what stands in brackets there, and what a comment below it lists after
    "also:", such as a plural or a shorter form.
    """
    return [
        (plain(name), slug(entry["heading"]))
        for entry in _ENTRY.finditer(FILE.read_text(encoding="utf-8"))
        for name in [*re.split(r"[()]", entry["heading"]), *(entry["also"] or "").split(",")]
        if name.strip()
    ]


def plain(term: str) -> str:
    """Return a term as it is compared: in lower case, in the singular, without punctuation at its end."""
    return re.sub(r"(?<=[^s])s$", "", term.strip().rstrip(".:?!").lower())


def slug(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def bold_in(lesson: nbformat.NotebookNode) -> list[str]:
    """Return what the prose of a lesson sets in bold."""
    prose = [_CODE.sub("", cell.source) for cell in lesson.cells if cell.cell_type == "markdown"]
    return [term for text in prose for term in _BOLD.findall(text)]


@cache
def lessons_by_slug() -> dict[str, list[str]]:
    """Return the anchor of an entry → the names of the lessons that set its term in bold, in order."""
    known = dict(names())
    used: dict[str, list[str]] = {}
    for file in sorted(REPOSITORY.glob(LESSONS)):
        terms = {plain(term) for term in bold_in(nbformat.read(file, as_version=4))}
        for anchor in sorted({known[term] for term in terms if term in known}):
            used.setdefault(anchor, []).append(file.stem)
    return used
