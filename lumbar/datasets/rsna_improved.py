"""`coords_rsna_improved.csv` of the Lumbar Coordinate Pretraining Dataset: better points for the pictures of RSNA 2024.

Its columns are an unnamed number, series_id, relative_x, relative_y, condition, side, instance_number, study_id, level;
relative_x is read as x / width, which is what `coords_pretrain.csv` means by it. Of the two points of spinal canal
stenosis that each level has, side R is the one at the canal, which is ours; side L was added at the disc's other edge.
The pictures are not in that set: they are looked for beside the table, then in the folder of the RSNA set next to the
table's own or in data/.
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
_SIDES = {"L": "left", "R": "right"}
_SUBARTICULAR = r"^(?:Left |Right )?Subarticular Stenosis$"


def read(root: Path) -> Dataset:
    """The landmark table, unchecked.

    Raises:
        DatasetError: If the table cannot be read, lacks a column, or names a picture outside of the folder.
    """
    text = ("series_id", "condition", "side", "instance_number", "study_id", "level")
    given = read_csv(root / TABLE, text=text, numbers=("relative_x", "relative_y"))
    added = (given["condition"] == rsna.CANAL) & (given["side"] != AT_THE_CANAL)
    labels = _as_rsna(given[~added].drop(columns=[c for c in given if c.startswith("Unnamed")]))
    pictures = _pictures(root)
    table, notes = rsna.with_pictures(labels, pictures, pictures)
    relative = table[["relative_x", "relative_y"]].apply(pd.to_numeric, errors="coerce")
    table = table.assign(x=relative["relative_x"] * table["width"], y=relative["relative_y"] * table["height"])
    notes = (
        *given.attrs["notes"],
        *notes,
        f"{added.sum()} points of {rsna.CANAL} are not the one at the canal and left out",
    )
    return Dataset(root.name, pictures, table, notes)


def _as_rsna(given: pd.DataFrame) -> pd.DataFrame:
    """Sides and conditions as RSNA's own table has them, so that both are read alike."""
    axial = given["condition"].str.contains(_SUBARTICULAR)
    side = given["condition"].str.extract(r"^(Left|Right) ", expand=False).str.lower()
    side = side.fillna(given["side"].map(_SIDES)).where(axial, "")
    condition = given["condition"].where(~axial, side.str.capitalize() + " Subarticular Stenosis")
    return given.assign(condition=condition, side=side)


def _pictures(root: Path) -> Path:
    """The folder that holds `train_images`; the table's own if there is none."""
    found = (folder for folder in (root, root.parent / RSNA, paths.data() / RSNA) if (folder / rsna.PICTURES).is_dir())
    return next(found, root)


READER = Reader(
    layout="improved coordinates of RSNA 2024",
    looks_for=f"{TABLE} beside {rsna.PICTURES}/, or beside the folder {RSNA}/",
    # In the set it is published in, the folder means coords_pretrain.csv; this table is then read by its name.
    recognises=lambda root: (root / TABLE).is_file() and not (root / kaggle.TABLE).is_file(),
    read=read,
    table=TABLE,
)
