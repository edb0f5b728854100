"""``python -m lumbar locate``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lumbar.core.settings import add_flags, from_flags
from lumbar.exports import notices
from lumbar.runs.settings import LocateSettings
from lumbar.storage.files import claim, write_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which study, with which network, to where."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="STUDY", help="folder of one patient's DICOM study")
    parser.add_argument("--out", type=Path, default=Path("levels.csv"), help="table to write (default: levels.csv)")
    parser.add_argument(
        "--overlay", type=Path, metavar="FOLDER", help="also draw the sagittal and axial slices with the points"
    )
    parser.add_argument(
        "--series-only", action="store_true", help="only say which series there are, how they lie and what is odd"
    )
    add_flags(parser, LocateSettings)


def run(arguments: argparse.Namespace) -> int:
    """Write the table, and the picture if asked for; 1 if a file had to be left out."""
    from lumbar.study import locate
    from lumbar.study.reading import read_study

    settings = from_flags(LocateSettings, arguments)
    if arguments.series_only:
        study = read_study(arguments.paths, study=settings.study)
        print(study)
        return _tell(study.refused)
    claim(arguments.out)
    found = locate(arguments.paths, settings)
    write_table(arguments.out, found.table.round(4))
    print(found)
    shown = (found.table["axial_file"] != "").sum()
    print(f"\n{len(found.table)} levels, {shown} of them seen in an axial slice: {arguments.out}")
    if arguments.overlay:
        from lumbar.figures.levels import levels

        claim(picture := arguments.overlay / "levels.png")
        levels(found.table).savefig(picture)
        print(f"The slices with their points: {picture}")
    if found.table["flagged"].any():
        print("Levels are flagged: look at those points before you use them")
    print(*notices(found.synthetic))
    return _tell(found.refused)


def _tell(refused) -> int:
    for error in refused:
        print(f"left out: {error}", file=sys.stderr)
    return 1 if refused else 0
