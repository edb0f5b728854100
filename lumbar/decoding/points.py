"""From the heatmaps of images to their points, each with its probability."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lumbar.core.constants import LEVELS, ROW, VIEWS
from lumbar.decoding import peaks, rows
from lumbar.decoding.peaks import Peaks
from lumbar.geometry import SIZE, Affine

NEAR_PIXELS = 5.0
"""A confidence is the probability that the true point lies within this distance, pixels of the 256 frame."""

CONTRADICTED = 0.8
"""Largest probability of being absent, or present, if the other levels say so and the level's own map does not."""


class Decoded(NamedTuple):
    """The points of N images.

    Args:
        points: (N, K, 2), pixels of the 256 frame; for a point that is probably absent the likeliest place all the
            same.
        probability: (N, K), as the heatmaps have it, that the true point is in the image and within `NEAR_PIXELS`.
        absent: (N, K), the probability that the point is not in the image; NaN from a network that cannot tell.
        miscounted: (N, 2), the probability that all levels lie one disc higher, and one lower, than was found, to be
            calibrated. NaN where nothing is counted.
    """

    points: Any
    probability: Any
    absent: Any
    miscounted: Any


def decode(maps: Any, views: Any, channels: tuple[str, ...], *, may_be_absent: bool = False) -> Decoded:
    """Find the points of images in their heatmaps.

    Args:
        maps: float32 or float64 (N, K, h, w), probabilities: not negative. Each map adds up to 1, or, if points may be
            absent, to the probability that the point is in the image.
        views: int64 (N,), the images' planes, counted as in `lumbar.core.constants.VIEWS`.
        channels: Names of the K points.
        may_be_absent: Whether the network can answer that a point is absent. Such a network was trained on any field of
            view, so that the steps between levels may have any scale.
    """
    xp = maps.__array_namespace__()
    found = peaks.find(maps, SIZE, NEAR_PIXELS)
    probability = found.mass[..., 0] * found.near[..., 0]
    absent = xp.full_like(probability, np.nan)
    if may_be_absent:
        absent = xp.clip(1 - xp.sum(maps, axis=(2, 3), dtype=xp.float64), 0.0, 1.0)
    alone = Decoded(found.place[..., 0, :], probability, absent, _unknown(probability))
    if not set(LEVELS) <= set(channels):
        return alone
    discs = [order for order, name in enumerate(ROW) if name in channels]
    row = [channels.index(ROW[disc]) for disc in discs]
    steps = np.array([rows.STEPS.get(view, rows.STEPS["sagittal"]) for view in VIEWS])[:, :, discs[:-1]]
    steps = xp.take(xp.asarray(steps), views, axis=0)
    together = _together(
        Peaks(*(_chosen(each, row) for each in found)),
        _chosen(absent, row) if may_be_absent else None,
        means=steps[:, 0, ...],
        spreads=steps[:, 1, ...],
    )
    # A disc of the row has its place there, any other channel what its own map says; so have all of an axial image.
    order = [row.index(which) if which in row else len(row) + which for which in range(len(channels))]
    counted = xp.take(xp.asarray(np.array([[view in rows.STEPS] for view in VIEWS])), views, axis=0)
    merged = [_chosen(xp.concat(pair, axis=1), order) for pair in zip(together[:3], alone[:3], strict=True)]
    where = (counted[..., None], counted, counted, counted)
    each = zip(where, (*merged, together.miscounted), alone, strict=True)
    return Decoded(*(xp.where(row_counts, one, other) for row_counts, one, other in each))


def without_heatmaps(coordinates: Any) -> Decoded:
    """Return the points of a network that answers with unit coordinates, (N, K, 2), and not with how sure it is."""
    xp = coordinates.__array_namespace__()
    to_256 = Affine.unit().inverse().matrix
    scale, shift = xp.asarray(to_256[:, :2].T), xp.asarray(to_256[:, 2])
    points = xp.matmul(xp.astype(coordinates, xp.float64), scale) + shift
    unknown = xp.full_like(points[..., 0], np.nan)
    return Decoded(points, unknown, unknown, _unknown(unknown))


def _unknown(of_points: Any) -> Any:
    """Return two NaN for each of N images, of which (N, K) numbers are given."""
    xp = of_points.__array_namespace__()
    nothing = xp.full_like(of_points[:, :1], np.nan)
    return xp.concat([nothing, nothing], axis=1)


def _chosen(values: Any, which: list[int]) -> Any:
    """Return some of the points, along the second axis."""
    xp = values.__array_namespace__()
    return xp.take(values, xp.asarray(np.array(which)), axis=1)


def _together(found: Peaks, absent: Any, means: Any, spreads: Any) -> Decoded:
    """Decode n neighbouring discs together, see `lumbar.decoding.rows.weigh`."""
    xp = means.__array_namespace__()
    row = rows.weigh(found, absent, means, spreads)
    at_best = row.best[..., None]
    place = xp.concat([xp.take_along_axis(found.place[..., axis], at_best, axis=2) for axis in range(2)], axis=2)
    share, near = (xp.take_along_axis(each, at_best, axis=2)[..., 0] for each in (row.shares, found.near))
    if absent is None:
        gone = xp.full_like(share, np.nan)
    else:
        # Where the row contradicts a disc's own map, neither is sure.
        contradicted = (row.absent > 0.5) != (absent > 0.5)
        gone = xp.where(contradicted, xp.clip(row.absent, 1 - CONTRADICTED, CONTRADICTED), row.absent)
    return Decoded(place, share * near, gone, rows.miscounted(found, place, row.absent))
