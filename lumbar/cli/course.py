"""``python -m lumbar course``."""

from __future__ import annotations

import argparse
from pathlib import Path

from lumbar.core import paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which notebooks, with which parameters, to where."""
    parser.add_argument("--out", type=Path, help="folder for the executed notebooks (default: runs/course)")
    parser.add_argument("--profile", type=Path, help="YAML file of parameters (default: those in the notebooks)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="run only the notebooks whose names begin like this")


def run(arguments: argparse.Namespace) -> int:
    """Execute the notebooks; 1 if one of them failed."""
    from lumbar.course.runner import run_course

    summary = run_course(arguments.out or paths.runs() / "course", profile=arguments.profile, only=arguments.only)
    print(summary)
    return 0 if summary.complete else 1
