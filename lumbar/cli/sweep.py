"""``python -m lumbar sweep``: execute a notebook for each combination of parameters."""

from __future__ import annotations

import argparse
from pathlib import Path

from lumbar.course.grid import read_grid


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    parser.add_argument(
        "notebook",
        metavar="NOTEBOOK",
        help="path of a notebook, or the beginning of the name of a notebook of the course, e.g. 04",
    )
    parser.add_argument(
        "--grid",
        type=Path,
        metavar="FILE",
        required=True,
        help="YAML file of lines PARAMETER: [value, value, …]; each combination of values is executed",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="folder for the executed notebooks, sweep.csv and sweep.png (default: a folder below runs/sweeps/, named "
        "after the notebook and the grid)",
    )
    parser.add_argument(
        "--workers",
        type=_at_least_one,
        default=1,
        metavar="N",
        help="notebooks to execute at the same time, each with its share of the cores (default: 1, because a training "
        "uses all cores)",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="use the workers of this Dask cluster, one notebook per thread, e.g. tcp://10.0.0.5:8786; use a cluster "
        "that you trust and whose workers see the folder of the notebook and --out under the same paths",
    )
    parser.add_argument(
        "--metric",
        nargs="+",
        metavar="NAME",
        help="recorded numbers to plot, or minutes (default: all recorded numbers that differ)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Execute the missing combinations and print the table; return 1 if one failed, else 0."""
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
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
