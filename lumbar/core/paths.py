"""Where generated and downloaded things live: the folders data/ and runs/ of the repository."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
"""The folder of the package."""

REPOSITORY = PACKAGE.parent
"""The folder that holds the package; a checkout of the project if pyproject.toml stands in it."""


def home() -> Path:
    """The folder above data/ and runs/.

    LUMBAR_HOME if that is set, the checkout if the package is used from one (so that commands and notebooks agree
    wherever they are started), else the current folder.
    """
    if os.environ.get("LUMBAR_HOME"):
        return Path(os.environ["LUMBAR_HOME"]).expanduser().resolve()
    return REPOSITORY if (REPOSITORY / "pyproject.toml").is_file() else Path.cwd()


def data() -> Path:
    """Folder of data sets: the synthetic patients made on first use, and whatever a person downloads."""
    return home() / "data"


def cache() -> Path:
    """Folder of what was worked out from data sets: it may be deleted, and is then worked out again."""
    return data() / "prepared"


def runs() -> Path:
    """Folder of runs, one folder each: LUMBAR_RUNS if that is set, else runs/ in `home`."""
    if os.environ.get("LUMBAR_RUNS"):
        return Path(os.environ["LUMBAR_RUNS"]).expanduser().resolve()
    return home() / "runs"
