"""Lesson 10: two rules for one spine, a point whose place is hidden, and what a flag costs elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from lumbar.course.riddles import Riddle
from lumbar.experiments.occlusion import occlude
from lumbar.inference import NetworkAnswer
from lumbar.landmarks import LEVELS

_LAST = len(LEVELS) - 1
_SIDE_PX = 32
_BLACK, _WHITE = 0, 255
_WRONG = 0.01


def exercise_1(vertebrae: int) -> Riddle:
    """Under which name does a network that counts from the sacrum list the disc below the fifth lumbar vertebra?

    Args:
        vertebrae: How many lumbar vertebrae the patient has, 5 or more.
    """
    up = vertebrae - 5
    return Riddle(
        LEVELS[_LAST - up],
        "go up from L5/S1: for the network, that is the disc below the last lumbar vertebra, whatever its number",
        {
            "so the surgeon calls it; the network's L5/S1 is the disc below the last lumbar vertebra, and that is not "
            "the fifth": [LEVELS[_LAST]],
            "one disc too far up: there are fewer steps from the last vertebra to the fifth": [LEVELS[_LAST - up - 1]],
            "the other way: the fifth vertebra lies above the last one, so its disc is the next one up": ["S1/S2"],
            "a surgeon may write that; the network knows five names only, from L1/L2 to L5/S1": ["L5/L6", "L6/S1"],
            "that is a vertebra; a disc has the names of both its neighbours": ["L4", "L5", "L6", "S1"],
        },
    )


def exercise_2(ask: Callable[[np.ndarray], NetworkAnswer], image: np.ndarray) -> Riddle:
    """How far does the point L5/S1 move, in pixels of the 256 frame, if a black square hides its place?

    Args:
        ask: Returns a network's answer for one picture.
        image: The picture, uint8 (256, 256).
    """
    before = ask(image).points[0, : len(LEVELS)]
    (x, y), above = before[_LAST], before[_LAST - 1]

    def moves(at: tuple[float, float], grey: int = _BLACK) -> np.ndarray:
        return ask(occlude(image, *at, _SIDE_PX, grey)).points[0, : len(LEVELS)] - before

    moved = moves((x, y))
    lengths = np.linalg.norm(moved, axis=1)
    return Riddle(
        float(lengths[_LAST]),
        "ask for the covered picture, and take `np.linalg.norm` of the difference of `points[0, 4]` before and after",
        {
            "the same answer twice: `occlude` returns a covered *copy*; ask for that one": [0],
            "you hid the point above: L5/S1 is the fifth point, and Python counts from 0": [
                float(np.linalg.norm(moves(tuple(above))[level])) for level in (_LAST, _LAST - 1)
            ],
            "that is how far another point moves; L5/S1 is `points[0, 4]`": [*map(float, lengths[:_LAST])],
            "that is an average over all five points; one is asked for": [float(lengths.mean())],
            "the square lies elsewhere: `occlude` takes x, the column, first": [
                float(np.linalg.norm(moves((y, x))[_LAST]))
            ],
            "that square is white; black is 0": [float(np.linalg.norm(moves((x, y), _WHITE)[_LAST]))],
            "a distance is the root of the sum of the squares, over x and y": [
                *map(float, np.abs(moved[_LAST])),
                float(np.abs(moved[_LAST]).sum()),
                float(np.square(moved[_LAST]).sum()),
            ],
        },
        tolerance=0.05,
    )


def exercise_3(flag: Mapping[str, float]) -> Riddle:
    """How many pictures does somebody look at for each mistake found, where one picture in a hundred is wrong?

    Args:
        flag: A flag's recall `found` and its `false_alarms`, both from 0 to 1, and what it costs elsewhere: `flagged`
            and `looks`, as `lumbar.experiments.flags.price` gives them.
    """
    found, alarms = float(flag["found"]), float(flag["false_alarms"])
    mistakes, stopped = _WRONG * found, (1 - _WRONG) * alarms
    flagged = mistakes + stopped
    return Riddle(
        flagged / mistakes,
        "of 100 pictures one is wrong, and 99 are right: how many of each are flagged?",
        {
            "that is the price in this lesson, where more of the pictures are answered wrongly": [float(flag["looks"])],
            "those are the looks in vain; the one that finds the mistake is a look, too": [stopped / mistakes],
            "the other way round: that is the share of mistakes among what is flagged": [mistakes / flagged],
            "that is the share of all pictures that are flagged; how many mistakes are among them?": [flagged],
            "so many are flagged for each mistake *made*; the flag does not find every one": [flagged / _WRONG],
            "weigh the two: for each picture that is wrong, 99 are right": [
                (found + alarms) / found,
                float(flag["flagged"]) / found,
            ],
        },
        tolerance=0.06,
    )
