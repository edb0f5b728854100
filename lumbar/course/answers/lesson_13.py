"""Lesson 13: misses that a median hides, and how much there was to correct."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lumbar.course.riddles import Riddle

_MISS_PX = 5


def exercise_1(off_px: np.ndarray) -> Riddle:
    """How many points of a picture are missed, on average?

    Args:
        off_px: How far off each point is, pixels of the 256 frame, (pictures, points).
    """
    missed = np.asarray(off_px) >= _MISS_PX
    return Riddle(
        float(missed.sum(axis=1).mean()),
        "`before >= 5` is an array of True and False, one row a picture: count along the rows, then take the mean",
        {
            "that is a share of all points; how many of the points of *one picture* is it?": [
                float(missed.mean()),
                float(100 * missed.mean()),
            ],
            "that is one number for each picture; take the mean of them": [missed.sum(axis=1)],
            "those are the misses of all pictures together; divide by the number of pictures": [int(missed.sum())],
            "that is for each level; count along the rows, `axis=1`": [float(missed.sum(axis=0).mean())],
            "those are the points that are good": [float((~missed).sum(axis=1).mean())],
            "that is the share of pictures in which at least one point is missed": [float(missed.any(axis=1).mean())],
            "a median again, and it hides the bad pictures again; take the mean": [
                float(np.median(missed.sum(axis=1)))
            ],
        },
        tolerance=0.02,
    )


def exercise_2(points: pd.DataFrame) -> Riddle:
    """Which share of the points was really off before anybody corrected them?

    Args:
        points: One row a point: columns x_before, y_before (what the network said), x, y (as corrected), x_true,
            y_true, native pixels, and pixel_width, mm.
    """

    def far(here: str, there: str) -> pd.Series:
        return np.hypot(points[f"x{here}"] - points[f"x{there}"], points[f"y{here}"] - points[f"y{there}"])

    off = far("_before", "_true")
    share = float((off > _MISS_PX).mean())
    return Riddle(
        share,
        "`np.hypot` of the two differences gives the distance of each point; then take the share of those above 5",
        {
            "that is a number of points; which share of all is it?": [int((off > _MISS_PX).sum())],
            "that is in percent; a share lies between 0 and 1": [100 * share],
            "those are the points that were good": [float((off <= _MISS_PX).mean())],
            "that is how far they were *moved*, and the scatter of the one who moved them is in it": [
                float((far("_before", "") > _MISS_PX).mean())
            ],
            "that is how far off they are *after* the correction; take `x_before` and `y_before`": [
                float((far("", "_true") > _MISS_PX).mean())
            ],
            "you counted millimetres; 5 pixels were asked for": [
                float((off * points["pixel_width"] > _MISS_PX).mean())
            ],
            "a point can be off along x, along y, or a little along both: take the distance": [
                float((np.abs(points[f"{axis}_before"] - points[f"{axis}_true"]) > _MISS_PX).mean()) for axis in "xy"
            ],
        },
        tolerance=0.002,
    )
