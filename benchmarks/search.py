"""A search paid for in full: ``python -m benchmarks.search``, about an hour on two cores.

Every combination of four settings of the heatmap network, 200 in all, is trained on the same 60 synthetic patients, and
the ten best again with other seeds. All networks are measured on 60 other patients. Then each algorithm searches the
finished trainings many times. The command writes ``search.csv`` and ``searches.csv`` in ``lumbar/course/measured``,
which lesson 06 shows. A command that was stopped resumes when it is given again.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from lumbar import datasets, phantom, training
from lumbar.core import paths
from lumbar.core.allocator import keep_freed_memory
from lumbar.core.backend import keras
from lumbar.core.errors import RunError
from lumbar.experiments.tuning.replay import replay
from lumbar.losses import MeanAbsoluteErrorPixels
from lumbar.preprocess import Prepared
from lumbar.runs.folder import read_history
from lumbar.runs.settings import TrainingSettings
from lumbar.storage.files import write_table
from lumbar.weights import safe_loading

SPACE = {
    "learning_rate": (0.0003, 0.001, 0.003, 0.01, 0.03),
    "depth": (2, 3, 4, 5),
    "batch_norm": (True, False),
    "dropout": (0.0, 0.1, 0.2, 0.3, 0.4),
}
"""The settings that are varied, and their values."""

# A constant learning rate: the first epochs of a long trial are then those of a short one.
COMMON = TrainingSettings(
    model="heatmap",
    patients=60,
    width=8,
    epochs=18,
    batch_size=8,
    schedule="constant",
    tensorboard=False,
)
AGAIN = 10
"""How many of the best trials are trained again."""

SEEDS = (1, 2, 3, 4)
ALGORITHMS = ("random", "bayesian", "hyperband")
SEARCHES = 50
PRICE = 24
"""What each search may spend, whole trainings."""

STRANGERS = phantom.PhantomSettings(patients=60, seed=113, series=("sagittal-t1", "sagittal-t2"))


def prepared_strangers() -> Prepared:
    """Return the patients that all networks are measured on, and on whom none trains."""
    folder = phantom.write_dataset(paths.data() / "search-strangers", STRANGERS)
    return datasets.prepare(datasets.load(folder), cache=paths.cache())


def trial(settings: TrainingSettings, strangers: Prepared) -> dict[str, float]:
    """Train one network, and return its errors, pixels of the 256 frame.

    Returns:
        The settings, strangers_px (mean absolute error per axis on the strangers) and epoch_1, epoch_2, ... (the same
        on the validation patients after each epoch); NaN where the training had diverged.
    """
    try:
        run = training.train(settings, progress=False)
    except RunError:
        run = paths.runs() / settings.name
    history = read_history(run)["val_mae_px"]
    network = safe_loading.load(run / "best.keras")
    metric = MeanAbsoluteErrorPixels()
    images = strangers.images[..., None].astype("float32") / 255
    metric.update_state(strangers.points / strangers.images.shape[1], network.predict(images, verbose=0))
    keras.backend.clear_session()
    chosen = {name: getattr(settings, name) for name in ("seed", *SPACE)}
    curve = {f"epoch_{epoch}": history.get(epoch - 1, np.nan) for epoch in range(1, settings.epochs + 1)}
    return chosen | {"strangers_px": float(metric.result())} | curve


def every_setting() -> list[TrainingSettings]:
    """Return the settings of the 200 trials."""
    combinations = [dict(zip(SPACE, values, strict=True)) for values in itertools.product(*SPACE.values())]
    return [replace(COMMON, **each, name=f"full-search/{place}") for place, each in enumerate(combinations, 1)]


def measured() -> pd.DataFrame:
    """Train all networks, and return one row for each; see `trial` for the columns."""
    strangers, every = prepared_strangers(), every_setting()
    table = pd.DataFrame([trial(settings, strangers) for settings in tqdm(every, unit="trial")])
    best = table.filter(like="epoch_").min(axis=1).nsmallest(AGAIN).index
    repeats = [(every[place], seed) for place in best for seed in SEEDS]
    again = [replace(settings, seed=seed, name=f"{settings.name}-{seed}") for settings, seed in repeats]
    return pd.concat([table, pd.DataFrame([trial(settings, strangers) for settings in tqdm(again, unit="trial")])])


def searches(table: pd.DataFrame) -> pd.DataFrame:
    """Replay searches over the 200 trials.

    Returns:
        Columns algorithm, seed (of the search), epochs (paid for so far), best_px and strangers_px, see `replay`; for
        each search the trials that were better than all before, and the last one.
    """
    parts = []
    for algorithm, seed in tqdm([*itertools.product(ALGORITHMS, range(SEARCHES))], unit="search"):
        found = replay(table, list(SPACE), algorithm, epochs=PRICE * COMMON.epochs, seed=seed)
        news = (found["best_px"] != found["best_px"].shift()) | (found.index == found.index[-1])
        parts.append(found[news].assign(algorithm=algorithm, seed=seed))
    return pd.concat(parts)[["algorithm", "seed", "epochs", "best_px", "strangers_px"]]


def main() -> None:
    argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__).parse_args()
    keep_freed_memory()
    table = measured()
    errors = table.columns.difference(["seed", *SPACE])
    table[errors] = table[errors].round(3)
    write_table(paths.MEASURED / "search.csv", table)
    write_table(paths.MEASURED / "searches.csv", searches(table[table["seed"] == COMMON.seed]))


if __name__ == "__main__":
    main()
