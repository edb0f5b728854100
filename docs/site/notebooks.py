"""An executed notebook as a page: without what only machines need, with buttons that open it elsewhere."""

from __future__ import annotations

import copy
import hashlib
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from lumbar.core.extras import SOURCE
from lumbar.course.exercises import MIME_TYPE

if TYPE_CHECKING:
    from nbformat import NotebookNode

BRANCH = "main"

FOR_TESTS = "# NBVAL_CHECK_OUTPUT"
"""First line of the cells whose output a test compares."""


def for_readers(notebook: NotebookNode, path: Path) -> NotebookNode:
    """Return a copy of a notebook that shows what a reader wants to see.

    It has no cell that installs the course on Colab, no comments that steer tests, and no outputs in which a lesson
    records values for tests. Its title begins with its number, as the lessons refer to each other by numbers. Below the
    title are buttons that open it on Colab and Binder, and its source.

    Args:
        notebook: The executed notebook.
        path: Its path in the repository.
    """
    page = copy.deepcopy(notebook)
    page.cells = [cell for cell in page.cells if "colab" not in cell.metadata.get("tags", ())]
    for cell in page.cells:
        if cell.cell_type == "code":
            cell.source = "\n".join(line for line in cell.source.splitlines() if line.strip() != FOR_TESTS)
            cell.outputs = [output for output in cell.outputs if MIME_TYPE not in output.get("data", {})]
    title, _, rest = page.cells[0].source.removeprefix("# ").partition("\n")
    page.cells[0].source = f"# {path.name[:2]} · {title}\n\n{_buttons(path)}\n{rest}"
    return page


def alternatives(notebook: NotebookNode) -> dict[str, str]:
    """Return the text alternatives of a notebook's figures, by the SHA-256 of each figure's bytes."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return {
        hashlib.sha256(b64decode(output.data["image/png"])).hexdigest(): output.metadata["image/png"]["alt"]
        for output in outputs
        if "alt" in output.get("metadata", {}).get("image/png", {})
    }


def launchers(path: Path) -> dict[str, str]:
    """Return where a notebook can be opened: the button's text → its address."""
    owner_and_name = SOURCE.removeprefix("https://github.com/")
    file = path.as_posix()
    return {
        "Open in Colab": f"https://colab.research.google.com/github/{owner_and_name}/blob/{BRANCH}/{file}",
        "Open in Binder": f"https://mybinder.org/v2/gh/{owner_and_name}/{BRANCH}?labpath={quote(file, safe='')}",
        "Source": f"{SOURCE}/blob/{BRANCH}/{file}",
    }


def _buttons(path: Path) -> str:
    links = (f'<a href="{address}">{text}</a>' for text, address in launchers(path).items())
    return f'<p class="launchers">{" ".join(links)}</p>'
