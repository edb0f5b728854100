"""``python -m lumbar crossvalidate``: train a network for each fold of the patients."""

from __future__ import annotations

import argparse

from lumbar.cli.train import settings_of
from lumbar.core.schema import add_flags, from_flags
from lumbar.runs.settings import CrossvalidationSettings, TrainingSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the cross-validation, and those of the training of each fold."""
    add_flags(parser.add_argument_group("cross-validation"), CrossvalidationSettings)
    add_flags(parser.add_argument_group("training of each fold"), TrainingSettings, skip=("name", "fold"))


def run(arguments: argparse.Namespace) -> int:
    """Train and evaluate all folds, and print the table."""
    from lumbar.experiments.crossvalidation import crossvalidate

    training = {name: value for name, value in vars(arguments).items() if name != "name"}
    found = crossvalidate(from_flags(CrossvalidationSettings, arguments), settings_of(argparse.Namespace(**training)))
    print(found)
    print(f"\nThe networks of the folds, points.csv and suspicious_labels.csv are in {found.folder}")
    return 0
