"""Train a network and leave a run: a folder with its settings, history, checkpoints and split.

`job` looks everything up once and trains, `data` prepares the parts of the split, `loop` builds, compiles and fits the
network, `checkpoints` keeps it after each epoch, `tensorboard` and `mlflow` record the history elsewhere.

A run that was stopped goes on after the last finished epoch and ends with the weights that it would have had without
the break: order, augmentation and dropout follow from (seed, epoch), and ``last.keras`` holds the optimizer's state.
"""

from lumbar.runs.settings import TrainingSettings, default_name
from lumbar.training.data import prepared_parts
from lumbar.training.job import train

__all__ = ["TrainingSettings", "default_name", "prepared_parts", "train"]
