"""``python -m lumbar train`` and ``python train.py``: train a network."""

from __future__ import annotations

import argparse

from lumbar.core.schema import add_flags, from_flags
from lumbar.runs.settings import TrainingSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one flag for each training setting."""
    add_flags(parser, TrainingSettings)


def run(arguments: argparse.Namespace) -> int:
    """Train the network, and print the folder of the run and the next step."""
    from lumbar.training.job import train

    run_folder = train(from_flags(TrainingSettings, arguments))
    print(f"The run is in {run_folder}\nNext: python evaluate.py --run {run_folder}")
    return 0
