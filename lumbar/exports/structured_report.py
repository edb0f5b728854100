"""Export points as DICOM Structured Reports: one Comprehensive 3D SR per image, template 1500 of PS3.16.

Template 1500 is the Measurement Report. Its observer is a device: this package and its version. Each point is a
measurement group, see `lumbar.exports.measurement_group`. The codes are those of PS3.16, as pydicom contains them.

A report becomes part of the patient's record, so it contains the patient's identity as the source file gives it. File
names and printed messages do not contain it. The report is marked as partial, preliminary and unverified.
"""

from __future__ import annotations

import logging
import uuid
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumbar.core import extras
from lumbar.core.constants import VERSION
from lumbar.core.errors import LumbarError, ScanError
from lumbar.exports import Written
from lumbar.exports.measurement_group import measurement_group
from lumbar.imaging.dicom.file import completed
from lumbar.prediction import Predictions, by_picture
from lumbar.storage.files import atomic_write, describe_os_error

if TYPE_CHECKING:
    import pandas as pd
    from highdicom.sr import Comprehensive3DSR
    from pydicom import Dataset

DESCRIPTION = "Lumbar disc levels by a network, not for diagnosis"
"""Series description of the reports, at most 64 characters as DICOM requires."""

# Attributes that a report must have, even if they are empty (PS3.3, patient and general study modules, type 2).
_MAY_BE_EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
)
_NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_PROCEDURES = {
    "MR": "MRIUnspecifiedBodyRegion",
    "CT": "CTUnspecifiedBodyRegion",
    "CR": "XRUnspecifiedBodyRegion",
    "DX": "XRUnspecifiedBodyRegion",
}
# A high number, to avoid the number of a series of the scanner.
_SERIES_NUMBER = 1000

logging.getLogger("highdicom").addHandler(logging.NullHandler())


def check_installed() -> None:
    """Check that reports can be written, before the prediction starts.

    Raises:
        SettingsError: If the package highdicom is missing.
    """
    extras.require("dicom-sr", "write structured reports")


def write(found: Predictions, folder: Path) -> Written:
    """Write one report for each image from a DICOM file; the reports of one study form one series.

    Args:
        found: The points.
        folder: Folder of the files; `lumbar.prediction.by_picture` gives their names.

    Returns:
        The files, and an error for each image without a report.

    Raises:
        SettingsError: If the package highdicom is missing.
        OutputError: If a file cannot be written.
    """
    check_installed()
    from pydicom.uid import generate_uid

    with describe_os_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
    series: dict[str, str] = defaultdict(lambda: generate_uid(prefix=None))
    files, skipped = [], []
    for order, (name, image, points) in enumerate(by_picture(found.table), start=1):
        points = points.dropna(subset=["x", "y"])
        try:
            if points.empty:
                raise ScanError("no structured report: the picture shows none of the levels", file=image)
            source = _source(Path(image))
            report = document(source, points, found, series[source.StudyInstanceUID], order)
            file = folder / f"{name}.dcm"
            with _without_patient_data(source), atomic_write(file) as temporary:
                report.save_as(temporary, enforce_file_format=True)
            files.append(file)
        except ScanError as error:
            skipped.append(error)
    return Written(folder, tuple(files), tuple(skipped))


def document(
    source: Dataset, points: pd.DataFrame, found: Predictions, series: str, instance_number: int
) -> Comprehensive3DSR:
    """Return the report of one image.

    Args:
        source: Header of the image's DICOM file.
        points: Rows of the image in the table of points.
        found: The predictions that they are part of.
        series: Series Instance UID of the report.
        instance_number: Number of the report in that series.

    Raises:
        ScanError: If the header contains a value that is not allowed in a report.
    """
    from highdicom.sr import (
        Comprehensive3DSR,
        DeviceObserverIdentifyingAttributes,
        MeasurementReport,
        ObservationContext,
        ObserverContext,
    )
    from pydicom.sr.codedict import codes
    from pydicom.uid import generate_uid

    device = DeviceObserverIdentifyingAttributes(
        uid=_device_uid(found.network), name="lumbar", model_name=f"lumbar {VERSION}"
    )
    observer = ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    with _without_patient_data(source):
        content = MeasurementReport(
            observation_context=ObservationContext(observer_device_context=observer),
            procedure_reported=_procedure(source),
            imaging_measurements=[measurement_group(row, source, found) for row in points.to_dict("records")],
        )
        return Comprehensive3DSR(
            evidence=[source],
            content=content,
            series_instance_uid=series,
            series_number=_SERIES_NUMBER,
            sop_instance_uid=generate_uid(prefix=None),
            instance_number=instance_number,
            manufacturer="lumbar",
            manufacturer_model_name="lumbar",
            software_versions=VERSION,
            series_description=DESCRIPTION,
        )


@contextmanager
def _without_patient_data(source: Dataset) -> Iterator[None]:
    """Suppress the warnings and errors of highdicom and pydicom in a block, because they quote the patient's name.

    Raises:
        ScanError: In place of any other error.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except LumbarError:
        raise
    except Exception as error:  # an unusual element may raise anything
        raise ScanError(
            "no structured report: the header contains a value that a report cannot take",
            file=source.filename,
            found=type(error).__name__,
            remedy="use the table, which contains its points",
        ) from None


def _source(file: Path) -> Dataset:
    """Return the header of a DICOM file, with all attributes that a report copies from it.

    Raises:
        ScanError: If the file is not a DICOM file, or does not identify the image and its study.
    """
    import pydicom
    from pydicom.uid import UID

    try:
        with warnings.catch_warnings(action="ignore"):
            header = pydicom.dcmread(completed(file), stop_before_pixels=True)
            missing = [name for name in _NEEDED if not UID(str(header.get(name) or "")).is_valid]
            for keyword in _MAY_BE_EMPTY:
                if header.get(keyword) is None:
                    setattr(header, keyword, "")
    except Exception:  # an unusual element may raise anything, with the patient's name in the message
        raise ScanError(
            "no structured report: the picture is not a readable DICOM file, so it belongs to no study",
            file=file,
            remedy="use the original DICOM file; the table contains the points",
        ) from None
    if missing:
        raise ScanError(
            "no structured report: the file does not identify the picture and its study",
            file=file,
            field=", ".join(missing),
            remedy="use the original DICOM file; the table contains the points",
        )
    return header


def _procedure(source: Dataset) -> Any:
    """Return the code of the imaging procedure, by the modality of the source image."""
    from pydicom.sr.codedict import codes

    name = _PROCEDURES.get(source.get("Modality"))
    return getattr(codes.LN, name) if name else codes.SCT.ImagingProcedure


def _device_uid(network: str) -> str:
    """Return a UID that depends on the version of the package and the network only: a decimal UUID (PS3.5, B.2)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, f'lumbar/{VERSION}/{network}').int}"
