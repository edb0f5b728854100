"""Lesson 12: how far down a list the mistakes are, what a power law asks for, and how to read a claim."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lumbar.course.riddles import Riddle


def exercise_1(is_wrong: Sequence[bool]) -> Riddle:
    """How many patients has one seen when the last wrong one is found?

    Args:
        is_wrong: Whether the labels of each patient are wrong, the most suspicious first.
    """
    places = np.flatnonzero(is_wrong)
    patients, wrong = len(is_wrong), len(places)
    return Riddle(
        int(places[-1]) + 1,
        "`np.flatnonzero(is_wrong)` gives the places of all wrong patients; the last of them counts",
        {
            "one wrong patient is still missing then: patients with right labels are in between, and Python counts "
            "places from 0": [int(places[-1]), wrong],
            "that is when the first one is found": [int(places[0]), int(places[0]) + 1],
            "so many would have to be seen if the order were random": [wrong * (patients + 1) / (wrong + 1)],
            "nobody need see them all; where in `is_wrong` is the last True?": [patients],
        },
        tolerance=0.01,
    )


def exercise_2(slope: float, height: float) -> Riddle:
    """How many patients does the line ask for, to reach 1 px?

    Args:
        slope: Slope of log(error, px) over log(patients).
        height: log(error, px) with one patient.
    """
    return Riddle(
        float(np.exp(-height / slope)),
        "solve log(1) = height + slope · log(patients) for the patients",
        {
            "that is the logarithm of the patients; undo it with `np.exp`": [-height / slope],
            "less than one patient: look at the sign, as log(1) is 0": [float(np.exp(height / slope))],
            "`height` and `slope` were fitted with natural logarithms, so `np.exp` undoes them, not a power of ten": [
                float(10 ** (-height / slope))
            ],
            "that is the error, in px, with a single patient": [float(np.exp(height))],
            "the slope is an exponent of the patients; to undo it, divide by it": [
                float(np.exp(-height * slope)),
            ],
        },
        tolerance=1,
    )


def exercise_3() -> Riddle:
    """Which of the eight questions destroys a claim that rests on a random tenth of the pictures?"""
    return Riddle(
        2,
        "what, exactly, was chosen at random?",
        {
            "the unit is stated: millimetres": [1],
            "a baseline is beside it: the mean position scores 14 mm": [4],
            "the claim does not answer it, or answers it well; but choose one of 1, 2 and 4": [3, 5, 6, 7, 8],
            "answer with its number": ["split", "Split by patient?", "by patient", "unit", "baseline"],
        },
    )
