"""From one scan of any size to the 256×256 image that a network sees, the same way for training and for prediction.

A scan is turned upright where its file states how it lies, windowed between two percentiles of its signal, and resized.
`prepare_scan` does all of it; `lumbar.datasets.preparation` does it for a whole data set and keeps the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from lumbar.core.constants import NEIGHBOURS, RESIZE
from lumbar.core.digests import digest_of
from lumbar.core.schema import setting
from lumbar.geometry import Affine, upright
from lumbar.imaging.scan import Scan
from lumbar.storage import lazy_images

VERSION = 4
"""Raised whenever the same scan and settings give another image than before, so that no cache is trusted wrongly.

Version 1, of the first release, left turned and mirrored scans as they were stored when it prepared a data set.
Version 2 ignored transparency, the Modality LUT and PresentationLUTShape, and took the rescale of private sequences.
Version 3 took padding, and bits of compressed pixels beyond Bits Stored, for signal.
"""


@dataclass(frozen=True)
class PreprocessSettings:
    """How a scan becomes an image for the network."""

    resize: str = setting(RESIZE[0], "how an image becomes square", choices=RESIZE, first_released_as="fit")
    low: float = setting(0.5, "percentile of the signal that becomes black", at_least=0)
    high: float = setting(99.5, "percentile of the signal that becomes white", at_least=0)


def prepare_scan(scan: Scan, settings: PreprocessSettings) -> tuple[np.ndarray, Affine]:
    """Prepare one scan: turn it upright, window it and resize it.

    A scan is turned by right angles or mirrored so that it lies as radiologists show its plane, if its file states the
    orientation. Points move along with the returned map.

    Args:
        scan: The scan, as `lumbar.imaging.read` returns it.
        settings: How to window and resize it.

    Returns:
        The image, uint8 (256, 256), and the map from the scan's native pixels to the 256 frame.
    """
    height, width = scan.pixels.shape
    spacing = np.array([scan.pixel_width or np.nan, scan.pixel_height or np.nan])
    pixels, shown = scan.pixels, Affine.identity()
    if scan.orientation is not None:
        shown, width, height = upright(scan.orientation, width, height)
        spacing = np.abs(shown.vectors(spacing))
        pixels = _turned(pixels, shown)
    resizing = _resizing(width, height, *spacing, settings.resize)
    return square(pixels, resizing, settings), shown.then(resizing)


def _turned(pixels: np.ndarray, shown: Affine) -> np.ndarray:
    """Turn pixels by a map of right angles and mirrorings: the same values in another order, none of them resampled."""
    linear = shown.matrix[:, :2]
    if linear[0, 0] == 0:  # rows become columns
        pixels = pixels.T
    flipped_rows, flipped_columns = linear[1].sum() < 0, linear[0].sum() < 0
    return np.ascontiguousarray(pixels[:: -1 if flipped_rows else 1, :: -1 if flipped_columns else 1])


def _resizing(width: int, height: int, pixel_width: float, pixel_height: float, resize: str) -> Affine:
    """Return the map from an upright image's pixels to the 256 frame; pixels of unknown size count as square."""
    if resize == "stretch":
        return Affine.stretch(width, height)
    known = np.isfinite([pixel_width, pixel_height]).all()
    return Affine.letterbox(
        width, height, pixel_width=pixel_width if known else 1, pixel_height=pixel_height if known else 1
    )


def square(pixels: np.ndarray, to_256: Affine, settings: PreprocessSettings) -> np.ndarray:
    """Window an image and resample it to the 256 frame.

    Args:
        pixels: (rows, columns), any real numbers, native frame.
        to_256: The map from native pixels to the 256 frame.
        settings: The percentiles of the window.

    Returns:
        uint8, (256, 256).
    """
    return to_256.image(windowed(pixels, settings.low, settings.high))


def windowed(pixels: np.ndarray, low: float = 0.5, high: float = 99.5) -> np.ndarray:
    """Map the signal between two percentiles to 0…255, so that a single bright vessel does not darken the rest.

    Args:
        pixels: Any real numbers, of any shape.
        low: The percentile that becomes black.
        high: The percentile that becomes white.

    Returns:
        uint8, of the same shape.
    """
    darkest, brightest = percentiles(pixels, low, high)
    scaled = (pixels - darkest) * (255 / (brightest - darkest if brightest > darkest else 1))
    return np.clip(scaled, 0, 255).astype(np.uint8)


def percentiles(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return what `np.percentile` returns, to the last bit, by sorting.

    With NumPy's function, reading and preparing an image of float32 takes 6 % longer (5 to 7 % in nine rounds in turns,
    NumPy 2.4 on a processor with AVX2).

    Args:
        pixels: Any real numbers, of any shape.
        low: The smaller percentile, 0 to 100.
        high: The greater percentile.

    Returns:
        float64, (2,).
    """
    values = np.sort(pixels, axis=None)
    position = np.array([low, high]) / 100 * (values.size - 1)
    before = np.floor(position).astype(int)
    share = position - before
    below, above = values[before], values[np.minimum(before + 1, values.size - 1)]
    step = above - below
    return np.where(share < 0.5, below + step * share, above - step * (1 - share))


@dataclass(frozen=True, eq=False)
class Prepared:
    """Images ready for a network, with their points.

    Args:
        images: uint8, (N, 256, 256); memory-mapped if they come from a cache, and
            `lumbar.storage.lazy_images.LazyImages` if many were selected from there.
        index: DataFrame with N rows and columns image, patient, source, view, contrast, level (of an axial image; ""
            otherwise), width, height (native pixels), pixel_width, pixel_height (mm, NaN if unknown); and frame, if
            the data set has it; and patient_from_file, see `lumbar.landmarks.COLUMNS`.
        to_native: float64, (N, 2, 3): the matrix of the `Affine` from the 256 frame to native pixels.
        points: float64, (N, K, 2), pixels of the 256 frame; NaN where a landmark is missing.
        channels: Names of the K points.
        absent: bool, (N, K): which missing landmarks are known to lie outside the image; None if of none it is known.
    """

    images: np.ndarray
    index: pd.DataFrame
    to_native: np.ndarray
    points: np.ndarray
    channels: tuple[str, ...]
    absent: np.ndarray | None = None

    def select(self, where: np.ndarray | Sequence[int]) -> Prepared:
        """Return some of the images, chosen by positions or by a mask of N."""
        positions = np.flatnonzero(where) if np.asarray(where).dtype == bool else np.asarray(where, dtype=int)
        return replace(
            self,
            images=lazy_images.select(self.images, positions),
            index=self.index.iloc[positions].reset_index(drop=True),
            to_native=self.to_native[positions],
            points=self.points[positions],
            absent=None if self.absent is None else self.absent[positions],
        )

    def without_neighbours(self) -> Prepared:
        """Return the same images with the points that are answered: without those of the neighbouring discs."""
        answered = ~np.isin(self.channels, NEIGHBOURS)
        channels = tuple(name for name in self.channels if name not in NEIGHBOURS)
        absent = None if self.absent is None else self.absent[:, answered]
        return replace(self, points=self.points[:, answered], channels=channels, absent=absent)

    @cached_property
    def people(self) -> pd.DataFrame:
        """Whom each image shows, for `lumbar.splits.check_people`: N rows with the columns patient, source and picture.

        picture is a fingerprint of the image where the patient is named after a file, and "" where the table states
        the patient.
        """
        from_file = self.index.get("patient_from_file", pd.Series(False, self.index.index)).eq(True)
        pictures = [
            digest_of([np.ascontiguousarray(image)]) if named else ""
            for named, image in zip(from_file, self.images, strict=True)
        ]
        return self.index[["patient", "source"]].assign(picture=pictures)

    @property
    def mm_per_pixel(self) -> np.ndarray:
        """(N, 2): millimetres that one pixel of the 256 frame spans along x and y; NaN if unknown."""
        spacing = self.index[["pixel_width", "pixel_height"]].to_numpy(float)[:, :, None]
        linear = self.to_native[
            :, :, :2
        ]  # column j: how far one pixel along axis j of the 256 frame goes, in native pixels
        steps = np.where(linear == 0, 0, linear * spacing)
        return np.hypot(steps[:, 0], steps[:, 1])


def concatenate(several: Sequence[Prepared]) -> Prepared:
    """Return the images of several data sets, prepared for the same views, one after the other."""
    if len(several) == 1:
        return several[0]
    return Prepared(
        images=lazy_images.concatenate([each.images for each in several]),
        index=pd.concat([each.index for each in several], ignore_index=True),
        to_native=np.concatenate([each.to_native for each in several]),
        points=np.concatenate([each.points for each in several]),
        channels=several[0].channels,
        absent=np.concatenate([_known_absent(each) for each in several]),
    )


def _known_absent(prepared: Prepared) -> np.ndarray:
    return np.zeros(prepared.points.shape[:2], bool) if prepared.absent is None else prepared.absent


def unlabelled(
    images: Sequence[np.ndarray], views: Sequence[str], to_256: Sequence[Affine], channels: tuple[str, ...]
) -> Prepared:
    """Return images whose points are not known, for a network to find.

    Args:
        images: N of them, uint8 (256, 256).
        views: Plane of each.
        to_256: Map from the native pixels of each to the 256 frame.
        channels: Names of the points to find.
    """
    return Prepared(
        images=np.stack(images),
        index=pd.DataFrame({"view": list(views)}),
        to_native=np.stack([each.inverse().matrix for each in to_256]),
        points=np.full((len(images), len(channels), 2), np.nan),
        channels=channels,
    )
