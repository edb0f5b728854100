"""Notebooks executed headless with parameters of one's own: checked before, and what came of it told afterwards."""

from __future__ import annotations

import ast
import functools
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lumbar.core.errors import SettingsError
from lumbar.storage.files import atomic_write

CELL_TIMEOUT_SECONDS = 3600
"""A cell that takes longer hangs; the documented 50-epoch training stays well below."""

DESCRIBED = """{% extends 'lab/index.html.j2' %}
{%- block data_png scoped -%}
{%- set text = output | get_metadata('alt', 'image/png') -%}
{{ super() | replace('<img ', '<img alt="' ~ (text | escape_html) ~ '" ') if text else super() }}
{%- endblock data_png -%}
"""
"""nbconvert's usual page, whose template for pictures overlooks the text alternative in a figure's metadata."""


@dataclass(frozen=True)
class Executed:
    """One executed notebook: its name, whether it ran through, minutes, recorded values, and the error if not."""

    name: str
    complete: bool
    minutes: float
    recorded: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def state(self) -> str:
        """One word for a table."""
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
    """Execute a notebook; it and its page appear when it has ended, whether or not it ran through.

    Args:
        source: The notebook; it is left as it is.
        target: NAME.ipynb to write the executed notebook to; its page, NAME.html, stands beside it.
        parameters: Values for the cell tagged ``parameters``.
        folder: In which the notebook's process works.
        environment: Variables of that process; those of this one if left out.
        progress: Show a bar over the cells.

    Raises:
        OutputError: If the system will not have the results written. What goes wrong in the notebook is told, not
            raised.
    """
    import nbformat
    import papermill
    from nbclient.exceptions import CellTimeoutError

    from lumbar.course.exercises import recorded

    begin, error = time.perf_counter(), ""
    with atomic_write(target) as unfinished:
        try:
            papermill.execute_notebook(
                str(source),
                str(unfinished),
                parameters=dict(parameters),
                engine_name=_engine(),
                kernel_name="python3",
                progress_bar=progress,
                folder=str(folder),
                environment=dict(os.environ if environment is None else environment),
            )
        except papermill.PapermillExecutionError as failure:
            error = " ".join(f"cell {failure.exec_count}: {failure.ename}: {failure.evalue}".split()).rstrip(":")
        except (CellTimeoutError, RuntimeError) as failure:  # also of a kernel that dies, or does not start
            error = f"{type(failure).__name__}: {str(failure).strip()}".splitlines()[0]
    minutes = round((time.perf_counter() - begin) / 60, 2)
    notebook = nbformat.read(target, as_version=4)
    with atomic_write(target.with_suffix(".html")) as page:
        page.write_text(as_page(notebook, target.stem), encoding="utf-8")
    return Executed(source.stem, not error, minutes, recorded(notebook), error)


@functools.cache
def _engine() -> str:
    """Name of papermill's own engine, but that a kernel's folder and environment are the kernel's alone.

    papermill would change the folder of this whole process, in which other threads may start other kernels.
    """
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine, papermill_engines

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, *, folder, environment, **_):
            client = PapermillNotebookClient(nb_man, timeout=CELL_TIMEOUT_SECONDS, kernel_name=kernel_name)
            with tempfile.TemporaryFile("w+", errors="replace") as remarks:  # of the process, none of a cell's output
                try:
                    client.execute(cwd=folder, env=environment, stderr=remarks)
                except RuntimeError:  # it died: now they help
                    remarks.seek(0)
                    sys.stderr.write(remarks.read())
                    raise

    papermill_engines.register("lumbar", Engine)
    return "lumbar"


def as_page(notebook: Any, title: str) -> str:
    """An executed notebook as one HTML page; its figures carry their text alternatives."""
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(extra_loaders=[DictLoader({"described.html.j2": DESCRIBED})])
    exporter.template_file = "described.html.j2"
    return exporter.from_notebook_node(notebook, {"metadata": {"name": title}})[0]


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; an empty file holds an empty one.

    Raises:
        SettingsError: If the file is no YAML, holds something else, or says a name twice: YAML would keep the last.
    """
    import yaml

    text = path.read_text(encoding="utf-8")
    try:
        root, content = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError("this is not YAML", file=path, found=" ".join(str(error).split())) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError("the file does not hold a mapping", file=path, expected="NAME: value, one a line")
    names = [name.value for name, _ in root.value]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError("the same name stands there twice", file=path, field=name, expected="each name once")
    return content


def check_parameters(source: Path, values: Mapping[str, Sequence[Any]], *, file: Path) -> None:
    """Make sure that a notebook reads these parameters; papermill itself only warns and goes on.

    Args:
        source: The notebook.
        values: Parameter → values that it is to be given.
        file: Where they were read, for the message.

    Raises:
        SettingsError: If it has no such parameter, or a number is wanted and text stands there.
    """
    import papermill

    offered = papermill.inspect_notebook(str(source))
    for name, given in values.items():
        if name not in offered:
            raise SettingsError(
                f"{source.stem} has no such parameter",
                file=file,
                field=str(name),
                expected=", ".join(offered) or "no parameters at all",
                remedy="see its cell tagged `parameters`",
            )
        text = next((value for value in given if isinstance(value, str)), None)
        if text is not None and _is_number(offered[name]["default"]):
            raise SettingsError(
                "this parameter is a number",
                file=file,
                field=name,
                found=repr(text),
                expected=f"a number like {offered[name]['default']}",
                remedy="YAML reads 1e-3 as text; write 1.0e-3 or 0.001",
            )


def _is_number(literal: str) -> bool:
    try:
        value = ast.literal_eval(literal)
    except (ValueError, SyntaxError):
        return False
    return isinstance(value, (int, float)) and not isinstance(value, bool)
