"""Reports as one HTML page: pictures embedded, no script, nothing fetched from anywhere.

`lumbar.reports.points` shows what a network found in pictures, `lumbar.reports.run` what a training came to.
"""

from __future__ import annotations

from pathlib import Path

from lumbar.core.errors import RunError
from lumbar.runs.folder import run_folder

PICTURES = 60
"""Pictures shown at most, if nobody says otherwise; a page of so many takes about 3 MB."""


def write(what: Path, out: Path, *, pictures: int = PICTURES) -> Path:
    """Write the report.

    Args:
        what: A file of points as ``predict`` writes it (CSV, or JSON, which knows more), or a run's folder or name.
        out: Where to.
        pictures: How many pictures a report of points shows at most, the flagged ones first.

    Returns:
        `out`.

    Raises:
        RunError: If there is neither such a file nor such a run.
        DatasetError, TableError: If the file holds no points.
    """
    from lumbar.reports import page

    if what.is_file():
        from lumbar.reports import points

        return page.write(out, "points.html.j2", points.content(what, pictures))
    if what.suffix.lower() in (".csv", ".json"):
        raise RunError("there is no such file of points", file=what, remedy="write it: python -m lumbar predict …")
    from lumbar.reports import run

    return page.write(out, "run.html.j2", run.content(run_folder(what)))
