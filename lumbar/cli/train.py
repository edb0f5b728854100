"""``python -m lumbar train`` (= ``python train.py``)."""

from __future__ import annotations

import argparse

from lumbar.core.settings import add_flags, from_flags
from lumbar.runs.settings import TrainingSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One flag for each training setting."""
    add_flags(parser, TrainingSettings)


def run(arguments: argparse.Namespace) -> int:
    """Train, and say where the run is and what to do with it."""
    from lumbar.training.job import train

    run_folder = train(from_flags(TrainingSettings, arguments))
    print(f"The run is in {run_folder}\nNext: python evaluate.py --run {run_folder}")
    return 0
