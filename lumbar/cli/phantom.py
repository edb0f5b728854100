"""``python -m lumbar phantom``: make synthetic patients."""

from __future__ import annotations

import argparse
from pathlib import Path

from lumbar.core.errors import SettingsError
from lumbar.core.schema import add_flags, from_flags
from lumbar.phantom import PhantomSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for the studies and landmarks.csv")
    add_flags(parser, PhantomSettings)
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="number of processes, which does not change the files (default: one per core)",
    )
    parser.add_argument(
        "--contact-sheet", type=Path, metavar="FILE", help="also plot some of the images in one PNG file"
    )
    parser.add_argument("--beside", type=Path, metavar="PATH", help="real images to show beside them on the sheet")


def run(arguments: argparse.Namespace) -> int:
    """Write the patients, and the contact sheet if requested."""
    from lumbar.phantom.study import write_dataset

    if arguments.beside and not arguments.contact_sheet:
        raise SettingsError("--beside needs a contact sheet", remedy="give --contact-sheet FILE, too")
    out = write_dataset(arguments.out, from_flags(PhantomSettings, arguments), workers=arguments.workers)
    print(f"The patients are in {out}\nNext: python -m lumbar train --data {out}")
    if arguments.contact_sheet:
        from lumbar.figures.contact_sheet import contact_sheet

        contact_sheet(out, arguments.contact_sheet, beside=arguments.beside)
        print(f"The contact sheet is {arguments.contact_sheet}")
    return 0
