"""The points that a network finds in sagittal slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lumbar import evaluation, landmarks, preprocess, scans
from lumbar.errors import RunError
from lumbar.geometry import Affine, upright
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
        flagged: Whether they are not to be believed unchecked.
    """

    xy_native: np.ndarray
    confidence: np.ndarray
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
    settings = preprocess.PreprocessSettings(fit=network.fit)
    height, width = scan.pixels.shape
    shown, width, height = upright(scan.orientation, width, height)
    spacing = np.abs(shown.vectors([scan.pixel_width, scan.pixel_height]))
    to_256 = shown.then(preprocess.frame(width, height, *spacing, settings))
    return PreparedSlice(preprocess.square(scan.pixels, to_256, settings), to_256)


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
    part = preprocess.Prepared(
        images=np.stack([each.picture for each in slices]),
        index=pd.DataFrame({"view": ["sagittal"] * len(slices)}),
        to_native=np.stack([each.to_256.inverse().matrix for each in slices]),
        points=np.full((len(slices), len(channels), 2), np.nan),
        channels=channels,
    )
    points, chances = evaluation.predict_with_confidence(network.file, part, progress=progress)
    confidences = network.confidence(chances)[:, levels]
    return [
        SlicePoints(Affine(matrix).points(xy[levels]), sure, bool((sure < network.doubtful).any()))
        for matrix, xy, sure in zip(part.to_native, points, confidences, strict=True)
    ]
