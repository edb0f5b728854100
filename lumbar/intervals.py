"""95 % intervals by bootstrapping patients: resample the patients, compute again, and take percentiles.

The points of one patient are not independent, so whole patients are resampled and not single points: intervals over
points would be too narrow (Field and Welsh, 2007, "Bootstrapping clustered data").
"""

from __future__ import annotations

import numpy as np
import pandas as pd

INTERVAL = (2.5, 97.5)
"""Percentiles of the bootstrap that bound a 95 % interval."""


def resampled_centres(
    values: np.ndarray, patient_of: np.ndarray, bootstrap: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and median of values in resamples of the patients.

    Args:
        values: (n,) finite numbers, one a point.
        patient_of: (n,) the patient of each.
        bootstrap: Number of resamples.
        seed: Seed of the resampling.

    Returns:
        Means and medians, both (bootstrap,); both empty with fewer than two patients or no resamples.
    """
    codes, names = pd.factorize(patient_of)
    if len(names) < 2 or not bootstrap:
        return np.empty(0), np.empty(0)
    order = np.argsort(values)
    values, codes = values[order], codes[order]
    random = np.random.default_rng(seed)
    means, medians = np.empty(bootstrap), np.empty(bootstrap)
    for sample in range(bootstrap):
        # A value counts as often as its patient is in the resample.
        weights = np.bincount(random.integers(len(names), size=len(names)), minlength=len(names))[codes]
        total = np.cumsum(weights)
        lower, upper = np.searchsorted(total, [(total[-1] + 1) // 2, total[-1] // 2 + 1])
        means[sample] = weights @ values / total[-1]
        medians[sample] = (values[lower] + values[upper]) / 2
    return means, medians


def interval(estimates: np.ndarray) -> list[float] | None:
    """Return the bounds of the 95 % interval of bootstrap estimates; None if there are none."""
    return [float(bound) for bound in np.percentile(estimates, INTERVAL)] if len(estimates) else None
