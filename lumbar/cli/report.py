"""``python -m lumbar report``: write a report as an HTML page, on which a person can judge the points of each image."""

from __future__ import annotations

import argparse
from pathlib import Path

from lumbar import reports
from lumbar.storage.files import check_writable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    parser.add_argument(
        "what",
        type=Path,
        metavar="RUN_OR_POINTS",
        help="folder or name of a run, or points of `predict` (from --json, which contains more, or from --out)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", default=Path("report.html"), help="page to write (default: report.html)"
    )
    parser.add_argument(
        "--pictures",
        type=int,
        default=reports.PICTURES,
        metavar="N",
        help=f"largest number of images to show, flagged ones first (default: {reports.PICTURES})",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the page."""
    check_writable(arguments.out)
    out = reports.write(arguments.what, arguments.out, pictures=arguments.pictures)
    print(f"The report is {out}: one file that needs no internet connection")
    return 0
