"""``python -m lumbar page``: build the page that answers in the browser."""

from __future__ import annotations

import argparse
from pathlib import Path

from lumbar.core.constants import DEFAULT_WEIGHTS
from lumbar.core.paths import runs
from lumbar.runs.settings import WEIGHTS_HELP


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to its parser."""
    parser.add_argument(
        "network", nargs="?", default=DEFAULT_WEIGHTS, help=f"{WEIGHTS_HELP} (default: {DEFAULT_WEIGHTS})"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="the page (default: page/index.html among the runs)")


def run(arguments: argparse.Namespace) -> int:
    """Build the page, and print where it is and how large."""
    from lumbar import weights
    from lumbar.storage.files import check_writable
    from lumbar.web.building import build

    network = weights.find(arguments.network)
    out = arguments.out or runs() / "page" / "index.html"
    check_writable(out)
    written = build(network, Path(arguments.network).resolve().name, out)
    print(f"The page is in {written} ({written.stat().st_size / 2**20:.1f} MB). Open it in a browser.")
    return 0
