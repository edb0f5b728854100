"""``python -m lumbar``."""

import sys

from lumbar.cli.main import main

if __name__ == "__main__":  # worker processes import this module again
    sys.exit(main())
