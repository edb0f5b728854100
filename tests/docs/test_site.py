"""The built site: no dead link, no figure without a text alternative, nothing loaded from elsewhere."""

import importlib
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from filelock import FileLock
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from docs.site.build import LESSONS, build
from docs.site.commands import commands
from docs.site.notebooks import alternatives, for_readers, launchers
from lumbar.cli.main import VERBS
from lumbar.core import extras
from lumbar.core.errors import OutputError
from lumbar.core.paths import REPOSITORY
from lumbar.course.exercises import MIME_TYPE
from lumbar.course.highlights import read_highlight
from lumbar.course.quiz import read_quiz

NOTEBOOKS = sorted(REPOSITORY.glob(LESSONS))
LESSON = Path("notebooks/04_train.ipynb")

OFFLINE = """
import runpy, socket, sys

def refuse(*arguments):
    raise OSError("this test has no network")

socket.socket.connect = socket.getaddrinfo = refuse
sys.argv = ["docs.site", *sys.argv[1:]]
runpy.run_module("docs.site", run_name="__main__")
"""


def notebook(*cells) -> nbformat.NotebookNode:
    return new_notebook(cells=[new_markdown_cell("# Title\n\nText"), *cells])


def test_a_lesson_shows_readers_nothing_that_is_for_machines():
    recorded = new_output("display_data", {MIME_TYPE: {"error_px": 1.0}, "text/plain": "recorded: error_px = 1.0"})
    printed = new_output("stream", text="1.0\n")
    install = new_code_cell("%pip install ...", metadata={"tags": ["colab"]})
    measured = new_code_cell("# NBVAL_CHECK_OUTPUT\nprint(error)", outputs=[printed, recorded])
    before = notebook(install, measured)
    first, second = for_readers(before, LESSON).cells
    assert first.source.startswith("# 04 · Title\n")
    assert first.source.endswith("\nText")
    assert (second.source, second.outputs) == ("print(error)", [printed])
    assert len(before.cells) == 3, "the notebook itself stays as it is"


def test_a_lesson_can_be_opened_elsewhere():
    assert launchers(LESSON) == {
        "Open in Colab": "https://colab.research.google.com/github/lumbar/lumbar/blob/main/notebooks/04_train.ipynb",
        "Open in Binder": "https://mybinder.org/v2/gh/lumbar/lumbar/main?labpath=notebooks%2F04_train.ipynb",
        "Source": "https://github.com/lumbar/lumbar/blob/main/notebooks/04_train.ipynb",
    }


def test_each_command_is_listed_with_all_its_arguments():
    listed = {command.verb: command for command in commands()}
    assert list(listed) == list(VERBS)
    predict = listed["predict"]
    assert predict.usage == "python -m lumbar predict [OPTIONS] FILE_OR_FOLDER [FILE_OR_FOLDER ...]"
    assert list(predict.groups) == ["positional arguments", "options", "other formats of the same points"]
    (engine,) = (argument for argument in predict.groups["options"] if argument.name == "engine")
    assert engine.spelling == "--engine {onnx,keras}"
    assert engine.help.endswith("(default: onnx)")
    assert listed["doctor"].groups == {}


@pytest.mark.parametrize("verb", VERBS)
def test_the_listed_arguments_are_those_that_the_help_names(verb, capsys):
    (command,) = (command for command in commands() if command.verb == verb)
    with pytest.raises(SystemExit):
        importlib.import_module("lumbar.cli.main").main([verb, "--help"])
    flags = set(re.findall(r"^  (--[\w-]+)", capsys.readouterr().out, re.MULTILINE)) - {"--help"}
    listed = {f"--{argument.name}" for arguments in command.groups.values() for argument in arguments}
    assert flags <= listed


def test_a_folder_with_something_else_in_it_is_not_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="something else"):
        build(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


@pytest.fixture(scope="session")
def site(tmp_path_factory, worker_id):
    """The parsed pages of the site. One process builds it for all, without a network."""
    if not all(map(find_spec, extras.PACKAGES["site"])):
        pytest.skip(f"needs the extra site: {extras.how_to_install('site')}")
    from bs4 import BeautifulSoup

    session = tmp_path_factory.getbasetemp()
    folder = (session if worker_id == "master" else session.parent) / "site"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            page = tmp_path_factory.mktemp("browser") / "page.html"
            page.write_text("<h1>Try it</h1>")
            command = [sys.executable, "-c", OFFLINE, "--out", folder, "--page", page]
            built = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=600)
            assert built.returncode == 0, built.stderr
    return {page: BeautifulSoup(page.read_text("utf-8"), "html.parser") for page in sorted(folder.rglob("*.html"))}


def folder_of(site) -> Path:
    return min((page.parent for page in site if page.name == "index.html"), key=lambda folder: len(folder.parts))


@pytest.mark.slow
def test_the_site_has_every_page(site):
    there = {page.relative_to(folder_of(site)).with_suffix("").as_posix() for page in site}
    lessons = {path.relative_to(REPOSITORY).with_suffix("").as_posix() for path in NOTEBOOKS}
    assert (
        lessons | {"index", "search", "browser/index", "docs/glossary", "docs/slides", "docs/commands", "docs/results"}
        <= there
    )


@pytest.mark.slow
def test_the_start_page_links_to_every_lesson_and_to_the_page_in_the_browser(site):
    start = site[folder_of(site) / "index.html"]
    linked = {link["href"] for link in start.select("article a")}
    lessons = {path.relative_to(REPOSITORY).with_suffix(".html").as_posix() for path in NOTEBOOKS}
    assert linked >= lessons | {"browser/index.html"}
    assert len(start.select(".lesson img")) == len(NOTEBOOKS)


@pytest.mark.slow
def test_each_lesson_has_a_slide_with_its_figure_its_result_and_a_question(site):
    page = folder_of(site) / "docs" / "slides.html"
    slides = site[page].select("section.slide")
    assert [slide.h2.a["href"] for slide in slides] == [f"../notebooks/{path.stem}.html" for path in NOTEBOOKS]
    for path, slide in zip(NOTEBOOKS, slides, strict=True):
        shown, asked = read_highlight(path), read_quiz(path.stem[:2])[0]
        assert slide.select_one(".result").text == shown.result
        assert slide.img["alt"] == shown.cover.alt
        with Image.open(page.parent / slide.img["src"]) as figure:
            assert figure.width >= shown.cover.width
        choices = slide.select("details:not([open])")
        assert [choice.summary.text for choice in choices] == [each.text.replace("`", "") for each in asked.choices]
    assert not site[page].select("script")
    assert site[folder_of(site) / "index.html"].select(".sidebar-tree a[href='docs/slides.html']")


@pytest.mark.slow
def test_no_link_of_the_site_is_dead(site):
    ids = {page: {element["id"] for element in html.find_all(id=True)} for page, html in site.items()}
    dead = []
    for page, html in site.items():
        for link in {element["href"] for element in html.find_all("a", href=True)}:
            parts = urlsplit(link)
            if not parts.scheme:
                target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
                if not target.exists() or (parts.fragment and unquote(parts.fragment) not in ids[target]):
                    dead.append((page.name, link))
    assert dead == []


@pytest.mark.slow
def test_no_page_loads_anything_from_elsewhere(site):
    loaded = {
        element.get("src") or element.get("href")
        for html in site.values()
        for element in html.select("[src], link[href]:not([rel=next], [rel=prev], [rel=index], [rel=search])")
    }
    assert len(loaded) > 50
    assert [address for address in loaded if urlsplit(address).scheme not in ("", "data") or address[:2] == "//"] == []
    styles = "\n".join(file.read_text("utf-8") for file in folder_of(site).rglob("*.css"))
    assert re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^)]*", styles) == []


@pytest.mark.slow
def test_each_figure_has_its_text_alternative(site):
    for path in NOTEBOOKS:
        page = site[folder_of(site) / path.relative_to(REPOSITORY).with_suffix(".html")]
        figures = [image.get("alt", "") for image in page.select("div.cell_output img")]
        assert figures
        assert set(figures) == set(alternatives(nbformat.read(path, as_version=4)).values())
    images = [image for page in site.values() for image in page.select("article img")]
    assert [image["src"] for image in images if len(image.get("alt", "").split()) < 3] == []


@pytest.mark.slow
def test_a_lesson_has_its_buttons_its_folded_solutions_and_links_to_the_glossary(site):
    for path in NOTEBOOKS:
        page = site[folder_of(site) / path.relative_to(REPOSITORY).with_suffix(".html")]
        buttons = {link.text: link["href"] for link in page.select(".launchers a")}
        assert buttons == launchers(path.relative_to(REPOSITORY))
        solutions = [details for details in page.select("article details") if details.summary.text == "Solution"]
        assert len(solutions) >= 2
        assert not any(details.has_attr("open") for details in solutions)
        assert page.select("a.term[href^='../docs/glossary.html#']")
        assert not re.search("NBVAL_CHECK_OUTPUT|recorded: .* = ", "\n".join(pre.text for pre in page.select("pre")))


@pytest.mark.slow
def test_the_site_can_be_searched(site):
    index = (folder_of(site) / "searchindex.js").read_text("utf-8")
    assert index.startswith("Search.setIndex(")
    assert all(word in index for word in ("docs/glossary", "notebooks/05_evaluate", "heatmap"))
