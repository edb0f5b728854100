"""Locate the five disc levels of a study: in the sagittal slice, in the patient, and in the axial slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lumbar import weights
from lumbar.core.constants import LEVELS
from lumbar.core.errors import ScanError, StudyError
from lumbar.imaging.dicom.slice_header import SliceHeader
from lumbar.inference import UNJUDGED
from lumbar.runs.settings import LocateSettings
from lumbar.study import plausibility
from lumbar.study.frames import ASSUMED, is_assumed
from lumbar.study.levels import find_axial_slice, nowhere, spine_directions
from lumbar.study.overview import CheckedCount, check_count, is_large, localisers
from lumbar.study.reading import Study, read_study, reasons, unreadable
from lumbar.study.sagittal import ONLY_SLICE, Midsagittal, find_midsagittal
from lumbar.study.series import Series
from lumbar.study.stacks import Stack
from lumbar.weights import Weights

COLUMNS = (
    *("level", "x_mm", "y_mm", "z_mm", "confidence", "absent", "flagged"),
    *("sagittal_file", "sagittal_frame", "sagittal_x", "sagittal_y"),
    *("axial_file", "axial_frame", "axial_x", "axial_y", "distance_mm", "angle_degrees", "remark"),
    *("one_higher", "x_mm_higher", "y_mm_higher", "z_mm_higher"),
    *("one_lower", "x_mm_lower", "y_mm_lower", "z_mm_lower"),
    "count_checked_in",
)
"""Columns of the table of levels; `Located` describes them."""


@dataclass(frozen=True, eq=False)
class Located:
    """The levels found in a study.

    Args:
        table: One row per level, from the head down. Its columns: level; x_mm, y_mm, z_mm (patient coordinates, LPS;
            NaN for a level that the sagittal slice does not show); confidence (see `lumbar.inference.ScanPoints`);
            absent (probability that the slice does not show the level; NaN from a network that cannot tell); flagged
            (whether the point needs checking; missing where nothing judged it); sagittal_file, sagittal_frame (from 0),
            sagittal_x, sagittal_y (native pixels, the centre of the first pixel is 0); axial_file, axial_frame,
            axial_x, axial_y (the same for the axial slice that shows the level; empty and NaN if there is none);
            distance_mm (distance of the point from the plane of that slice); angle_degrees (angle between that slice
            and the plane perpendicular to the line of points; 0 for a slice along the disc); remark; one_higher
            (probability that each level lies one disc higher; NaN where the network cannot tell), x_mm_higher,
            y_mm_higher, z_mm_higher (the point if so), one_lower, x_mm_lower, y_mm_lower, z_mm_lower (the same one disc
            lower); count_checked_in (the series of a larger view in which the count was checked, see
            `lumbar.study.overview`; empty if it was not).
        study: The series of the study, and their irregularities.
        middle: The mid-sagittal slice with its points.
        larger: The slice of the larger view in which the count was checked, with its own points; None if it was not.
        notes: What a reader should know in addition to the table, in plain sentences.
        refused: Why files could not be read, one error each.
        network: Name of the network that answered.
        synthetic: Whether it was trained on synthetic patients only.
    """

    table: pd.DataFrame
    study: Study
    middle: Midsagittal
    larger: Midsagittal | None
    notes: tuple[str, ...]
    refused: tuple[ScanError, ...]
    network: str
    synthetic: bool

    @property
    def count_checked(self) -> bool:
        """Whether the levels were also counted in a larger view, see `lumbar.study.overview`."""
        return self.larger is not None

    def __str__(self) -> str:
        middle = self.middle
        kind = "Sagittal" if middle.alone else "Mid-sagittal"
        chosen = f"{kind}: slice {middle.number + 1} of {len(middle.stack.slices)} of {middle.name}"
        return "\n".join(
            [str(self.study), "", f"{chosen}: {middle.why}.", *self.notes, "", *map(_in_words, self.table.itertuples())]
        )


def locate(
    paths: Sequence[str | Path], settings: LocateSettings = LocateSettings(), *, progress: bool = True
) -> Located:
    """Find the five disc levels of a study, and for each the axial slice that shows it.

    Args:
        paths: The folder of the study, or its files and folders.
        settings: The network, and the series to use.
        progress: Whether to show progress bars.

    Raises:
        StudyError: If the files are not one study of one patient, or there is no sagittal series.
        ScanError: If no sagittal slice can be read.
        RunError: If there is no such network, or it was not trained on sagittal images.
    """
    network = weights.find(settings.weights, settings.engine)
    study = read_study(paths, study=settings.study, common_frame=settings.common_frame, progress=progress)
    sagittal = study.stacks("sagittal", () if settings.sagittal is None else (settings.sagittal,))
    if not sagittal:
        raise StudyError(
            "the study has no sagittal series",
            file=", ".join(map(str, paths)),
            found="; ".join(filter(None, (*map(_used_or_why_not, study.series), reasons(study.refused)))),
            remedy=(
                "export the files that could not be read again, or mend what their errors name"
                if study.refused
                else "give the folder of the whole study: the levels are identified in a sagittal slice"
            ),
        )
    sagittal = _familiar(sagittal, network, settings)
    # Among axial series with the same slices, prefer the T2-weighted one (bright canal): it has the longest echo time.
    pairs = sorted(study.stacks("axial", settings.axial), key=lambda pair: -_echo_time(pair[1]))
    axial = [stack for _, stack in pairs]
    by_confidence = settings.middle == "confidence"
    found, refused = find_midsagittal(sagittal, network, by_confidence=by_confidence, progress=progress)
    if not found:
        raise unreadable(refused, paths)
    middle, *others = sorted(found, key=lambda each: _preference(each, axial))
    checked = CheckedCount(middle.points, None, ("",) * len(LEVELS), ())
    if settings.check_count:
        known = [each for each in others if is_large(each.stack)]
        left = [pair for pair in study.stacks("sagittal") if is_large(pair[1]) and pair not in sagittal]
        left += localisers(study.series)
        views, unread = find_midsagittal(left, network, by_confidence=by_confidence, progress=progress)
        refused += unread
        unseen = dict.fromkeys(series.name for series, stack in left if all(view.stack is not stack for view in views))
        unchecked = [f"The count was not checked in {name}: none of its slices can be read." for name in unseen]
        checked = check_count(middle, [*known, *views], network)
        checked = replace(checked, notes=(*unchecked, *checked.notes))
    middle = replace(middle, points=checked.points)
    table, notes = _table(middle, others, axial, checked)
    foreign = [series.name for series, stack in pairs if stack.frame_of_reference != middle.stack.frame_of_reference]
    for name in dict.fromkeys(foreign):
        notes.append(f"No point is mapped to {name}: its frame of reference differs from that of the sagittal slice.")
    about = {"network": Path(settings.weights).resolve().name, "synthetic": network.synthetic}
    return Located(table, study, middle, checked.view, tuple(notes), (*study.refused, *refused), **about)


def _familiar(stacks: list[tuple[Series, Stack]], network: Weights, settings: LocateSettings) -> list:
    """Return the stacks of kinds of imaging that the network was trained on, unless any kind was asked for.

    Raises:
        StudyError: If there is none.
    """
    if settings.any_modality:
        return stacks
    known = [pair for pair in stacks if not network.unfamiliar(pair[0].identity["modality"])]
    if not known:
        raise StudyError(
            "the network was not trained on this kind of imaging",
            field="modality",
            found="; ".join(dict.fromkeys(f"{series.name}: {series.identity['modality']}" for series, _ in stacks)),
            expected=" or ".join(network.modalities),
            remedy="choose other --weights, or give --any-modality for points that are most likely wrong",
        )
    return known


def _used_or_why_not(series: Series) -> str:
    return series.name + (f", left out: {series.left_out}" if series.left_out else "")


def _echo_time(stack: Stack) -> float:
    return stack.slices[0].echo_time or 0.0


def _preference(middle: Midsagittal, axial: Sequence[Stack]) -> tuple:
    """Return a sort key, the best slice first.

    Slices come first whose points can be mapped to axial slices; then those known to be the middle one, those that are
    not flagged, those with a longer echo time (T2 weighting), and those with a higher confidence.
    """
    reference, points = middle.stack.frame_of_reference, middle.points
    mapped = bool(reference) and any(stack.frame_of_reference == reference for stack in axial)
    absent, confidence = int((points.absent > 0.5).sum()), float(np.nan_to_num(points.confidence).mean())
    return not mapped, middle.alone, absent, bool(points.flagged), -_echo_time(middle.stack), -confidence


def _table(
    middle: Midsagittal, others: Sequence[Midsagittal], axial: Sequence[Stack], checked: CheckedCount
) -> tuple[pd.DataFrame, list[str]]:
    """Return the table of levels, and notes."""
    xyz = middle.xyz_mm
    reference = middle.stack.frame_of_reference
    directions = spine_directions(xyz)
    places = [
        nowhere("the sagittal slice does not show this level")
        if np.isnan(point).any()
        else find_axial_slice(point, along, reference, axial)
        for point, along in zip(xyz, directions, strict=True)
    ]
    doubts, notes = plausibility.find_doubts(middle, others)
    for doubt, place, remark in zip(doubts, places, checked.remarks, strict=True):
        if remark:
            doubt.append(remark)
        if middle.alone:
            doubt.append(f"the sagittal slice is {ONLY_SLICE}")
        if place.slice and is_assumed(middle.slice, place.slice):
            doubt.append(ASSUMED)
    found = middle.points
    notes.extend(f"{doubt}; flagged." for doubt in found.doubts)
    rows = []
    for n, (level, place) in enumerate(zip(LEVELS, places, strict=True)):
        rows.append(
            {
                **{"level": level, "x_mm": xyz[n, 0], "y_mm": xyz[n, 1], "z_mm": xyz[n, 2]},
                **{"confidence": found.confidence[n], "absent": found.absent[n]},
                "flagged": True if doubts[n] else found.flagged,
                **_in_slice("sagittal", middle.slice, *found.xy_native[n]),
                **_in_slice("axial", place.slice, place.x, place.y),
                **{"distance_mm": place.distance_mm, "angle_degrees": place.angle_degrees},
                "remark": "; ".join(text for text in (*doubts[n], place.remark) if text),
                **_if_miscounted(middle, n),
                "count_checked_in": checked.view.name if checked.view else "",
            }
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    if np.isnan(found.probability).all():
        table = table.astype({"flagged": "boolean"})
        notes.append(UNJUDGED)
    if found.count is not None:
        notes.append(f"{found.count}.")
    notes.extend(checked.notes)
    return table.astype({"sagittal_frame": "Int64", "axial_frame": "Int64"}), notes


def _if_miscounted(middle: Midsagittal, level: int) -> dict[str, float]:
    """Return the columns on the count; none if the network cannot tell."""
    count = middle.points.count
    if count is None:
        return {}
    columns = {"one_higher": count.one_higher, "one_lower": count.one_lower}
    for way, points in (("higher", count.higher), ("lower", count.lower)):
        xyz = middle.slice.plane.to_patient(points[level])
        columns |= dict(zip((f"{axis}_mm_{way}" for axis in "xyz"), xyz, strict=True))
    return columns


def _in_slice(name: str, header: SliceHeader | None, x: float, y: float) -> dict:
    """Return the columns that place a point in a slice; `name` is "sagittal" or "axial"."""
    place = {"file": str(header.path), "frame": header.frame} if header else {"file": "", "frame": None}
    return {f"{name}_{key}": value for key, value in (place | {"x": x, "y": y}).items()}


def _in_words(row: Any) -> str:
    if row.x_mm != row.x_mm:
        flag = ", FLAGGED" if pd.notna(row.flagged) and row.flagged else ""
        return f"{row.level}: absent{flag}; {row.remark}"
    text = f"{row.level}: ({row.x_mm:.1f}, {row.y_mm:.1f}, {row.z_mm:.1f}) mm"
    text += f", confidence {row.confidence:.2f}" if row.confidence == row.confidence else ", confidence unknown"
    text += ", FLAGGED" if pd.notna(row.flagged) and row.flagged else ""
    if row.axial_file:
        frame = f" frame {row.axial_frame}" if row.axial_frame else ""
        text += (
            f"; axial {Path(row.axial_file).name}{frame} at ({row.axial_x:.1f}, {row.axial_y:.1f}), "
            f"{row.distance_mm:.1f} mm from the point"
        )
        if row.angle_degrees == row.angle_degrees:
            text += f", tilted {row.angle_degrees:.0f}° from the plane across the spine"
    return text + (f"; {row.remark}" if row.remark else "")
