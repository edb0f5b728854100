"""``python -m lumbar check``: report the content of a data set and what is wrong with it."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    parser.add_argument("path", type=Path, metavar="PATH", help="folder of a data set, as made or downloaded")


def run(arguments: argparse.Namespace) -> int:
    """Print the content of the data set and its problems; return 1 if there are problems, else 0."""
    from lumbar.datasets.inspection import inspect

    inspection = inspect(arguments.path)
    print(inspection)
    return 0 if inspection.ok else 1
