"""One series of one patient: its slices as DICOM files, and its rows of the landmark table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lumbar.core.settings import to_dict
from lumbar.landmarks import REQUIRED, SIDES
from lumbar.phantom import dicom, planning
from lumbar.phantom.anatomy import Patient
from lumbar.phantom.contrast import draw_contrast
from lumbar.phantom.planning import Cut
from lumbar.phantom.recipe import SERIES, VERSION, PhantomSettings, patient_name, stream
from lumbar.phantom.render import render

COLUMNS = (
    *REQUIRED,
    *("study", "series", "instance", "x_mm", "y_mm", "z_mm", "lumbar_vertebrae", "findings"),
)
"""Columns of the table: those of every landmark table; where the slice is found in its study; the point in patient mm
(LPS), also where it falls outside of the picture; what is particular about the patient."""


def write_series(
    folder: Path, settings: PhantomSettings, number: int, series: str, patient: Patient
) -> Iterator[dict[str, Any]]:
    """Write one series and give its rows of the table.

    Args:
        folder: The patient's folder.
        settings: What to make.
        number: Which patient of the seed.
        series: One of `SERIES`.
        patient: Whom to scan.

    Yields:
        One row a point, a value for each of `COLUMNS`.
    """
    description, view = SERIES[series]
    order = 1 + list(SERIES).index(series)
    rng = stream(settings.seed, number, order)
    contrast_name = _contrast_name(series, settings, rng)
    contrast, gain = draw_contrast(contrast_name, rng), rng.uniform(1.5, 3.0)
    header = _header(settings, number, patient) | dicom.acquisition(contrast_name)
    study = header["StudyInstanceUID"]
    header |= {"SeriesInstanceUID": dicom.uid(study, series), "SeriesNumber": order, "SeriesDescription": description}
    (folder / series).mkdir()
    for instance, cut in enumerate(_cuts(view, patient, rng, settings), start=1):
        image, noise = f"{series}/{instance:03d}.dcm", stream(settings.seed, number, order, instance)
        picture = render(patient, cut.plane, cut.width, cut.height, contrast, noise, thickness=cut.thickness)
        pixels = np.clip(np.rint(picture * gain), 0, 2**dicom.BITS - 1).astype(np.uint16)
        own = {"SOPInstanceUID": dicom.uid(study, series, instance), "InstanceNumber": instance}
        dicom.write_slice(folder / image, pixels, cut, header | own)
        common = {
            **{"image": image, "patient": header["PatientID"], "source": "phantom"},
            **{"view": view, "contrast": contrast_name, "study": study, "series": description, "instance": instance},
            **{"lumbar_vertebrae": patient.lumbar_vertebrae, "findings": "; ".join(patient.findings)},
        }
        for row in points(cut, view, patient):
            yield common | row


def _cuts(view: str, patient: Patient, rng: np.random.Generator, settings: PhantomSettings) -> list[Cut]:
    if view == "sagittal":
        return planning.sagittal(patient, rng, settings.slices)
    return planning.coronal(patient, rng) if view == "coronal" else planning.axial(patient, rng)


def _contrast_name(series: str, settings: PhantomSettings, rng: np.random.Generator) -> str:
    odd, stir = rng.random(2) < (settings.random_contrast, settings.stir_share)
    if odd:
        return "random"
    return "T1" if series == "sagittal-t1" else "STIR" if series == "sagittal-t2" and stir else "T2"


def _header(settings: PhantomSettings, number: int, patient: Patient) -> dict[str, Any]:
    """What the header says about patient and study."""
    name = patient_name(settings.seed, number)
    # The number of patients is the one setting that changes nothing in a study.
    study = dicom.uid(VERSION, *(value for key, value in to_dict(settings).items() if key != "patients"), name)
    return {
        "PatientID": name,
        "PatientName": name.replace("-", "^", 1),
        "PatientSex": "M" if patient.person.male else "F",
        "PatientAge": f"{int(patient.person.age):03d}Y",
        "StudyInstanceUID": study,
        "StudyID": str(number),
        "StudyDescription": "Lumbar spine, synthetic",
        "FrameOfReferenceUID": dicom.uid(study, "frame of reference"),
    }


def points(cut: Cut, view: str, patient: Patient) -> Iterator[dict[str, Any]]:
    """Rows for a slice's landmarks; x and y are NaN for a point that lies outside of the picture."""
    known = patient.landmarks_mm(view)
    for level in cut.levels:
        for side in SIDES if view == "axial" else ("",):
            xyz = known.get((level, side), np.full(3, np.nan))
            x, y = cut.plane.to_pixels(xyz)
            if not (-0.5 <= x <= cut.width - 0.5 and -0.5 <= y <= cut.height - 0.5):
                x = y = np.nan
            yield {
                **{"level": level, "side": side, "x": x, "y": y, "width": cut.width, "height": cut.height},
                **{"pixel_width": cut.plane.pixel_width, "pixel_height": cut.plane.pixel_height},
                **dict(zip(("x_mm", "y_mm", "z_mm"), xyz, strict=True)),
            }
