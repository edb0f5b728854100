"""Searches replayed over a table of trainings that are already done: what a search would have found, without its hours.

Such a table is a tabular benchmark (Klein and Hutter, arXiv 1905.04970). A replayed search asks the same oracle as a
real one, and looks each score up, so that a hundred searches with other random numbers take minutes.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lumbar.experiments.tuning.leaderboard import OBJECTIVE
from lumbar.experiments.tuning.oracles import oracle

if TYPE_CHECKING:
    import keras_tuner

EPOCH = "epoch_"
"""Beginning of the columns with the score after each epoch: epoch_1, epoch_2, ..."""


def replay(table: pd.DataFrame, settings: list[str], algorithm: str, *, epochs: int, seed: int) -> pd.DataFrame:
    """Replay a search over a table of trainings.

    Args:
        table: One row for each combination of the settings' values, with the columns of the settings, strangers_px
            and epoch_1, epoch_2, ... (error on the validation patients; NaN from where a training diverged); pixels
            of the 256 frame.
        settings: Columns that hold the searched settings.
        algorithm: "random", "hyperband" or "bayesian".
        epochs: Epochs to pay for, at least those of one whole training; the search begins no trial beyond them.
        seed: Seed of the search, from 0.

    Returns:
        One row a trial, in order: the settings that were tried, epochs (all that were paid for so far; every trial
        starts from fresh weights), best_px (the lowest validation error so far, as the search saw it) and strangers_px
        (what the settings of that trial are worth after a whole training, on patients whom the search never saw).
    """
    # Before keras_tuner, which would start TensorFlow with all its messages.
    from lumbar.core.backend import keras  # noqa: F401  # isort: skip
    import keras_tuner

    curves = table.filter(like=EPOCH).to_numpy()
    longest = curves.shape[1]
    space = keras_tuner.HyperParameters()
    for name in settings:
        space.Choice(name, [each.item() for each in np.unique(table[name])])
    rows = {values: place for place, values in enumerate(table[settings].itertuples(index=False, name=None))}
    found, paid, best, worth = [], 0, np.inf, np.nan
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        chooser = _oracle(algorithm, epochs, longest, seed, space)
        chooser._set_project_dir(folder, "replay")
        while paid < epochs:
            trial = chooser.create_trial("replay")
            if trial.status != "RUNNING":
                break
            values = trial.hyperparameters.values  # noqa: PD011
            place, length = rows[tuple(values[name] for name in settings)], values.get("tuner/epochs", longest)
            paid += length
            if paid > epochs:
                break
            seen = curves[place, :length]
            if np.isnan(seen).any():
                trial.status = "FAILED"
            else:
                trial.status = "COMPLETED"
                chooser.update_trial(trial.trial_id, {OBJECTIVE: seen.min()})
                if seen.min() < best:
                    best, worth = seen.min(), table["strangers_px"].iloc[place]
            chooser.end_trial(trial)
            tried = {name: values[name] for name in settings}
            found.append(tried | {"epochs": paid, "best_px": best, "strangers_px": worth})
    return pd.DataFrame(found)


def _oracle(
    algorithm: str, epochs: int, longest: int, seed: int, space: keras_tuner.HyperParameters
) -> keras_tuner.Oracle:
    """Return an oracle that does not run out of trials before the epochs are used up."""
    import keras_tuner

    endless = {"hyperband_iterations": epochs} if algorithm == "hyperband" else {}
    objective = keras_tuner.Objective(OBJECTIVE, "min")
    return oracle(
        algorithm,
        trials=epochs // longest,
        epochs=longest,
        seed=seed,
        objective=objective,
        hyperparameters=space,
        **endless,
    )
