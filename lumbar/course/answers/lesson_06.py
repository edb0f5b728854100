"""Lesson 06: what a grid costs, what a setting does, a lead and the spread of seeds, the best of many, nested folds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lumbar.course.riddles import Riddle

if TYPE_CHECKING:
    import pandas as pd

MINUTES = 5
"""How long one training takes in the lesson's example."""

LEADS_AND_SPREADS = ((5.0, 1.0), (1.0, 2.0), (0.5, 0.6), (0.2, 0.15), (4.0, 5.0))
"""Pairs on which the rule of exercise 3 is tried, px."""

TRIALS = (2, 10, 50)
"""Numbers of trials for which exercise 4 is tried."""

SETTINGS = ("learning_rate", "depth", "batch_norm", "dropout")
"""Settings for which exercise 2 is tried."""


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


def exercise_2(trials: pd.DataFrame) -> Riddle:
    """How much does a setting matter: the highest median score of its values, divided by the lowest?

    Args:
        trials: One row a trial, with the columns of `SETTINGS` and val_mae_px, pixels of the 256 frame.
    """

    def of_groups(summary: str, compare: Callable[[pd.Series], float], column: str = "val_mae_px") -> Any:
        return lambda table, setting: compare(table.groupby(setting)[column].agg(summary))

    def ratio(each: pd.Series) -> float:
        return each.max() / each.min()

    return Riddle(
        of_groups("median", ratio),
        'start with `trials.groupby(setting)["val_mae_px"].median()`',
        {
            "those are the means; a few trials that learnt nothing pull them up, so take the medians": [
                of_groups("mean", ratio)
            ],
            "that compares the best trial of each value, which is one lucky trial; take the median of each group": [
                of_groups("min", ratio)
            ],
            "that is how far apart the medians are, in px; divide the one by the other": [
                of_groups("median", lambda each: each.max() - each.min())
            ],
            "upside down: divide the highest median by the lowest": [
                of_groups("median", lambda each: each.min() / each.max())
            ],
            "those are the first and the last value of the setting; the best may lie in between": [
                of_groups("median", lambda each: each.iloc[-1] / each.iloc[0]),
                of_groups("median", lambda each: each.iloc[0] / each.iloc[-1]),
            ],
            "that compares single trials; group them by the values of the setting first": [
                lambda table, setting: ratio(table["val_mae_px"])
            ],
            "a search never sees the strangers; use the score, `val_mae_px`": [
                of_groups("median", ratio, "strangers_px"),
            ],
        },
        tolerance=0.001,
        tried=lambda matters: [matters(trials, setting) for setting in SETTINGS],
    )


def exercise_3() -> Riddle:
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


def exercise_4() -> Riddle:
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


GROUPS, TRIED = 5, 20
"""Groups of patients and settings of a search in exercise 5."""


def exercise_5() -> Riddle:
    """How many trainings does nested cross-validation take, with five groups of patients and 20 settings?"""
    inner = GROUPS - 1
    return Riddle(
        GROUPS * (TRIED * inner + 1),
        "first count one outer fold: its search, and then its winner",
        {
            "nearly: each outer fold also trains its winner": [GROUPS * TRIED * inner],
            "one group is put aside, so only four are left to take turns within an outer fold": [
                GROUPS * (TRIED * GROUPS + 1),
                GROUPS * TRIED * GROUPS,
            ],
            "there is not one winner but one in each outer fold": [GROUPS * TRIED * inner + 1],
            "that is one outer fold; there are as many as groups": [TRIED * inner + 1, TRIED * inner],
            "that is plain cross-validation, without a loop within the loop": [
                GROUPS * TRIED,
                GROUPS * TRIED + 1,
                GROUPS * (TRIED + 1),
            ],
        },
    )
