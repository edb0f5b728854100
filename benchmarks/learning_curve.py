"""How many patients are enough: ``python -m benchmarks.learning_curve``, some ten minutes on two cores.

The heatmap network is trained on 10 to 320 synthetic patients, three times each, with the same number of optimisation
steps, and measured on the same 60 others. The command writes ``lumbar/course/measured/learning_curve.csv``, which
lesson 12 shows. A command that was stopped resumes when it is given again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from lumbar import datasets, inference, phantom
from lumbar.core import paths
from lumbar.core.allocator import keep_freed_memory
from lumbar.experiments.learning_curve import train_on_some
from lumbar.preprocess import Prepared
from lumbar.runs.folder import read_split
from lumbar.runs.settings import TrainingSettings
from lumbar.storage.files import write_table

SIZES = (10, 20, 40, 80, 160, 320)
"""Labelled patients: 70 % of them train, 15 % choose the epoch, and 15 % are left alone, as in any training."""

SEEDS = (0, 1, 2)
STEPS = 160
BATCH_SIZE = 8
SERIES = ("sagittal-t1", "sagittal-t2")
POOL = phantom.PhantomSettings(patients=480, seed=112, series=SERIES)
STRANGERS = phantom.PhantomSettings(patients=60, seed=113, series=SERIES)


def prepared_strangers() -> Prepared:
    """Return the test patients, on whom no network trains."""
    folder = phantom.write_dataset(paths.data() / "learning-curve-strangers", STRANGERS)
    return datasets.prepare(datasets.load(folder), cache=paths.cache())


def mean_errors(network: Path, strangers: Prepared) -> pd.Series:
    """Return a network's mean radial error for each stranger, see `by_stranger`."""
    return by_stranger(inference.predict_points(network, strangers, progress=False), strangers)


def by_stranger(answers: np.ndarray, strangers: Prepared) -> pd.Series:
    """Return the mean radial error of answers for each stranger, counted from 1; pixels of the 256 frame."""
    radial = np.linalg.norm(answers - strangers.points, axis=-1).mean(axis=1)
    return pd.Series(radial).groupby(pd.factorize(strangers.index["patient"])[0] + 1).mean()


def measured() -> pd.DataFrame:
    """Train all networks, and return one row for each network and test patient.

    Returns:
        Columns patients (labelled), trained_on (how many of them train), seed, stranger (number of the test patient)
        and radial_px (mean radial error of the stranger's points, pixels of the 256 frame).
    """
    table = phantom.write_dataset(paths.data() / "learning-curve-pool", POOL) / "landmarks.csv"
    strangers, rows = prepared_strangers(), []
    for seed in SEEDS:
        settings = TrainingSettings(model="heatmap", batch_size=BATCH_SIZE, seed=seed, tensorboard=False)
        for size in SIZES:
            run = train_on_some(settings, table, size, STEPS)
            trained_on = read_split(run).query("part == 'train'")["patient"].nunique()
            facts = {"patients": size, "trained_on": trained_on, "seed": seed}
            of_strangers = mean_errors(run / "best.keras", strangers)
            rows += [{**facts, "stranger": who, "radial_px": px} for who, px in of_strangers.items()]
            print(facts, f"{of_strangers.mean():.2f} px", flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    argparse.ArgumentParser(prog="python -m benchmarks.learning_curve", description=__doc__).parse_args()
    keep_freed_memory()
    write_table(paths.MEASURED / "learning_curve.csv", measured().round(3))


if __name__ == "__main__":
    main()
