"""Facts for the exercises of lesson 06."""

import statistics

import numpy as np
import pandas as pd

TRIALS = pd.DataFrame(
    {
        "learning_rate": [0.001, 0.001, 0.001, 0.01, 0.01, 0.01, 0.03, 0.03, 0.03],
        "depth": [2, 3, 4, 2, 3, 4, 2, 3, 4],
        "batch_norm": [True, False, True, False, True, False, True, False, True],
        "dropout": [0.0, 0.1, 0.0, 0.2, 0.0, 0.1, 0.2, 0.1, 0.0],
        "val_mae_px": [31.0, 22.0, 19.0, 6.0, 4.5, 3.0, 12.0, 60.0, 9.0],
        "strangers_px": [28.0, 25.0, 21.0, 7.0, 5.5, 4.0, 14.0, 52.0, 11.0],
    }
)


def simulated(trials: int) -> float:
    """The mean of the lowest of some evenly distributed scores, by trying it out."""
    return np.random.default_rng(0).uniform(4, 6, (50_000, trials)).min(axis=1).mean()


def compared(trials: pd.DataFrame, setting: str) -> float:
    """The highest median score of a setting's values over the lowest, without pandas."""
    groups = {}
    for value, score in zip(trials[setting], trials["val_mae_px"], strict=True):
        groups.setdefault(value, []).append(score)
    medians = [statistics.median(scores) for scores in groups.values()]
    return max(medians) / min(medians)


FACTS = {
    "06.1": ({"depth": 2, "width": 3, "activation": 4},),
    "06.2": (TRIALS,),
    "06.3": (),
    "06.4": (),
    "06.5": (),
}
ANSWERED = {
    "06.1": 48,
    "06.2": compared,
    "06.3": lambda lead, spread: bool(np.sign(lead - spread) == 1),
    "06.4": simulated,
    "06.5": len([(out, within, one) for out in range(5) for within in range(5) for one in range(20) if within != out])
    + 5,
}
