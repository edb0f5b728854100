"""Train a network. ``python train.py`` does the same as ``python -m lumbar train``."""

import sys

from lumbar.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
