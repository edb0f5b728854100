"""A study's folder, read by its headers alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from lumbar.core.errors import ScanError, StudyError
from lumbar.imaging import begins_as_dicom
from lumbar.imaging.dicom.slice_header import SliceHeader, read_headers
from lumbar.study.series import Series, series_of
from lumbar.study.stacks import Stack


@dataclass(frozen=True, eq=False)
class Study:
    """One patient's study.

    Args:
        series: By their numbers.
        refused: DICOM files that could not be read, one error each.
        warnings: What is odd about the study as a whole, in plain sentences.
    """

    series: tuple[Series, ...]
    refused: tuple[ScanError, ...]
    warnings: tuple[str, ...]

    def stacks(self, view: str, wanted: Sequence[str] = ()) -> list[tuple[Series, Stack]]:
        """The stacks of a view.

        Args:
            view: One of `lumbar.core.constants.VIEWS`.
            wanted: Numbers or Series Instance UIDs of the series to choose from; all if empty.

        Raises:
            StudyError: If one of the series wanted is not there, or has no slice of this view.
        """
        found = [(series, stack) for series in self.series for stack in series.stacks if stack.view == view]
        for name in wanted:
            if not any(series.answers_to(name) for series, _ in found):
                raise StudyError(
                    f"the study has no such {view} series",
                    found=name,
                    expected=", ".join(dict.fromkeys(series.name for series, _ in found)) or "none: it has no such one",
                )
        return [pair for pair in found if not wanted or any(pair[0].answers_to(name) for name in wanted)]

    def __str__(self) -> str:
        lines = []
        for series in self.series:
            head = series.name[0].upper() + series.name[1:]
            if series.left_out:
                lines.append(f"{head}: left out, {series.left_out}")
                continue
            lines.append(f"{head}:" + (f" {series.stacks[0]}" if len(series.stacks) == 1 else ""))
            lines += [f"  {stack}" for stack in series.stacks] if len(series.stacks) > 1 else []
            lines += [f"  warning: {text}" for text in series.warnings]
            lines += [f"  warning: {text}" for stack in series.stacks for text in stack.warnings]
        return "\n".join([*lines, *(f"warning: {text}" for text in self.warnings)])


def read_study(paths: Sequence[str | Path], *, study: str | None = None, progress: bool = True) -> Study:
    """Read the headers of a study.

    Args:
        paths: DICOM files, and folders of them, searched to the bottom; names and endings do not matter.
        study: Study Instance UID of the one meant, if there are several.
        progress: Show a progress bar.

    Raises:
        StudyError: If there is no DICOM slice, the slices are of several studies and none was chosen, or of several
            patients.
        ScanError: If not one of the files can be read.
    """
    slices, refused = [], []
    for file in tqdm(_dicom_files(paths), "reading headers", unit="file", disable=not progress):
        try:
            slices += read_headers(file)
        except ScanError as error:
            refused.append(error)
    if refused and not slices:
        raise refused[0]
    slices = _chosen(slices, study, paths)
    slices, warnings = _each_once(slices)
    return Study(series_of(slices), tuple(refused), tuple(warnings))


def _dicom_files(paths: Sequence[str | Path]) -> list[Path]:
    """Files that are named, or that begin as DICOM files do or are called so, in the order of their names."""
    found = []
    for path in map(Path, paths):
        if not path.exists():
            raise StudyError("there is no such file or folder", file=path)
        if path.is_dir():
            inside = (file for file in path.rglob("*") if not file.name.startswith(".") and file.is_file())
            found += sorted(file for file in inside if file.suffix.lower() == ".dcm" or begins_as_dicom(file))
        else:
            found.append(path)
    return found


def _chosen(slices: list[SliceHeader], study: str | None, paths: Sequence[str | Path]) -> list[SliceHeader]:
    where = ", ".join(map(str, paths))
    studies = sorted({each.identity["study"] for each in slices})
    if study is not None:
        slices = [each for each in slices if each.identity["study"] == study]
    elif len(studies) > 1:
        raise StudyError(
            "the files are of several studies",
            file=where,
            field="StudyInstanceUID",
            found=f"{len(studies)}: {', '.join(studies[:3])}{' …' if len(studies) > 3 else ''}",
            expected="one study of one patient",
            remedy="give the folder of one study, or choose one: --study UID",
        )
    if not slices:
        raise StudyError("there is no DICOM slice of this study", file=where, field="StudyInstanceUID", found=study)
    patients = sorted({each.identity["patient"] for each in slices})
    if len(patients) > 1:
        raise StudyError(
            "the files of one study name several patients",
            file=where,
            field="PatientID",
            found=f"{len(patients)} patients",
            expected="one",
            remedy="find out whose slices they are; no point is carried from one patient to another",
        )
    return slices


def _each_once(slices: list[SliceHeader]) -> tuple[list[SliceHeader], list[str]]:
    """Slices without copies of a file, and what to say of copies."""
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
    warnings = [f"{copies} slice(s) are there more than once, as copies; one of each was taken"] if copies else []
    if contradictions:
        warnings.append(f"slices at different places have one SOP Instance UID: {'; '.join(contradictions[:3])}")
    return kept, warnings


def _same_place(one: SliceHeader, other: SliceHeader) -> bool:
    if one.plane is None or other.plane is None:
        return one.plane is other.plane
    return one.identity["series"] == other.identity["series"] and np.allclose(
        one.plane.position, other.plane.position, atol=1e-3
    )
