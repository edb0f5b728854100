"""What borrowed weights bring: trainings that start from different weights, compared pair by pair.

Two trainings with the same seed share their patients (see `lumbar.experiments.learning_curve.train_on_some`), and all
are measured on the same strangers. So the difference of a pair says more than the difference of two means: easy and
hard patients, to learn from and to be measured on, are the same on both sides.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lumbar import intervals
from lumbar.experiments.learning_curve import resampled_means


def gains(table: pd.DataFrame, start: str, than: str) -> pd.DataFrame:
    """Return by how much one start comes nearer than another, for each number of labelled patients.

    Args:
        table: Columns patients (labelled), start, seed (of the training), stranger (the test patient) and radial_px
            (mean error of the stranger's points, pixels of the 256 frame); every stranger once for each start, size and
            seed.
        start: The start in question.
        than: The start that it is compared with.

    Returns:
        Index patients; columns gain_px (mean of `than` minus `start`, pixels of the 256 frame; above zero if `start` is
        nearer), low_px and high_px (its 95 % interval over seeds and strangers), pairs (of trainings) and won (pairs in
        which `start` is nearer on average).
    """
    wide = table.pivot_table("radial_px", ["patients", "seed", "stranger"], "start")
    gain = (wide[than] - wide[start]).rename("radial_px").reset_index()
    low, high = np.percentile(resampled_means(gain), intervals.INTERVAL, axis=0)
    pairs = gain.groupby(["patients", "seed"])["radial_px"].mean().groupby("patients")
    found = {"gain_px": pairs.mean(), "low_px": low, "high_px": high, "pairs": pairs.size()}
    return pd.DataFrame({**found, "won": pairs.agg(lambda gained: (gained > 0).sum())})


def means(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean error of each start and number of labelled patients, with its 95 % interval.

    Args:
        table: As for `gains`.

    Returns:
        Columns start, patients, mean_px, low_px and high_px (over seeds and strangers), pixels of the 256 frame; the
        starts in the order of the table.
    """
    found = []
    for start, group in table.groupby("start", sort=False):
        low, high = np.percentile(resampled_means(group), intervals.INTERVAL, axis=0)
        mean = group.groupby("patients")["radial_px"].mean()
        found.append(pd.DataFrame({"start": start, "mean_px": mean, "low_px": low, "high_px": high}).reset_index())
    return pd.concat(found, ignore_index=True)
