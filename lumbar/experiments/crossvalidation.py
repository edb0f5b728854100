"""Cross-validation by patient: every patient is measured by a network that was trained without them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lumbar import figures, metrics, weights
from lumbar.core import paths
from lumbar.core.errors import SettingsError
from lumbar.core.settings import to_dict
from lumbar.decoding import NEAR_PIXELS
from lumbar.evaluation import points_table
from lumbar.inference import predict_with_probability
from lumbar.landmarks import channel, picture
from lumbar.preprocess import Prepared, concatenate
from lumbar.reports.tables import comparison
from lumbar.runs.settings import CrossvalidationSettings, TrainingSettings
from lumbar.storage.files import write_json, write_table
from lumbar.training import prepared_parts, train
from lumbar.weights import calibration

FLAGGED_SHARE = 0.05
"""Share of the images that a network's limit of confidence flags on the data it is set on."""

MISS_PIXELS = 10.0
"""A point further off than this is a miss, pixels of the 256 frame."""


@dataclass(frozen=True, eq=False)
class Crossvalidation:
    """The results of a cross-validation; printed, they are a table.

    Args:
        folder: The folder of metrics.json, points.csv, coverage.png, a worst_cases.png for each network, and a run
            folder for each fold.
        metrics: The content of metrics.json.
        points: The content of points.csv: one row a point and network, with the probability that its heatmap gave it.
    """

    folder: Path
    metrics: dict[str, Any]
    points: pd.DataFrame

    def __str__(self) -> str:

        return comparison(self.metrics["networks"])


def crossvalidate(
    settings: CrossvalidationSettings, training: TrainingSettings, *, progress: bool = True
) -> Crossvalidation:
    """Train a network for each fold and measure each on the patients it has not seen; a stopped call resumes.

    Args:
        settings: The folder, and further networks to measure on the same images.
        training: Settings of each fold; `data` and `folds` must be given.
        progress: Show progress bars.

    Raises:
        SettingsError: If there is only one fold, or no data.
        LumbarError: If the data cannot be read, or a network to compare with cannot be found.
    """
    if training.folds < 2 or training.data is None:
        raise SettingsError(
            "a cross-validation needs a data set and two folds at least",
            field="folds",
            found=f"{training.folds}, data {training.data}",
            remedy="give --data FOLDER and --folds 5",
        )
    folder = paths.runs() / settings.name
    others = {name: weights.find(name) for name in settings.also}
    tables, parts = [], []
    for fold in range(1, training.folds + 1):
        of_fold = replace(training, fold=fold, name=f"{settings.name}/fold-{fold}")
        run = train(of_fold, progress=progress)
        part = prepared_parts(of_fold, progress=False)["test"]
        parts.append(part)
        networks = {settings.title: run / "best.keras"} | {name: known.file for name, known in others.items()}
        for name, file in networks.items():
            points, probabilities = predict_with_probability(file, part, progress=False)
            errors = metrics.errors(part.points, points, part.mm_per_pixel, part.index["view"], part.channels)
            tables.append(_rows(part, points, probabilities, errors).assign(network=name, fold=fold))
        if progress:
            print(f"fold {fold} of {training.folds} is done", file=sys.stderr)
    points = pd.concat(tables, ignore_index=True)
    results = {
        "networks": {name: _numbers(table) for name, table in points.groupby("network", sort=False)},
        "training": to_dict(training),
    }
    write_table(folder / "points.csv", points.round(4))
    write_json(folder / "metrics.json", results)
    _draw(folder, points, concatenate(parts))
    if settings.publish is not None:
        write_table(settings.publish, _anonymous(points, results["networks"]))
    return Crossvalidation(folder, results, points)


def _anonymous(points: pd.DataFrame, networks: dict[str, Any]) -> pd.DataFrame:
    """Return errors and calibrated confidences without names; images are numbered."""
    tables = []
    for name, table in points.groupby("network", sort=False):
        fitted = networks[name].get("confidence", {"slope": 1.0, "offset": 0.0})
        tables.append(
            table[["network", "level"]].assign(
                picture=picture(table).factorize()[0] + 1,
                radial_px=table["radial_px"].round(2),
                confidence=calibration.confidence(
                    table["probability"].to_numpy(), fitted["slope"], fitted["offset"]
                ).round(4),
            )
        )
    return pd.concat(tables, ignore_index=True)[["network", "picture", "level", "radial_px", "confidence"]]


def _draw(folder: Path, points: pd.DataFrame, pictures: Prepared) -> None:
    """Plot coverage against error, and the worst images of each network."""
    most_confident_first = {}
    for name, table in points.groupby("network", sort=False):
        by_picture = table.groupby(picture(table), sort=False)
        radial = np.stack([each["radial_px"].to_numpy() for _, each in by_picture])
        if table["probability"].notna().any():
            most_confident_first[name] = radial[np.argsort(-by_picture["probability"].min().to_numpy(), kind="stable")]
        order = pd.Index(picture(pictures.index)).get_indexer([name for name, _ in by_picture])
        figures.worst_cases(
            pictures.images[order],
            _by_picture(table, _TRUE),
            _by_picture(table, _PREDICTED),
            channels=channel(table).unique().tolist(),
            titles=pictures.index["patient"].to_numpy()[order],
            count=20,
        ).savefig(folder / f"worst_cases_{name.replace(' ', '_').replace('/', '_')}.png")
    if most_confident_first:
        figures.coverage(most_confident_first, miss_px=MISS_PIXELS).savefig(folder / "coverage.png")


def _rows(part, points: np.ndarray, probabilities: np.ndarray, errors) -> pd.DataFrame:
    shown = np.nonzero(metrics.belongs(part.index["view"], part.channels))
    return points_table(part, points, errors).assign(probability=probabilities[shown])


def _numbers(table: pd.DataFrame) -> dict[str, Any]:
    """Return the accuracy over all folds, and how well the confidence predicts errors."""
    true, predicted = (_by_picture(table, columns) for columns in (_TRUE, _PREDICTED))
    pictures = table[~picture(table).duplicated()]
    channels = tuple(channel(table).unique())
    unknown = np.full((len(pictures), 2), np.nan)
    errors = metrics.errors(true, predicted, unknown, pictures["view"].tolist(), channels)
    numbers = metrics.summary(errors, pictures["patient"].tolist())
    numbers["level_shift_share"] = metrics.level_shift_share(true, predicted, channels)
    known = table["radial_px"].notna() & table["probability"].notna()
    if known.any():
        of = table[known]
        slope, offset = calibration.fit_platt(of["probability"].to_numpy(), (of["radial_px"] <= NEAR_PIXELS).to_numpy())
        least = of.groupby(picture(of))["probability"].min()
        limit = float(least.quantile(FLAGGED_SHARE))
        doubted = picture(of).map(least) <= limit
        misses = of["radial_px"] > MISS_PIXELS
        numbers["confidence"] = {
            "slope": slope,
            "offset": offset,
            "doubtful_probability": limit,
            "flagged_pictures": float((least <= limit).mean()),
            "misses": int(misses.sum()),
            "misses_flagged": float(doubted[misses].mean()) if misses.any() else None,
        }
    return numbers


_TRUE = ["x_256", "y_256"]
_PREDICTED = ["predicted_x_256", "predicted_y_256"]


def _by_picture(table: pd.DataFrame, columns: list[str]) -> np.ndarray:
    per_picture = table.groupby(picture(table), sort=False).size()
    if (per_picture != per_picture.iloc[0]).any():
        raise SettingsError("a cross-validation measures one kind of view at a time", field="views")
    return table[columns].to_numpy().reshape(len(per_picture), -1, 2)
