"""Cut images off, and count the answers that are wrong and not flagged.

A network that counts the levels by where a disc lies in the image, and not by the sacrum, is right on whole images and
wrong on others without being in doubt. A wrong answer that is not flagged is the worst that a network can give.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lumbar.decoding.doubts import undecided, uneven_gaps
from lumbar.geometry import SIZE, Affine
from lumbar.inference import NetworkAnswer
from lumbar.intervals import interval, resampled_centres
from lumbar.landmarks import LEVELS
from lumbar.metrics import belongs
from lumbar.preprocess import Prepared

CUTS = {
    "whole": (None, None),
    "above L5/S1": (None, 3.5),
    "just below L5/S1": (None, 4.4),
    "below L1/L2": (0.5, None),
}
"""Name of a cut → its upper and lower edge, counted in levels from L1/L2 (0) to L5/S1 (4); None leaves the edge."""

_BOOTSTRAP = 2000


def cut_off(part: Prepared, cut: str) -> Prepared:
    """Return images cut off above or below some level, and stretched to 256×256 pixels again.

    Args:
        part: Images of the sagittal or coronal plane; those that lack a level are left out.
        cut: One of `CUTS`.

    Returns:
        The images with their points, which lie outside where the image does not show them any more.
    """
    levels = [part.channels.index(level) for level in LEVELS]
    part = part.select(np.isfinite(part.points[:, levels]).all(axis=(1, 2)))
    upper, lower = CUTS[cut]
    images, points, to_native = [], [], []
    for image, xy, native in zip(part.images, part.points, part.to_native, strict=True):
        top = 0.0 if upper is None else max(_height(xy[levels, 1], upper) + 0.5, 0.0)
        bottom = SIZE if lower is None else min(_height(xy[levels, 1], lower) + 0.5, SIZE)
        window = Affine.translation(0, -top).then(Affine.stretch(SIZE, bottom - top))
        images.append(window.image(image))
        points.append(window.points(xy))
        to_native.append(window.inverse().then(Affine(native)).matrix)
    return replace(part, images=np.array(images), points=np.array(points), to_native=np.array(to_native))


def _height(heights: np.ndarray, level: float) -> float:
    """Return the height of a place between two levels, or as many median gaps below the last one."""
    below = max(level - (len(heights) - 1), 0)
    between = np.interp(level, np.arange(len(heights)), heights)
    return float(between + below * np.median(np.diff(heights)))


def judged(part: Prepared, answer: NetworkAnswer) -> pd.DataFrame:
    """Say of each image whether the answer is wrong, and what speaks for a flag.

    An answer is wrong if it puts a level more than half a gap from the true point, where it belongs to another level or
    to none, gives a point to a level that the image does not show, or calls a level absent that the image shows.

    Half a gap is half of the image's median one; where no two neighbouring levels are known, no point is too far off.

    Args:
        part: N images as `cut_off` returns them, or others; a level without a point counts as outside the image.
        answer: What the network answers for them.

    Returns:
        N rows with the columns patient, wrong, least (the lowest probability of a point; 1 without any), unclear
        (whether levels are uneven, or it is not clear whether one is absent), one_higher and one_lower (the probability
        of a miscount before calibration).
    """
    levels = _levels(part)
    true, found = part.points[:, levels], answer.points[:, levels]
    absent, probability = answer.absent[:, levels], answer.probability[:, levels]
    shown = ((true >= -0.5) & (true <= SIZE - 0.5)).all(axis=-1)
    gone = absent > 0.5
    gaps = np.linalg.norm(np.diff(true, axis=1), axis=-1)
    gap = np.array([np.median(each[np.isfinite(each)]) if np.isfinite(each).any() else np.inf for each in gaps])
    off = np.linalg.norm(found - true, axis=-1) > gap[:, None] / 2
    return pd.DataFrame(
        {
            "patient": part.index["patient"].to_numpy(),
            "wrong": np.where(shown, gone | off, ~gone).any(axis=1),
            "least": np.where(gone, 1.0, probability).min(axis=1),
            "unclear": unclear(part, answer),
            "one_higher": answer.miscounted[:, 0],
            "one_lower": answer.miscounted[:, 1],
        }
    )


def unclear(part: Prepared, answer: NetworkAnswer) -> np.ndarray:
    """Return which of N images are flagged whatever the probability of their points.

    Their levels are uneven, or it is not clear whether a point is absent; compare `lumbar.inference.find_points`.
    """
    here = belongs(part.index["view"], part.channels)
    found = np.where((here & ~(answer.absent > 0.5))[..., None], answer.points, np.nan)[:, _levels(part)]
    return (undecided(answer.absent) & here).any(axis=1) | [bool(uneven_gaps(xy)) for xy in found]


def _levels(part: Prepared) -> list[int]:
    return [part.channels.index(level) for level in LEVELS if level in part.channels]


def summary(rows: pd.DataFrame, limit: float) -> dict[str, Any]:
    """Return how often a network is wrong without a flag, and flagged though right.

    Args:
        rows: See `judged`.
        limit: An image is flagged if the probability of one of its points is at most this.

    Returns:
        Numbers of images, of patients and of wrong answers; shares from 0 to 1, the first with its 95 % interval over
        patients; a share is None if there is nothing to take it of.
    """
    flagged = (rows["least"] <= limit) | rows["unclear"]
    silent, right = (rows["wrong"] & ~flagged).to_numpy(float), ~rows["wrong"]
    means, _ = resampled_centres(silent, rows["patient"].to_numpy(), _BOOTSTRAP, seed=0)
    return {
        "images": len(rows),
        "patients": int(rows["patient"].nunique()),
        "wrong": int(rows["wrong"].sum()),
        "wrong_unflagged": float(silent.mean()),
        "wrong_unflagged_95": interval(means),
        "right_flagged": float(flagged[right].mean()) if right.any() else None,
    }
