"""Execute a notebook without a browser, with given parameters, and report the outcome."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lumbar.core.constants import HEADLESS
from lumbar.core.paths import REPOSITORY
from lumbar.course.notebook import KERNEL
from lumbar.storage.files import atomic_write

CELL_TIMEOUT_SECONDS = 3600
"""Time limit of a cell; the documented training of 50 epochs takes much less."""

TEMPLATE = """{% extends 'lab/index.html.j2' %}
{%- block data_png scoped -%}
{%- set text = output | get_metadata('alt', 'image/png') -%}
{{ super() | replace('<img ', '<img alt="' ~ (text | escape_html) ~ '" ') if text else super() }}
{%- endblock data_png -%}
"""
"""The page template of nbconvert, extended to use the text alternative in the metadata of a figure."""


@dataclass(frozen=True)
class Executed:
    """The outcome of one notebook.

    Args:
        name: Name of the notebook, without its suffix.
        complete: Whether all cells were executed without an error.
        minutes: Duration.
        recorded: Values that the notebook recorded.
        error: The error that stopped it, or "".
    """

    name: str
    complete: bool
    minutes: float
    recorded: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def state(self) -> str:
        """Whether the notebook is "done" or has "FAILED", in one word for a table."""
        return "done" if self.complete else "FAILED"


def execute(
    source: Path,
    target: Path,
    parameters: Mapping[str, Any],
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    progress: bool = True,
) -> Executed:
    """Execute a notebook; write the executed notebook and an HTML page when it has ended, even if a cell failed.

    Args:
        source: The notebook; it is not changed.
        target: Path NAME.ipynb of the executed notebook; its page is written to NAME.html in the same folder.
        parameters: Values for the parameters in the cell tagged ``parameters``.
        folder: Current folder of the notebook's process.
        environment: Environment variables of that process; by default those of this one.
        progress: Whether to show a progress bar over the cells.

    Returns:
        The outcome. An error in the notebook is part of it and is not raised.

    Raises:
        OutputError: If the results cannot be written.
    """
    import nbformat
    import papermill
    from nbclient.exceptions import CellTimeoutError

    from lumbar.course.exercises import recorded

    begin, error = time.perf_counter(), ""
    with atomic_write(target) as unfinished:
        try:
            papermill.execute_notebook(
                _literal(source),
                _literal(unfinished),
                parameters=dict(parameters),
                engine_name=_engine(),
                kernel_name=KERNEL["name"],
                language=KERNEL["language"],
                progress_bar=progress,
                folder=str(folder),
                environment=_surroundings(os.environ if environment is None else environment),
            )
        except papermill.PapermillExecutionError as failure:
            error = " ".join(f"cell {failure.exec_count}: {failure.ename}: {failure.evalue}".split()).rstrip(":")
        except (CellTimeoutError, RuntimeError) as failure:  # a kernel that dies or does not start raises RuntimeError
            error = f"{type(failure).__name__}: {str(failure).strip()}".splitlines()[0]
    minutes = round((time.perf_counter() - begin) / 60, 2)
    notebook = nbformat.read(target, as_version=4)
    with atomic_write(target.with_suffix(".html")) as page:
        page.write_text(as_page(notebook, target.stem), encoding="utf-8")
    return Executed(source.stem, not error, minutes, recorded(notebook), error)


def _surroundings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a notebook's process: it imports this very package, and nobody watches it."""
    paths = [str(REPOSITORY), environment.get("PYTHONPATH")]
    return {**environment, HEADLESS: "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _literal(path: Path) -> str:
    """Return a path for papermill, which takes braces in a path for the names of parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


@functools.cache
def _engine() -> str:
    """Return the name of an engine for papermill that sets the current folder and environment of the kernel only.

    papermill's own engine changes the current folder of this whole process, in which other threads may start kernels.
    """
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine, papermill_engines

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, *, folder, environment, **_):
            metadata = nb_man.nb.metadata
            metadata["kernelspec"] = KERNEL | metadata.get("kernelspec", {})  # JupyterLab would ask for a kernel
            client = PapermillNotebookClient(nb_man, timeout=CELL_TIMEOUT_SECONDS, kernel_name=kernel_name)
            with tempfile.TemporaryFile("w+", errors="replace") as log:  # stderr of the process, not of its cells
                try:
                    client.execute(cwd=folder, env=environment, stderr=log)
                except RuntimeError:  # the kernel died: its messages help to find the cause
                    log.seek(0)
                    sys.stderr.write(log.read())
                    raise

    papermill_engines.register("lumbar", Engine)
    return "lumbar"


def as_page(notebook: Any, title: str) -> str:
    """Return an executed notebook as one HTML page, whose figures have their text alternatives.

    Args:
        notebook: The notebook, as nbformat reads it.
        title: Title of the page.
    """
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(extra_loaders=[DictLoader({"notebook.html.j2": TEMPLATE})])
    exporter.template_file = "notebook.html.j2"
    return exporter.from_notebook_node(notebook, {"metadata": {"name": title}})[0]
