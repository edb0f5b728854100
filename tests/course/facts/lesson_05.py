"""Facts for the exercises of lesson 05."""

import numpy as np

from lumbar.intervals import interval, resampled_centres


def resampled_elsewhere(errors, patients, times, rng):
    """The package's own bootstrap, which weighs points by how often their patient is in a resample."""
    return interval(resampled_centres(errors, patients, times, int(rng.integers(1000)))[0])


_RADIAL = np.array([[0.5, 2.0, 3.0], [1.0, 3.5, 9.0], [np.nan, 2.5, 2.9], [4.0, 8.0, 30.0]])

FACTS = {"05.1": (_RADIAL,), "05.2": (), "05.3": (), "05.4": ()}

ANSWERED = {"05.1": 6 / 11, "05.2": 128 / 25, "05.3": resampled_elsewhere, "05.4": "B"}
