"""The folders of generated and downloaded files: data/ and runs/ in the repository, unless the environment differs."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
"""The folder of the package."""

REPOSITORY = PACKAGE.parent
"""The folder that contains the package; it is a checkout of the project if it contains pyproject.toml."""

MEASURED = PACKAGE / "course" / "measured"
"""The folder of the measurements that lessons quote: crossvalidation.csv, of the released networks, as `lumbar
crossvalidate --publish` writes it, and those that scripts in `benchmarks` write: models.csv, of other networks,
public_labels.csv, learning_curve.csv, borrowing_planes.csv and borrowing_photographs.csv (by `benchmarks.borrowing`),
and label_memory.csv and label_cost.csv (by `benchmarks.label_errors`)."""


def home() -> Path:
    """Return the folder that contains data/ and runs/.

    This is LUMBAR_HOME if it is set. Otherwise it is the checkout, if the package is used from one, so that commands
    and notebooks use the same folders wherever they are started. Otherwise it is the current folder.
    """
    if os.environ.get("LUMBAR_HOME"):
        return Path(os.environ["LUMBAR_HOME"]).expanduser().resolve()
    return REPOSITORY if is_checkout() else Path.cwd()


def is_checkout() -> bool:
    """Return whether the package is used from a checkout of the project."""
    return (REPOSITORY / "pyproject.toml").is_file()


def data() -> Path:
    """Return the folder of data sets: synthetic patients made on first use, and downloads."""
    return home() / "data"


def cache() -> Path:
    """Return the folder of prepared images. It is a cache: if it is deleted, its content is computed again."""
    return data() / "prepared"


def runs() -> Path:
    """Return the folder of runs, which holds one folder per run: LUMBAR_RUNS if set, otherwise runs/ in `home`."""
    if os.environ.get("LUMBAR_RUNS"):
        return Path(os.environ["LUMBAR_RUNS"]).expanduser().resolve()
    return home() / "runs"
