"""The riddle of each room: its right answer, computed from the files, and what to say to the usual wrong answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from lumbar.course.riddles import Riddle


def riddle(files: Sequence[Path], room: int) -> Riddle:
    """Return the riddle of a room.

    Args:
        files: The files of the room, sorted by name.
        room: Number of the room, from 1.
    """
    return _RIDDLES[room - 1]([pydicom.dcmread(file) for file in files])


def _height(datasets: list[Dataset]) -> Riddle:
    (dataset,) = datasets
    between_rows, between_columns = map(float, dataset.PixelSpacing)
    return Riddle(
        dataset.Rows * between_rows,
        "multiply a number of pixels by the millimetres of one of them",
        {
            "that is how wide the picture is": [dataset.Columns * between_columns],
            "you took the distance between columns; PixelSpacing begins with the distance between rows": [
                dataset.Rows * between_columns
            ],
            "you took the number of columns; going down, one counts rows": [dataset.Columns * between_rows],
            "that is a number of pixels, not of millimetres": [dataset.Rows, dataset.Columns],
        },
        tolerance=1,
    )


def _keyword(datasets: list[Dataset]) -> Riddle:
    return Riddle(
        "PhotometricInterpretation",
        "its value names a colour, with a number behind it; type the attribute as pydicom spells it, in one word",
        {
            "that is the value; which attribute has it?": ["MONOCHROME1"],
            "the window says where black and white lie, not which of them is up": ["WindowCenter", "WindowWidth"],
            "this one says whether the values have a sign": ["PixelRepresentation"],
            "these say how many bits a value has": ["BitsAllocated", "BitsStored", "HighBit"],
        },
    )


def white_from(dataset: Dataset) -> float:
    """Return the value from which on everything is white (PS3.3, C.11.2.1.2.1)."""
    return float(dataset.WindowCenter) - 0.5 + (float(dataset.WindowWidth) - 1) / 2


def _white(datasets: list[Dataset]) -> Riddle:
    (dataset,) = datasets
    centre, width = float(dataset.WindowCenter), float(dataset.WindowWidth)
    return Riddle(
        white_from(dataset),
        "the window is as wide as WindowWidth says, with WindowCenter in its middle",
        {
            "that is the middle of the window, a medium grey": [centre],
            "half of the width lies above the centre, and the other half below": [centre + width],
            "that is the width of the window, not its upper end": [width],
            "that is where black begins": [centre - width / 2],
            "that is the marker itself, the highest value of all": [float(dataset.pixel_array.max())],
        },
        tolerance=1.5,  # the standard's formula differs by 1 from centre + width / 2
    )


def _down(datasets: list[Dataset]) -> Riddle:
    sideways = "those are the first three numbers, along a row; down a column go the last three"
    return Riddle(
        "head",
        "which of the last three numbers is the large one, and is it positive? x grows to the left, y to the back, "
        "z to the head",
        {
            "so it is in most files; look at the sign of the last number": ["feet", "foot"],
            sideways: ["back", "front", "left", "right"],
        },
    )


def _plane(datasets: list[Dataset]) -> Riddle:
    return Riddle(
        "coronal",
        "the answer is one of sagittal, coronal and axial",
        {
            "you are right, it is also called that; here, type coronal": ["frontal"],
            "so says the description, which people type; the orientation is computed by the scanner": ["sagittal"],
            "an axial picture has no direction that runs along the body; look at the last three numbers": [
                "axial",
                "transverse",
            ],
        },
    )


def middle_pixel(dataset: Dataset) -> float:
    """Return the stored value of the pixel in the middle."""
    return float(dataset.pixel_array[dataset.Rows // 2, dataset.Columns // 2])


def _signal(datasets: list[Dataset]) -> Riddle:
    plain, other = datasets
    stored = middle_pixel(other)
    slope, intercept = float(other.RescaleSlope), float(other.RescaleIntercept)
    return Riddle(
        stored * slope + intercept,
        "take the middle pixel of 002.dcm, multiply by the slope of that file, and add its intercept",
        {
            "that is the stored value; it still has to be rescaled": [stored],
            "you forgot the intercept": [stored * slope],
            "multiply first, then add the intercept": [(stored + intercept) * slope],
            "that is the way back, from the signal to the stored value": [(stored - intercept) / slope],
            "that is the pixel of the other file, 001.dcm": [middle_pixel(plain)],
        },
        tolerance=0.5,
    )


def _first_value(datasets: list[Dataset]) -> Riddle:
    (dataset,) = datasets
    value = int(dataset.pixel_array[0, 0])
    bits = int(dataset.BitsStored)
    unsigned = int(np.frombuffer(dataset.PixelData, "<u2")[0])
    return Riddle(
        value,
        "PixelRepresentation 1 means: the highest of the stored bits counts as negative",
        {
            "that is how it reads without a sign; look at PixelRepresentation": [unsigned],
            f"you took 16 bits for one number, and only {bits} of them are stored": [unsigned - 2**16],
            f"almost: {bits} bits hold {2**bits} different numbers, one more than {2**bits - 1}": [value + 1],
        },
    )


def _stranger(datasets: list[Dataset]) -> Riddle:
    patients = [dataset.PatientID for dataset in datasets]
    (stranger,) = {patient for patient in patients if patients.count(patient) == 1}
    files = [f"{number:03d}" for number in range(1, len(datasets) + 1)]
    return Riddle(
        stranger,
        "print the PatientID of each file, and type the one that stands there only once",
        {
            "this one has four of the five files; who has the fifth?": list(set(patients) - {stranger}),
            "that is a file; to which PatientID does the wrong one belong?": files,
            "that is the name, and both patients have it": [str(dataset.PatientName) for dataset in datasets],
        },
    )


def places(dataset: Dataset) -> np.ndarray:
    """Return where each frame of an enhanced file lies from the patient's right to the left, mm, (frames,)."""
    groups = dataset.PerFrameFunctionalGroupsSequence
    return np.array([float(group.PlanePositionSequence[0].ImagePositionPatient[0]) for group in groups])


def _order(datasets: list[Dataset]) -> Riddle:
    (dataset,) = datasets
    order = np.argsort(places(dataset))
    return Riddle(
        order.tolist(),
        f"a list with each number from 0 to {len(order) - 1} once; the frame with the smallest x comes first",
        {
            "that is the order in which they are stored": [sorted(order.tolist())],
            "that is from the left to the right; x grows to the patient's left": [order[::-1].tolist()],
            "those are ranks: the place that each frame takes. Wanted is which frame takes each place": [
                np.argsort(order).tolist()
            ],
            "frames are counted from 0 here, as pixel_array does": [(order + 1).tolist()],
        },
    )


def true_step(datasets: Sequence[Dataset]) -> float:
    """Return the distance between neighbouring slices along their normal, mm, by their positions."""
    row, column = np.reshape(datasets[0].ImageOrientationPatient, (2, 3)).astype(float)
    along = [np.cross(row, column) @ np.array(each.ImagePositionPatient, float) for each in datasets]
    return float(np.abs(np.diff(along)).mean())


def _step(datasets: list[Dataset]) -> Riddle:
    step, slices = true_step(datasets), len(datasets)
    return Riddle(
        step,
        "subtract the ImagePositionPatient of two neighbours and take the length of the difference",
        {
            "that is how thick a slice is; there are gaps between them": [float(datasets[0].SliceThickness)],
            "that was true when the series was acquired; then somebody exported every second slice": [
                float(datasets[0].SpacingBetweenSlices)
            ],
            "between n slices there are n - 1 steps": [step * (slices - 1) / slices],
            "that is the whole way from the first slice to the last": [step * (slices - 1)],
        },
        tolerance=0.05,
    )


_RIDDLES: tuple[Callable[[list[Dataset]], Riddle], ...] = (
    _height,
    _keyword,
    _white,
    _down,
    _plane,
    _signal,
    _first_value,
    _stranger,
    _order,
    _step,
)
