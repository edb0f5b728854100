"""The mid-sagittal slice of a volume, chosen as `lumbar.study.locate` chooses that of a DICOM series."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lumbar.core.errors import ScanError
from lumbar.imaging.volume.reading import Grid, read_grid, read_slices
from lumbar.inference import PreparedScan
from lumbar.study import midline
from lumbar.study.sagittal import choose_middles
from lumbar.weights import Weights

_OTHERS = "choose another with --frame N, in Python frame=N"
BY_CONFIDENCE = f"of the volume the mid-sagittal slice was taken, by the confidence of the network; {_OTHERS}"
HALFWAY = f"of the volume the middle sagittal slice was taken; {_OTHERS}"
NOT_SHOWN = (
    "of the volume the middle sagittal slice was taken, as the confidence of the network does not show which slice is "
    f"mid-sagittal; {_OTHERS}"
)
CUT_OFF = (
    "the volume ends beside the middle of the spine and may not contain its mid-sagittal slice: the nearest one was "
    f"taken; flagged; {_OTHERS}"
)


class MiddleFrame(NamedTuple):
    """The slice of a volume that is used if the user chooses none.

    Args:
        frame: The slice, see `lumbar.imaging.read`.
        remark: How it was chosen, in a plain sentence.
        doubtful: Whether the points in it need checking, because the volume shows the spine in part.
    """

    frame: int
    remark: str
    doubtful: bool = False


def find_middle_frame(path: Path, network: Weights) -> MiddleFrame:
    """Choose the mid-sagittal slice of a volume, where the network is for sagittal images; else the middle slice.

    Args:
        path: The file.
        network: Network whose confidence shows the middle, see `lumbar.study.midline`.

    Raises:
        ScanError: If the volume cannot be read.
    """
    try:
        grid = read_grid(path)
        count = grid.shape[0]
        if "sagittal" not in network.views or count < midline.FEWEST:
            return MiddleFrame(count // 2, HALFWAY)
        (middle,) = choose_middles([_offsets(grid)], [partial(_read, path, count, network)], network, progress=False)
    except OSError as error:
        raise ScanError("the file cannot be opened", file=path, found=error.strerror or str(error)) from error
    if middle is None or not middle.shown:
        return MiddleFrame(count // 2, NOT_SHOWN)
    frame = count - 1 - middle.number
    return MiddleFrame(frame, CUT_OFF, True) if middle.cut_off else MiddleFrame(frame, BY_CONFIDENCE)


def _offsets(grid: Grid) -> np.ndarray:
    """Return the positions of the slices along their normal, from the leftmost, as those of a DICOM series; mm."""
    normal = np.cross(grid.steps[2], grid.steps[1])
    return np.arange(grid.shape[0]) * abs(float(grid.steps[0] @ normal / np.linalg.norm(normal)))


def _read(path: Path, count: int, network: Weights, numbers: Sequence[int]) -> dict[int, PreparedScan]:
    """Prepare slices of a volume, counted from the leftmost; leave out those with pixels that are not finite."""
    scans = read_slices(path, [count - 1 - number for number in numbers])
    return {
        number: PreparedScan.of(scan, "sagittal", network)
        for number, scan in zip(numbers, scans, strict=True)
        if np.isfinite(scan.pixels).all()
    }
