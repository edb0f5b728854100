"""What an executed notebook shows for itself on the page of the course: its title, a picture, and its result in words.

The picture is the first figure of the cell tagged ``cover``. The result is a sentence in the notebook's metadata, under
``lumbar`` and ``result``, with the names of recorded values in braces: "the network is {radial_px:.1f} px off".
"""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lumbar.course.exercises import recorded
from lumbar.reports.page import Embedded, embed

if TYPE_CHECKING:
    import nbformat

WIDTH = 640
"""Largest width of the picture on the page of the course, pixels."""

_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Highlight:
    """What a notebook shows for itself.

    Args:
        title: Its first heading; "" without one.
        result: The sentence, with the recorded values; "" without one, and if a value was not recorded.
        cover: The picture; None without one.
    """

    title: str = ""
    result: str = ""
    cover: Embedded | None = None


def read_highlight(executed: Path, width: int = WIDTH) -> Highlight:
    """Return what an executed notebook shows for itself; nothing if there is no such file.

    Args:
        executed: The notebook.
        width: Largest width and height of the picture, pixels; a smaller one stays as it is.
    """
    import nbformat

    if not executed.is_file():
        return Highlight()
    notebook = nbformat.read(executed, as_version=4)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    title = _TITLE.search(prose)
    return Highlight(title[1] if title else "", _result(notebook), _cover(notebook, width))


def _result(notebook: nbformat.NotebookNode) -> str:
    try:
        return notebook.metadata.get("lumbar", {}).get("result", "").format_map(recorded(notebook))
    except KeyError:  # the notebook failed before it recorded the value
        return ""


def _cover(notebook: nbformat.NotebookNode, width: int) -> Embedded | None:
    from PIL import Image

    for cell in notebook.cells:
        if "cover" not in cell.metadata.get("tags", ()):
            continue
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                image = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
                image.thumbnail((width, width))
                return embed(image, output.metadata.get("image/png", {}).get("alt", ""))
    return None
