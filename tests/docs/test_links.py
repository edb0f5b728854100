"""Every link of a Markdown page or a lesson leads to a file that is there, and to a heading that is there."""

import re
from collections import Counter
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from docs.site.build import LESSONS, PAGES, SITE
from docs.site.glossary import slug
from lumbar.core.paths import REPOSITORY

WRITTEN = [page for glob in (*PAGES, LESSONS) for page in sorted(REPOSITORY.glob(glob))]


def markdown(page: Path) -> str:
    if page.suffix == ".ipynb":
        cells = nbformat.read(page, as_version=4).cells
        return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return page.read_text(encoding="utf-8")


@cache
def tokens(page: Path) -> list[Token]:
    parsed = MarkdownIt("commonmark").enable("table").parse(markdown(page))
    return [token for block in parsed for token in (block, *(block.children or ()))]


def links(page: Path) -> list[str]:
    targets = [token.attrGet("href") or token.attrGet("src") for token in tokens(page)]
    return [unquote(target) for target in targets if target]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub numbers those that occur twice."""
    found = Counter()
    names = set()
    for opening, inside in zip(tokens(page), tokens(page)[1:], strict=False):
        if opening.type == "heading_open":
            text = "".join(part.content for part in inside.children if part.type in ("text", "code_inline"))
            name = slug(text)
            names.add(f"{name}-{found[name]}" if found[name] else name)
            found[name] += 1
    return names


def is_external(link: str) -> bool:
    return bool(urlsplit(link).scheme or urlsplit(link).netloc)


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_each_link_leads_to_a_file_and_a_heading(page):
    for link in filter(lambda link: not is_external(link), links(page)):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link}: there is no such file"
        assert target.is_relative_to(REPOSITORY), link
        if anchor:
            assert anchor in anchors(target), f"{link}: the page has no such heading"


def test_external_links_are_well_formed_and_encrypted():
    external = [link for page in WRITTEN for link in links(page) if is_external(link)]
    assert len(external) > 20
    assert [link for link in external if not re.fullmatch(r"https://[a-z0-9.-]+\.[a-z]+(/[^\s<>]*)?", link)] == []


def test_the_site_names_pages_that_are_there():
    trees = (SITE / "index.md").read_text("utf-8").partition("```{toctree}")[2]
    listed = re.findall(r"^(?:.*<)?([\w+/]+)>?$", trees, re.MULTILINE)
    there = [page.relative_to(REPOSITORY).with_suffix("").as_posix() for page in WRITTEN if page.suffix == ".md"]
    assert sorted(listed) == sorted([*there, "docs/commands"])
