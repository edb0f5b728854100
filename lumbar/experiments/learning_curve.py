"""The learning curve over data: the same training on more and more patients, to see what further patients would bring.

Every training makes the same number of optimisation steps. With the same number of epochs, a training on twice the
patients would also be twice as long, and nobody could tell which of the two had helped.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from lumbar import training
from lumbar.core.errors import SettingsError
from lumbar.runs.settings import TrainingSettings
from lumbar.storage.files import write_table


def train_on_some(
    settings: TrainingSettings, table: Path, patients: int, steps: int, *, frozen_share: float = 0.0
) -> Path:
    """Train a network on patients drawn from a data set, for a number of steps.

    The drawn patients are split as usual: some train, some choose the epoch, some are left for a test. Their table,
    ``PATIENTS-SEED_`` and the name of the whole table, is written beside it.

    Args:
        settings: Settings of the training; `data`, `epochs` and `frozen_epochs` are replaced. The seed also draws the
            patients.
        table: Landmark table of the data set, in the folder of its images.
        patients: How many patients to draw.
        steps: Optimisation steps, rounded to whole epochs, at least one.
        frozen_share: Share of the epochs, rounded to whole ones, in which the backbone of a transfer network is frozen.

    Returns:
        The run's folder.

    Raises:
        SettingsError: If the data set has fewer patients.
        LumbarError: If the data cannot be read, or are too few to split.
    """
    rows = pd.read_csv(table, keep_default_na=False, dtype=str)
    everyone = rows["patient"].unique()
    if patients > len(everyone):
        raise SettingsError(
            "the data set has too few patients", field="patients", found=patients, expected=f"at most {len(everyone)}"
        )
    drawn = np.random.default_rng(settings.seed).permutation(everyone)[:patients]
    few = table.with_name(f"{patients}-{settings.seed}_{table.name}")
    write_table(few, rows[rows["patient"].isin(drawn)])
    chosen = replace(settings, data=few)
    batch_size = chosen.resolved().batch_size
    batches = -(-len(training.prepared_parts(chosen, progress=False)["train"].images) // batch_size)
    epochs = max(round(steps / batches), 1)
    return training.train(replace(chosen, epochs=epochs, frozen_epochs=round(frozen_share * epochs)), progress=False)


def resampled_means(table: pd.DataFrame, *, bootstrap: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Return the mean errors of a learning curve in resamples of its trainings and of its test patients.

    Both are drawn anew, with replacement: other patients would be measured otherwise, and other patients to train on
    would make other networks. With three trainings a size the interval is a rough one.

    Args:
        table: Columns patients (labelled), seed (of the training), stranger (the test patient) and radial_px (mean
            error of the stranger's points, pixels of the 256 frame); every stranger once for each size and seed.
        bootstrap: Number of resamples.
        seed: Seed of the resampling.

    Returns:
        One row a resample, one column a size, in ascending order; pixels of the 256 frame.
    """
    ordered = table.sort_values(["patients", "seed", "stranger"])
    sizes, seeds, strangers = (ordered[name].nunique() for name in ("patients", "seed", "stranger"))
    errors = ordered["radial_px"].to_numpy().reshape(sizes, seeds, strangers)
    random = np.random.default_rng(seed)
    means = np.empty((bootstrap, sizes))
    for sample in range(bootstrap):
        trainings, people = random.integers(seeds, size=seeds), random.integers(strangers, size=strangers)
        means[sample] = errors[:, trainings][:, :, people].mean(axis=(1, 2))
    return pd.DataFrame(means, columns=sorted(table["patients"].unique()))
