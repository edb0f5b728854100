"""Who marks the images of a lesson: the reader, or, where nobody did, a simulated stand-in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lumbar import metrics
from lumbar.core import paths
from lumbar.core.constants import LEVELS
from lumbar.storage.files import write_table

if TYPE_CHECKING:
    from lumbar.annotation import Annotation

STAND_IN = "stand-in"
"""Name of the simulated rater."""

_COLUMNS = ("image", "level", "x", "y")
_MM = ("x_mm", "y_mm")

SCATTER_MM = 1.5
"""Standard deviation of the stand-in's points along each axis, mm: assumed, not measured on people."""


def two_rounds(
    one: Annotation, two: Annotation, truth: pd.DataFrame, *, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Return the points of two rounds on the same images, those of the reader or those of a stand-in.

    What a reader has marked is kept for the lessons that come back to it, see `own_labels`.

    The stand-in misses each true point by chance, by `SCATTER_MM` along each axis, and in its second round it counts
    the levels of the first image one disc too high. It says nothing about people. It marks both rounds unless the
    reader has finished images in both, so that a reader and a stand-in are never compared as one person.

    Args:
        one: The first session.
        two: The second.
        truth: Landmark table of the images, with the true points, and with width and height (native pixels) and
            pixel_width and pixel_height (mm).
        seed: Seed of the stand-in's scatter.

    Returns:
        The points of both rounds, with the columns image, level, x and y (native pixels); and who marked them, in
        words.
    """
    marked = [_finished(session) for session in (one, two)]
    if all(len(points) for points in marked):
        _keep([truth, *marked], truth)
        return *marked, "you"
    chance = np.random.default_rng(seed)
    rounds = []
    for session, miscounted in ((one, False), (two, True)):
        rows = [
            (case.image, level, *xy)
            for position, case in enumerate(session.cases)
            for level, xy in _simulated(truth, case.image, chance, miscounted=miscounted and position == 0).items()
        ]
        rounds.append(pd.DataFrame(rows, columns=list(_COLUMNS)))
    return *rounds, f"a {STAND_IN}"


@dataclass(frozen=True)
class OwnLabels:
    """What the two rounds of lesson 00 say about their reader.

    Args:
        pictures: Number of pictures that were marked in both rounds.
        scatter_mm: Dahlberg's error: standard deviation of a point along one axis, mm, from points that lie on the same
            disc in both rounds; NaN if there are none.
        miscounted: How often, in both rounds together, the points of a picture fitted the next level better.
    """

    pictures: int
    scatter_mm: float
    miscounted: int

    def __repr__(self) -> str:
        return (
            f"{self.pictures} pictures twice: your points scatter by {self.scatter_mm:.1f} mm along each axis, "
            f"and {self.miscounted} of {2 * self.pictures} times you were a level off"
        )


def own_labels() -> OwnLabels | None:
    """Return what the reader of this computer has shown in lesson 00; None if nobody has marked both rounds."""
    if not _own_file().is_file():
        return None
    table = pd.read_csv(_own_file())
    points = table[[f"{axis}_{which}" for which in ("true", "one", "two") for axis in _MM]].to_numpy(float)
    true, one, two = np.moveaxis(points.reshape(-1, len(LEVELS), 3, 2), 2, 0)
    difference = one - two
    step_mm = np.nanmedian(np.diff(true[..., 1], axis=1))
    same_disc = np.linalg.norm(difference, axis=-1) < step_mm / 2
    scatter = float(np.sqrt(np.mean(difference[same_disc] ** 2) / 2)) if same_disc.any() else math.nan
    shifts = [metrics.level_shifts(true, each, LEVELS) for each in (one, two)]
    return OwnLabels(len(true), scatter, int(np.nansum(np.abs(shifts))))


def _own_file() -> Path:
    return paths.data() / "own-labels.csv"


def _keep(rounds: list[pd.DataFrame], truth: pd.DataFrame) -> None:
    """Write the true points and those of two rounds, mm, of the pictures that both rounds have, if there are any."""
    sizes = truth[["image", "level", "pixel_width", "pixel_height"]]
    images = set(rounds[1]["image"]) & set(rounds[2]["image"])
    if not images:
        return
    table = sizes[sizes["image"].isin(images)]
    for name, points in zip(("true", "one", "two"), rounds, strict=True):
        table = table.merge(points[list(_COLUMNS)], on=["image", "level"], how="left")
        mm = table[["x", "y"]].to_numpy(float) * table[["pixel_width", "pixel_height"]].to_numpy(float)
        table = table.drop(columns=["x", "y"]).assign(**{f"{_MM[0]}_{name}": mm[:, 0], f"{_MM[1]}_{name}": mm[:, 1]})
    write_table(_own_file(), table)


def _finished(session: Annotation) -> pd.DataFrame:
    """Return the points that the reader has marked in finished images."""
    table = session.table
    return table.loc[table["done"] & table["x"].notna(), list(_COLUMNS)].reset_index(drop=True)


def correct_flagged(session: Annotation, truth: pd.DataFrame, *, seed: int) -> str:
    """Let the stand-in correct the flagged images of a session, unless the reader has finished some image.

    Args:
        session: The session. The images that the stand-in corrects are done afterwards, and it is their rater.
        truth: See `two_rounds`.
        seed: Seed of the stand-in's scatter.

    Returns:
        Who corrected them, in words.
    """
    if len(_finished(session)):
        return "you"
    session.rater = STAND_IN
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
