"""What a network found, in the forms that other tools open; one module a form.

======================== =================================================================================
`json_points`            everything that is known, for programs; the report page reads it
`markups`                3D Slicer's markups, one file a picture
`coco`                   COCO keypoints, one file
`structured_report`      DICOM Structured Report, one file a picture (needs the package highdicom)
======================== =================================================================================

Each writes a `lumbar.prediction.Predictions`. Who the patient is stands in none of them but the structured report,
which belongs to the patient. All are written to a temporary name and renamed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lumbar.core.errors import ScanError

DECIMALS = 4
"""Decimals of coordinates (pixels, millimetres) and confidences in files."""

NOT_FOR_DIAGNOSIS = "Not for diagnosis."
SYNTHETIC_ONLY = "The network was trained on synthetic patients only."


def notices(synthetic: bool) -> list[str]:
    """What must be said wherever points are shown."""
    return [SYNTHETIC_ONLY, NOT_FOR_DIAGNOSIS] if synthetic else [NOT_FOR_DIAGNOSIS]


def number(value: float) -> float | None:
    """A coordinate or confidence for a file; None where there is none."""
    return None if value != value else round(float(value), DECIMALS)


@dataclass(frozen=True)
class Written:
    """What an export to a folder came to.

    Args:
        folder: Where the files are.
        files: The files.
        skipped: Why pictures have none, one error each.
    """

    folder: Path
    files: tuple[Path, ...]
    skipped: tuple[ScanError, ...]
