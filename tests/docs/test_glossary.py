"""The glossary is in order, and explains what the lessons set in bold."""

import re
from collections import Counter

import nbformat
import pytest

from docs.site import glossary
from docs.site.build import LESSONS
from lumbar.core.paths import REPOSITORY

LIKE_A_TERM = re.compile(r"[^.:?!;,`\"]+")
"""No punctuation, and at most `WORDS` words; other bold text is a sentence or an instruction."""

WORDS = 4

NO_TERMS = """
    You will learn; You need; 0.49; bare; back; centres; count; downwards; equally good; error in millimetres;
    first; head; imprecise; left; left out; level empty; made the labels; mean; near the dashed line; nine; one;
    only in the left half; patients; plateau; recipe that suits it; same minutes; same patients; set; Then let
    go; three; who counts from where; wide; wrong level; most similar training thumbnail; 02_preprocess;
    03_build_the_cnn; Both curves fall; Jumps; Lumbar Coordinate Pretraining; RSNA 2024; SPIDER; BUU-LSPINE;
    VerSe; without scatter; real corrections only
"""
"""What lessons set in bold to stress it, and names of data sets and notebooks."""


def test_the_entries_are_sorted_and_each_name_has_one():
    headings = glossary.headings()
    assert headings == sorted(headings, key=str.casefold)
    assert [name for name, count in Counter(name for name, _ in glossary.names()).items() if count > 1] == []


def test_each_entry_says_something():
    text = glossary.FILE.read_text(encoding="utf-8")
    meanings = [re.sub(r"<!--.*?-->", "", entry.partition("\n")[2]).strip() for entry in text.split("\n## ")[1:]]
    assert len(meanings) == len(glossary.headings())
    assert [meaning for meaning in meanings if not 5 <= len(meaning.split()) <= 60] == []


@pytest.mark.parametrize("lesson", sorted(REPOSITORY.glob(LESSONS)), ids=lambda file: file.stem)
def test_the_terms_of_a_lesson_are_explained(lesson):
    known = dict(glossary.names())
    stressed = {glossary.plain(word) for word in " ".join(NO_TERMS.split()).split(";")}
    bold = [word for word in glossary.bold_in(nbformat.read(lesson, as_version=4)) if LIKE_A_TERM.fullmatch(word)]
    terms = [word for word in bold if len(word.split()) <= WORDS]
    missing = [word for word in terms if glossary.plain(word) not in known.keys() | stressed]
    assert missing == [], "explain them in docs/glossary.md, or, if they are no terms, add them to NO_TERMS"


@pytest.mark.parametrize(
    ("word", "name"), [("Weights", "weight"), ("loss", "loss"), ("T1", "t1"), ("false alarms.", "false alarm")]
)
def test_words_are_compared_in_lower_case_and_in_the_singular(word, name):
    assert glossary.plain(word) == name
