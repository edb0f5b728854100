"""Export the points that a network found in file formats of other tools; one module per format.

======================== =================================================================================
`json_points`            JSON with all details, for programs and for the report page
`markups`                markups of 3D Slicer, one file per image
`coco`                   COCO keypoints, one file
`structured_report`      DICOM Structured Reports, one file per image (needs the package highdicom)
`disc_labels`            NIfTI labels of the Spinal Cord Toolbox, one file per volume (needs the package nibabel)
`csv_points`             reads the CSV table that ``predict --out`` writes
======================== =================================================================================

The others write a `lumbar.prediction.Predictions`; `disc_labels` also writes a `lumbar.study.Located`. Only the
structured report identifies the patient, because it becomes part of the patient's record. All files are written
atomically.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lumbar.core.errors import ScanError

if TYPE_CHECKING:
    import pandas as pd

DECIMALS = 4
"""Decimal places of coordinates (pixels, millimetres) and confidences in files."""

NOT_FOR_DIAGNOSIS = "Not for diagnosis."
SYNTHETIC_ONLY = "The network was trained on synthetic patients only."
COUNT_NOT_CHECKED = "The levels are counted in this image alone; the count was not checked from above."


def notices(synthetic: bool) -> list[str]:
    """Return the notices that must accompany points wherever they are shown.

    Args:
        synthetic: Whether the network was trained on synthetic patients only.
    """
    return [SYNTHETIC_ONLY, NOT_FOR_DIAGNOSIS] if synthetic else [NOT_FOR_DIAGNOSIS]


def notices_of_points(synthetic: bool, *, count_checked: bool = False) -> list[str]:
    """Return the notices that must accompany points: those of `notices`, and one on a count that was not checked.

    Args:
        synthetic: Whether the network was trained on synthetic patients only.
        count_checked: Whether the levels were also counted in a larger view, see `lumbar.study.overview`.
    """
    return [*([] if count_checked else [COUNT_NOT_CHECKED]), *notices(synthetic)]


def number(value: float) -> float | None:
    """Return a coordinate or confidence rounded for a file; None if it is NaN."""
    return None if value != value else round(float(value), DECIMALS)


def judgement(flagged: pd.Series) -> bool | None:
    """Return whether an image is flagged, from the column of its points; None if the network could not judge."""
    return None if flagged.isna().all() else bool(flagged.any())


@dataclass(frozen=True)
class Written:
    """The outcome of an export to a folder.

    Args:
        folder: The folder.
        files: The files that were written.
        skipped: One error for each image that was not exported, with the reason.
    """

    folder: Path
    files: tuple[Path, ...]
    skipped: tuple[ScanError, ...]
