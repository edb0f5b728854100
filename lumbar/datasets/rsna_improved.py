"""Read `coords_rsna_improved.csv` of the Lumbar Coordinate Pretraining Dataset: better points for RSNA 2024.

Its columns are an unnamed number, series_id, relative_x, relative_y, condition, side, instance_number, study_id, level;
relative_x is read as x / width, its meaning in `coords_pretrain.csv`. Each level has two points of spinal canal
stenosis: side R is at the canal and is read; side L was added at the other edge of the disc and is not. The images are
not in that set. They are looked for beside the table, then in the folder of the RSNA set, either next to the table's
folder or in data/.

In some series the points at the canal have the placeholder 1 as instance_number, which is the outermost slice. The
table does not say on which slice they were marked, so they are left out. Code published with solutions of the RSNA
competition skips the same series.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lumbar.core import paths
from lumbar.datasets import kaggle, rsna
from lumbar.datasets.dataset import Dataset, Reader, read_csv

TABLE = kaggle.IMPROVED
RSNA = "rsna-2024-lumbar-spine-degenerative-classification"
"""Folder of the RSNA set, as Kaggle names it."""

AT_THE_CANAL = "R"
"""Side of the canal stenosis points that are read."""

OUTERMOST = 1
"""Instance number of the outermost sagittal slice, which never shows the canal."""

_SIDES = {"L": "left", "R": "right"}
_SUBARTICULAR = r"^(?:Left |Right )?Subarticular Stenosis$"


def read(root: Path) -> Dataset:
    """Read the landmark table, without checking it.

    Args:
        root: Folder of the table.

    Raises:
        DatasetError: If the table cannot be read, lacks a column, or names an image outside the folder.
    """
    text = ("series_id", "condition", "side", "instance_number", "study_id", "level")
    given = read_csv(root / TABLE, text=text, numbers=("relative_x", "relative_y"))
    canal = given["condition"] == rsna.CANAL
    added = canal & (given["side"] != AT_THE_CANAL)
    unplaced = canal & ~added & ~(pd.to_numeric(given["instance_number"], errors="coerce") > OUTERMOST)
    labels = _as_rsna(given[~added & ~unplaced].drop(columns=[c for c in given if c.startswith("Unnamed")]))
    images = _image_folder(root)
    table, notes = rsna.with_images(labels, images, images, _unplaced_note(given[unplaced]))
    relative = table[["relative_x", "relative_y"]].apply(pd.to_numeric, errors="coerce")
    table = table.assign(x=relative["relative_x"] * table["width"], y=relative["relative_y"] * table["height"])
    notes = (
        *given.attrs["notes"],
        *notes,
        f"{added.sum()} points of {rsna.CANAL} that are not at the canal are left out",
    )
    return Dataset(root.name, images, table, notes)


def _unplaced_note(points: pd.DataFrame) -> tuple[str, ...]:
    if points.empty:
        return ()
    placeholders = ", ".join(sorted(points["instance_number"].replace("", "empty").unique()))
    return (
        f"{len(points)} points of {rsna.CANAL} in {points['series_id'].nunique()} series are left out: their "
        f"instance_number is a placeholder ({placeholders}), "
        "and the table does not say on which slice they lie",
    )


def _as_rsna(given: pd.DataFrame) -> pd.DataFrame:
    """Convert sides and conditions to those of RSNA's own table, so that one reader reads both."""
    axial = given["condition"].str.contains(_SUBARTICULAR)
    side = given["condition"].str.extract(r"^(Left|Right) ", expand=False).str.lower()
    side = side.fillna(given["side"].map(_SIDES)).where(axial, "")
    condition = given["condition"].where(~axial, side.str.capitalize() + " Subarticular Stenosis")
    return given.assign(condition=condition, side=side)


def _image_folder(root: Path) -> Path:
    """Return the folder that holds `train_images`, or the table's own folder if there is none."""
    found = (folder for folder in (root, root.parent / RSNA, paths.data() / RSNA) if (folder / rsna.PICTURES).is_dir())
    return next(found, root)


READER = Reader(
    layout="improved coordinates of RSNA 2024",
    looks_for=f"{TABLE} beside {rsna.PICTURES}/, or beside the folder {RSNA}/",
    # In the set that publishes it, the folder means coords_pretrain.csv; this table is then read by its name.
    recognises=lambda root: (root / TABLE).is_file() and not (root / kaggle.TABLE).is_file(),
    read=read,
    table=TABLE,
)
