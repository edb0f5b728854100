"""``python -m lumbar locate``: find the disc levels of a whole study."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lumbar.core.errors import ScanError
from lumbar.core.schema import add_flags, from_flags
from lumbar.exports import notices_of_points
from lumbar.runs.settings import LocateSettings
from lumbar.storage.files import check_writable, write_table

if TYPE_CHECKING:
    from lumbar.imaging.folder import Unread


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="STUDY", help="folder of the DICOM study of one patient")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", default=Path("levels.csv"), help="table to write (default: levels.csv)"
    )
    parser.add_argument(
        "--overlay",
        type=Path,
        metavar="FOLDER",
        help="also plot the points on the sagittal and axial slices, and on the localiser (PNG)",
    )
    parser.add_argument(
        "--disc-labels",
        type=Path,
        metavar="FOLDER",
        help="also write the levels as disc labels of the Spinal Cord Toolbox: a NIfTI file on the grid of the "
        "sagittal series (_label-discs_dlabel.nii.gz), with a JSON file",
    )
    parser.add_argument(
        "--series-only", action="store_true", help="only list the series with their positions, and warn of anomalies"
    )
    add_flags(parser, LocateSettings)


def run(arguments: argparse.Namespace) -> int:
    """Write the table, and the figure if requested; return 1 if a file that may be an image was left out, else 0."""
    from lumbar.study import locate
    from lumbar.study.reading import read_study

    settings = from_flags(LocateSettings, arguments)
    if arguments.series_only:
        study = read_study(arguments.paths, study=settings.study, common_frame=settings.common_frame)
        print(study)
        return _report_left_out(study.refused, study.unread)
    if arguments.disc_labels:
        from lumbar.exports.disc_labels import check_installed

        check_installed()
    check_writable(arguments.out)
    found = locate(arguments.paths, settings)
    write_table(arguments.out, found.table.round(4))
    print(found)
    shown = (found.table["axial_file"] != "").sum()
    print(f"\n{found.table['x_mm'].notna().sum()} levels, {shown} of them in an axial slice: {arguments.out}")
    if arguments.overlay:
        from lumbar.figures.levels import count, levels

        check_writable(figure := arguments.overlay / "levels.png")
        levels(found.table).savefig(figure)
        print(f"The slices with their points: {figure}")
        if found.larger:
            check_writable(figure := arguments.overlay / "count.png")
            count(found.middle, found.larger).savefig(figure)
            print(f"The larger view in which the count was checked: {figure}")
    skipped: tuple[ScanError, ...] = ()
    if arguments.disc_labels:
        from lumbar.exports import disc_labels

        written = disc_labels.write_series(found, arguments.disc_labels)
        skipped = written.skipped
        for file in written.files:
            print(f"The disc labels: {file}")
    if found.table["flagged"].any():
        print("Some levels are flagged: check their points before you use them")
    print(*notices_of_points(found.synthetic, count_checked=found.count_checked))
    for error in skipped:
        print(f"skipped: {error}", file=sys.stderr)
    return max(_report_left_out(found.refused, found.study.unread), int(bool(skipped)))


def _report_left_out(refused: Sequence[ScanError], unread: Sequence[Unread]) -> int:
    for error in refused:
        print(f"left out: {error}", file=sys.stderr)
    for kind in unread:
        print(f"not read, {kind}", file=sys.stderr)
    return 1 if refused or any(kind.remedy for kind in unread) else 0
