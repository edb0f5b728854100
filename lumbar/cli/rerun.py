"""``python -m lumbar rerun``: repeat a training and compare the results."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder, or its name under runs/; it is not changed")
    parser.add_argument(
        "--name",
        help="folder of the new run under runs/ (default: the name of the run, with -rerun and a number added)",
    )
    parser.add_argument("--data", type=Path, metavar="PATH", help="folder of the data set of the run, if it was moved")
    parser.add_argument(
        "--extra",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="folders of the further data sets of the run, in their order, if they were moved",
    )
    parser.epilog = (
        "The exit code is 0 if weights, optimizer, history and metrics are identical to the bit. Otherwise it is 1, "
        "and the command prints how far they differ and what has changed: versions, code, processor or threads. "
        "Results are identical on one machine with the same versions and thread settings; on other machines the last "
        "digits differ."
    )


def run(arguments: argparse.Namespace) -> int:
    """Train again, and print the comparison; return 0 if the results are identical, else 1."""
    from lumbar.experiments.rerun import rerun

    extra = None if arguments.extra is None else tuple(arguments.extra)
    comparison = rerun(arguments.run, name=arguments.name, data=arguments.data, extra=extra)
    print(comparison)
    return 0 if comparison.same else 1
