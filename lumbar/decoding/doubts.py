"""What speaks against points: an undecided absence, a doubtful count, levels that lie unevenly."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from lumbar.core.constants import LEVELS

UNDECIDED = 0.1
"""An image is flagged if the probability that one of its points is absent lies between this and 1 minus this."""

MISCOUNT_DOUBTFUL = 0.1
"""An image is flagged if its levels are miscounted with more than this probability."""

GAPS = (0.5, 1.6)
"""Smallest and largest plausible gap between neighbouring levels, as shares of the median gap in the image. Of 1,052
labelled sagittal images of several hospitals (Lumbar Coordinate Pretraining Dataset) one lies outside, at 1.62."""


def undecided(absent: Any) -> Any:
    """Return for which probabilities of being absent it is not clear whether a point is; NaN gives False."""
    return abs(absent - 0.5) < 0.5 - UNDECIDED


def doubtful_count(miscounted: Any) -> Any:
    """Return whether the levels of images may be miscounted, (...); NaN gives False.

    Args:
        miscounted: (..., 2), calibrated, see `lumbar.weights.Weights.miscounted`.
    """
    return miscounted.sum(axis=-1) > MISCOUNT_DOUBTFUL


def uneven(shares: Any) -> Any:
    """Return which gaps between levels are too small or too large, for `gap_shares`; NaN gives False."""
    return (shares < GAPS[0]) | (shares > GAPS[1])


def uneven_gaps(points: np.ndarray) -> tuple[str, ...]:
    """Find neighbouring levels that lie too close together or too far apart, compared with the others in the image.

    A network that is sure of each point may still have put two levels on one disc, or have passed over a disc. With
    fewer than three gaps there is little to compare with.

    Args:
        points: (5, 2), the five levels from the head down, in pixels; NaN for a level that is not in the image.

    Returns:
        A sentence for each such pair.
    """
    share = gap_shares(np.asarray(points, np.float64))
    return tuple(
        f"{above} and {below} lie unusually {'close together' if each < GAPS[0] else 'far apart'}"
        for (above, below), each, odd in zip(itertools.pairwise(LEVELS), share, uneven(share), strict=True)
        if odd
    )


def gap_shares(points: Any) -> Any:
    """Return the gaps between neighbouring points as shares of their median, (..., n - 1); NaN beside a missing point.

    Args:
        points: float64 (..., n, 2).
    """
    xp = points.__array_namespace__()
    steps = points[..., 1:, :] - points[..., :-1, :]
    gaps = xp.sqrt(xp.sum(steps * steps, axis=-1))
    known = xp.sum(xp.astype(~xp.isnan(gaps), xp.int64), axis=-1, keepdims=True)
    in_order = xp.sort(xp.where(xp.isnan(gaps), np.inf, gaps), axis=-1)
    middle = [
        xp.take_along_axis(in_order, xp.maximum(known - 1, 0) // 2, axis=-1),
        xp.take_along_axis(in_order, xp.minimum(known // 2, gaps.shape[-1] - 1), axis=-1),
    ]
    return gaps / xp.maximum((middle[0] + middle[1]) / 2, 1e-6)


@dataclass(frozen=True, eq=False)
class Count:
    """How sure a network is which disc is which, and where the levels lie if it has miscounted them by one.

    Args:
        one_higher: Calibrated probability that each level lies one disc higher than was found.
        one_lower: That each lies one disc lower.
        higher: (5, 2), the levels one disc higher, native pixels; NaN where the network knows no disc.
        lower: (5, 2), the same one disc lower.
    """

    one_higher: float
    one_lower: float
    higher: np.ndarray
    lower: np.ndarray

    def __str__(self) -> str:
        return count_in_words(self.one_higher, self.one_lower)

    @property
    def doubts(self) -> tuple[str, ...]:
        """A sentence if a miscount is likelier than `MISCOUNT_DOUBTFUL`."""
        if not doubtful_count(np.array([self.one_higher, self.one_lower])):
            return ()
        ways = {"higher": self.one_higher, "lower": self.one_lower}
        likely = [way for way, share in ways.items() if share >= MISCOUNT_DOUBTFUL / 2]
        return (f"the levels may all lie one disc {' or '.join(likely)}",)


def count_of(points: np.ndarray, neighbours: np.ndarray, miscounted: np.ndarray) -> Count | None:
    """Return how sure a count is; None if the probabilities are not known.

    Args:
        points: (5, 2), the five levels.
        neighbours: (2, 2), T12/L1 and S1/S2.
        miscounted: (2,), calibrated.
    """
    if np.isnan(miscounted).any():
        return None
    row = np.concatenate([neighbours[:1], points, neighbours[1:]])
    return Count(*map(float, miscounted), higher=row[:-2], lower=row[2:])


def count_in_words(one_higher: float, one_lower: float) -> str:
    """Return the probabilities of the count as found and of the two that are one off, in words."""
    as_found = 1 - one_higher - one_lower
    return f"Count as found {as_found:.0%}, one disc higher {one_higher:.0%}, one disc lower {one_lower:.0%}"
