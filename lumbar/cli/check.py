"""``python -m lumbar check``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder to look at."""
    parser.add_argument("path", type=Path, metavar="PATH", help="folder of a data set, as it was made or downloaded")


def run(arguments: argparse.Namespace) -> int:
    """Print what the folder holds and what is wrong with it; 1 if anything is."""
    from lumbar.datasets.inspection import inspect

    inspection = inspect(arguments.path)
    print(inspection)
    return 0 if inspection.ok else 1
