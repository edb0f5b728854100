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


@dataclass(frozen=True, eq=False)
class Midsagittal:
    """The mid-sagittal slice of a stack, and its points.

    Args:
        series: The series.
        stack: The stack.
        number: Position of the slice in the stack, from 0.
        points: What the network found in it.
        why: How it was chosen, in words.
    """

    series: Series
    stack: Stack
    number: int
    points: ScanPoints
    why: str

    @property
    def name(self) -> str:
        """Of the series, and of the acquisition if it has several."""
        return self.series.name + (f", {self.stack.acquisition}" if self.stack.acquisition else "")

    @property
    def slice(self) -> SliceHeader:
        """The slice's header."""
        return self.stack.slices[self.number]

    @property
    def xyz_mm(self) -> np.ndarray:
        """The points in patient mm (LPS), shape (5, 3)."""
        return self.slice.plane.to_patient(self.points.xy_native)


def midsagittal(
    candidates: Sequence[tuple[Series, Stack]], network: Weights, *, by_confidence: bool = True, progress: bool = True
) -> tuple[list[Midsagittal], list[ScanError]]:
    """Choose the mid-sagittal slice of each stack.

    Args:
        candidates: Sagittal stacks.
        network: Whom to ask for the points.
        by_confidence: Whether the network may correct the middle found by geometry.
        progress: Show progress bars.

    Returns:
        One for each stack of which a slice can be read, and why slices cannot be.

    Raises:
        RunError: If the network was not trained on sagittal pictures.
    """
    if "sagittal" not in network.views:
        raise RunError(
            "the network was not trained on sagittal pictures", file=network.file, found=", ".join(network.views)
        )
    wanted, refused = [], []
    for series, stack in candidates:
        numbers = midline.around_middle(stack)
        read = {}
        for number in numbers if by_confidence else [_nearest(stack, numbers, midline.half_way(stack))]:
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
        number, why = _chosen(stack, here)
        found.append(Midsagittal(series, stack, number, here[number], why))
    return found, refused


def _prepared(header: SliceHeader, network: Weights) -> PreparedScan:
    return PreparedScan.of(imaging.read(header.path, frame=header.frame), "sagittal", network)


def _chosen(stack: Stack, points: dict[int, ScanPoints]) -> tuple[int, str]:
    """Return the mid-sagittal one of the slices looked at, and why it was chosen."""
    numbers = list(points)
    geometric = _nearest(stack, numbers, midline.half_way(stack))
    outermost = "half-way between the outermost slices"
    if len(numbers) == 1:
        return geometric, f"the slice nearest to {outermost}"
    seen = midline.by_confidence(stack.offsets[numbers], np.array([points[number].probability for number in numbers]))
    if seen is None:
        return geometric, f"the slice nearest to {outermost}; the network's confidence does not tell the middle"
    number = _nearest(stack, numbers, seen)
    why = (
        f"{abs(stack.offsets[number] - seen):.1f} mm from the middle of the slices in which the network is sure of the "
        "points"
    )
    if number == geometric:
        return number, f"{why}, and the nearest to {outermost}"
    return number, f"{why}; slice {geometric + 1} would be {outermost}"


def _nearest(stack: Stack, numbers: Sequence[int], offset: float) -> int:
    return min(numbers, key=lambda number: abs(stack.offsets[number] - offset))
