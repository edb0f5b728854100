"""Read a notebook of any origin: written by JupyterLab, by a converter or by hand, with or without a kernel's name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from lumbar.core.errors import SettingsError

if TYPE_CHECKING:
    import nbformat

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
"""The kernel that executes notebooks, as the metadata of a notebook describe it."""


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """Return a notebook of format 4. It need not name its kernel or language; it is then taken to be in Python.

    Raises:
        SettingsError: If the file is not such a notebook, or is a notebook in another language.
    """
    import nbformat

    try:
        text = path.read_text(encoding="utf-8")
        if json.loads(text)["nbformat"] != 4:
            raise ValueError("another format")
        notebook = nbformat.reads(text, as_version=4)
        for cell in notebook.cells:
            _ = cell.cell_type, cell.source, "" in cell.metadata.get("tags", ())
        language = notebook.metadata.get("language_info", {}).get("name")
        language = language or notebook.metadata.get("kernelspec", {}).get("language") or KERNEL["language"]
    except (nbformat.ValidationError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise SettingsError(
            "this is not a notebook", file=path, expected="a Jupyter notebook of format 4 (.ipynb)"
        ) from error
    if "python" not in str(language).lower():
        raise SettingsError("this notebook is not in Python", file=path, found=language, expected=KERNEL["language"])
    return notebook


def offered_parameters(path: Path) -> dict[str, str]:
    """Return the parameters of a notebook: name → default, as its cell tagged ``parameters`` states it.

    Raises:
        SettingsError: If the file is not a notebook in Python.
    """
    from papermill.translators import PythonTranslator

    for cell in read_notebook(path).cells:
        if "parameters" in cell.metadata.get("tags", ()):
            return {each.name: each.default for each in PythonTranslator.inspect(cell)}
    return {}
