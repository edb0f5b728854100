"""The points that a network finds in sagittal slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lumbar import evaluation, landmarks, preprocess, scans
from lumbar.errors import RunError
from lumbar.geometry import Affine
from lumbar.names import LEVELS
from lumbar.scans.slice_header import SliceHeader
from lumbar.weights import Weights


@dataclass(frozen=True, eq=False)
class SlicePoints:
    """The points of one slice.

    Args:
        xy_native: (5, 2) from the head down, pixels of the slice as it is stored.
        confidence: (5,) chance that a point is within 5 pixels of the 256 frame of the true one; NaN from a network
            without maps.
        chance: (5,) the same as the network's maps have it, before calibration: how surely it sees something there.
        flagged: Whether they are not to be believed unchecked.
    """

    xy_native: np.ndarray
    confidence: np.ndarray
    chance: np.ndarray
    flagged: bool


@dataclass(frozen=True, eq=False)
class PreparedSlice:
    """A slice as a network gets it.

    Args:
        picture: uint8, (256, 256).
        to_256: From native pixels to the 256 frame.
    """

    picture: np.ndarray
    to_256: Affine


def prepared(header: SliceHeader, network: Weights) -> PreparedSlice:
    """Read a slice and make it what a network has learnt: shown upright, windowed, square.

    Raises:
        ScanError: If its pixels cannot be read.
    """
    scan = scans.read(header.path, frame=header.frame)
    return PreparedSlice(*preprocess.upright_square(scan, preprocess.PreprocessSettings(fit=network.fit)))


def find_points(slices: Sequence[PreparedSlice], network: Weights, *, progress: bool = True) -> list[SlicePoints]:
    """Ask a network for the levels in sagittal slices.

    Raises:
        RunError: If it was not trained on sagittal pictures.
    """
    if "sagittal" not in network.views:
        raise RunError(
            "the network was not trained on sagittal pictures", file=network.file, found=", ".join(network.views)
        )
    if not slices:
        return []
    channels = landmarks.channels(network.views)
    levels = [channels.index(level) for level in LEVELS]
    pictures, to_256 = zip(*((each.picture, each.to_256) for each in slices), strict=True)
    part = preprocess.unmarked(pictures, ["sagittal"] * len(slices), to_256, channels)
    points, chances = evaluation.predict_with_confidence(network.file, part, progress=progress)
    chances = chances[:, levels]
    confidences = network.confidence(chances)
    return [
        SlicePoints(Affine(matrix).points(xy[levels]), sure, chance, bool((sure < network.doubtful).any()))
        for matrix, xy, sure, chance in zip(part.to_native, points, confidences, chances, strict=True)
    ]
