"""Who marks the images of a lesson: the reader, or, where nobody did, a simulated stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lumbar.core.constants import LEVELS

if TYPE_CHECKING:
    from lumbar.annotation import Annotation

STAND_IN = "stand-in"
"""Name of the simulated rater."""

SCATTER_MM = 1.5
"""Standard deviation of the stand-in's points along each axis, mm: assumed, not measured on people."""


def marked_or_simulated(
    session: Annotation, truth: pd.DataFrame, *, seed: int, miscounted: int | None = None
) -> pd.DataFrame:
    """Return the points of the images that the reader has finished; if there are none, those of a stand-in.

    The stand-in misses each true point by chance, by `SCATTER_MM` along each axis. It says nothing about people.

    Args:
        session: The session.
        truth: Landmark table of the same images, with the true points, and with width and height (native pixels) and
            pixel_width and pixel_height (mm).
        seed: Seed of the stand-in's scatter.
        miscounted: Position of an image in the session on which the stand-in counts one disc too high; its L1/L2 then
            lies one step above the true one.

    Returns:
        DataFrame with the columns rater, image, level, x and y (native pixels).
    """
    columns = ["rater", "image", "level", "x", "y"]
    table = session.table
    if table["done"].any():
        return table.loc[table["done"], columns].reset_index(drop=True)
    chance = np.random.default_rng(seed)
    rows = []
    for position, case in enumerate(session.cases):
        points = _simulated(truth, case.image, chance, miscounted=position == miscounted)
        rows += [(STAND_IN, case.image, level, *xy) for level, xy in points.items()]
    return pd.DataFrame(rows, columns=columns)


def correct_flagged(session: Annotation, truth: pd.DataFrame, *, seed: int) -> str:
    """Let the stand-in correct the flagged images of a session, unless the reader has finished some image.

    Args:
        session: The session; the images that the stand-in corrects are done afterwards.
        truth: See `marked_or_simulated`.
        seed: Seed of the stand-in's scatter.

    Returns:
        Who corrected them, in words.
    """
    if session.table["done"].any():
        return "you"
    chance = np.random.default_rng(seed)
    for position, case in enumerate(session.cases):
        if case.flagged:
            session.change(position, _simulated(truth, case.image, chance), session.marks[position].place, done=True)
    return f"a {STAND_IN}"


def _simulated(
    truth: pd.DataFrame, image: str, chance: np.random.Generator, *, miscounted: bool = False
) -> dict[str, tuple[float, float]]:
    """Return the stand-in's points of an image, level → (x, y), native pixels; none lies outside the image."""
    here = truth[truth["image"] == image].set_index("level").loc[list(LEVELS)]
    points = here[["x", "y"]].to_numpy(float)
    if miscounted:
        points = np.concatenate([points[:1] - (points[1] - points[0]), points[:-1]])
    points = points + chance.normal(0, SCATTER_MM, points.shape) / here[["pixel_width", "pixel_height"]].to_numpy()
    inside = np.clip(points, 0, here[["width", "height"]].to_numpy() - 1)
    return {level: (float(x), float(y)) for level, (x, y) in zip(LEVELS, inside, strict=True)}
