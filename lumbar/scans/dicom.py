"""DICOM: rescaled pixels with spacing and position. Much of what pydicom lets pass is checked here."""

from __future__ import annotations

import logging
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.pixels import pixel_array
from pydicom.uid import UID

from lumbar.errors import ScanError
from lumbar.geometry import Plane
from lumbar.scans.scan import Scan, check_size, grey

# A person reads of trouble in a ScanError; pydicom's tracebacks beside it would only frighten.
logging.getLogger("pydicom").addHandler(logging.NullHandler())

# Plugins may differ in bytes: one order, the permissively licensed ones only.
_JPEG_2000 = ("pylibjpeg", "gdcm")
_JPEG_LS = ("pyjpegls", "gdcm")
_DECODERS: dict[str, tuple[str, ...]] = {
    "1.2.840.10008.1.2.4.50": ("gdcm",),
    "1.2.840.10008.1.2.4.51": ("gdcm",),
    "1.2.840.10008.1.2.4.57": ("gdcm",),
    "1.2.840.10008.1.2.4.70": ("gdcm",),
    "1.2.840.10008.1.2.4.80": _JPEG_LS,
    "1.2.840.10008.1.2.4.81": _JPEG_LS,
    "1.2.840.10008.1.2.4.90": _JPEG_2000,
    "1.2.840.10008.1.2.4.91": _JPEG_2000,
    "1.2.840.10008.1.2.4.201": _JPEG_2000,
    "1.2.840.10008.1.2.4.203": _JPEG_2000,
    "1.2.840.10008.1.2.5": ("pylibjpeg", "pydicom"),
}
_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
_END_OF_IMAGE = b"\xff\xd9"
_VIEWS_BY_NORMAL = ("sagittal", "coronal", "axial")
_IDENTITY = {
    "patient": "PatientID",
    "study": "StudyInstanceUID",
    "series": "SeriesInstanceUID",
    "instance": "SOPInstanceUID",
    "number": "InstanceNumber",
    "description": "SeriesDescription",
    "modality": "Modality",
}


def read_dicom(path: Path, frame: int | None) -> Scan:
    """Read one frame of a DICOM file; see `lumbar.scans.read`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pydicom remarks on is either harmless or an error below
        dataset = _open(path)
        index = _choose_frame(path, dataset, frame)
        groups = _functional_groups(dataset, index)
        repairs: list[str] = []
        pixels, mirrored = _pixels(path, dataset, groups, index, repairs)
        spacing = _spacing(path, groups)
        plane = _plane(path, groups, spacing)
        return Scan(
            path,
            pixels,
            pixel_width=spacing[1] if spacing else None,
            pixel_height=spacing[0] if spacing else None,
            plane=plane,
            window=_window(groups, mirrored),
            view=_VIEWS_BY_NORMAL[int(np.argmax(np.abs(plane.normal)))] if plane else None,
            identity={name: str(dataset.get(keyword, "") or "") for name, keyword in _IDENTITY.items()},
            warnings=tuple(repairs),
        )


def _open(path: Path) -> Dataset:
    try:
        dataset = pydicom.dcmread(path)
        list(dataset)  # elements are parsed when they are first looked at
    except InvalidDicomError as error:
        raise ScanError(
            "this is not a DICOM file", file=path, remedy="give a DICOM, PNG or JPEG file (a PNG must end in .png)"
        ) from error
    except OSError:
        raise
    except Exception as error:  # a damaged header may raise anything
        raise ScanError(
            "the DICOM header is damaged", file=path, found=error, remedy="export the file again"
        ) from error
    if "PixelData" not in dataset:
        raise ScanError(
            "the file holds no picture",
            file=path,
            field="PixelData",
            found=_kind(dataset),
            remedy="give a file of an image series",
        )
    for keyword in ("Rows", "Columns", "BitsAllocated", "PhotometricInterpretation"):
        if dataset.get(keyword) in (None, ""):
            raise ScanError("the header lacks what decoding needs", file=path, field=keyword)
    try:
        columns, rows = int(dataset.Columns), int(dataset.Rows)
    except (TypeError, ValueError) as error:
        raise ScanError(
            "the picture's size is no pair of numbers",
            file=path,
            field="Rows, Columns",
            found=f"{dataset.Rows}, {dataset.Columns}",
        ) from error
    check_size(path, columns, rows)
    return dataset


def _kind(dataset: Dataset) -> str:
    uid = dataset.get("SOPClassUID")
    return UID(uid).name if uid else "a file of unknown kind"


def _choose_frame(path: Path, dataset: Dataset, frame: int | None) -> int:
    try:
        count = int(dataset.get("NumberOfFrames") or 1)
    except (TypeError, ValueError) as error:
        raise ScanError(
            "the number of frames is no number", file=path, field="NumberOfFrames", found=dataset.NumberOfFrames
        ) from error
    if frame is None and count > 1:
        raise ScanError(
            "the file holds several frames and none was chosen",
            file=path,
            field="NumberOfFrames",
            found=count,
            remedy=f"choose one from 0 to {count - 1}: scans.read(path, frame=…)",
        )
    if not 0 <= (frame or 0) < count:
        raise ScanError("there is no such frame", file=path, found=frame, expected=f"0 to {count - 1}")
    return frame or 0


def _functional_groups(dataset: Dataset, frame: int) -> list[Dataset]:
    """Where an attribute may stand, first place first: the frame's own groups, the shared ones, the file itself.

    An enhanced multi-frame file keeps position, spacing and rescale in one-item sequences (PS3.3, C.7.6.16).
    """
    places = []
    for keyword, item in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        sequence = dataset.get(keyword) or ()
        if item < len(sequence):
            groups = [element.value for element in sequence[item] if element.VR == "SQ"]
            places += [group[0] for group in groups if len(group)]
    return [*places, dataset]


def _first(places: list[Dataset], keyword: str) -> Any:
    return next((place[keyword].value for place in places if keyword in place), None)


def _pixels(
    path: Path, dataset: Dataset, groups: list[Dataset], frame: int, repairs: list[str]
) -> tuple[np.ndarray, float | None]:
    """The rescaled pixels; and if they were inverted, the sum of a value before and after."""
    if dataset.BitsAllocated == 1:
        raise ScanError("the file holds a mask of one bit, not a scan", file=path, field="BitsAllocated", found=1)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        raise ScanError(
            "the picture's values are numbers of colours, not signal",
            file=path,
            field="PhotometricInterpretation",
            found="PALETTE COLOR",
            remedy="export the original series",
        )
    stored = _decoded(path, dataset, frame)
    if stored.ndim == 3:
        stored = grey(path, stored)
        repairs.append("stored in colour, but grey throughout")
    if stored.shape != (dataset.Rows, dataset.Columns):
        raise ScanError(
            "the decoded picture has another size than the header says",
            file=path,
            field="Rows, Columns",
            found=stored.shape,
            expected=(dataset.Rows, dataset.Columns),
        )
    slope, intercept = _rescale(path, groups)
    pixels = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    if not np.isfinite(pixels).all():
        raise ScanError("some pixels are not finite numbers", file=path, remedy="export the series again")
    if dataset.PhotometricInterpretation != "MONOCHROME1":
        return pixels, None
    repairs.append("stored with black as the highest value (MONOCHROME1); inverted")
    mirrored = pixels.max() + pixels.min()
    return mirrored - pixels, float(mirrored)


def _decoded(path: Path, dataset: Dataset, frame: int) -> np.ndarray:
    syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
    if not isinstance(syntax, UID) or not syntax.is_transfer_syntax:
        raise ScanError(
            "the header does not say in a way we know how the pixels are coded",
            file=path,
            field="TransferSyntaxUID",
            found=syntax,
            remedy="export the series again, uncompressed if that is offered",
        )
    if syntax.is_compressed and syntax.name.startswith(("JPEG", "High-Throughput")):
        _check_codestream(path, dataset, frame)
    problems = []
    for plugin in _DECODERS.get(syntax, ("",)):
        try:
            return pixel_array(dataset, index=frame, decoding_plugin=plugin)
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException as error:  # a decoder's panic is no Exception
            problems.append(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__)
    extended = syntax == _JPEG_EXTENDED
    raise ScanError(
        "the pixels cannot be decoded",
        file=path,
        field=f"PixelData ({syntax.name})",
        found="; ".join(dict.fromkeys(problems)),
        remedy="JPEG Extended needs the package pylibjpeg-libjpeg, which is under the GPL and so not among ours"
        if extended
        else "export the series again, uncompressed if that is offered",
    )


def _check_codestream(path: Path, dataset: Dataset, frame: int) -> None:
    """A JPEG codestream that was cut short decodes to garbage without a word; its end marker is then missing."""
    try:
        count = int(dataset.get("NumberOfFrames") or 1)
        coded = get_frame(dataset.PixelData, frame, number_of_frames=count)
    except Exception as error:
        raise ScanError("the compressed pixels are damaged", file=path, field="PixelData", found=error) from error
    if _END_OF_IMAGE not in coded[-16:]:
        raise ScanError(
            "the compressed picture is cut short",
            file=path,
            field="PixelData",
            found="no end-of-image marker",
            remedy="copy or export the file again",
        )


def _rescale(path: Path, groups: list[Dataset]) -> tuple[float, float]:
    slope, intercept = _first(groups, "RescaleSlope"), _first(groups, "RescaleIntercept")
    if slope is None and intercept is None:
        return 1.0, 0.0
    numbers = _numbers((slope, intercept), 2)
    if numbers is None or numbers[0] == 0:
        raise ScanError(
            "the rescale is incomplete or no number",
            file=path,
            field="RescaleSlope, RescaleIntercept",
            found=f"{slope}, {intercept}",
            expected="two finite numbers, the slope not zero",
        )
    return numbers[0], numbers[1]


def _spacing(path: Path, groups: list[Dataset]) -> tuple[float, float] | None:
    """(between rows, between columns) in mm; None if the file does not say."""
    found = _first(groups, "PixelSpacing")
    if found is None:
        return None
    numbers = _numbers(found, 2)
    if numbers is None or min(numbers) <= 0:
        raise ScanError(
            "the pixel spacing is no pair of positive numbers",
            file=path,
            field="PixelSpacing",
            found=found,
            expected="row spacing and column spacing in mm",
            remedy="export the series again; do not guess it",
        )
    return numbers[0], numbers[1]


def _plane(path: Path, groups: list[Dataset], spacing: tuple[float, float] | None) -> Plane | None:
    position, orientation = _first(groups, "ImagePositionPatient"), _first(groups, "ImageOrientationPatient")
    if position is None or orientation is None or spacing is None:
        return None
    where, directions = _numbers(position, 3), _numbers(orientation, 6)
    try:
        if where is None or directions is None:
            raise ValueError("three and six finite numbers are needed")
        return Plane(where, directions[:3], directions[3:], pixel_width=spacing[1], pixel_height=spacing[0])
    except ValueError as error:
        raise ScanError(
            "the picture's place in the patient makes no sense",
            file=path,
            field="ImagePositionPatient, ImageOrientationPatient",
            found=f"{position}, {orientation}",
            expected=str(error),
        ) from error


def _window(groups: list[Dataset], mirrored: float | None) -> tuple[float, float] | None:
    """(centre, width), the centre inverted along with the pixels."""
    centre, width = _first(groups, "WindowCenter"), _first(groups, "WindowWidth")
    first = [value[0] if isinstance(value, MultiValue) and len(value) else value for value in (centre, width)]
    numbers = _numbers(first, 2)
    if not numbers or numbers[1] <= 0:
        return None
    return (numbers[0] if mirrored is None else mirrored - numbers[0], numbers[1])


def _numbers(values: Any, count: int) -> list[float] | None:
    """`count` finite numbers, or None if that is not what stands there."""
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None
