"""Search for better settings with Keras Tuner; every trial is an ordinary run, and so is the winner.

A hyperparameter is a training setting under its own name. A trial's folder therefore holds the same files as any run,
and is evaluated and resumed like one. Networks are built and trained by the same code as everywhere else.

`search` runs a whole search. `trials` runs the trials of one process, `oracles` chooses them, `pool` supervises the
processes of a search on several, `worker` is the program of such a process, and `leaderboard` reads the results.
"""

from lumbar.experiments.tuning.leaderboard import leaderboard
from lumbar.experiments.tuning.search import tune
from lumbar.runs.settings import TuningSettings, WorkerSettings

__all__ = ["TuningSettings", "WorkerSettings", "leaderboard", "tune"]
