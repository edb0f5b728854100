"""``python -m docs.site``: build the site, and fail on any warning."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from docs.site.build import build
from lumbar.core.paths import REPOSITORY


def main() -> int:
    """Build the site, and print which page to open; return 1 if Sphinx warned of anything, else 0."""
    parser = argparse.ArgumentParser(prog="python -m docs.site", description="Build the site from the committed files.")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build" / "site", help="folder (default: build/site)")
    parser.add_argument("--page", type=Path, metavar="FILE", help="an HTML file that finds points in the browser")
    arguments = parser.parse_args()
    out = arguments.out
    failed = build(out, arguments.page)
    print(f"The site has problems, see above: {out}" if failed else f"Open {out / 'index.html'}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
