"""What wrong labels do, and who finds them: ``python -m benchmarks.label_errors``, some ten minutes on two cores.

In each of three sets of synthetic patients, the labels of a tenth of the patients are moved by one disc. The command
writes two tables that lesson 12 shows, in ``lumbar/course/measured/``:

- ``label_memory.csv``: how far a network is off the right and the wrong labels of the patients that it trains on, epoch
  by epoch, with augmentation and without;
- ``label_cost.csv``: the errors of networks trained on the wrong labels and on the right ones, on other patients.

After a command that was stopped, the same command does not train the finished networks of the second table again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.learning_curve import BATCH_SIZE, SERIES, mean_errors, prepared_strangers
from lumbar import layers, phantom, training
from lumbar.augment import AugmentSettings
from lumbar.batches import Batches
from lumbar.core import paths
from lumbar.core.allocator import keep_freed_memory
from lumbar.core.backend import keras
from lumbar.decoding import peaks
from lumbar.experiments.label_audit import miscounted
from lumbar.geometry import Affine
from lumbar.preprocess import Prepared
from lumbar.runs.settings import TrainingSettings
from lumbar.storage.files import write_table
from lumbar.training.optimization import compiled

SETS = (0, 1, 2)
"""Seeds of three sets of patients, with other patients and other mistakes each."""

PATIENTS, WRONG, FOLDS = 100, 10, 3
EPOCHS, MEMORY_EPOCHS = 7, 14
COMPARED = (1, 2)
"""Folds whose networks are trained on the wrong labels and on the right ones."""


def annotated(number: int) -> tuple[Path, Path, set[str]]:
    """Return the table of the right labels of a set, that of the annotator, and the patients who are wrong in it."""
    made = phantom.PhantomSettings(patients=PATIENTS, seed=120 + number, series=SERIES, neighbours=True)
    folder = phantom.write_dataset(paths.data() / f"label-errors-{number}", made)
    everything = pd.read_csv(folder / "landmarks.csv", keep_default_na=False)
    wrong = np.random.default_rng(number).choice(everything["patient"].unique(), WRONG, replace=False)
    moved = {who: 1 if place < WRONG // 2 else -1 for place, who in enumerate(wrong)}
    tables = {"true": miscounted(everything, {}), "annotated": miscounted(everything, moved)}
    for name, table in tables.items():
        write_table(folder / f"{name}.csv", table)
    return folder / "true.csv", folder / "annotated.csv", set(wrong)


def memory(table: Path, wrong: set[str], augmentation: float) -> list[dict[str, Any]]:
    """Train on wrong labels, and return after each epoch how far the network is off those that it trains on."""
    settings = TrainingSettings(
        data=table,
        model="heatmap",
        folds=FOLDS,
        epochs=MEMORY_EPOCHS,
        batch_size=BATCH_SIZE,
        augmentation=augmentation,
    ).resolved()
    part = training.prepared_parts(settings, progress=False)["train"]
    augment = AugmentSettings(strength=augmentation)
    batches = Batches(part, BATCH_SIZE, seed=settings.seed, shuffle=True, augment=augment)
    model, rows = compiled(settings, part.channels, len(batches)), []

    def look(epoch: int, logs: dict[str, float]) -> None:
        radial = pd.Series(np.linalg.norm(_answers(model, part) - part.points, axis=-1).mean(axis=1))
        by_patient = radial.groupby(part.index["patient"]).mean().sort_values(ascending=False)
        is_wrong = by_patient.index.isin(wrong)
        row = {"epoch": epoch + 1, "wrong": int(is_wrong.sum()), "found": int(is_wrong[: is_wrong.sum()].sum())}
        rows.append(row | {"wrong_px": by_patient[is_wrong].median(), "right_px": by_patient[~is_wrong].median()})

    looking = keras.callbacks.LambdaCallback(on_epoch_end=look)
    model.fit(**batches.for_fit(range(MEMORY_EPOCHS)), callbacks=[looking], verbose=0)
    return rows


def _answers(model: keras.Model, part: Prepared) -> np.ndarray:
    """Return the points of a network in training, (N, K, 2), pixels of the 256 frame."""
    batches = Batches(part, 2 * BATCH_SIZE)
    maps = (model(batches[number][0], training=False) for number in range(len(batches)))
    unit = np.concatenate([np.asarray(layers.to_points(each, reach=peaks.REACH)) for each in maps])
    return Affine.unit().inverse().points(unit.reshape(-1, 2)).reshape(unit.shape)


def cost(tables: dict[str, Path], strangers: Prepared) -> Iterator[dict[str, Any]]:
    """Train networks on each table of labels, and yield their errors on other patients."""
    for labels, table in tables.items():
        for fold in COMPARED:
            settings = TrainingSettings(
                data=table,
                model="heatmap",
                folds=FOLDS,
                fold=fold,
                epochs=EPOCHS,
                batch_size=BATCH_SIZE,
                tensorboard=False,
            )
            run = training.train(settings, progress=False)
            of_strangers = mean_errors(run / "best.keras", strangers)
            for who, px in of_strangers.items():
                yield {"labels": labels, "fold": fold, "stranger": who, "radial_px": px}
            print(labels, f"fold {fold}: {of_strangers.mean():.2f} px", flush=True)


def main() -> None:
    argparse.ArgumentParser(prog="python -m benchmarks.label_errors", description=__doc__).parse_args()
    keep_freed_memory()
    strangers = prepared_strangers()
    remembered, costs = [], []
    for number in SETS:
        true, wrong_table, wrong = annotated(number)
        for augmentation in (0.0, 1.0):
            rows = memory(wrong_table, wrong, augmentation)
            remembered += [{"set": number, "augmentation": augmentation, **row} for row in rows]
            print(pd.DataFrame(rows).round(1).to_string(index=False), flush=True)
        rows = cost({"annotated": wrong_table, "true": true}, strangers)
        costs += [{"set": number, **row} for row in rows]
    write_table(paths.MEASURED / "label_memory.csv", pd.DataFrame(remembered).round(2))
    write_table(paths.MEASURED / "label_cost.csv", pd.DataFrame(costs).round(3))


if __name__ == "__main__":
    main()
