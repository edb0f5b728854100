"""``python -m lumbar doctor``."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The doctor asks nothing."""


def run(arguments: argparse.Namespace) -> int:
    """Print one line for each requirement; 1 if any is not met."""
    from lumbar.doctor import examine

    healthy = True
    for finding in examine():
        print(finding, flush=True)
        healthy &= finding.ok
    print("All is well." if healthy else "Something is missing: see the lines marked [FAIL].")
    return 0 if healthy else 1
