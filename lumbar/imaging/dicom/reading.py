"""Read one frame of a DICOM file: rescaled pixels, spacing and position, checked where pydicom does not check."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels import apply_modality_lut

from lumbar.core.errors import ScanError
from lumbar.geometry import nearest_view, upright
from lumbar.imaging.dicom.attributes import (
    Groups,
    count_frames,
    finite_numbers,
    first_value,
    functional_groups,
    pixel_spacing,
    plane_of,
    position_and_orientation,
)
from lumbar.imaging.dicom.file import IDENTITY, open_dicom, whole_number
from lumbar.imaging.dicom.pixel_data import stored_values
from lumbar.imaging.limits import LARGEST_VALUE
from lumbar.imaging.scan import BURNED_IN, GREY_IN_COLOUR, LOOKED_UP, NAMED, PADDED, TURNED, Scan, blackened, grey


def read_dicom(path: Path, frame: int | None) -> Scan:
    """Read one frame of a DICOM file.

    Args:
        path: The file.
        frame: The frame, from 0; None if the file has only one.

    Raises:
        ScanError: If the file is damaged, is not a scan, or cannot be read without guessing.
        OSError: If the file cannot be opened.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pydicom warns of is either harmless or an error below
        return _scan(path, open_dicom(path), frame)


def _scan(path: Path, dataset: Dataset, frame: int | None) -> Scan:
    frames = count_frames(path, dataset)
    index = _choose_frame(path, frames, frame)
    groups = functional_groups(path, dataset, index)
    remarks: list[str] = []
    pixels, inversion = _pixels(path, dataset, groups, index, frames, remarks)
    height, width = pixels.shape
    spacing = pixel_spacing(path, groups)
    position, orientation = position_and_orientation(path, groups, remarks)
    if orientation is not None and not upright(orientation, width, height)[0].is_identity:
        remarks.append(TURNED)
    return Scan(
        path,
        pixels,
        pixel_width=spacing[1] if spacing else None,
        pixel_height=spacing[0] if spacing else None,
        plane=plane_of(spacing, position, orientation),
        orientation=orientation,
        window=_window(groups, inversion),
        view=None if orientation is None else nearest_view(orientation),
        identity={name: str(dataset.get(keyword, "") or "") for name, keyword in IDENTITY.items()},
        warnings=(*remarks, *_privacy(dataset)),
    )


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


def _privacy(dataset: Dataset) -> list[str]:
    """Return warnings about names and text that identify the patient, for users who pass the file or an image on."""
    remarks = []
    if str(dataset.get("BurnedInAnnotation", "")).strip().upper() == "YES":
        remarks.append(BURNED_IN)
    name, number = (_letters(dataset.get(keyword)) for keyword in ("PatientName", "PatientID"))
    # A name that equals the number is a pseudonym.
    if name and name != number and dataset.get("PatientIdentityRemoved") != "YES":
        remarks.append(NAMED)
    return remarks


def _letters(value: Any) -> str:
    return "".join(filter(str.isalnum, str(value or ""))).casefold()


def _pixels(
    path: Path, dataset: Dataset, groups: Groups, frame: int, frames: int, remarks: list[str]
) -> tuple[np.ndarray, float | None]:
    """Return the rescaled pixels and, if they were inverted, the sum of a value before and after the inversion."""
    if dataset.BitsAllocated == 1:
        raise ScanError("the file holds a one-bit mask, not a scan", file=path, field="BitsAllocated", found=1)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        raise ScanError(
            "the pixel values are indices of palette colours, not signal",
            file=path,
            field="PhotometricInterpretation",
            found="PALETTE COLOR",
            remedy="export the original series",
        )
    stored = stored_values(path, dataset, frame, frames, remarks)
    if stored.ndim == 3:
        stored = grey(path, stored)
        remarks.append(GREY_IN_COLOUR)
    if stored.shape != (dataset.Rows, dataset.Columns):
        raise ScanError(
            "the decoded picture is not of the size that the header states",
            file=path,
            field="Rows, Columns",
            found=stored.shape,
            expected=(dataset.Rows, dataset.Columns),
        )
    if dataset.get("ModalityLUTSequence"):
        pixels = _looked_up(path, dataset, stored)
        remarks.append(LOOKED_UP)
    else:
        slope, intercept = _rescale(path, groups)
        with np.errstate(over="ignore"):
            pixels = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    if not (pixels.min() >= -LARGEST_VALUE and pixels.max() <= LARGEST_VALUE):  # NaN fails both comparisons
        raise ScanError(
            "some pixels are not finite numbers",
            file=path,
            expected=f"-{LARGEST_VALUE:g} to {LARGEST_VALUE:g}",
            remedy="export the series again",
        )
    inverted = _why_inverted(dataset)
    padding = _padding(dataset, stored)
    if padding.any() and _lies_apart(pixels, padding):
        pixels = blackened(pixels, padding, np.max if inverted else np.min)
        remarks.append(PADDED)
    if not inverted:
        return pixels, None
    remarks.append(f"stored with black as the highest value ({inverted}); inverted")
    inversion = pixels.max() + pixels.min()
    return inversion - pixels, float(inversion)


def _padding(dataset: Dataset, stored: np.ndarray) -> np.ndarray:
    """Return which stored values the header states to be padding, boolean, (rows, columns) (PS3.3, C.7.5.1.1.2)."""
    value = whole_number(dataset.get("PixelPaddingValue"))
    if value is None:
        return np.zeros(stored.shape, bool)
    limit = whole_number(dataset.get("PixelPaddingRangeLimit"))
    ends = [_of_type(each, stored.dtype) for each in (value, value if limit is None else limit)]
    return (stored >= min(ends)) & (stored <= max(ends))


def _of_type(value: int, dtype: np.dtype) -> int:
    """Return a stored value that the header may state as an unsigned number though the pixels are signed."""
    return int(np.array(value % 2 ** (8 * dtype.itemsize), f"u{dtype.itemsize}").view(dtype.newbyteorder("=")))


def _lies_apart(pixels: np.ndarray, padding: np.ndarray) -> bool:
    """Whether padding is darker or brighter than all other pixels: otherwise the header's statement is not credible.

    It does no harm there either, for the window between black and white stays the same.
    """
    signal, padded = pixels[~padding], pixels[padding]
    return bool(signal.size and (padded.max() < signal.min() or padded.min() > signal.max()))


def _looked_up(path: Path, dataset: Dataset, stored: np.ndarray) -> np.ndarray:
    """Return the values that the Modality LUT states for the stored ones, float32 (PS3.3, C.11.1)."""
    try:
        table = dataset.ModalityLUTSequence[0]
        count, first, bits = table.LUTDescriptor
        table.LUTDescriptor = [count, first, 8 if bits <= 8 else 16]  # pydicom needs a depth that NumPy has
        # pydicom subtracts the first value mapped in the type of the stored values, where it may overflow.
        return apply_modality_lut(stored.astype(np.int64), dataset).astype(np.float32)
    except MemoryError:
        raise
    except Exception as error:  # pydicom may raise anything
        raise ScanError(
            "the Modality LUT is damaged",
            file=path,
            field="ModalityLUTSequence",
            found=error,
            remedy="export the series again",
        ) from error


def _why_inverted(dataset: Dataset) -> str:
    """Return which attribute states that the highest value is black; "" if none does.

    An image with both, as the standard requires of digital X-ray images, is inverted once (PS3.3, C.8.11.3).
    """
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        return "MONOCHROME1"
    inverse = str(dataset.get("PresentationLUTShape", "")).strip().upper() == "INVERSE"
    return "PresentationLUTShape INVERSE" if inverse and dataset.PhotometricInterpretation == "MONOCHROME2" else ""


def _rescale(path: Path, groups: Groups) -> tuple[float, float]:
    slope, intercept = first_value(groups, "RescaleSlope"), first_value(groups, "RescaleIntercept")
    if slope is None and intercept is None:
        return 1.0, 0.0
    numbers = finite_numbers((slope, intercept), 2)
    if numbers is None or numbers[0] == 0:
        raise ScanError(
            "the rescale slope or intercept is missing or invalid",
            file=path,
            field="RescaleSlope, RescaleIntercept",
            found=f"{slope}, {intercept}",
            expected="two finite numbers, the slope not zero",
        )
    return numbers[0], numbers[1]


def _window(groups: Groups, inversion: float | None) -> tuple[float, float] | None:
    """Return the display window (centre, width), inverted if the pixels are; None if the file states no valid one."""
    centre, width = first_value(groups, "WindowCenter"), first_value(groups, "WindowWidth")
    first = [value[0] if isinstance(value, MultiValue) and len(value) else value for value in (centre, width)]
    numbers = finite_numbers(first, 2)
    if not numbers or numbers[1] <= 0:
        return None
    return (numbers[0] if inversion is None else inversion - numbers[0], numbers[1])
