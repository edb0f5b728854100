"""How far off are points: errors in pixels and millimetres, their summaries, and what knowing nothing would score.

Everything here works on plain arrays of shape (N pictures, K landmarks, 2) and needs no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lumbar.geometry import Affine
from lumbar.landmarks import LEVELS

PCK_PIXELS = (2, 3, 5, 10)
"""Radii of the percentages of correct keypoints (PCK), pixels of the 256 frame."""

SDR_MILLIMETRES = (2.0, 2.5, 3.0, 4.0)
"""Radii of the successful detection rates (SDR), millimetres, those of the cephalometric challenges."""

INTERVAL = (2.5, 97.5)
"""Percentiles of the bootstrap that bound a 95 % interval."""


@dataclass(frozen=True, eq=False)
class Errors:
    """Predicted minus true, for N pictures of K landmarks.

    Args:
        pixels: (N, K, 2) differences in pixels of the 256 frame; NaN where the true point is missing.
        mm_per_pixel: (N, 2) millimetres of one 256-frame pixel along x and y; NaN where unknown.
        missing: (N, K) whether a landmark that belongs to this view has no true point.
    """

    pixels: np.ndarray
    mm_per_pixel: np.ndarray
    missing: np.ndarray

    @property
    def unit(self) -> np.ndarray:
        """(N, K, 2) differences in unit coordinates, which run from 0 to 1 across the picture."""
        return Affine.unit().vectors(self.pixels)

    @property
    def millimetres(self) -> np.ndarray:
        """(N, K, 2) differences in the patient, mm; NaN where the size of a pixel is unknown."""
        return self.pixels * self.mm_per_pixel[:, None, :]

    @property
    def radial_px(self) -> np.ndarray:
        """(N, K) distances, pixels of the 256 frame."""
        return np.linalg.norm(self.pixels, axis=-1)

    @property
    def radial_mm(self) -> np.ndarray:
        """(N, K) distances in the patient, mm. A stretched picture has other millimetres along x than along y."""
        return np.linalg.norm(self.millimetres, axis=-1)

    def only(self, mask: np.ndarray) -> Errors:
        """Without the points outside of a mask, (N,) for pictures or (N, K) for single points."""
        kept = np.broadcast_to(mask if mask.ndim == 2 else mask[:, None], self.missing.shape)
        return replace(self, pixels=np.where(kept[..., None], self.pixels, np.nan), missing=self.missing & kept)


def errors(
    true: np.ndarray, predicted: np.ndarray, mm_per_pixel: np.ndarray, views: Sequence[str], channels: Sequence[str]
) -> Errors:
    """Compare predicted points with true ones.

    Args:
        true: (N, K, 2) pixels of the 256 frame, NaN missing.
        predicted: (N, K, 2), the same; must be numbers wherever there is a true point.
        mm_per_pixel: (N, 2) millimetres of one 256-frame pixel along x and y, NaN unknown.
        views: N views.
        channels: K names, as `lumbar.landmarks.channels` gives them.

    Raises:
        ValueError: If the shapes differ, or a prediction is no number: leaving it out would flatter the network.
    """
    if np.shape(true) != np.shape(predicted) or np.shape(true) != (len(views), len(channels), 2):
        raise ValueError(f"shapes differ: true {np.shape(true)}, predicted {np.shape(predicted)}")
    pixels = np.asarray(predicted, dtype=np.float64) - true
    known = np.isfinite(true).all(axis=-1)
    if not np.isfinite(pixels[known]).all():
        raise ValueError("a predicted point is not a number")
    pixels[~known] = np.nan
    return Errors(pixels, np.asarray(mm_per_pixel, dtype=np.float64), belongs(views, channels) & ~known)


def belongs(views: Sequence[str], channels: Sequence[str]) -> np.ndarray:
    """Whether a picture of this view has this landmark at all: (N, K); axial ones have sides, the others levels."""
    axial = np.asarray(views, dtype=object) == "axial"
    return axial[:, None] != np.isin(channels, LEVELS)[None]


def summary(errors: Errors, patients: Sequence[str], *, bootstrap: int = 2000, seed: int = 0) -> dict[str, Any]:
    """The numbers of one predictor.

    Intervals are percentile bootstraps over PATIENTS: a patient's points stay together, as pictures of one person are
    not independent (Field and Welsh, 2007, "Bootstrapping clustered data").

    Args:
        errors: Errors of N pictures.
        patients: N names, who each picture shows.
        bootstrap: Resamples of the patients; 0 leaves intervals out.
        seed: The resampling's seed.

    Returns:
        Plain values by name; names end in their unit (px: pixels of the 256 frame, unit: fractions of the picture, mm).
        pck and sdr are shares from 0 to 1. A value is None where no point can tell it, an interval also with fewer than
        two patients.
    """
    radial, in_mm = errors.radial_px, errors.radial_mm
    who = np.broadcast_to(np.asarray(patients, dtype=object)[:, None], radial.shape)
    known = np.isfinite(radial)
    in_unit = errors.unit
    return {
        "points": int(known.sum()),
        "points_with_mm": int(np.isfinite(in_mm).sum()),
        "missing": int(errors.missing.sum()),
        "images": int(known.any(axis=1).sum()),
        "patients": len(set(who[known])),
        "mae_px": _mean(np.abs(errors.pixels)),
        "mae_unit": _mean(np.abs(in_unit)),
        "mae_mm": _mean(np.abs(errors.millimetres)),
        "mse_unit": _mean(in_unit**2),
        **_centre(radial, who, "px", bootstrap, seed),
        **_centre(in_mm, who, "mm", bootstrap, seed),
        **{f"pck_{radius}px": _mean(np.where(known, radial <= radius, np.nan)) for radius in PCK_PIXELS},
        **{
            f"sdr_{radius:g}mm": _mean(np.where(np.isfinite(in_mm), in_mm <= radius, np.nan))
            for radius in SDR_MILLIMETRES
        },
    }


def by_group(errors: Errors, patients: Sequence[str], labels: np.ndarray, **options: Any) -> dict[str, dict[str, Any]]:
    """A summary for each label.

    Args:
        errors: Errors of N pictures of K landmarks.
        patients: N names.
        labels: (N,) or (N, K) text; points labelled "" belong to no group.
        options: Passed on to `summary`.
    """
    labels = np.asarray(labels, dtype=object)
    return {
        label: summary(errors.only(labels == label), patients, **options)
        for label in pd.unique(labels.ravel())
        if label
    }


def baselines(training: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Predictors that never look at the picture; a network that has learnt something beats them all.

    Args:
        training: (M, K, 2) points of the TRAINING part, pixels of the 256 frame, NaN missing.
        count: Pictures to answer for.

    Returns:
        Name → (count, K, 2) pixels of the 256 frame.
    """
    landmarks = training.shape[1]
    everything = pd.DataFrame(training.reshape(-1, 2)).mean().to_numpy()
    each = np.array([pd.DataFrame(training[:, order]).mean().to_numpy() for order in range(landmarks)])
    to_pixels = Affine.unit().inverse().points
    points = {
        "mean per landmark": np.where(np.isfinite(each), each, everything),
        "mean point": everything,
        "image centre": to_pixels([0.5, 0.5]),
        "always zero": to_pixels([0.0, 0.0]),
    }
    return {name: np.broadcast_to(point, (count, landmarks, 2)).copy() for name, point in points.items()}


def level_shifts(true: np.ndarray, predicted: np.ndarray, channels: Sequence[str]) -> np.ndarray:
    """Whether a whole column of answers fits better one level away: right discs, wrongly counted.

    Args:
        true: (N, K, 2) pixels of the 256 frame, NaN missing.
        predicted: (N, K, 2), the same.
        channels: K names.

    Returns:
        (N,): 1 where the answers fit the next level down better than their own, -1 for the next level up, 0 where
        neither does, NaN where fewer than two levels can be compared. "Better" is the mean distance over the levels
        that have a true point at both places.
    """
    order = [list(channels).index(level) for level in LEVELS if level in channels]
    true, predicted = np.asarray(true)[:, order], np.asarray(predicted)[:, order]
    found, best = np.full(len(true), np.nan), np.zeros(len(true))
    for shift in (1, -1):
        answers = predicted[:, :-1] if shift == 1 else predicted[:, 1:]
        own, neighbour = (true[:, :-1], true[:, 1:])[::shift]
        here = np.linalg.norm(answers - own, axis=-1)
        there = np.linalg.norm(answers - neighbour, axis=-1)
        both = np.isfinite(here + there)
        judged = both.sum(axis=1) >= 2
        gain = np.where(both, here - there, 0).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
        found[judged & np.isnan(found)] = 0
        found[judged & (gain > best)] = shift
        best = np.maximum(best, np.where(judged, gain, 0))
    return found


def level_shift_share(true: np.ndarray, predicted: np.ndarray, channels: Sequence[str]) -> float | None:
    """Share of the pictures whose answers `level_shifts` finds one level off; None if none can be judged."""
    shifts = level_shifts(true, predicted, channels)
    judged = shifts[np.isfinite(shifts)]
    return float(np.mean(judged != 0)) if len(judged) else None


def _centre(radial: np.ndarray, who: np.ndarray, unit: str, bootstrap: int, seed: int) -> dict[str, Any]:
    """Mean and median of the radial error with their intervals."""
    known = np.isfinite(radial)
    values, people = radial[known], who[known]
    means, medians = _resampled(values, people, bootstrap, seed)
    return {
        f"radial_mean_{unit}": _mean(values),
        f"radial_mean_{unit}_interval": _interval(means),
        f"radial_median_{unit}": float(np.median(values)) if len(values) else None,
        f"radial_median_{unit}_interval": _interval(medians),
    }


def _resampled(values: np.ndarray, people: np.ndarray, bootstrap: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and median of the values in each resample of the people; both empty if there are fewer than two people."""
    codes, names = pd.factorize(people)
    if len(names) < 2 or not bootstrap:
        return np.empty(0), np.empty(0)
    order = np.argsort(values)
    values, codes = values[order], codes[order]
    random = np.random.default_rng(seed)
    means, medians = np.empty(bootstrap), np.empty(bootstrap)
    for sample in range(bootstrap):
        # How often each person was drawn is how much each of their points weighs.
        drawn = np.bincount(random.integers(len(names), size=len(names)), minlength=len(names))[codes]
        reached = np.cumsum(drawn)
        lower, upper = np.searchsorted(reached, [(reached[-1] + 1) // 2, reached[-1] // 2 + 1])
        means[sample] = drawn @ values / reached[-1]
        medians[sample] = (values[lower] + values[upper]) / 2
    return means, medians


def _interval(estimates: np.ndarray) -> list[float] | None:
    return [float(bound) for bound in np.percentile(estimates, INTERVAL)] if len(estimates) else None


def _mean(values: np.ndarray) -> float | None:
    known = np.isfinite(values)
    return float(np.mean(values[known])) if known.any() else None
