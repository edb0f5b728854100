"""Measure a trained network on the test patients; the same as ``python -m lumbar evaluate``."""

import sys

from lumbar.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
