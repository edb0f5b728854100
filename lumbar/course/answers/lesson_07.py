"""Lesson 07: From drawings to patients."""

from __future__ import annotations

import pandas as pd

from lumbar.course.riddles import Riddle


def exercise_1() -> Riddle:
    """What would close the gap to the other hospital?"""
    return Riddle(
        "b",
        "more of the same says nothing about what is different; the answer is one letter in quotes",
        {
            "ten times as many patients, and still no contrast that is new to the network": ["a"],
            "a longer training makes the network surer about the contrasts that it knows": ["c"],
            "a larger network can learn more, but nobody shows it anything new to learn": ["d"],
        },
    )


def exercise_2() -> Riddle:
    """Which patients may be measured on?"""
    return Riddle(
        "c",
        "think of notebook 02, and of every way in which a patient can get into a training; the answer is one letter",
        {
            "a patient from elsewhere, too, may have been trained on, and one from here need not": ["a"],
            "whoever chooses patients by their error reports a wish": ["b"],
            "the same spine in another contrast is still the same spine: it leaks (notebook 02)": ["d"],
        },
    )


def exercise_3(measured: pd.DataFrame) -> Riddle:
    """Which share of the misses of `phantom+mr` lies in its 5 % least sure pictures?

    Args:
        measured: A row a point, with the columns network, picture, radial_px (pixels of the 256 frame) and confidence.
    """
    ours = measured[measured["network"] == "phantom+mr"]
    flagged, missed = _flagged(ours), ours["radial_px"] > 10
    other = measured[measured["network"] == "phantom"]
    own = ours["confidence"] <= ours["confidence"].quantile(0.05)
    least = ours.groupby("picture")["confidence"].min()
    surest = ours["picture"].map(least) >= least.quantile(0.95)
    return Riddle(
        float(flagged[missed].mean()),
        "take the least confidence of each picture and its 5 % quantile; then look at the points that are more than "
        "10 px off, and ask how many of them lie in a picture at or below it",
        {
            "the other way round: of the misses, which share is flagged; not of the flagged points, which share is a "
            "miss": [float(missed[flagged].mean())],
            "that is the share that is *not* caught": [1 - float(flagged[missed].mean())],
            "a whole picture is flagged by its least sure point, together with its other four points": [
                float(own[missed].mean())
            ],
            "that is the other network, `phantom`": [float(_flagged(other)[other["radial_px"] > 10].mean())],
            "those are the surest pictures: a flag marks the lowest confidences": [float(surest[missed].mean())],
            "that is how many there are; the share of which?": [int((flagged & missed).sum())],
            "that is the share of *all* points, flagged and more than 10 px off; divide by those that are off": [
                float((flagged & missed).mean())
            ],
        },
        tolerance=1e-6,
    )


def _flagged(points: pd.DataFrame) -> pd.Series:
    """Return whether each point lies in one of the 5 % least sure pictures."""
    least = points.groupby("picture")["confidence"].min()
    return points["picture"].map(least) <= least.quantile(0.05)
