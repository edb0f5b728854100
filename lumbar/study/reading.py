"""Read a study from its folder, by the headers of its files alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from lumbar.core.errors import ScanError, StudyError
from lumbar.imaging.dicom.slice_header import SliceHeader, read_headers
from lumbar.imaging.folder import Unread, list_images
from lumbar.study.frames import assume_common_frame
from lumbar.study.series import Series, group_into_series
from lumbar.study.stacks import Stack


@dataclass(frozen=True, eq=False)
class Study:
    """One patient's study.

    Args:
        series: The series, sorted by number.
        refused: Why DICOM files could not be read, one error each.
        warnings: Irregularities of the study as a whole, in plain sentences.
        unread: Files in the folders that are not read, by kind.
    """

    series: tuple[Series, ...]
    refused: tuple[ScanError, ...]
    warnings: tuple[str, ...]
    unread: tuple[Unread, ...] = ()

    def stacks(self, view: str, wanted: Sequence[str] = ()) -> list[tuple[Series, Stack]]:
        """Return the stacks of a view, each with its series.

        Args:
            view: One of `lumbar.core.constants.VIEWS`.
            wanted: Numbers or Series Instance UIDs of the series to use; all series if empty.

        Raises:
            StudyError: If a wanted series does not exist, or has no slice of this view.
        """
        found = [(series, stack) for series in self.series for stack in series.stacks if stack.view == view]
        for name in wanted:
            if not any(series.matches(name) for series, _ in found):
                known = ", ".join(dict.fromkeys(series.name for series, _ in found))
                raise StudyError(
                    f"the study has no such {view} series",
                    found="; ".join(filter(None, (name, reasons(self.refused)))),
                    expected=known or f"no series: none is {view}",
                )
        return [pair for pair in found if not wanted or any(pair[0].matches(name) for name in wanted)]

    def __str__(self) -> str:
        lines = []
        for series in self.series:
            head = series.name[0].upper() + series.name[1:]
            if series.left_out:
                count = sum(len(stack.slices) for stack in series.overview if stack.view == "sagittal")
                serves = f"; its {count} sagittal slice(s) serve to check the count of the levels" if count else ""
                lines.append(f"{head}: left out, {series.left_out}{serves}")
                continue
            lines.append(f"{head}:" + (f" {series.stacks[0]}" if len(series.stacks) == 1 else ""))
            lines += [f"  {stack}" for stack in series.stacks] if len(series.stacks) > 1 else []
            lines += [f"  warning: {text}" for text in series.warnings]
            lines += [f"  warning: {text}" for stack in series.stacks for text in stack.warnings]
        return "\n".join([*lines, *(f"warning: {text}" for text in self.warnings)])


def read_study(
    paths: Sequence[str | Path], *, study: str | None = None, common_frame: bool = True, progress: bool = True
) -> Study:
    """Read a study from the headers of its files.

    Args:
        paths: DICOM files, and folders of them, searched recursively; the names of the files do not matter.
        study: Study Instance UID of the study to read, if there are several.
        common_frame: Whether series that each state a frame of reference of their own may be taken to share one, see
            `lumbar.study.frames`.
        progress: Whether to show a progress bar.

    Raises:
        StudyError: If there is no DICOM slice, if the slices belong to several studies and `study` is left out, or if
            they belong to several patients.
        ScanError: If none of the files can be read.
    """
    if missing := [path for path in paths if not Path(path).exists()]:
        raise StudyError("there is no such file or folder", file=missing[0])
    listing = list_images(paths, dicom_only=True)
    if not listing.images:
        raise StudyError(
            "there is no DICOM file here",
            file=", ".join(map(str, paths)),
            found="; ".join(map(str, listing.unread)) or "an empty folder",
            remedy="give the folder of a DICOM study; predict reads pictures and volumes",
        )
    slices, refused = [], []
    for file in tqdm(listing.images, "reading headers", unit="file", disable=not progress):
        try:
            slices += read_headers(file)
        except ScanError as error:
            refused.append(error)
    if refused and not slices:
        raise unreadable(refused, paths)
    slices = _chosen(slices, study, refused, paths)
    slices, warnings = _without_copies(slices)
    series = group_into_series(slices)
    if common_frame:
        series, assumptions = assume_common_frame(series)
        warnings += assumptions
    return Study(series, tuple(refused), tuple(warnings), listing.unread)


def reasons(refused: Sequence[ScanError]) -> str:
    """Return why files could not be read, each reason with the number of files and an example; "" if there are none."""
    kinds = defaultdict(list)
    for error in refused:
        kinds[error.problem].append(error)
    return "; ".join(
        f"{len(errors)} file(s) left out, because {problem}"
        f" ({', '.join(str(part) for part in (errors[0].file, errors[0].field, errors[0].found) if part is not None)})"
        for problem, errors in kinds.items()
    )


def unreadable(refused: Sequence[ScanError], paths: Sequence[str | Path]) -> ScanError:
    """Return the error for files of which none can be read: that of a single one, or one that gives all reasons.

    Args:
        refused: Why the files could not be read, at least one error.
        paths: What was to be read.
    """
    if len(refused) == 1:
        return refused[0]
    where = ", ".join(map(str, paths))
    remedy = next((error.remedy for error in refused if error.remedy), None)
    return ScanError("none of the files can be read", file=where, found=reasons(refused), remedy=remedy)


def _chosen(
    slices: list[SliceHeader], study: str | None, refused: Sequence[ScanError], paths: Sequence[str | Path]
) -> list[SliceHeader]:
    """Return the slices of the one study, and check that they are of one patient."""
    where = ", ".join(map(str, paths))
    studies = sorted({each.identity["study"] for each in slices})
    if study is not None:
        slices = [each for each in slices if each.identity["study"] == study]
    elif len(studies) > 1:
        raise StudyError(
            "the files belong to several studies",
            file=where,
            field="StudyInstanceUID",
            found=f"{len(studies)}: {', '.join(studies[:3])}{' …' if len(studies) > 3 else ''}",
            expected="one study of one patient",
            remedy="give the folder of one study, or choose one: --study UID",
        )
    if not slices:
        raise StudyError(
            "there is no DICOM slice of this study",
            file=where,
            field="StudyInstanceUID",
            found="; ".join(filter(None, (study, reasons(refused)))) or None,
        )
    patients = sorted({each.identity["patient"] for each in slices})
    if len(patients) > 1:
        raise StudyError(
            "the files of one study name several patients",
            file=where,
            field="PatientID",
            found=f"{len(patients)} patients",
            expected="one",
            remedy="find out which patient each slice belongs to, and give the files of one patient",
        )
    return slices


def _without_copies(slices: list[SliceHeader]) -> tuple[list[SliceHeader], list[str]]:
    """Return the slices without copies, and warnings about copies and contradictions."""
    first: dict[tuple[str, int], SliceHeader] = {}
    kept, copies, contradictions = [], 0, []
    for each in slices:
        key = each.identity["instance"], each.frame
        if not key[0] or key not in first:
            first[key] = each
            kept.append(each)
        elif _same_place(each, first[key]):
            copies += 1
        else:
            kept.append(each)
            contradictions.append(f"{first[key].path.name} and {each.path.name}")
    warnings = [f"{copies} slice(s) are copies of others and were left out"] if copies else []
    if contradictions:
        warnings.append(f"slices at different positions share one SOP Instance UID: {'; '.join(contradictions[:3])}")
    return kept, warnings


def _same_place(one: SliceHeader, other: SliceHeader) -> bool:
    if one.plane is None or other.plane is None:
        return one.plane is other.plane
    return one.identity["series"] == other.identity["series"] and np.allclose(
        one.plane.position, other.plane.position, atol=1e-3
    )
