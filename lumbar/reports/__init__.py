"""Write reports as single HTML pages: images are embedded, and nothing is loaded from elsewhere or sent anywhere.

The page of points has one script, ``templates/quality.js``, by which a person judges each image; the policy of the page
names its digest and allows no other. The other pages have none.

`lumbar.reports.points` reports the points that a network found in images, `lumbar.reports.run` a trained network.
"""

from __future__ import annotations

from pathlib import Path

from lumbar.core.errors import RunError
from lumbar.runs.folder import run_folder

PICTURES = 60
"""Largest number of images on a page by default; such a page has about 3 MB."""


def write(what: Path, out: Path, *, pictures: int = PICTURES) -> Path:
    """Write the report on a file of points or on a run.

    Args:
        what: A file of points that ``predict`` has written (CSV, or JSON, which contains more), or the folder or name
            of a run.
        out: The page to write.
        pictures: Largest number of images in a report on points; flagged images come first.

    Returns:
        `out`.

    Raises:
        RunError: If there is neither such a file nor such a run.
        DatasetError: If the file does not contain points.
        TableError: If the points in the file are invalid.
        OutputError: If the page cannot be written.
    """
    from lumbar.reports import page

    if what.is_file():
        from lumbar.reports import points

        return page.write(out, "points.html.j2", points.content(what, pictures))
    if what.suffix.lower() in (".csv", ".json"):
        raise RunError("there is no such file of points", file=what, remedy="write it with: python -m lumbar predict …")
    from lumbar.reports import run

    return page.write(out, "run.html.j2", run.content(run_folder(what)))
