"""Lesson 09: the slice nearest to a point, a distance in the patient, and what warns of a wrong count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lumbar.course.riddles import Riddle
from lumbar.geometry import Plane


def exercise_1(planes: Mapping[str, Plane], place: np.ndarray) -> Riddle:
    """Which file shows this place?

    Args:
        planes: File → where its slice lies in the patient.
        place: The place, patient mm, (3,).
    """
    away = {file: abs(float(plane.distance(place))) for file, plane in planes.items()}
    nearest, *others, farthest = sorted(away, key=away.__getitem__)
    return Riddle(
        nearest,
        "a slice shows what lies in it, or very near to it; the answer is a name of the table",
        {
            "that slice is the farthest of all; a small distance is wanted": [farthest],
            "that slice runs through another disc: a vertebra lies between it and the point": others,
            "that is its distance; which file has it?": [away[nearest]],
            "almost: give the name of the file as the table has it": [list(planes).index(nearest) + 1],
        },
        tolerance=0.05,
    )


def exercise_2(asked: pd.DataFrame, slices: Sequence[Plane], place: np.ndarray) -> Riddle:
    """How far from the true place does the network put L4/L5, slice by slice?

    Args:
        asked: The network's answers in all slices, with the columns image, level, x and y (native pixels).
        slices: The planes of the slices, in the order of the images.
        place: The true place of L4/L5, patient mm, (3,).
    """
    plane_of = dict(zip(asked["image"].unique(), slices, strict=True))
    rows = asked[["image", "x", "y"]].itertuples(index=False)
    points = np.array([plane_of[image].to_patient([x, y]) for image, x, y in rows])
    of_level = points[asked["level"] == "L4/L5"]
    off = of_level - place
    errors = np.linalg.norm(off, axis=1)
    return Riddle(
        errors,
        "choose the rows of L4/L5, take the three columns as an array, subtract `xyz`, and take the norm of each row",
        {
            "those are the points of all levels; only those of L4/L5 belong to `xyz`": [
                np.linalg.norm(points - place, axis=1)
            ],
            "you get one number for each axis, x, y and z; one for each slice is wanted (`axis=1`)": [
                np.linalg.norm(off, axis=0)
            ],
            "that is one number for all slices together; which slice is how far off?": [
                np.linalg.norm(off),
                errors.mean(),
                np.median(errors),
            ],
            "that is how far off it is within the picture; a wrong slice shifts the point sideways, so x counts, too": [
                np.hypot(off[:, 1], off[:, 2])
            ],
            "that is only how far it lies to the side; within the picture it may be off, too": [
                off[:, 0],
                np.abs(off[:, 0]),
            ],
            "a distance is the root of the sum of the squares": [np.abs(off).sum(axis=1), (off**2).sum(axis=1)],
            "that is how far it lies from the origin of the scanner; subtract `xyz` first": [
                np.linalg.norm(of_level, axis=1)
            ],
        },
        tolerance=0.01,
    )


def exercise_3() -> Riddle:
    """Which columns warn of a wrong count?"""
    return Riddle(
        "c",
        "suppose that every point lies sharply on a disc, but on the next one: which of the columns would change?",
        {
            "each axial slice runs through some disc, so a point on the wrong disc is as near to one": ["a"],
            "a confidence says how blurred a point is, and a point can be sharp on the wrong disc": ["b"],
            'answer with the letter in front, such as "a"': [
                "distance_mm",
                "angle_degrees",
                "confidence",
                "one_higher",
                "one_lower",
                "one_higher and one_lower",
                {"one_higher", "one_lower"},
            ],
        },
    )
