"""``python -m lumbar evaluate`` and ``python evaluate.py``: measure a trained network."""

from __future__ import annotations

import argparse

from lumbar.core.schema import add_flags, from_flags
from lumbar.runs.settings import EvaluationSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one flag for each evaluation setting."""
    add_flags(parser, EvaluationSettings)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate the run, and print the table of errors."""
    from lumbar.evaluation import evaluate

    print(evaluate(from_flags(EvaluationSettings, arguments)))
    return 0
