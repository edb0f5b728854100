"""``python -m lumbar predict``: find the disc levels in images."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lumbar.core.schema import add_flags, from_flags
from lumbar.exports import notices_of_points
from lumbar.runs.settings import PredictionSettings
from lumbar.storage.files import check_writable, write_table

if TYPE_CHECKING:
    from lumbar.exports import Written
    from lumbar.prediction import Predictions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="FILE_OR_FOLDER", help="DICOM, PNG, JPEG, .mha or .nii files, or folders"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", default=Path("points.csv"), help="table to write (default: points.csv)"
    )
    add_flags(parser, PredictionSettings)
    formats = parser.add_argument_group("other formats of the same points")
    formats.add_argument(
        "--overlay", type=Path, metavar="FOLDER", help="each image with its points plotted on it (PNG)"
    )
    formats.add_argument("--json", type=Path, metavar="FILE", help="all details, for programs and for `report` (JSON)")
    formats.add_argument("--coco", type=Path, metavar="FILE", help="COCO keypoints (JSON)")
    formats.add_argument(
        "--markups", type=Path, metavar="FOLDER", help="markups of 3D Slicer, one .mrk.json per image, in LPS mm"
    )
    formats.add_argument(
        "--structured-report",
        type=Path,
        metavar="FOLDER",
        help="DICOM Structured Reports, one per image; they contain the name of the patient if the image file does",
    )
    formats.add_argument(
        "--disc-labels",
        type=Path,
        metavar="FOLDER",
        help="disc labels of the Spinal Cord Toolbox, one NIfTI file (_label-discs_dlabel.nii.gz) per volume, on its "
        "grid, with a JSON file; of DICOM series: `locate`",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the table and the other requested formats; return 1 if an image was, or may have been, left out, else 0."""
    from lumbar.inference import UNJUDGED
    from lumbar.prediction import predict

    if arguments.structured_report:
        from lumbar.exports.structured_report import check_installed

        check_installed()
    if arguments.disc_labels:
        from lumbar.exports.disc_labels import check_installed

        check_installed()
    for file in filter(None, (arguments.out, arguments.json, arguments.coco)):
        check_writable(file)
    settings = from_flags(PredictionSettings, arguments)
    found = predict(arguments.paths, settings)
    write_table(arguments.out, found.table.round(4))
    print(f"{found.table['image'].nunique()} pictures, {len(found.table)} points: {arguments.out}")
    if settings.quality:
        print(f"{len(found.not_passed)} pictures were not read: they did not pass in {settings.quality}")
    skipped = [error for written in _other_formats(found, arguments) for error in written.skipped]
    if found.assumed:
        print(f"{len(found.assumed)} of them do not state their plane and were treated as sagittal; see --view")
    for remark, concerned in found.remarks.items():
        print(f"{len(concerned)} of them: {remark} ({concerned[0].name}{', …' if len(concerned) > 1 else ''})")
    absent = found.table.loc[found.table["absent"] > 0.5, "image"].nunique()
    if absent:
        print(f"{absent} of them do not show every level; what a picture does not show has no point")
    if not found.judged:
        print(UNJUDGED)
    flagged = found.table.loc[found.table["flagged"].eq(True), "image"].nunique()
    if flagged:
        print(f"{flagged} of them are flagged: check their points before you use them")
    print(*notices_of_points(found.synthetic))
    for error in skipped:
        print(f"skipped: {error}", file=sys.stderr)
    for error in found.refused:
        print(f"left out: {error}", file=sys.stderr)
    for unread in found.unread:
        print(f"not read, {unread}", file=sys.stderr)
    return 1 if found.refused or skipped or any(unread.remedy for unread in found.unread) else 0


def _other_formats(found: Predictions, arguments: argparse.Namespace) -> Iterator[Written]:
    """Write the other requested formats, print where they are, and yield the results of those with a file per image."""
    from lumbar.exports import coco, disc_labels, json_points, markups, structured_report

    if arguments.overlay:
        from lumbar.figures.overlay import overlay

        print(f"The pictures with their points are in {overlay(found.table, arguments.overlay)}")
    for module, file in ((json_points, arguments.json), (coco, arguments.coco)):
        if file:
            print(f"The same points are in {module.write(found, file)}")
    for what, module, folder in (
        ("markups", markups, arguments.markups),
        ("structured reports", structured_report, arguments.structured_report),
        ("disc labels", disc_labels, arguments.disc_labels),
    ):
        if folder:
            written = module.write(found, folder)
            print(f"The {what} of {len(written.files)} pictures are in {folder}")
            yield written
