"""``python -m lumbar train`` and ``python train.py``: train a network."""

from __future__ import annotations

import argparse

from lumbar.core.schema import add_flags, from_dict, mentioned
from lumbar.runs.settings import TrainingSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one flag for each training setting."""
    add_flags(parser, TrainingSettings)


def run(arguments: argparse.Namespace) -> int:
    """Train the network, and print the folder of the run and the next step."""
    from lumbar.training.job import train

    run_folder = train(settings_of(arguments))
    print(f"The run is in {run_folder}\nNext: python evaluate.py --run {run_folder}")
    return 0


def settings_of(arguments: argparse.Namespace) -> TrainingSettings:
    """Return the settings of a training; what makes a network's architecture defaults to that of ``--weights``.

    Raises:
        RunError: If there is no network of that name.
        SettingsError: If a value is invalid.
    """
    given = mentioned(TrainingSettings, arguments)
    if given.get("weights"):
        from lumbar.weights import architecture

        given = architecture(given["weights"]) | given
    return from_dict(TrainingSettings, given)
