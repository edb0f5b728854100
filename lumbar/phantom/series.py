"""One series of one patient: its slices as DICOM files, and its rows in the landmark table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lumbar.core.schema import first_released_names
from lumbar.landmarks import LEVELS, REQUIRED, SIDES
from lumbar.phantom import dicom, planning
from lumbar.phantom.anatomy import Patient
from lumbar.phantom.contrast import Contrast, draw_contrast
from lumbar.phantom.implants import Implants, with_holes
from lumbar.phantom.neck import Neck
from lumbar.phantom.planning import Cut
from lumbar.phantom.recipe import SERIES, VERSION, PhantomSettings, patient_name, stream
from lumbar.phantom.render import render

COLUMNS = (
    *REQUIRED,
    *("study", "series", "instance", "x_mm", "y_mm", "z_mm", "lumbar_vertebrae", "findings"),
)
"""Columns of every table: those of a landmark table; the slice's series and number in its study; the point in patient
mm (LPS), also where it lies outside the image; the patient's number of lumbar vertebrae and findings."""


def columns(settings: PhantomSettings) -> tuple[str, ...]:
    """Return the columns of the table of a set: `COLUMNS`, and absent where points may lie outside by design."""
    return (*COLUMNS, "absent") if settings.field_of_view or settings.necks else COLUMNS


def write_series(
    folder: Path,
    settings: PhantomSettings,
    number: int,
    series: str,
    patient: Patient,
    implants: Implants | None = None,
) -> Iterator[dict[str, Any]]:
    """Write one series and yield its rows of the table.

    Args:
        folder: The patient's folder; it exists.
        settings: Settings of the set.
        number: Number of the patient in the set, from 1.
        series: One of `SERIES`.
        patient: The patient to scan.
        implants: The patient's implants; None without any.

    Yields:
        One row per point, with a value for each of `columns`.
    """
    description, view = SERIES[series]
    order = 1 + list(SERIES).index(series)
    rng = stream(settings.seed, number, order)
    contrast_name = _contrast_name(series, settings, rng)
    contrast, gain = draw_contrast(contrast_name, rng), rng.uniform(1.5, 3.0)
    header = _header(settings, number, patient, series, order, description) | dicom.acquisition(contrast_name)
    study = header["StudyInstanceUID"]
    (folder / series).mkdir()
    known = {"neighbours": settings.neighbours, "absent": "absent" in columns(settings)}
    findings = (*patient.findings, *([implants.finding] if implants else []))
    for instance, cut in enumerate(_cuts(view, patient, rng, settings), start=1):
        image, noise = f"{series}/{instance:03d}.dcm", stream(settings.seed, number, order, instance)
        _write_slice(folder / image, cut, instance, patient, implants, contrast, gain, noise, header)
        common = {
            **{"image": image, "patient": header["PatientID"], "source": "phantom"},
            **{"view": view, "contrast": contrast_name, "study": study, "series": description, "instance": instance},
            **{"lumbar_vertebrae": patient.lumbar_vertebrae, "findings": "; ".join(findings)},
        }
        for row in points(cut, view, patient, **known):
            yield common | row


def write_localiser(
    folder: Path, settings: PhantomSettings, number: int, patient: Patient, implants: Implants | None = None
) -> None:
    """Write the localiser of a study, one series with slices in three planes: coarse, grainy, and without points.

    Args:
        folder: The patient's folder; it exists.
        settings: Settings of the set.
        number: Number of the patient in the set, from 1.
        patient: The patient to scan.
        implants: The patient's implants; None without any.
    """
    order = 1 + len(SERIES)
    rng = stream(settings.seed, number, order)
    contrast = draw_contrast(name := str(rng.choice(("T1", "T2"))), rng)
    coarse = {"noise": contrast.noise * rng.uniform(2, 3.5), "blur": contrast.blur + 0.3}
    contrast = replace(contrast, **coarse, band=(), borders=(0.0, 0.0, 0.0, 0.0))
    gain, planned = rng.uniform(1.5, 3.0), planning.localiser(patient, rng)
    header = _header(settings, number, patient, "localiser", order, "Localizer") | dicom.acquisition(name)
    (folder / "localiser").mkdir()
    for instance, cut in enumerate((cut for cuts in planned.values() for cut in cuts), start=1):
        file, noise = folder / f"localiser/{instance:03d}.dcm", stream(settings.seed, number, order, instance)
        _write_slice(file, cut, instance, patient, implants, contrast, gain, noise, header)


def _write_slice(
    file: Path,
    cut: Cut,
    instance: int,
    patient: Patient,
    implants: Implants | None,
    contrast: Contrast,
    gain: float,
    noise: np.random.Generator,
    header: dict[str, Any],
) -> None:
    """Render one slice of a series and write it; `gain` is the factor from signal to pixel values."""
    rendered = render(patient, cut.plane, cut.width, cut.height, contrast, noise, thickness=cut.thickness)
    if implants is not None:
        rendered = with_holes(rendered, cut.plane, implants)
    pixels = np.clip(np.rint(rendered * gain), 0, 2**dicom.BITS - 1).astype(np.uint16)
    study, series = header["StudyInstanceUID"], file.parent.name
    own = {"SOPInstanceUID": dicom.uid(study, series, instance), "InstanceNumber": instance}
    dicom.write_slice(file, pixels, cut, header | own)


def _cuts(view: str, patient: Patient, rng: np.random.Generator, settings: PhantomSettings) -> list[Cut]:
    if view == "axial":
        return planning.axial(patient, rng)
    if isinstance(patient, Neck):
        return planning.of_neck(patient, rng, settings.slices)
    # Without it the numbers of the first release are drawn.
    any_field = settings.field_of_view > 0 and rng.random() < settings.field_of_view
    if view == "sagittal":
        return planning.sagittal(patient, rng, settings.slices, any_field=any_field)
    return planning.coronal(patient, rng, any_field=any_field)


def _contrast_name(series: str, settings: PhantomSettings, rng: np.random.Generator) -> str:
    unusual, stir = rng.random(2) < (settings.random_contrast, settings.stir_share)
    if unusual:
        return "random"
    return "T1" if series == "sagittal-t1" else "STIR" if series == "sagittal-t2" and stir else "T2"


def _header(
    settings: PhantomSettings, number: int, patient: Patient, series: str, order: int, description: str
) -> dict[str, Any]:
    """Return what the header states about patient, study and series, by DICOM keyword."""
    name = patient_name(settings.seed, number)
    # The number of patients is the only setting that does not change a study.
    what = {key: value for key, value in first_released_names(settings).items() if key != "patients"}
    study = dicom.uid(VERSION, *what.values(), name)
    return {
        "PatientID": name,
        "PatientName": name.replace("-", "^", 1),
        "PatientSex": "M" if patient.person.male else "F",
        "PatientAge": f"{int(patient.person.age):03d}Y",
        "StudyInstanceUID": study,
        "StudyID": str(number),
        **_part(patient),
        "FrameOfReferenceUID": dicom.uid(study, "frame of reference"),
        "SeriesInstanceUID": dicom.uid(study, series),
        "SeriesNumber": order,
        "SeriesDescription": description,
    }


def _part(patient: Patient) -> dict[str, str]:
    """Return which part of the body is scanned, by DICOM keyword."""
    if isinstance(patient, Neck):
        return {"StudyDescription": "Cervical spine, synthetic", "BodyPartExamined": "CSPINE"}
    return {"StudyDescription": "Lumbar spine, synthetic"}


def points(
    cut: Cut, view: str, patient: Patient, *, neighbours: bool = False, absent: bool = False
) -> Iterator[dict[str, Any]]:
    """Yield one row for each landmark of a slice.

    Args:
        cut: The slice.
        view: One of `lumbar.landmarks.VIEWS`.
        patient: The patient.
        neighbours: Whether a slice with the points of all levels has those of `lumbar.landmarks.NEIGHBOURS`, too.
        absent: Whether to say which points lie outside the image.

    Yields:
        level and side; x and y, native pixels, NaN for a point outside the image; width and height; pixel_width and
        pixel_height, mm; x_mm, y_mm and z_mm, patient mm (LPS), also for a point outside the image; absent, 0 or 1, if
        asked for.
    """
    known, levels = patient.landmarks_mm(view), cut.levels
    if neighbours and levels == LEVELS:
        beside = patient.neighbours_mm(view)
        known, levels = known | {(name, ""): point for name, point in beside.items()}, (*levels, *beside)
    for level in levels:
        for side in SIDES if view == "axial" else ("",):
            xyz = known.get((level, side), np.full(3, np.nan))
            x, y = cut.plane.to_pixels(xyz)
            outside = not (-0.5 <= x <= cut.width - 0.5 and -0.5 <= y <= cut.height - 0.5)
            if outside:
                x = y = np.nan
            yield {
                **{"level": level, "side": side, "x": x, "y": y, "width": cut.width, "height": cut.height},
                **{"pixel_width": cut.plane.pixel_width, "pixel_height": cut.plane.pixel_height},
                **dict(zip(("x_mm", "y_mm", "z_mm"), xyz, strict=True)),
                **({"absent": int(outside)} if absent else {}),
            }
