"""What a failed notebook test leaves to look at: the executed notebook, and how it differs from the committed one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbdime import diff_notebooks
from nbdime.diffing.notebooks import set_notebook_diff_targets
from nbdime.prettyprint import PrettyPrintConfig, pretty_print_notebook_diff

from lumbar.core.paths import REPOSITORY

FOLDER = REPOSITORY / "build" / "failed-notebooks"


@contextmanager
def kept(committed: Path, executed: Path) -> Iterator[None]:
    """Keep the executed notebook and the differences if the block fails, and print where they are.

    Args:
        committed: The notebook as it is in the repository.
        executed: Where the block, or who calls it, writes it after execution.
    """
    try:
        yield
    except Exception:
        if executed.is_file():
            print(f"the executed notebook and how it differs from the committed one: {keep(committed, executed)}.*")
        raise


def keep(committed: Path, executed: Path) -> Path:
    """Write NAME.ipynb and NAME.diff into `FOLDER`; return their path without the ending."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    before, after = (nbformat.read(path, as_version=4) for path in (committed, executed))
    set_notebook_diff_targets(metadata=False)
    text = io.StringIO()
    shown = PrettyPrintConfig(out=text, use_color=False)
    pretty_print_notebook_diff(committed, executed, before, diff_notebooks(before, after), shown)
    nbformat.write(after, FOLDER / committed.name)
    (FOLDER / committed.name).with_suffix(".diff").write_text(text.getvalue(), encoding="utf-8")
    return FOLDER / committed.stem
