"""Lesson 11: which odd picture fools a network. Its rooms are in `lumbar.course.escape_room`."""

from __future__ import annotations

import pandas as pd

from lumbar.course.riddles import Riddle


def exercise_1(off_mm: pd.Series) -> Riddle:
    """In which room do the network's points lie farthest from the true ones?

    Args:
        off_mm: How far off they are on average, mm; indexed by room, NaN where a room has no single picture.
    """
    return Riddle(
        int(off_mm.idxmax()),
        "a number of a room; which of these pictures has its discs in other *places* than the network expects?",
        {
            "greys hardly matter to it: the contrasts that it was trained on were stranger (notebook 07)": [2, 3, 7],
            "squashed discs are still discs, in their usual order; what is wrong there are the millimetres": [1],
            "what misleads there is a word in the header; the network sees a coronal picture, and knows such": [5],
            "that room holds several pictures; the six with one are 1, 2, 3, 4, 5 and 7": [6, 8, 9, 10],
        },
    )
