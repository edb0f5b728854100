"""``python -m lumbar predict``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lumbar.core.settings import add_flags, from_flags
from lumbar.exports import notices
from lumbar.runs.settings import PredictionSettings
from lumbar.storage.files import claim, write_table

if TYPE_CHECKING:
    from lumbar.exports import Written
    from lumbar.prediction import Predictions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which pictures, with which network, to where."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE_OR_FOLDER", help="DICOM, PNG, JPEG, .mha, .nii")
    parser.add_argument("--out", type=Path, default=Path("points.csv"), help="table to write (default: points.csv)")
    add_flags(parser, PredictionSettings)
    also = parser.add_argument_group("other forms of the same points")
    also.add_argument("--overlay", type=Path, metavar="FOLDER", help="each picture drawn with its points (PNG)")
    also.add_argument("--json", type=Path, metavar="FILE", help="all that is known, for programs and `report`")
    also.add_argument("--coco", type=Path, metavar="FILE", help="COCO keypoints (JSON)")
    also.add_argument(
        "--markups", type=Path, metavar="FOLDER", help="3D Slicer's markups (.mrk.json), a file a picture, LPS mm"
    )
    also.add_argument(
        "--structured-report",
        type=Path,
        metavar="FOLDER",
        help="DICOM Structured Report, a file a picture; holds the patient's name as the picture's file does",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the table, and the other forms that were asked for; 1 if anything had to be left out."""
    from lumbar.prediction import predict

    if arguments.structured_report:
        from lumbar.exports.structured_report import check_installed

        check_installed()
    for file in filter(None, (arguments.out, arguments.json, arguments.coco)):
        claim(file)
    found = predict(arguments.paths, from_flags(PredictionSettings, arguments))
    write_table(arguments.out, found.table.round(4))
    print(f"{found.table['image'].nunique()} pictures, {len(found.table)} points: {arguments.out}")
    skipped = [error for written in _other_forms(found, arguments) for error in written.skipped]
    if found.assumed:
        print(f"{len(found.assumed)} of them do not say which plane they show and were taken for sagittal; see --view")
    for remark, concerned in found.remarks.items():
        print(f"{len(concerned)} of them: {remark} ({concerned[0].name}{', …' if len(concerned) > 1 else ''})")
    doubtful = found.table.loc[found.table["flagged"].astype(bool), "image"].nunique()
    if doubtful:
        print(f"{doubtful} of them are flagged: look at those points before you use them")
    print(*notices(found.synthetic))
    for error in skipped:
        print(f"skipped: {error}", file=sys.stderr)
    for error in found.refused:
        print(f"left out: {error}", file=sys.stderr)
    return 1 if found.refused or skipped else 0


def _other_forms(found: Predictions, arguments: argparse.Namespace) -> Iterator[Written]:
    """Write them, say where they are, and give what came of those with a file a picture."""
    from lumbar.exports import coco, json_points, markups, structured_report

    if arguments.overlay:
        from lumbar.figures.overlay import overlay

        print(f"The pictures with their points are in {overlay(found.table, arguments.overlay)}")
    for module, file in ((json_points, arguments.json), (coco, arguments.coco)):
        if file:
            print(f"The same points are in {module.write(found, file)}")
    for what, module, folder in (
        ("markups", markups, arguments.markups),
        ("structured reports", structured_report, arguments.structured_report),
    ):
        if folder:
            written = module.write(found, folder)
            print(f"The {what} of {len(written.files)} pictures are in {folder}")
            yield written
