"""The mid-sagittal slice of each sagittal stack, with the points that a network finds in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lumbar import imaging
from lumbar.core.errors import RunError, ScanError
from lumbar.imaging.dicom.slice_header import SliceHeader
from lumbar.inference import PreparedScan, ScanPoints, find_points
from lumbar.study import midline
from lumbar.study.series import Series
from lumbar.study.stacks import Stack
from lumbar.weights import Weights

ONLY_SLICE = "the only slice of its series, so nothing shows whether it is the middle one"
"""How the slice of a series of one slice was chosen."""


@dataclass(frozen=True, eq=False)
class Midsagittal:
    """The mid-sagittal slice of a stack, with its points.

    Args:
        series: Series of the stack.
        stack: The stack.
        number: Position of the slice in the stack, from 0.
        points: The points that the network found in the slice.
        why: How the slice was chosen, in words.
    """

    series: Series
    stack: Stack
    number: int
    points: ScanPoints
    why: str

    @property
    def alone(self) -> bool:
        """Whether the stack has no other slice, so that the middle is not known."""
        return len(self.stack.slices) == 1

    @property
    def name(self) -> str:
        """Name of the series, with the acquisition if the series has several."""
        return self.series.name + (f", {self.stack.acquisition}" if self.stack.acquisition else "")

    @property
    def slice(self) -> SliceHeader:
        """Header of the slice."""
        return self.stack.slices[self.number]

    @property
    def xyz_mm(self) -> np.ndarray:
        """Points of the five levels, patient mm (LPS), shape (5, 3)."""
        return self.slice.plane.to_patient(self.points.xy_native)


def find_midsagittal(
    candidates: Sequence[tuple[Series, Stack]], network: Weights, *, by_confidence: bool = True, progress: bool = True
) -> tuple[list[Midsagittal], list[ScanError]]:
    """Choose the mid-sagittal slice of each stack.

    Args:
        candidates: Sagittal stacks with their series.
        network: Network that finds the points.
        by_confidence: Whether the confidence of the network chooses the slice; else the geometry of the stack does.
        progress: Whether to show progress bars.

    Returns:
        One slice for each stack of which a slice can be read, and one error for each slice that cannot be read.

    Raises:
        RunError: If the network was not trained on sagittal images.
    """
    if "sagittal" not in network.views:
        raise RunError(
            "the network was not trained on sagittal pictures", file=network.file, found=", ".join(network.views)
        )
    wanted, refused = [], []
    for series, stack in candidates:
        numbers = midline.slices_near_midpoint(stack)
        read = {}
        for number in numbers if by_confidence else [_nearest(stack, numbers, midline.midpoint(stack))]:
            try:
                read[number] = _prepared(stack.slices[number], network)
            except ScanError as error:
                refused.append(error)
        if read:
            wanted.append((series, stack, read))
    if not wanted:
        return [], refused
    scans = [each for *_, read in wanted for each in read.values()]
    answers = iter(find_points(network, scans, progress=progress).points)
    found = []
    for series, stack, read in wanted:
        here = {number: next(answers) for number in read}
        number, why = choose_middle(stack, {number: points.probability for number, points in here.items()})
        found.append(Midsagittal(series, stack, number, here[number], why))
    return found, refused


def _prepared(header: SliceHeader, network: Weights) -> PreparedScan:
    return PreparedScan.of(imaging.read(header.path, frame=header.frame), "sagittal", network)


def choose_middle(stack: Stack, probability: dict[int, np.ndarray]) -> tuple[int, str]:
    """Choose the mid-sagittal slice among those that a network has read.

    Args:
        stack: A sagittal stack.
        probability: Position of a slice in the stack → probabilities of its points, see `lumbar.inference.ScanPoints`.

    Returns:
        Position of the slice in the stack, from 0, and how it was chosen, in words.
    """
    numbers = list(probability)
    if len(stack.slices) == 1:
        return 0, ONLY_SLICE
    geometric = _nearest(stack, numbers, midline.midpoint(stack))
    nearest = "nearest to the midpoint of the outermost slices"
    if len(numbers) == 1:
        return geometric, f"the slice {nearest}"
    middle = midline.middle_by_confidence(stack.offsets[numbers], np.array(list(probability.values())))
    if middle is None:
        return geometric, f"the slice {nearest}; the network's confidence does not show the middle"
    number = _nearest(stack, numbers, middle)
    away = abs(stack.offsets[number] - middle)
    why = f"{away:.1f} mm from the middle of the slices in which the network is confident of the points"
    if number == geometric:
        return number, f"{why}, and {nearest}"
    return number, f"{why}; slice {geometric + 1} is {nearest}"


def _nearest(stack: Stack, numbers: Sequence[int], offset: float) -> int:
    """Return which of some slices lies nearest to an offset, mm."""
    return min(numbers, key=lambda number: abs(stack.offsets[number] - offset))
