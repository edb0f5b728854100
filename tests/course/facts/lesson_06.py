"""Facts for the exercises of lesson 06."""

import numpy as np

FACTS = {"06.1": ({"depth": 2, "width": 3, "activation": 4},), "06.2": (), "06.3": ()}


def simulated(trials: int) -> float:
    """The mean of the lowest of some evenly distributed scores, by trying it out."""
    return np.random.default_rng(0).uniform(4, 6, (50_000, trials)).min(axis=1).mean()


ANSWERED = {"06.1": 48, "06.2": lambda lead, spread: bool(np.sign(lead - spread) == 1), "06.3": simulated}
