"""Search for better settings with Keras Tuner; every trial is an ordinary run, and so is the winner.

A hyperparameter is a training setting under its own name, so a trial's folder holds the same files as any run, is
evaluated and resumed like one, and needs no second description of how a network is built and trained.

`search` is the doorway; `trials` runs trials in one process, `oracles` choose them, `pool` looks after the processes of
a search on several, `worker` is one of those, and `leaderboard` reads what came of them.
"""

from lumbar.experiments.tuning.leaderboard import leaderboard
from lumbar.experiments.tuning.search import tune
from lumbar.runs.settings import TuningSettings, WorkerSettings

__all__ = ["TuningSettings", "WorkerSettings", "leaderboard", "tune"]
