"""``python -m lumbar evaluate`` (= ``python evaluate.py``)."""

from __future__ import annotations

import argparse

from lumbar.core.settings import add_flags, from_flags
from lumbar.runs.settings import EvaluationSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One flag for each evaluation setting."""
    add_flags(parser, EvaluationSettings)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, and print the table."""
    from lumbar.evaluation import evaluate

    print(evaluate(from_flags(EvaluationSettings, arguments)))
    return 0
