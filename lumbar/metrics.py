"""Errors of predicted points in pixels and millimetres, summaries of them, and baselines that never look at the image.

Everything here works on plain arrays of shape (N images, K landmarks, 2) and needs no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lumbar.geometry import Affine
from lumbar.intervals import interval, resampled_centres
from lumbar.landmarks import LEVELS

PCK_PIXELS = (2, 3, 5, 10)
"""Radii of the percentage of correct keypoints (PCK), pixels of the 256 frame."""

SDR_MILLIMETRES = (2.0, 2.5, 3.0, 4.0)
"""Radii of the successful detection rate (SDR), millimetres; those of the cephalometric challenges."""


@dataclass(frozen=True, eq=False)
class Errors:
    """Differences between predicted and true points, for N images of K landmarks.

    Args:
        pixels: (N, K, 2), predicted minus true, pixels of the 256 frame; NaN where the true point is missing.
        mm_per_pixel: (N, 2), millimetres that one pixel of the 256 frame spans along x and y; NaN if unknown.
        missing: (N, K), whether the landmark belongs to the image's view and has no true point.
    """

    pixels: np.ndarray
    mm_per_pixel: np.ndarray
    missing: np.ndarray

    @property
    def unit(self) -> np.ndarray:
        """Differences in unit coordinates, which run from 0 to 1 across the image; (N, K, 2)."""
        return Affine.unit().vectors(self.pixels)

    @property
    def millimetres(self) -> np.ndarray:
        """Differences in the patient, mm, (N, K, 2); NaN where the size of a pixel is unknown."""
        return self.pixels * self.mm_per_pixel[:, None, :]

    @property
    def radial_px(self) -> np.ndarray:
        """Distances between predicted and true points, pixels of the 256 frame; (N, K)."""
        return np.linalg.norm(self.pixels, axis=-1)

    @property
    def radial_mm(self) -> np.ndarray:
        """Distances in the patient, mm, (N, K); a pixel of a stretched image spans different lengths along x and y."""
        return np.linalg.norm(self.millimetres, axis=-1)

    def only(self, mask: np.ndarray) -> Errors:
        """Return the errors of the points within a mask: boolean, (N,) for whole images or (N, K) for single points."""
        kept = np.broadcast_to(mask if mask.ndim == 2 else mask[:, None], self.missing.shape)
        return replace(self, pixels=np.where(kept[..., None], self.pixels, np.nan), missing=self.missing & kept)


def errors(
    true: np.ndarray, predicted: np.ndarray, mm_per_pixel: np.ndarray, views: Sequence[str], channels: Sequence[str]
) -> Errors:
    """Compare predicted points with true ones.

    Args:
        true: (N, K, 2), pixels of the 256 frame; NaN where missing.
        predicted: (N, K, 2), pixels of the 256 frame; a number wherever there is a true point.
        mm_per_pixel: (N, 2), millimetres that one pixel of the 256 frame spans along x and y; NaN if unknown.
        views: View of each of the N images.
        channels: Names of the K points, as `lumbar.landmarks.channels` returns them.

    Raises:
        ValueError: If the shapes differ, or a prediction is not a number; leaving it out would flatter the network.
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
    """Return which landmarks an image of each view can have: sides if it is axial, levels if not.

    Args:
        views: View of each of N images.
        channels: Names of K points.

    Returns:
        Boolean, (N, K).
    """
    axial = np.asarray(views, dtype=object) == "axial"
    return axial[:, None] != np.isin(channels, LEVELS)[None]


def summary(errors: Errors, patients: Sequence[str], *, bootstrap: int = 2000, seed: int = 0) -> dict[str, Any]:
    """Summarise the errors of one predictor in numbers.

    Intervals come from a percentile bootstrap over PATIENTS, see `lumbar.intervals`.

    Args:
        errors: Errors of N images.
        patients: The patient of each image, N names.
        bootstrap: Number of resamples; 0 leaves the intervals out.
        seed: Seed of the resampling.

    Returns:
        Name → plain value. A name ends in its unit: px (pixels of the 256 frame), unit (fractions of the image) or mm.
        pck and sdr are shares from 0 to 1. A value is None if there is no point to compute it from; an interval is also
        None with fewer than two patients.
    """
    radial, in_mm = errors.radial_px, errors.radial_mm
    patient_of = np.broadcast_to(np.asarray(patients, dtype=object)[:, None], radial.shape)
    known = np.isfinite(radial)
    in_unit = errors.unit
    return {
        "points": int(known.sum()),
        "points_with_mm": int(np.isfinite(in_mm).sum()),
        "missing": int(errors.missing.sum()),
        "images": int(known.any(axis=1).sum()),
        "patients": len(set(patient_of[known])),
        "mae_px": _mean(np.abs(errors.pixels)),
        "mae_unit": _mean(np.abs(in_unit)),
        "mae_mm": _mean(np.abs(errors.millimetres)),
        "mse_unit": _mean(in_unit**2),
        **_mean_and_median(radial, patient_of, "px", bootstrap, seed),
        **_mean_and_median(in_mm, patient_of, "mm", bootstrap, seed),
        **{f"pck_{radius}px": _mean(np.where(known, radial <= radius, np.nan)) for radius in PCK_PIXELS},
        **{
            f"sdr_{radius:g}mm": _mean(np.where(np.isfinite(in_mm), in_mm <= radius, np.nan))
            for radius in SDR_MILLIMETRES
        },
    }


def by_group(errors: Errors, patients: Sequence[str], labels: np.ndarray, **options: Any) -> dict[str, dict[str, Any]]:
    """Summarise the errors of each group of points.

    Args:
        errors: Errors of N images of K landmarks.
        patients: The patient of each image, N names.
        labels: Names of the groups, text, (N,) for whole images or (N, K) for single points; "" is in no group.
        options: Passed on to `summary`.

    Returns:
        Name of the group → its summary.
    """
    labels = np.asarray(labels, dtype=object)
    return {
        label: summary(errors.only(labels == label), patients, **options)
        for label in pd.unique(labels.ravel())
        if label
    }


def baselines(training: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Return the points of predictors that never look at the image; a network that has learnt something beats them all.

    Args:
        training: (M, K, 2), points of the TRAINING part, pixels of the 256 frame; NaN where missing.
        count: Number of images to predict for.

    Returns:
        Name of the predictor → points, (count, K, 2), pixels of the 256 frame.
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
    """Find images whose points fit better one level away: the network found the discs, but counted them wrongly.

    Args:
        true: (N, K, 2), pixels of the 256 frame; NaN where missing.
        predicted: (N, K, 2), pixels of the 256 frame.
        channels: Names of the K points.

    Returns:
        (N,): 1 where the predicted points fit the next level down better than their own, -1 where they fit the next
        level up, 0 where they fit neither better, NaN where fewer than two levels can be compared. The better fit is
        the smaller mean distance over the levels that have both true points, their own and the neighbour's.
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
    """Return the share of images that `level_shifts` finds one level off; None if none can be judged.

    Args:
        true: (N, K, 2), pixels of the 256 frame; NaN where missing.
        predicted: (N, K, 2), pixels of the 256 frame.
        channels: Names of the K points.
    """
    shifts = level_shifts(true, predicted, channels)
    judged = shifts[np.isfinite(shifts)]
    return float(np.mean(judged != 0)) if len(judged) else None


def _mean_and_median(
    radial: np.ndarray, patient_of: np.ndarray, unit: str, bootstrap: int, seed: int
) -> dict[str, Any]:
    """Return mean and median of the radial error with their intervals."""
    known = np.isfinite(radial)
    values = radial[known]
    means, medians = resampled_centres(values, patient_of[known], bootstrap, seed)
    return {
        f"radial_mean_{unit}": _mean(values),
        f"radial_mean_{unit}_interval": interval(means),
        f"radial_median_{unit}": float(np.median(values)) if len(values) else None,
        f"radial_median_{unit}_interval": interval(medians),
    }


def _mean(values: np.ndarray) -> float | None:
    known = np.isfinite(values)
    return float(np.mean(values[known])) if known.any() else None
