"""``python -m lumbar predict``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lumbar.prediction import PredictionSettings
from lumbar.settings import add_flags, from_flags


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which pictures, with which network, to where."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE_OR_FOLDER", help="DICOM, PNG or JPEG")
    parser.add_argument("--out", type=Path, default=Path("points.csv"), help="table to write (default: points.csv)")
    parser.add_argument("--overlay", type=Path, metavar="FOLDER", help="also draw each picture with its points")
    add_flags(parser, PredictionSettings)


def run(arguments: argparse.Namespace) -> int:
    """Write the table, and the pictures if asked for; 1 if a file had to be left out."""
    from lumbar.files import write_table
    from lumbar.prediction import predict

    found = predict(arguments.paths, from_flags(PredictionSettings, arguments))
    write_table(arguments.out, found.table.round(4))
    print(f"{found.table['image'].nunique()} pictures, {len(found.table)} points: {arguments.out}")
    if arguments.overlay:
        from lumbar.figures.overlay import overlay

        print(f"The pictures with their points are in {overlay(found.table, arguments.overlay)}")
    if found.assumed:
        print(f"{len(found.assumed)} of them do not say which plane they show and were taken for sagittal; see --view")
    doubtful = found.table.loc[found.table["flagged"].astype(bool), "image"].nunique()
    if doubtful:
        print(f"{doubtful} of them are flagged: look at those points before you use them")
    print(f"{'The network was trained on synthetic patients only. ' if found.synthetic else ''}Not for diagnosis.")
    for error in found.refused:
        print(f"left out: {error}", file=sys.stderr)
    return 1 if found.refused else 0
