"""``python -m lumbar tune``: search for better settings."""

from __future__ import annotations

import argparse

from lumbar.cli.train import settings_of
from lumbar.core import paths
from lumbar.core.schema import add_flags, from_flags
from lumbar.runs.settings import TrainingSettings, TuningSettings, WorkerSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the search, of its processes, and of the settings that the search does not vary."""
    add_flags(parser.add_argument_group("search"), TuningSettings)
    add_flags(parser.add_argument_group("processes of the search"), WorkerSettings)
    add_flags(
        parser.add_argument_group("training: settings that the search does not vary"), TrainingSettings, skip=("name",)
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the search, train the best settings, and print the leaderboard."""
    from lumbar.experiments.tuning import pool
    from lumbar.experiments.tuning.search import leaderboard, tune

    settings, where = from_flags(TuningSettings, arguments), from_flags(WorkerSettings, arguments)
    if where.join:
        pool.join(paths.runs() / settings.name, where)
        print("The search has no more trials for this machine. The machine that started it prints the leaderboard.")
        return 0
    training = {name: value for name, value in vars(arguments).items() if name != "name"}
    best = tune(settings, settings_of(argparse.Namespace(**training)), where)
    print(leaderboard(best.parent).to_string(index=False, float_format="{:.4g}".format))
    print(f"The network with the best settings, trained again and evaluated, is in {best}")
    return 0
