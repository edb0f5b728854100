"""Where the five disc levels of a study lie: in the sagittal slice, in the patient, and in the axial slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lumbar import weights
from lumbar.core.constants import LEVELS
from lumbar.core.errors import ScanError, StudyError
from lumbar.imaging.dicom.slice_header import SliceHeader
from lumbar.runs.settings import LocateSettings
from lumbar.study import plausibility
from lumbar.study.levels import along_spine, axial_place
from lumbar.study.reading import Study, read_study
from lumbar.study.sagittal import Midsagittal, midsagittal
from lumbar.study.stacks import Stack

COLUMNS = (
    *("level", "x_mm", "y_mm", "z_mm", "confidence", "flagged"),
    *("sagittal_file", "sagittal_frame", "sagittal_x", "sagittal_y"),
    *("axial_file", "axial_frame", "axial_x", "axial_y", "distance_mm", "angle_degrees", "remark"),
)
"""Columns of the table of levels, see `Located`."""


@dataclass(frozen=True, eq=False)
class Located:
    """What was found.

    Args:
        table: One row a level, from the head down: level; x_mm, y_mm, z_mm (patient coordinates, LPS); confidence;
            flagged (not to be believed unchecked); sagittal_file, sagittal_frame (from 0), sagittal_x, sagittal_y
            (native pixels, the centre of the first is 0); the same of the axial slice that shows the level, empty and
            NaN if there is none; distance_mm (of the point from that slice's plane); angle_degrees (between that slice
            and the plane at right angles to the line of points, 0 if it follows the disc); remark.
        study: Its series, and what is odd about them.
        middle: The mid-sagittal slice.
        notes: What a reader should know beside the table, in plain sentences.
        refused: Files that could not be read, one error each.
        synthetic: Whether the network was trained on synthetic patients only.
    """

    table: pd.DataFrame
    study: Study
    middle: Midsagittal
    notes: tuple[str, ...]
    refused: tuple[ScanError, ...]
    synthetic: bool

    def __str__(self) -> str:
        middle = self.middle
        chosen = f"Mid-sagittal: slice {middle.number + 1} of {len(middle.stack.slices)} of {middle.name}"
        return "\n".join(
            [str(self.study), "", f"{chosen}: {middle.why}.", *self.notes, "", *map(_in_words, self.table.itertuples())]
        )


def locate(
    paths: Sequence[str | Path], settings: LocateSettings = LocateSettings(), *, progress: bool = True
) -> Located:
    """Find the five disc levels of a study, and for each the axial slice that shows it.

    Args:
        paths: The study's folder, or its files and folders.
        settings: With which network, and of which series.
        progress: Show progress bars.

    Raises:
        StudyError: If the files are not of one patient's study, or it has no sagittal series.
        ScanError: If no sagittal slice can be read.
        RunError: If there is no such network.
    """
    network = weights.find(settings.weights)
    study = read_study(paths, study=settings.study, progress=progress)
    sagittal = study.stacks("sagittal", () if settings.sagittal is None else (settings.sagittal,))
    if not sagittal:
        raise StudyError(
            "the study has no sagittal series",
            file=", ".join(map(str, paths)),
            found="; ".join(f"{each.name}{each.left_out and f', left out: {each.left_out}'}" for each in study.series),
            remedy="the levels are told apart in a sagittal slice; give the whole study's folder",
        )
    # Of axial series cut alike the T2-weighted one, in which the canal is bright, has the longest echo time.
    pairs = sorted(study.stacks("axial", settings.axial), key=lambda pair: -_echo_time(pair[1]))
    axial = [stack for _, stack in pairs]
    by_confidence = settings.middle == "confidence"
    found, refused = midsagittal(sagittal, network, by_confidence=by_confidence, progress=progress)
    if not found:
        raise refused[0]
    middle, *others = sorted(found, key=lambda each: _preference(each, axial))
    table, notes = _table(middle, others, axial)
    foreign = [series.name for series, stack in pairs if stack.frame_of_reference != middle.stack.frame_of_reference]
    for name in dict.fromkeys(foreign):
        notes.append(
            f"No point is carried to {name}: its frame of reference is another than that of the sagittal slice."
        )
    return Located(table, study, middle, tuple(notes), (*study.refused, *refused), network.synthetic)


def _echo_time(stack: Stack) -> float:
    return stack.slices[0].echo_time or 0.0


def _preference(middle: Midsagittal, axial: Sequence[Stack]) -> tuple:
    """Least first: points that can be carried to axial slices, a sure network, a T2 weighting, the surest network."""
    reference = middle.stack.frame_of_reference
    carried = bool(reference) and any(stack.frame_of_reference == reference for stack in axial)
    confidence = float(middle.points.confidence.mean())
    return not carried, middle.points.flagged, -_echo_time(middle.stack), -confidence


def _table(
    middle: Midsagittal, others: Sequence[Midsagittal], axial: Sequence[Stack]
) -> tuple[pd.DataFrame, list[str]]:
    xyz = middle.xyz_mm
    reference = middle.stack.frame_of_reference
    places = [axial_place(point, way, reference, axial) for point, way in zip(xyz, along_spine(xyz), strict=True)]
    doubts, notes = plausibility.doubts(middle, others)
    found = middle.points
    rows = []
    for n, (level, place) in enumerate(zip(LEVELS, places, strict=True)):
        rows.append(
            {
                **{"level": level, "x_mm": xyz[n, 0], "y_mm": xyz[n, 1], "z_mm": xyz[n, 2]},
                **{"confidence": found.confidence[n], "flagged": found.flagged or bool(doubts[n])},
                **_in_slice("sagittal", middle.slice, *found.xy_native[n]),
                **_in_slice("axial", place.slice, place.x, place.y),
                **{"distance_mm": place.distance_mm, "angle_degrees": place.angle_degrees},
                "remark": "; ".join(text for text in (*doubts[n], place.remark) if text),
            }
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"sagittal_frame": "Int64", "axial_frame": "Int64"}), notes


def _in_slice(name: str, header: SliceHeader | None, x: float, y: float) -> dict:
    place = {"file": str(header.path), "frame": header.frame} if header else {"file": "", "frame": None}
    return {f"{name}_{key}": value for key, value in (place | {"x": x, "y": y}).items()}


def _in_words(row: Any) -> str:
    text = f"{row.level}: ({row.x_mm:.1f}, {row.y_mm:.1f}, {row.z_mm:.1f}) mm"
    text += f", confidence {row.confidence:.2f}" if row.confidence == row.confidence else ", confidence unknown"
    text += ", FLAGGED" if row.flagged else ""
    if row.axial_file:
        frame = f" frame {row.axial_frame}" if row.axial_frame else ""
        text += (
            f"; axial {Path(row.axial_file).name}{frame} at ({row.axial_x:.1f}, {row.axial_y:.1f}), "
            f"{row.distance_mm:.1f} mm from its plane, which is {row.angle_degrees:.0f}° off across the spine"
        )
    return text + (f"; {row.remark}" if row.remark else "")
