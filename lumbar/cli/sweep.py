"""``python -m lumbar sweep``."""

from __future__ import annotations

import argparse
from pathlib import Path

from lumbar.course.grid import read_grid


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which notebook, which values, to where, and who does the work."""
    parser.add_argument(
        "notebook",
        metavar="NOTEBOOK",
        help="path of a notebook, or how the name of one of the course begins, e.g. 04",
    )
    parser.add_argument(
        "--grid",
        type=Path,
        metavar="FILE",
        required=True,
        help="YAML file of lines PARAMETER: [value, value, …]; all combinations are executed",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="folder for the executed notebooks, sweep.csv and sweep.png (default: one below runs/sweeps/ that this "
        "grid and notebook alone have)",
    )
    parser.add_argument(
        "--workers",
        type=_at_least_one,
        default=1,
        metavar="N",
        help="notebooks executed side by side, each with its share of the cores (default: 1, as a training uses all)",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="have the workers of this Dask cluster do it, one notebook a thread, e.g. tcp://10.0.0.5:8786; one that "
        "you trust, whose workers see the notebook's folder and --out under the same paths",
    )
    parser.add_argument(
        "--metric", nargs="+", metavar="NAME", help="recorded numbers to draw, or minutes (default: all that differ)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Execute what is missing and print the table; 1 if a combination failed."""
    from lumbar.course.runner import find
    from lumbar.course.sweep import sweep

    notebook = find(arguments.notebook)
    done = sweep(
        notebook,
        read_grid(arguments.grid, notebook),
        arguments.out,
        workers=arguments.workers,
        scheduler=arguments.scheduler,
        metrics=arguments.metric,
    )
    print(done)
    return 1 if done.failed else 0


def _at_least_one(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1 is needed")
    return number
