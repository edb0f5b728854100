"""What borrowed weights bring, and to how few patients.

``python -m benchmarks.borrowing planes``

`planes` borrows from another plane. A heatmap network that was trained on sagittal synthetic pictures is the start for
coronal ones of 5, 10 and 20 patients; a fresh network is given the same pictures and the same number of optimisation
steps. Both are measured on the same 60 other patients. The command writes
``lumbar/course/measured/borrowing_planes.csv``.

``python -m benchmarks.borrowing photographs --real FOLDER``

`photographs` borrows from photographs. The transfer network stands on EfficientNet-Lite0, with fresh weights or those
of ImageNet, and is trained on real pictures of 10 and 40 patients; 50 others test it. Beside it stand the heatmap
network and the mean place of each landmark among the training patients. The command writes
``borrowing_photographs.csv``, which holds errors, and neither pictures nor names.

The seed draws the patients, so the networks of one seed share theirs. No epoch is chosen: each network is measured
after its last step, see `settled`. Lesson 08 shows the tables. A command that was stopped resumes when it is given
again.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.learning_curve import by_stranger, mean_errors
from lumbar import datasets, metrics, phantom, training
from lumbar.core import paths
from lumbar.core.allocator import keep_freed_memory
from lumbar.core.backend import keras
from lumbar.experiments.learning_curve import train_on_some
from lumbar.preprocess import Prepared
from lumbar.runs.folder import load_settings, read_split
from lumbar.runs.settings import TrainingSettings
from lumbar.storage.files import write_table
from lumbar.training.checkpoints import save
from lumbar.weights import safe_loading

SIZES = (5, 10, 20)
"""Labelled patients with a coronal picture. As in any training, 70 % of them train; the others are left alone."""

STEPS = (10, 40)
"""Optimisation steps of each training, with batches of up to four images."""

SEEDS = (0, 1, 2, 3, 4)
LENDER = TrainingSettings(model="heatmap", patients=150, patients_seed=7, epochs=6, batch_size=8)
"""The sagittal network of lesson 05."""

REAL_SIZES = (10, 40)
REAL_STEPS = 40
REAL_STRANGERS = 50

_ON_PHOTOGRAPHS = {"model": "transfer", "backbone": "EfficientNetLite0"}
_BORROWED = _ON_PHOTOGRAPHS | {"backbone_weights": "imagenet"}
STARTS = {
    "heatmap": ({"model": "heatmap"}, 0),
    "fresh": (_ON_PHOTOGRAPHS, 0),
    "frozen": (_BORROWED, 1),
    "fine-tuned": (_BORROWED, 0.5),
}
"""Name → settings of the training, and share of the epochs in which the backbone is frozen."""

POOL = phantom.PhantomSettings(patients=100, seed=114, series=("coronal-t2",))
STRANGERS = phantom.PhantomSettings(patients=60, seed=115, series=("coronal-t2",))


def prepared_strangers() -> Prepared:
    """Return the coronal pictures of the test patients, on whom no network trains."""
    folder = phantom.write_dataset(paths.data() / "borrowing-strangers", STRANGERS)
    return datasets.prepare(datasets.load(folder), views=("coronal",), cache=paths.cache())


def planes() -> pd.DataFrame:
    """Train coronal networks from fresh and from sagittal weights, and return a row for each and each test patient.

    Returns:
        Columns steps, patients (labelled), trained_on (how many of them train), start ("fresh" or "borrowed"), seed,
        stranger (number of the test patient) and radial_px (mean radial error of the stranger's points, pixels of the
        256 frame).
    """
    table = phantom.write_dataset(paths.data() / "borrowing-pool", POOL) / "landmarks.csv"
    lender, strangers, rows = training.train(LENDER), prepared_strangers(), []
    common = {"model": "heatmap", "views": ("coronal",), "batch_size": 4, "tensorboard": False}
    for seed in SEEDS:
        for steps in STEPS:
            for size in SIZES:
                for start, weights in {"fresh": None, "borrowed": str(lender)}.items():
                    settings = TrainingSettings(**common, weights=weights, seed=seed)
                    run = train_on_some(settings, table, size, steps)
                    facts = {"steps": steps, "patients": size, "trained_on": trained_on(run), "start": start}
                    rows += rows_of(mean_errors(settled(run), strangers), {**facts, "seed": seed})
    return pd.DataFrame(rows)


def settled(run: Path) -> Path:
    """Return a run's network after its last step, with the statistics of batch normalisation computed anew.

    After a few steps the running averages are still near the fresh network's start, or near the lender's pictures, and
    in a deep network the errors of its layers multiply. So they are replaced by the statistics of the training pictures
    under the final weights ("precise BN": Wu and Johnson, "Rethinking Batch in BatchNorm", 2021). A pretrained backbone
    keeps its own. No epoch is chosen.

    Args:
        run: The run's folder; the network is kept there.
    """
    file = run / "settled" / "network.keras"
    if not file.is_file():
        network = safe_loading.load(run / "last.keras")
        pictures = training.prepared_parts(load_settings(run), progress=False)["train"].images
        parts = [part for layer in network.layers for part in getattr(layer, "layers", [layer])]
        normalising = [part for part in parts if isinstance(part, keras.layers.BatchNormalization)]
        usual = [layer.momentum for layer in normalising]
        for layer in normalising:
            layer.momentum = 0.0
        network(pictures[..., None].astype("float32") / 255, training=True)
        for layer, momentum in zip(normalising, usual, strict=True):
            layer.momentum = momentum
        file.parent.mkdir(exist_ok=True)
        save(network, file)
    return file


def trained_on(run: Path) -> int:
    """Return how many patients a run's network was trained on."""
    return read_split(run).query("part == 'train'")["patient"].nunique()


def rows_of(errors: pd.Series, facts: dict) -> list[dict]:
    """Return a row for each stranger with the facts of a network and its error, and print the mean."""
    print(facts, f"{errors.mean():.2f} px", flush=True)
    return [{**facts, "stranger": who, "radial_px": px} for who, px in errors.items()]


def photographs(real: Path) -> pd.DataFrame:
    """Train networks on real pictures, and return a row for each and each test patient.

    Args:
        real: Folder of a data set with T2 pictures of enough patients.

    Returns:
        Columns patients (labelled), trained_on (how many of them train), start (one of `STARTS`, or "mean per
        landmark", which is not a network), seed, stranger (number of the test patient) and radial_px (as in `planes`).
    """
    pool, others = real_tables(real)
    strangers, rows = datasets.prepare(datasets.load(others), cache=paths.cache()), []
    for seed in SEEDS:
        for size in REAL_SIZES:
            for start, (options, frozen_share) in STARTS.items():
                settings = TrainingSettings(**options, batch_size=4, seed=seed, tensorboard=False)
                run = train_on_some(settings, pool, size, REAL_STEPS, frozen_share=frozen_share)
                facts = {"patients": size, "trained_on": trained_on(run), "start": start, "seed": seed}
                rows += rows_of(mean_errors(settled(run), strangers), facts)
            known = training.prepared_parts(load_settings(run), progress=False)["train"].points
            mean = metrics.baselines(known, len(strangers.images))["mean per landmark"]
            rows += rows_of(by_stranger(mean, strangers), {**facts, "start": "mean per landmark"})
    return pd.DataFrame(rows)


def real_tables(real: Path) -> tuple[Path, Path]:
    """Copy the T2 pictures of a data set, and write one landmark table to train on and one of the test patients."""
    found = datasets.load(real)
    table = found.table[(found.table["view"] == "sagittal") & (found.table["contrast"] == "T2")]
    people = np.random.default_rng(0).permutation(sorted(table["patient"].unique()))
    tested = table["patient"].isin(people[:REAL_STRANGERS])
    folder = paths.data() / "borrowing-real"
    for image in table["image"].unique():
        if not (folder / image).exists():
            (folder / image).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found.path(image), folder / image)
    files = folder / "pool.csv", folder / "strangers.csv"
    for file, rows in zip(files, (table[~tested], table[tested]), strict=True):
        write_table(file, rows)
    return files


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.borrowing", description=__doc__)
    parser.add_argument("lender", choices=("planes", "photographs"), help="from whom weights are borrowed")
    parser.add_argument("--real", type=Path, help="folder of real labelled T2 pictures, for photographs")
    given = parser.parse_args()
    if given.lender == "photographs" and given.real is None:
        parser.error("photographs are borrowed for real pictures: name their folder with --real")
    keep_freed_memory()
    table = planes() if given.lender == "planes" else photographs(given.real)
    write_table(paths.MEASURED / f"borrowing_{given.lender}.csv", table.round(3))


if __name__ == "__main__":
    main()
