"""A network that is ready to answer, whichever engine runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Network:
    """A network that is ready to answer.

    Args:
        answer: float32 (batch, 256, 256) from 0 to 1 → float32 (batch, K, 64, 64), for each pixel the probability that
            the point lies there, or (batch, K, 2), unit coordinates.
        count: Number of points (K).
        has_heatmaps: Whether it answers with probabilities.
        may_be_absent: Whether it can answer that a point is not in the image: its probabilities then add up to less
            than 1.
        points: Names of the points; empty if the network does not keep them.
    """

    answer: Callable[[np.ndarray], np.ndarray]
    count: int
    has_heatmaps: bool
    may_be_absent: bool
    points: tuple[str, ...]
