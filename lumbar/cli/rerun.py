"""``python -m lumbar rerun``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, and where its data are now."""
    parser.add_argument("run", type=Path, help="run folder, or its name under runs/; it is left as it is")
    parser.add_argument(
        "--name", help="name of the new run's folder under runs/ (default: the run's, with -rerun and a number added)"
    )
    parser.add_argument("--data", type=Path, help="where the run's data set lies now, if it was moved")
    parser.add_argument(
        "--extra", type=Path, nargs="+", help="where the run's further data sets lie now, in their order, if moved"
    )
    parser.epilog = (
        "The exit code is 0 if weights, optimizer, history and metrics are the same to the bit, and 1 if they are not; "
        "then it is said how far they differ, and what has changed: versions, code, processor, threads. Bits are "
        "reproducible on one machine with the same versions and settings of threads; elsewhere the last ones differ."
    )


def run(arguments: argparse.Namespace) -> int:
    """Train again, and print the comparison."""
    from lumbar.experiments.rerun import rerun

    extra = None if arguments.extra is None else tuple(arguments.extra)
    comparison = rerun(arguments.run, name=arguments.name, data=arguments.data, extra=extra)
    print(comparison)
    return 0 if comparison.same else 1
