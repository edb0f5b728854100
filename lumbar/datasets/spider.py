"""SPIDER, lumbar MR with masks (van der Graaf et al., Scientific Data 2024), in the layout in which it is unpacked.

`images/<patient>_t1.mha`, `_t2.mha` and `_t2_SPACE.mha`, and `masks/` of the same names: 1 to 25 are vertebrae counted
upwards from L5, 100 is the spinal canal, 201 to 225 are discs counted upwards from L5/S1. `overview.csv` has a row a
volume, `radiological_gradings.csv` one a patient and disc; where they are there, their columns travel along under their
own names.

The points are computed: in the slice that runs through the middle of the canal at the height of the lumbar discs, the
posterior margin of each disc, see `posterior_margin`. On volumes sampled from synthetic patients they lie about half a
millimetre from the true ones; how far they lie from what a person marks in these patients has not been measured.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from lumbar.core.errors import DatasetError
from lumbar.datasets import kaggle
from lumbar.datasets.dataset import Dataset, Reader, read_csv
from lumbar.datasets.disc_margin import posterior_margin
from lumbar.datasets.volumes import Found, Pair, read_points
from lumbar.imaging.volume.reading import read_grid, read_labels
from lumbar.landmarks import LEVELS

VERSION = 1
"""Raised whenever the same masks give other points than before, so that no cache is trusted wrongly."""

SOURCE = "spider"
CANAL = 100
DISCS = tuple(range(205, 200, -1))
"""Labels of the discs at `LEVELS`."""

OVERVIEW, GRADINGS = "overview.csv", "radiological_gradings.csv"
_NOTE = "points are computed from the masks: posterior disc margins in the slice through the middle of the canal"


def read(root: Path) -> Dataset:
    """The landmark table of the unpacked set, unchecked.

    Raises:
        DatasetError: If a mask does not fit its image or cannot be read, or a table cannot be read.
    """
    images, masks = _folder(root, "images"), _folder(root, "masks")
    pairs = [Pair(images / mask.name, mask) for mask in sorted(masks.glob("*.mha"))]
    points, notes = read_points(SOURCE, root, pairs, find, version=VERSION)
    unmarked = sum(not (masks / image.name).is_file() for image in images.glob("*.mha"))
    if unmarked:
        notes += (f"{unmarked} image(s) without a mask are left out",)
    names = points["image"].map(lambda image: Path(image).stem)
    identities = [kaggle.identity(SOURCE, name) for name in names]
    table = points.assign(
        patient=[patient for patient, _ in identities],
        source=SOURCE,
        view="sagittal",
        contrast=[contrast for _, contrast in identities],
        landmark="posterior disc margin",
    )
    table, remarks = _with_tables(root, table, names)
    return Dataset(root.name, root, table, (_NOTE, *notes, *remarks))


def find(pair: Pair) -> Found:
    """The five posterior disc margins that a mask gives.

    Raises:
        ScanError: If mask or image cannot be read.
        DatasetError: If they do not lie on the same grid.
    """
    grid, labels = read_labels(pair.labels)
    if not grid.same_as(read_grid(pair.image)):
        raise DatasetError(
            "the mask lies on another grid than its image",
            file=pair.labels,
            found=f"{' × '.join(map(str, grid.shape))} voxels from {grid.origin.round(2).tolist()} mm",
            expected=f"the voxels of {pair.image.name}",
        )
    frame = middle_of_canal(labels)
    canal = labels[frame] == CANAL
    margins = [posterior_margin(labels[frame] == disc, canal, grid.pixel_width, grid.pixel_height) for disc in DISCS]
    return Found.in_slice(grid, frame, np.array(margins))


def middle_of_canal(labels: np.ndarray) -> int:
    """The slice in the middle of the spinal canal at the height of the lumbar discs.

    Args:
        labels: (slices, rows, columns).

    Returns:
        The slice; the volume's middle one if there is no canal at that height.
    """
    rows = np.isin(labels, DISCS).any(axis=(0, 2))
    slices = np.nonzero(labels[:, rows] == CANAL)[0]
    return round(float(slices.mean())) if len(slices) else len(labels) // 2


def _with_tables(root: Path, table: pd.DataFrame, names: pd.Series) -> tuple[pd.DataFrame, list[str]]:
    """The table with what overview and gradings say of its volumes and discs, and remarks."""
    table, notes = table.assign(volume=names), []
    if (root / OVERVIEW).is_file():
        given = read_csv(root / OVERVIEW, text=("new_file_name",), numbers=())
        given = given.rename(columns={"new_file_name": "volume"}).assign(
            volume=lambda rows: rows["volume"].str.removesuffix(".mha")
        )
        table = _joined(table, given, ["volume"], OVERVIEW, notes)
    if (root / GRADINGS).is_file():
        given = read_csv(root / GRADINGS, text=("Patient",), numbers=("IVD label",))
        levels = {float(disc - 200): level for disc, level in zip(DISCS, LEVELS, strict=True)}
        given = given.assign(
            patient=f"{SOURCE} " + given["Patient"], level=pd.to_numeric(given["IVD label"], "coerce").map(levels)
        ).drop(columns="Patient")
        table = _joined(table, given[given["level"].notna()], ["patient", "level"], GRADINGS, notes)
    return table.drop(columns="volume"), notes


def _joined(table: pd.DataFrame, given: pd.DataFrame, keys: list[str], name: str, notes: list[str]) -> pd.DataFrame:
    """`given` beside the rows it belongs to; of several rows for one the first counts, and that is said."""
    several = given.duplicated(keys)
    if several.any():
        notes.append(f"{name} has {several.sum()} row(s) too many for the same volume or disc: the first one counts")
    new = [column for column in given if column not in table.columns or column in keys]
    return table.merge(given.loc[~several, new], on=keys, how="left", validate="many_to_one")


def _folder(root: Path, name: str) -> Path:
    """`images` or `masks`: in the root, or one deeper where an archive was unpacked into a folder of its own name."""
    return root / name / name if (root / name / name).is_dir() else root / name


READER = Reader(
    layout="SPIDER",
    looks_for="images/<patient>_t2.mha and masks/ of the same names",
    recognises=lambda root: all(any(_folder(root, name).glob("*.mha")) for name in ("images", "masks")),
    read=read,
)
