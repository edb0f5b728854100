"""Copies the pages into one folder, and runs Sphinx there."""

from __future__ import annotations

import shutil
import tempfile
from base64 import b64decode
from pathlib import Path

import nbformat

from docs.site.notebooks import for_readers
from lumbar.core.errors import OutputError
from lumbar.core.paths import REPOSITORY
from lumbar.course.highlights import WIDTH, read_highlight
from lumbar.reports.page import Embedded

PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "data/README.md",
    "docs/*.md",
    "benchmarks/*.md",
    "lumbar/weights/*.md",
)
"""The pages that are written as Markdown, relative to the repository."""

PICTURES = ("docs/*.png", "benchmarks/*.png")
"""The pictures on them."""

LESSONS = "notebooks/[0-9][0-9]_*.ipynb"

SITE = Path(__file__).parent

OWN = {"index.md": "index.md", "commands.md": "docs/commands.md"}
"""Pages that exist on the site alone → where they are there."""

COVERS = {"covers": WIDTH, "slides": 1600}
"""Folder with a picture of each lesson → their largest width, pixels: on the start page, and on the slides."""

BROWSER = "browser"
"""Folder on the site of the page that finds points in the browser; and the tag by which ``index.md`` links to it."""


def build(out: Path, browser_page: Path | None = None) -> int:
    """Build the site in a folder. An earlier build there is replaced.

    Args:
        out: The folder of the finished pages.
        browser_page: An HTML file that finds points in the browser, and that the site shall contain.

    Returns:
        The exit code of Sphinx: 0, or 1 if it reported an error or a warning, such as a link without a target.

    Raises:
        OutputError: If the folder contains something else than an earlier build.
    """
    if out.exists() and any(out.iterdir()) and not (out / ".buildinfo").is_file():
        raise OutputError(f"{out} contains something else than an earlier build of the site. Name another folder.")
    from sphinx.cmd.build import build_main

    with tempfile.TemporaryDirectory(prefix="lumbar-site-") as folder:
        source, html = Path(folder) / "source", Path(folder) / "html"
        collect(source)
        tags = ("-t", BROWSER) if browser_page else ()
        failed = build_main([str(part) for part in ("-b", "html", "-c", SITE, "-W", "-q", *tags, source, html)])
        if html.is_dir():  # also with warnings, so that one can look at the page; not if Sphinx could not begin
            if browser_page:
                (html / BROWSER).mkdir()
                shutil.copyfile(browser_page, html / BROWSER / "index.html")
            shutil.rmtree(out, ignore_errors=True)
            shutil.move(html, out)
    return failed


def collect(source: Path) -> None:
    """Copy the pages and their pictures into a folder, each under its path in the repository."""
    written = [file for glob in (*PAGES, *PICTURES) for file in _files(glob)]
    contents = {file.relative_to(REPOSITORY): file.read_bytes() for file in written}
    contents |= {Path(there): (SITE / here).read_bytes() for here, there in OWN.items()}
    for lesson in _files(LESSONS):
        path = lesson.relative_to(REPOSITORY)
        notebook = for_readers(nbformat.read(lesson, as_version=4), path)
        contents[path] = nbformat.writes(notebook).encode()
        for folder, width in COVERS.items():
            if cover := read_highlight(lesson, width).cover:
                contents |= [collected_cover(lesson, cover, folder)]
    for path, content in contents.items():
        copy = source / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)


def collected_cover(lesson: Path, cover: Embedded, folder: str) -> tuple[Path, bytes]:
    """Return where the copies have the cover of a lesson, and its bytes.

    Args:
        lesson: The notebook.
        cover: Its cover.
        folder: One of `COVERS`.
    """
    kind, _, data = cover.address.removeprefix("data:image/").partition(";base64,")
    return Path(folder) / f"{lesson.stem}.{kind}", b64decode(data)


def _files(glob: str) -> list[Path]:
    return sorted(REPOSITORY.glob(glob))
