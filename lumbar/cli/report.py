"""``python -m lumbar report``."""

from __future__ import annotations

import argparse
from pathlib import Path

from lumbar import reports
from lumbar.storage.files import claim


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of what, and to where."""
    parser.add_argument(
        "what",
        type=Path,
        metavar="RUN_OR_POINTS",
        help="a run's folder or name, or points of `predict` (--json, which knows more, or --out)",
    )
    parser.add_argument("--out", type=Path, default=Path("report.html"), help="page to write (default: report.html)")
    parser.add_argument(
        "--pictures",
        type=int,
        default=reports.PICTURES,
        metavar="N",
        help=f"pictures of points shown at most, flagged ones first (default: {reports.PICTURES})",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the page."""
    claim(arguments.out)
    out = reports.write(arguments.what, arguments.out, pictures=arguments.pictures)
    print(f"The report is {out}: one file, readable without a network")
    return 0
