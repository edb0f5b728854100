"""Lesson 06: what a grid costs, a lead and the spread of seeds, the best of many."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lumbar.course.riddles import Riddle

MINUTES = 5
"""How long one training takes in the lesson's example."""

LEADS_AND_SPREADS = ((5.0, 1.0), (1.0, 2.0), (0.5, 0.6), (0.2, 0.15), (4.0, 5.0))
"""Pairs on which the rule of exercise 2 is tried, px."""

TRIALS = (2, 10, 50)
"""Numbers of trials for which exercise 3 is tried."""


def exercise_1(choices: Mapping[str, int]) -> Riddle:
    """How many trainings does the grid take, with one more setting of two values?

    Args:
        choices: Setting → number of its values, before.
    """
    before = math.prod(choices.values())
    return Riddle(
        2 * before,
        "every old combination is tried with batch normalisation and without",
        {
            "that is the grid without the new setting; a setting is not free because it says only yes or no": [before],
            "a grid tries every value with every other, so a further setting multiplies": [
                before + 1,
                before + 2,
                sum(choices.values()) + 2,
            ],
            "the old trainings are those without batch normalisation; they need not be repeated": [3 * before],
            "that is how many hours it takes; the question is how many trainings": [2 * before * MINUTES / 60],
        },
    )


def exercise_2() -> Riddle:
    """Would you believe that the winner of a search is better, given its lead and the spread between seeds?"""
    return Riddle(
        lambda lead, spread: lead > spread,
        "compare the lead with what seeds alone do, and return True or False",
        {
            "that believes just those leads that seeds alone would give; turn the comparison around": [
                lambda lead, spread: lead < spread
            ],
            "a winner always leads by something; how far do scores lie apart where nothing differs but the seed?": [
                lambda lead, spread: True,
                lambda lead, spread: lead > 0,
            ],
            "then no search could ever convince you; a lead of 5 px means a lot where seeds spread by 1 px": [
                lambda lead, spread: False
            ],
            "a fixed limit will not do: 0.2 px is much where seeds hardly differ, and 4 px little where they differ "
            "by 5": [lambda lead, spread: lead > 0.3, lambda lead, spread: lead > 1, lambda lead, spread: lead >= 1],
            "that is a number of pixels; return whether the one is larger than the other": [
                lambda lead, spread: lead - spread,
                lambda lead, spread: lead / spread,
            ],
            "careful, and no bad idea; but here a lead that is just larger than the spread is enough": [
                lambda lead, spread: lead > 1.5 * spread,
            ],
        },
        tried=lambda believe: [believe(*pair) for pair in LEADS_AND_SPREADS],
    )


def exercise_3() -> Riddle:
    """What is the expected lowest of so many scores, each of them random, evenly between 4 and 6 px?"""
    return Riddle(
        lambda trials: 4 + 2 / (trials + 1),
        "one row is one search: take the minimum of each row, then the mean of the minima",
        {
            "that is a typical trial; a search keeps its best one": [lambda trials: 5.0],
            "that is the lowest of all the simulations together; each row is a search, with a best of its own "
            "(`axis=1`)": [lambda trials: 4.0],
            "those are the worst ones: a score is an error, so the best is the lowest": [
                lambda trials: 6 - 2 / (trials + 1)
            ],
            "that is the answer for ten trials; the function gets another number of them, too": [
                lambda trials: 4 + 2 / 11
            ],
            "nearly: so many scores cut the range into one more piece than there are scores": [
                lambda trials: 4 + 2 / trials
            ],
            "that is how far the best lies above 4 px": [lambda trials: 2 / (trials + 1)],
            "that is their median, which half of the searches beat; the expected value is a mean": [
                lambda trials: 4 + 2 * (1 - 0.5 ** (1 / trials))
            ],
        },
        tolerance=0.03,
        tried=lambda expected_best: [expected_best(trials) for trials in TRIALS],
    )
