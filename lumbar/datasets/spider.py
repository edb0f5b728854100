"""Read SPIDER, lumbar MR with masks (van der Graaf et al., Scientific Data 2024), as it is unpacked.

The images are `images/<patient>_t1.mha`, `_t2.mha` and `_t2_SPACE.mha`; `masks/` has files of the same names. Labels 1
to 25 are vertebrae counted upwards from L5, 100 is the spinal canal, 201 to 225 are discs counted upwards from L5/S1.
`overview.csv` has one row per volume, `radiological_gradings.csv` one per patient and disc. If these tables exist,
their columns are added to the landmark table under their own names.

The points are computed from the masks: they are the posterior margins of the discs (see `posterior_margin`) in the
slice through the middle of the canal at the height of the lumbar discs. On volumes sampled from synthetic patients they
are about half a millimetre from the true points. How far they are from points that a person would mark in the patients
of this set has not been measured.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from lumbar.datasets import kaggle
from lumbar.datasets.dataset import Dataset, Reader, read_csv
from lumbar.datasets.disc_margin import posterior_margin
from lumbar.datasets.volumes import Pair, VolumePoints, read_matching_labels, read_points
from lumbar.landmarks import LEVELS

VERSION = 1
"""Increased whenever the same masks give different points than before, which invalidates caches."""

SOURCE = "spider"
CANAL = 100
DISCS = tuple(range(205, 200, -1))
"""Labels of the discs, in the order of `LEVELS`."""

OVERVIEW, GRADINGS = "overview.csv", "radiological_gradings.csv"
_NOTE = "points are computed from the masks: posterior disc margins in the slice through the middle of the canal"


def read(root: Path) -> Dataset:
    """Read the landmark table of the unpacked set, without checking it.

    Args:
        root: Folder of the set.

    Raises:
        DatasetError: If a mask or a table cannot be read, or a mask is on another grid than its image.
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


def find(pair: Pair) -> VolumePoints:
    """Find the five posterior disc margins in a mask.

    Args:
        pair: The volume and its mask.

    Raises:
        ScanError: If mask or image cannot be read.
        DatasetError: If they are on different grids.
    """
    grid, labels = read_matching_labels(pair)
    frame = middle_of_canal(labels)
    canal = labels[frame] == CANAL
    margins = [posterior_margin(labels[frame] == disc, canal, grid.pixel_width, grid.pixel_height) for disc in DISCS]
    return VolumePoints.in_slice(grid, frame, np.array(margins))


def middle_of_canal(labels: np.ndarray) -> int:
    """Find the sagittal slice in the middle of the spinal canal at the height of the lumbar discs.

    Args:
        labels: Integers, (slices, rows, columns).

    Returns:
        Index of the slice; that of the volume's middle slice if there is no canal at that height.
    """
    rows = np.isin(labels, DISCS).any(axis=(0, 2))
    slices = np.nonzero(labels[:, rows] == CANAL)[0]
    return round(float(slices.mean())) if len(slices) else len(labels) // 2


def _with_tables(root: Path, table: pd.DataFrame, names: pd.Series) -> tuple[pd.DataFrame, list[str]]:
    """Add the columns of overview and gradings to the table; return it with notes."""
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
    """Join the columns of `given` to the table. Of several rows with the same keys the first is used, with a note."""
    several = given.duplicated(keys)
    if several.any():
        notes.append(f"{name} has {several.sum()} row(s) too many for the same volume or disc: the first one is used")
    new = [column for column in given if column not in table.columns or column in keys]
    return table.merge(given.loc[~several, new], on=keys, how="left", validate="many_to_one")


def _folder(root: Path, name: str) -> Path:
    """Return `images` or `masks` in the root, or one deeper if the archive was unpacked into a folder of that name."""
    return root / name / name if (root / name / name).is_dir() else root / name


READER = Reader(
    layout="SPIDER",
    looks_for="images/<patient>_t2.mha, and masks/ with the same names",
    recognises=lambda root: all(any(_folder(root, name).glob("*.mha")) for name in ("images", "masks")),
    read=read,
)
