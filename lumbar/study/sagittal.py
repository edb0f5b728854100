"""The mid-sagittal slice of each sagittal stack, with the points that a network finds in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

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

Reader = Callable[[Sequence[int]], dict[int, PreparedScan]]
"""Function that reads slices of a stack by their positions, from 0, and leaves out those that cannot be read."""


@dataclass(frozen=True, eq=False)
class Middle:
    """The mid-sagittal slice among the slices of a stack.

    Args:
        number: Position of the slice in the stack, from 0.
        points: The points that the network found in the slice; flagged, too, if `cut_off`.
        why: How the slice was chosen, in words.
        shown: Whether the confidence of the network shows the middle; else the slice is nearest to the midpoint.
        cut_off: Whether the spine lies so far to one side that the stack may not contain its middle.
    """

    number: int
    points: ScanPoints
    why: str
    shown: bool = False
    cut_off: bool = False


@dataclass(frozen=True, eq=False)
class Midsagittal:
    """The mid-sagittal slice of a stack, with its points.

    Args:
        series: Series of the stack.
        stack: The stack.
        number: Position of the slice in the stack, from 0.
        points: The points that the network found in the slice.
        why: How the slice was chosen, in words.
        cut_off: See `Middle`.
    """

    series: Series
    stack: Stack
    number: int
    points: ScanPoints
    why: str
    cut_off: bool = False

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
    refused: list[ScanError] = []
    readers = [_reader(stack, network, refused) for _, stack in candidates]
    offsets = [stack.offsets for _, stack in candidates]
    middles = choose_middles(offsets, readers, network, by_confidence=by_confidence, progress=progress)
    found = [
        Midsagittal(series, stack, middle.number, middle.points, middle.why, middle.cut_off)
        for (series, stack), middle in zip(candidates, middles, strict=True)
        if middle is not None
    ]
    return found, refused


def choose_middles(
    offsets: Sequence[np.ndarray],
    readers: Sequence[Reader],
    network: Weights,
    *,
    by_confidence: bool = True,
    progress: bool = True,
) -> list[Middle | None]:
    """Choose the mid-sagittal slice of each of several stacks.

    Args:
        offsets: Positions of the slices of each stack along their normal, mm, increasing from 0.
        readers: Function that reads slices of each stack.
        network: Network that finds the points.
        by_confidence: Whether the confidence of the network chooses the slice; else the geometry of the stack does.
        progress: Whether to show progress bars.

    Returns:
        The slice of each stack; None if none of the slices wanted can be read.
    """
    near = [midline.slices_near(places, midline.midpoint(places)) for places in offsets]
    if by_confidence:
        wanted = [sorted({*here, *midline.slices_beyond(places)}) for here, places in zip(near, offsets, strict=True)]
    else:
        pairs = zip(near, offsets, strict=True)
        wanted = [[_nearest(places, here, midline.midpoint(places))] for here, places in pairs]
    points = _ask([read(numbers) for read, numbers in zip(readers, wanted, strict=True)], network, progress)
    asides = [_aside(places, here) for places, here in zip(offsets, points, strict=True)]
    for places, read, here, aside in zip(offsets, readers, points, asides, strict=True):
        missing = [] if aside is None else sorted({*midline.slices_near(places, aside)} - {*here})
        here |= _ask([read(missing)], network, progress)[0] if missing else {}
    return [
        _chosen(places, here, numbers, aside) if here else None
        for places, here, numbers, aside in zip(offsets, points, near, asides, strict=True)
    ]


def choose_middle(offsets: np.ndarray, points: Mapping[int, ScanPoints]) -> Middle:
    """Choose the mid-sagittal slice of a stack in which the network has read every slice, as `choose_middles` does.

    Args:
        offsets: Positions of the slices along their normal, mm, increasing from 0.
        points: Points of each slice, by its position in the stack.
    """
    near = midline.slices_near(offsets, midline.midpoint(offsets))
    read = {number: points[number] for number in sorted({*near, *midline.slices_beyond(offsets)})}
    aside = _aside(offsets, read)
    if aside is not None:
        read |= {number: points[number] for number in midline.slices_near(offsets, aside)}
    return _chosen(offsets, read, near, aside)


def _ask(stacks: list[dict[int, PreparedScan]], network: Weights, progress: bool) -> list[dict[int, ScanPoints]]:
    """Return the points of prepared slices of several stacks, which the network gets together."""
    scans = [scan for stack in stacks for scan in stack.values()]
    answers = iter(find_points(network, scans, progress=progress).points if scans else ())
    return [{number: next(answers) for number in stack} for stack in stacks]


def _reader(stack: Stack, network: Weights, refused: list[ScanError]) -> Reader:
    """Return a function that reads slices of a DICOM stack, and adds an error for each that cannot be read."""

    def read(numbers: Sequence[int]) -> dict[int, PreparedScan]:
        prepared = {}
        for number in numbers:
            header = stack.slices[number]
            try:
                prepared[number] = PreparedScan.of(imaging.read(header.path, frame=header.frame), "sagittal", network)
            except ScanError as error:
                refused.append(error)
        return prepared

    return read


def _aside(offsets: np.ndarray, points: dict[int, ScanPoints]) -> float | None:
    if not points:
        return None
    return midline.middle_aside(offsets[list(points)], _confidence(points, list(points)), midline.midpoint(offsets))


def _confidence(points: dict[int, ScanPoints], numbers: Sequence[int]) -> np.ndarray:
    """Return the probabilities of the points in some slices, (n, K); levels that no slice shows are left out."""
    probability, absent = (
        np.array([getattr(points[number], name) for number in numbers]) for name in ("probability", "absent")
    )
    shown = ~(absent > 0.5).all(axis=0)
    return probability[:, shown] if shown.any() else probability


def _chosen(offsets: np.ndarray, points: dict[int, ScanPoints], near: Sequence[int], aside: float | None) -> Middle:
    """Return the mid-sagittal slice among those read.

    Args:
        offsets: Positions of the slices of the stack, mm.
        points: Points of the slices read.
        near: Positions of the slices near the midpoint.
        aside: Middle of a spine that lies to one side, see `lumbar.study.midline.middle_aside`.
    """
    if len(offsets) == 1:
        return Middle(0, points[0], ONLY_SLICE)
    # A slice that cannot be read is not there; the rest may still show the middle.
    near = [number for number in near if number in points] or sorted(points)
    geometric = _nearest(offsets, near, midline.midpoint(offsets))
    nearest = "nearest to the midpoint of the outermost slices"
    if len(points) == 1:
        return Middle(geometric, points[geometric], f"the slice {nearest}")
    if aside is not None:
        near = [number for number in midline.slices_near(offsets, aside) if number in points] or near
    middle = midline.middle_by_confidence(offsets[near], _confidence(points, near))
    read = sorted(points)
    cut_off = aside is not None and midline.may_be_cut_off(offsets[read], _confidence(points, read), aside)
    if aside is not None and (cut_off or middle is None or abs(middle - aside) > midline.AGREE_MM):
        middle = aside
    if middle is None:
        why = f"the slice {nearest}; the network's confidence does not show the middle"
        return Middle(geometric, points[geometric], why)
    number = _nearest(offsets, near, middle)
    away = abs(offsets[number] - middle)
    why = f"{away:.1f} mm from the middle of the slices in which the network is confident of the points"
    why += f", and {nearest}" if number == geometric else f"; slice {geometric + 1} is {nearest}"
    if cut_off:
        why += "; the stack ends beside the middle of the spine and may not contain it"
        return Middle(number, replace(points[number], flagged=True), why, shown=True, cut_off=True)
    return Middle(number, points[number], why, shown=True)


def _nearest(offsets: np.ndarray, numbers: Sequence[int], offset: float) -> int:
    """Return which of some slices lies nearest to an offset, mm."""
    return min(numbers, key=lambda number: abs(offsets[number] - offset))
