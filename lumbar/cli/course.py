"""``python -m lumbar course``: execute the notebooks of the course in order, or copy them without solutions."""

from __future__ import annotations

import argparse
from pathlib import Path

from lumbar.core import paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="folder for the executed notebooks (default: runs/course)"
    )
    parser.add_argument(
        "--profile", type=Path, metavar="FILE", help="YAML file of parameters (default: those of the notebooks)"
    )
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="take only the notebooks whose names begin with one of these"
    )
    parser.add_argument(
        "--handout",
        type=Path,
        metavar="FOLDER",
        help="execute nothing: write the notebooks without solutions and outputs there, for a class",
    )


def run(arguments: argparse.Namespace) -> int:
    """Execute the notebooks and print a summary; return 1 if one of them failed, else 0."""
    from lumbar.course.runner import run_course, write_handouts

    if arguments.handout:
        written = write_handouts(arguments.handout, arguments.only)
        print(f"{arguments.handout}: {len(written)} notebooks without solutions and outputs")
        return 0
    summary = run_course(arguments.out or paths.runs() / "course", profile=arguments.profile, only=arguments.only)
    print(summary)
    return 0 if summary.complete else 1
