"""``python -m lumbar fetch``."""

from __future__ import annotations

import argparse

from lumbar.download import fetch
from lumbar.download.catalogue import SETS, find


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which set, and which of its files."""
    names = ", ".join(known.name for known in SETS if known.fetchable)
    parser.add_argument("name", metavar="NAME", help=f"{names}; `python -m lumbar datasets` says what they are")
    parser.add_argument("--only", nargs="+", default=(), metavar="FILE", help="only these of the set's files")


def run(arguments: argparse.Namespace) -> int:
    """Say what comes under which licence, download it, and say what to do next."""
    known = find(arguments.name)
    if known.fetchable:
        print(f"{known.title}\n  licence: {known.licence}\n  size: {known.size}\n  to: {known.place}", flush=True)
    place = fetch(arguments.name, only=tuple(arguments.only))
    print(f"The data set is in {place}\nNext: python -m lumbar check {place}")
    return 0
