"""``python -m lumbar fetch``: download a public data set."""

from __future__ import annotations

import argparse

from lumbar.download import fetch
from lumbar.download.catalogue import SETS, find


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    names = ", ".join(known.name for known in SETS if known.fetchable)
    parser.add_argument("name", metavar="NAME", help=f"{names}; `python -m lumbar datasets` describes them")
    parser.add_argument(
        "--only", nargs="+", default=(), metavar="FILE", help="download only these files of the data set"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the licence and the size, download the data set, and print the next step."""
    known = find(arguments.name)
    if known.fetchable:
        print(f"{known.title}\n  licence: {known.licence}\n  size: {known.size}\n  to: {known.place}", flush=True)
    place = fetch(arguments.name, only=tuple(arguments.only))
    print(f"The data set is in {place}\nNext: python -m lumbar check {place}")
    return 0
