"""DICOM: rescaled pixels with spacing and position. Much of what pydicom lets pass is checked here."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from lumbar.errors import ScanError
from lumbar.geometry import Plane, nearest_view, upright
from lumbar.scans.dicom_file import IDENTITY, damaged, open_dicom, whole
from lumbar.scans.pixel_data import stored_values
from lumbar.scans.scan import BURNED_IN, LARGEST_VALUE, NAMED, TURNED, Scan, grey


def read_dicom(path: Path, frame: int | None) -> Scan:
    """Read one frame of a DICOM file; see `lumbar.scans.read`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pydicom remarks on is either harmless or an error below
        return _scan(path, open_dicom(path), frame)


def _scan(path: Path, dataset: Dataset, frame: int | None) -> Scan:
    frames = _count_frames(path, dataset)
    index = _choose_frame(path, frames, frame)
    groups = _functional_groups(path, dataset, index)
    remarks: list[str] = []
    pixels, mirrored = _pixels(path, dataset, groups, index, frames, remarks)
    height, width = pixels.shape
    spacing = _spacing(path, groups)
    position, orientation = _place(path, groups)
    if orientation is not None and not upright(orientation, width, height)[0].is_identity:
        remarks.append(TURNED)
    plane = None
    if position is not None and orientation is not None and spacing is not None:
        plane = Plane(position, *orientation, pixel_width=spacing[1], pixel_height=spacing[0])
    return Scan(
        path,
        pixels,
        pixel_width=spacing[1] if spacing else None,
        pixel_height=spacing[0] if spacing else None,
        plane=plane,
        orientation=orientation,
        window=_window(groups, mirrored),
        view=None if orientation is None else nearest_view(orientation),
        identity={name: str(dataset.get(keyword, "") or "") for name, keyword in IDENTITY.items()},
        warnings=(*remarks, *_privacy(dataset)),
    )


def _count_frames(path: Path, dataset: Dataset) -> int:
    found = dataset.get("NumberOfFrames")
    count = 1 if found in (None, "") else whole(found)
    if count is None or count < 1:
        raise ScanError("the number of frames is no number from 1", file=path, field="NumberOfFrames", found=found)
    return count


def _choose_frame(path: Path, count: int, frame: int | None) -> int:
    if frame is None and count > 1:
        raise ScanError(
            "the file holds several frames and none was chosen",
            file=path,
            field="NumberOfFrames",
            found=count,
            remedy=f"choose one from 0 to {count - 1}: --frame N, in Python frame=N",
        )
    if not 0 <= (frame or 0) < count:
        raise ScanError("there is no such frame", file=path, found=frame, expected=f"0 to {count - 1}")
    return frame or 0


def _functional_groups(path: Path, dataset: Dataset, frame: int) -> list[Dataset]:
    """Where an attribute may stand, first place first: the frame's own groups, the shared ones, the file itself.

    An enhanced multi-frame file keeps position, spacing and rescale in one-item sequences (PS3.3, C.7.6.16).
    """
    places = []
    for keyword, item in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        sequence = dataset.get(keyword)
        if not isinstance(sequence, Sequence) or item >= len(sequence):
            continue
        try:
            groups = [element.value for element in sequence[item] if element.VR == "SQ"]
            for group in groups:
                places += [group[0]] if len(group) else []
                list(places[-1] if len(group) else ())  # elements are parsed when they are first looked at
        except Exception as error:  # a damaged header may raise anything
            raise damaged(path, error) from error
    return [*places, dataset]


def _first(places: list[Dataset], keyword: str) -> Any:
    return next((place[keyword].value for place in places if keyword in place), None)


def _privacy(dataset: Dataset) -> list[str]:
    """What a person should know before the file, or a picture of it, is passed on."""
    remarks = []
    if str(dataset.get("BurnedInAnnotation", "")).strip().upper() == "YES":
        remarks.append(BURNED_IN)
    name, number = (_letters(dataset.get(keyword)) for keyword in ("PatientName", "PatientID"))
    # One who is called by a number has been given a pseudonym.
    if name and name != number and dataset.get("PatientIdentityRemoved") != "YES":
        remarks.append(NAMED)
    return remarks


def _letters(value: Any) -> str:
    return "".join(filter(str.isalnum, str(value or ""))).casefold()


def _pixels(
    path: Path, dataset: Dataset, groups: list[Dataset], frame: int, frames: int, remarks: list[str]
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
    stored = stored_values(path, dataset, frame, frames)
    if stored.ndim == 3:
        stored = grey(path, stored)
        remarks.append("stored in colour, but grey throughout")
    if stored.shape != (dataset.Rows, dataset.Columns):
        raise ScanError(
            "the decoded picture has another size than the header says",
            file=path,
            field="Rows, Columns",
            found=stored.shape,
            expected=(dataset.Rows, dataset.Columns),
        )
    slope, intercept = _rescale(path, groups)
    with np.errstate(over="ignore"):
        pixels = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    if not (pixels.min() >= -LARGEST_VALUE and pixels.max() <= LARGEST_VALUE):  # NaN is neither
        raise ScanError("some pixels are no finite numbers", file=path, remedy="export the series again")
    if dataset.PhotometricInterpretation != "MONOCHROME1":
        return pixels, None
    remarks.append("stored with black as the highest value (MONOCHROME1); inverted")
    mirrored = pixels.max() + pixels.min()
    return mirrored - pixels, float(mirrored)


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


def _place(path: Path, groups: list[Dataset]) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Position of the first pixel, (3,) mm, and the directions along a row and a column, (2, 3); None if not said."""
    position, orientation = _first(groups, "ImagePositionPatient"), _first(groups, "ImageOrientationPatient")
    where = None if position is None else _numbers(position, 3)
    directions = None if orientation is None else _numbers(orientation, 6)
    try:
        if (position is not None and where is None) or (orientation is not None and directions is None):
            raise ValueError("three and six finite numbers are needed")
        if directions is None:
            return None, None
        plane = Plane(where or (0, 0, 0), directions[:3], directions[3:], pixel_width=1, pixel_height=1)
    except ValueError as error:
        raise ScanError(
            "the picture's place in the patient makes no sense",
            file=path,
            field="ImagePositionPatient, ImageOrientationPatient",
            found=f"{position}, {orientation}",
            expected=str(error),
        ) from error
    return None if where is None else plane.position, np.stack([plane.along_row, plane.along_column])


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
