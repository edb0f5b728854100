"""Points as DICOM Structured Reports, one file a picture: Comprehensive 3D SR, Measurement Report (PS3.16, TID 1500).

The observer is a device: this package and its version. Each point is a measurement group, see
`lumbar.exports.measurement_group`. Codes are those of PS3.16 as pydicom has them.

A report belongs to the patient, so it carries who the patient is as the source file says; its name and whatever is
printed do not. It is marked as partial, preliminary and unverified.
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

import lumbar
from lumbar.core.errors import LumbarError, ScanError, SettingsError
from lumbar.exports import Written
from lumbar.exports.measurement_group import measurement_group
from lumbar.prediction import Predictions, by_picture
from lumbar.storage.files import atomic_write, describe_os_error

if TYPE_CHECKING:
    import pandas as pd
    from highdicom.sr import Comprehensive3DSR
    from pydicom import Dataset

DESCRIPTION = "Lumbar disc levels by a network, not for diagnosis"
"""Series description of the reports; DICOM takes 64 characters."""

# Attributes that a report must have, if only empty (PS3.3, patient and general study modules, type 2).
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
# High, so as not to meet the number of one of the scanner's series.
_SERIES_NUMBER = 1000

logging.getLogger("highdicom").addHandler(logging.NullHandler())


def check_installed() -> None:
    """Make sure that reports can be written, before time is spent on predicting.

    Raises:
        SettingsError: If the package highdicom is missing.
    """
    try:
        import highdicom  # noqa: F401
    except ImportError as error:
        raise SettingsError(
            "structured reports need the package highdicom", found=error, remedy="pip install highdicom"
        ) from error


def write(found: Predictions, folder: Path) -> Written:
    """Write one report for each picture of a DICOM file; those of one study make one series.

    Args:
        found: The points.
        folder: Where to; the files are named as `lumbar.prediction.by_picture` has it.

    Raises:
        SettingsError: If the package highdicom is missing.
    """
    check_installed()
    from pydicom.uid import generate_uid

    with describe_os_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
    series: dict[str, str] = defaultdict(lambda: generate_uid(prefix=None))
    files, skipped = [], []
    for order, (name, image, points) in enumerate(by_picture(found.table), start=1):
        try:
            source = _source(Path(image))
            report = document(source, points, found, series[source.StudyInstanceUID], order)
            file = folder / f"{name}.dcm"
            with _discreetly(source), atomic_write(file) as temporary:
                report.save_as(temporary, enforce_file_format=True)
            files.append(file)
        except ScanError as error:
            skipped.append(error)
    return Written(folder, tuple(files), tuple(skipped))


def document(
    source: Dataset, points: pd.DataFrame, found: Predictions, series: str, instance_number: int
) -> Comprehensive3DSR:
    """The report of one picture.

    Args:
        source: Header of the picture's file.
        points: The picture's rows.
        found: Where they come from.
        series: Series Instance UID of the report.
        instance_number: Its place in that series.

    Raises:
        ScanError: If the header holds something that a report cannot take.
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
        uid=_device_uid(found.network), name="lumbar", model_name=f"lumbar {lumbar.__version__}"
    )
    observer = ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    with _discreetly(source):
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
            software_versions=lumbar.__version__,
            series_description=DESCRIPTION,
        )


@contextmanager
def _discreetly(source: Dataset) -> Iterator[None]:
    """What highdicom and pydicom warn of or refuse quotes the patient's name; keep it from the screen."""
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except LumbarError:
        raise
    except Exception as error:  # an odd element may raise anything
        raise ScanError(
            "no structured report: the header holds something that a report cannot take",
            file=source.filename,
            found=type(error).__name__,
            remedy="its points are in the table",
        ) from None


def _source(file: Path) -> Dataset:
    """The header, with what a report copies from it.

    Raises:
        ScanError: If it is no DICOM file, or does not say which picture it is.
    """
    import pydicom
    from pydicom.uid import UID

    try:
        with warnings.catch_warnings(action="ignore"):
            header = pydicom.dcmread(file, stop_before_pixels=True)
            missing = [name for name in _NEEDED if not UID(str(header.get(name) or "")).is_valid]
            for keyword in _MAY_BE_EMPTY:
                if header.get(keyword) is None:
                    setattr(header, keyword, "")
    except Exception:  # an odd element may raise anything, with the patient's name in its message
        raise ScanError(
            "no structured report: the picture is not a DICOM file that can be read whole, so it belongs to no study",
            file=file,
            remedy="give the original DICOM file; its points are in the table",
        ) from None
    if missing:
        raise ScanError(
            "no structured report: the file does not say which picture of which study it is",
            file=file,
            field=", ".join(missing),
            remedy="give the original DICOM file; its points are in the table",
        )
    return header


def _procedure(source: Dataset) -> Any:
    from pydicom.sr.codedict import codes

    name = _PROCEDURES.get(source.get("Modality"))
    return getattr(codes.LN, name) if name else codes.SCT.ImagingProcedure


def _device_uid(network: str) -> str:
    """The same for each report of this version with this network; a UUID as a decimal number (PS3.5, B.2)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, f'lumbar/{lumbar.__version__}/{network}').int}"
