"""Lesson 01: the header of a scan, millimetres, and slices that meet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset

from lumbar.course.riddles import Riddle
from lumbar.geometry import Plane


def exercise_1(other: Dataset) -> Riddle:
    """How many millimetres wide is the picture with this header?"""
    between_rows, between_columns = map(float, other.PixelSpacing)
    return Riddle(
        other.Columns * between_columns,
        "multiply a number of pixels by the millimetres of one of them; give the number alone, without a unit",
        {
            "the two spacings are swapped: the first one lies between rows, so it runs down the picture": [
                other.Columns * between_rows
            ],
            "that is how high the picture is": [other.Rows * between_rows],
            "across the picture one counts columns, not rows": [other.Rows * between_columns],
            "that is a number of pixels, not of millimetres": [other.Rows, other.Columns],
            "between the *centres* of n columns lie n - 1 steps, but the outermost pixels are as wide as the others": [
                (other.Columns - 1) * between_columns
            ],
        },
        tolerance=0.1,
    )


def exercise_2(plane: Plane, ends: np.ndarray) -> Riddle:
    """How many millimetres lie between two points of a picture?

    Args:
        plane: Where the picture lies in the patient.
        ends: The two points, native pixels, (2, 2).
    """
    first, last = plane.to_patient(np.asarray(ends, float))
    difference = np.subtract(*np.asarray(ends, float))
    pixels = float(np.linalg.norm(difference))
    return Riddle(
        float(np.linalg.norm(last - first)),
        "take both points to the patient with `scan.plane.to_patient`, subtract, and take `np.linalg.norm`",
        {
            "those are pixels; how large is one?": [pixels],
            "that is how far it goes down; a spine leans and bends, so x counts, too": [
                abs(difference[1]) * plane.pixel_height,
                abs(last[2] - first[2]),
            ],
            "a length is the root of the sum of the squares, not the sum of the differences": [
                float(np.abs(last - first).sum())
            ],
        },
        tolerance=0.1,
    )


def exercise_3(planes: Sequence[Plane], target: np.ndarray) -> Riddle:
    """Which of these slices cuts the body nearest to a place?

    Args:
        planes: The slices in the order of their numbers, from 1.
        target: The place, patient mm, (3,).
    """
    distances = np.array([float(plane.distance(target)) for plane in planes])
    nearest = int(np.argmin(np.abs(distances)))
    return Riddle(
        nearest + 1,
        f"compute each plane's `distance` to the target; the answer is a number from 1 to {len(planes)}",
        {
            "NumPy counts from 0, and the files are numbered from 1": [nearest],
            "that is the farthest plane on one side: a distance has a sign, and the sign only says which side": [
                int(np.argmin(distances)) + 1,
                int(np.argmax(distances)) + 1,
            ],
            "that is a distance; which file has it?": [distances[nearest], abs(distances[nearest])],
        },
        tolerance=1e-6,
    )
