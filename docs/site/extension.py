"""What Sphinx does not do by itself with the pages of this repository."""

from __future__ import annotations

import posixpath
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import nbformat
from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

from docs.site import glossary
from docs.site.build import LESSONS, collected_cover
from docs.site.commands import Argument, commands
from docs.site.notebooks import BRANCH, alternatives
from docs.site.slides import Slides, alone
from lumbar.core.extras import SOURCE
from lumbar.core.paths import REPOSITORY
from lumbar.course.highlights import read_highlight

if TYPE_CHECKING:
    from sphinx.application import Sphinx

GLOSSARY = "docs/glossary"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives and the changes to pages."""
    app.add_directive("lessons", Lessons)
    app.add_directive("commands", Commands)
    app.add_directive("slides", Slides)
    app.connect("doctree-read", link_to_the_repository)
    app.connect("doctree-read", describe_figures)
    app.connect("doctree-resolved", link_terms)
    app.connect("doctree-resolved", link_lessons)
    app.connect("html-page-context", alone)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def link_to_the_repository(app: Sphinx, page: nodes.document) -> None:
    """Let links to files that are no pages of the site, such as code, lead to the repository."""
    folder = posixpath.dirname(app.env.docname)
    for link in list(page.findall(addnodes.pending_xref)):
        path = posixpath.normpath(posixpath.join(folder, link["reftarget"].partition("#")[0]))
        if link["reftype"] == "myst" and not link["refdomain"] and (REPOSITORY / path).exists():
            kind = "tree" if (REPOSITORY / path).is_dir() else "blob"
            address = f"{SOURCE}/{kind}/{BRANCH}/{path}"
            link.replace_self(nodes.reference("", "", *link[0].children, refuri=address, internal=False))


def describe_figures(app: Sphinx, page: nodes.document) -> None:
    """Give each figure of a notebook its text alternative, by the hash under which MyST-NB writes the figure."""
    source = Path(app.env.doc2path(app.env.docname))
    if source.suffix == ".ipynb":
        known = alternatives(nbformat.read(source, as_version=4))
        for image in page.findall(nodes.image):
            stem = PurePosixPath(image["uri"]).stem
            if stem in known:
                image["alt"] = known[stem]


def link_terms(app: Sphinx, page: nodes.document, docname: str) -> None:
    """Let each term that a lesson sets in bold lead to the glossary."""
    if not docname.startswith("notebooks/") or GLOSSARY not in app.env.found_docs:
        return
    known = dict(glossary.names())
    anchors = app.env.metadata[GLOSSARY]["myst_slugs"]
    address = app.builder.get_relative_uri(docname, GLOSSARY)
    for bold in list(page.findall(nodes.strong)):
        slug = known.get(glossary.plain(bold.astext()))
        if slug and not isinstance(bold.parent, nodes.title | nodes.reference):
            link = nodes.reference("", "", internal=True, refuri=f"{address}#{anchors[slug][1]}", classes=["term"])
            bold.replace_self(link)
            link += bold


def link_lessons(app: Sphinx, page: nodes.document, docname: str) -> None:
    """Write below each entry of the glossary which lessons set the term in bold."""
    if docname != GLOSSARY:
        return
    used = glossary.lessons_by_slug()
    for section in page.findall(nodes.section):
        lessons = used.get(glossary.slug(section[0].astext()), ())
        if lessons:
            line = nodes.paragraph(classes=["in-lessons"])
            line += nodes.Text("See lessons " if len(lessons) > 1 else "See lesson ")
            for number, lesson in enumerate(lessons):
                line += nodes.Text(", " if number else "")
                address = app.builder.get_relative_uri(docname, f"notebooks/{lesson}")
                line += nodes.reference("", lesson[:2], internal=True, refuri=address)
            section += line


class Lessons(SphinxDirective):
    """``{lessons}``: a card for each notebook, with its cover and its result in words."""

    def run(self) -> list[nodes.Node]:
        """Return the cards."""
        cards = nodes.container(classes=["lessons"])
        for file in sorted(REPOSITORY.glob(LESSONS)):
            highlight = read_highlight(file)
            address = f"{file.relative_to(REPOSITORY).with_suffix('').as_posix()}.html"
            card = nodes.container(classes=["lesson"])
            if highlight.cover:
                kept, _ = collected_cover(file, highlight.cover, "covers")
                picture = nodes.image(uri=f"/{kept.as_posix()}", alt=highlight.cover.alt)
                card += nodes.reference("", "", picture, refuri=address, internal=True)
            title = nodes.paragraph(classes=["title"])
            title += nodes.inline("", f"{file.name[:2]} ", classes=["number"])
            title += nodes.reference("", highlight.title, refuri=address, internal=True)
            card += title
            card += nodes.paragraph("", highlight.result)
            cards += card
        return [cards]


class Commands(SphinxDirective):
    """``{commands}``: every command with its arguments, from the parsers of `lumbar.cli`."""

    def run(self) -> list[nodes.Node]:
        """Return a section for each command."""
        sections = []
        for command in commands():
            section = nodes.section(ids=[command.verb], names=[command.verb])
            section += nodes.title("", "", nodes.literal("", command.verb))
            section += nodes.paragraph("", command.purpose)
            section += nodes.literal_block(command.usage, command.usage, language="text")
            for heading, arguments in command.groups.items():
                section += nodes.rubric("", heading)
                section += _definitions(command.verb, arguments)
            sections.append(section)
        return sections


def _definitions(verb: str, arguments: list[Argument]) -> nodes.definition_list:
    definitions = nodes.definition_list(classes=["arguments"])
    for argument in arguments:
        term = nodes.term("", "", nodes.literal("", argument.spelling), ids=[f"{verb}-{argument.name}"])
        # Every second part stands between backticks.
        parts = enumerate(argument.help.split("`"))
        text = nodes.paragraph("", "", *(nodes.literal("", part) if i % 2 else nodes.Text(part) for i, part in parts))
        definitions += nodes.definition_list_item("", term, nodes.definition("", text))
    return definitions
