"""What the package itself says of each odd file: it is read in silence, mended, warned of, or refused."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lumbar import imaging, prediction, study
from lumbar.core.errors import StudyError
from lumbar.geometry import Plane
from lumbar.runs.settings import LocateSettings, PredictionSettings

WEIGHTS = "phantom"
"""The network that answers: the one trained on synthetic patients, which these are."""

SERIES_ROOMS = (8, 10)
"""Rooms that hold a series, about which `locate` is asked; `predict` looks at one file at a time."""


@dataclass(frozen=True)
class Verdict:
    """What a command says of a room.

    Args:
        command: "predict" or "locate".
        outcome: "read", "mended", "flagged", "warned" or "refused".
        words: What it says, in its own words; "" if it says nothing.
        off_mm: Mean distance between its points and the true ones, mm, for "predict" within the slice; NaN if it is
            refused.
    """

    command: str
    outcome: str
    words: str = ""
    off_mm: float = math.nan

    def __str__(self) -> str:
        said = f'{self.outcome}: "{self.words}"' if self.words else f"{self.outcome}, without a word"
        return f"python -m lumbar {self.command} --weights {WEIGHTS}: {said}"


def verdict(files: Sequence[Path], room: int, truth: pd.DataFrame) -> Verdict:
    """Ask the package about a room.

    Args:
        files: The files of the room, sorted by name. Of several files for `predict`, the last is the mid-sagittal one.
        room: Number of the room, from 1.
        truth: The patient's points: columns view, level, x_mm, y_mm, z_mm; patient mm (LPS).
    """
    return (_located if room in SERIES_ROOMS else _predicted)(files, truth)


def _predicted(files: Sequence[Path], truth: pd.DataFrame) -> Verdict:
    found = prediction.predict(files, PredictionSettings(weights=WEIGHTS), progress=False)
    if found.refused:
        return Verdict("predict", "refused", found.refused[0].problem)
    points = found.table[found.table["image"] == str(files[-1])]
    words = "; ".join(found.remarks)
    outcome = "flagged" if points["flagged"].any() else "mended" if words else "read"
    return Verdict("predict", outcome, words, _off_mm(points, truth, imaging.read(files[-1]).plane))


def _located(files: Sequence[Path], truth: pd.DataFrame) -> Verdict:
    try:
        found = study.locate(files, LocateSettings(weights=WEIGHTS), progress=False)
    except StudyError as refusal:
        return Verdict("locate", "refused", refusal.problem)
    warnings = [text for series in found.study.series for stack in series.stacks for text in stack.warnings]
    words = "; ".join(warnings)
    return Verdict("locate", "warned" if words else "read", words, _off_mm(found.table.assign(view="sagittal"), truth))


def naive_answer(file: Path, naive: np.ndarray, view: str, truth: pd.DataFrame) -> tuple[float, bool]:
    """Return how far off the network's points are, mm within the slice, if it is shown the naive picture of a file.

    The second value says whether the picture is flagged.

    Args:
        file: The file. Its plane carries the points into the patient, so that only what the network saw is at fault.
        naive: The picture without its header, (rows, columns); scaled from its smallest value to its largest.
        view: What a naive program takes the picture's plane for.
        truth: See `verdict`.
    """
    from PIL import Image

    grey = np.interp(naive, (naive.min(), naive.max()), (0, 255)).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        Image.fromarray(grey).save(Path(folder, "naive.png"))
        points = prediction.predict([folder], PredictionSettings(weights=WEIGHTS, view=view), progress=False).table
    scan = imaging.read(file)
    points[["x_mm", "y_mm", "z_mm"]] = scan.plane.to_patient(points[["x", "y"]].to_numpy(float))
    return _off_mm(points.assign(view=scan.view), truth, scan.plane), bool(points["flagged"].all())


def _off_mm(points: pd.DataFrame, truth: pd.DataFrame, plane: Plane | None = None) -> float:
    """Return the mean distance between points and the true ones, mm; within a plane if one is given."""
    both = points.merge(truth, on=["view", "level"], suffixes=("", "_true"), validate="1:1")
    found, true = (both[[f"{axis}_mm{end}" for axis in "xyz"]].to_numpy(float) for end in ("", "_true"))
    if plane is not None:
        true = plane.to_patient(plane.to_pixels(true))
    return float(np.linalg.norm(found - true, axis=1).mean())
