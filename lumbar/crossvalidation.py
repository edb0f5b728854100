"""Cross-validation by patient: every patient is measured by a network that was trained without them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lumbar import places
from lumbar.errors import SettingsError
from lumbar.files import write_json, write_table
from lumbar.settings import setting, to_dict
from lumbar.training import TrainingSettings

if TYPE_CHECKING:
    import pandas as pd

    from lumbar.preprocess import Prepared

FLAGGED_SHARE = 0.05
"""Share of the pictures that a network's limit of confidence flags, here where it is set."""

MISS_PIXELS = 10.0
"""A point further off than this is a miss, pixels of the 256 frame."""


@dataclass(frozen=True)
class CrossvalidationSettings:
    """Settings of a cross-validation; each fold is an ordinary training with the training settings."""

    also: tuple[str, ...] = setting(
        (), "trained networks (released, or runs) to measure beside, on the same pictures; they must not know them"
    )
    name: str = setting("crossvalidation", "name of the folder under runs/")
    title: str = setting("this training", "what the folds' networks are called in the table")
    publish: Path | None = setting(
        None, "CSV to write errors and confidences to, without names and coordinates; none if left out"
    )


@dataclass(frozen=True, eq=False)
class Crossvalidation:
    """What a cross-validation found; printed, it is a table.

    Args:
        folder: Where metrics.json, points.csv, coverage.png, a worst_cases.png for each network, and a run folder for
            each fold are.
        metrics: What stands in metrics.json.
        points: What stands in points.csv: one row a point and network, with the chance that its map gave it.
    """

    folder: Path
    metrics: dict[str, Any]
    points: pd.DataFrame

    def __str__(self) -> str:
        from lumbar.report import comparison

        return comparison(self.metrics["networks"])


def crossvalidate(
    settings: CrossvalidationSettings, training: TrainingSettings, *, progress: bool = True
) -> Crossvalidation:
    """Train a network for each fold and measure each on the patients it has not seen; a stopped call resumes.

    Args:
        settings: Where to, and what to measure beside.
        training: Settings of each fold; `data` and `folds` must be given.
        progress: Show progress bars.

    Raises:
        SettingsError: If there is only one fold, or no data.
        LumbarError: If the data cannot be read, or a network to compare with cannot be found.
    """
    import pandas as pd

    from lumbar import accuracy, evaluation, weights
    from lumbar.preprocess import joined
    from lumbar.training import prepared_parts, train

    if training.folds < 2 or training.data is None:
        raise SettingsError(
            "a cross-validation needs a data set and two folds at least",
            field="folds",
            found=f"{training.folds}, data {training.data}",
            remedy="give --data FOLDER and --folds 5",
        )
    folder = places.runs() / settings.name
    others = {name: weights.find(name) for name in settings.also}
    tables, parts = [], []
    for fold in range(1, training.folds + 1):
        of_fold = replace(training, fold=fold, name=f"{settings.name}/fold-{fold}")
        run = train(of_fold, progress=progress)
        part = prepared_parts(of_fold, progress=False)["test"]
        parts.append(part)
        networks = {settings.title: run / "best.keras"} | {name: known.file for name, known in others.items()}
        for name, file in networks.items():
            points, chances = evaluation.predict_with_confidence(file, part, progress=False)
            errors = accuracy.errors(part.points, points, part.mm_per_pixel, part.index["view"], part.channels)
            tables.append(_rows(part, points, chances, errors).assign(network=name, fold=fold))
        if progress:
            print(f"fold {fold} of {training.folds} is done", file=sys.stderr)
    points = pd.concat(tables, ignore_index=True)
    metrics = {
        "networks": {name: _numbers(table) for name, table in points.groupby("network", sort=False)},
        "training": to_dict(training),
    }
    write_table(folder / "points.csv", points.round(4))
    write_json(folder / "metrics.json", metrics)
    _draw(folder, points, joined(parts))
    if settings.publish is not None:
        write_table(settings.publish, _anonymous(points, metrics["networks"]))
    return Crossvalidation(folder, metrics, points)


def _anonymous(points: pd.DataFrame, networks: dict[str, Any]) -> pd.DataFrame:
    """Errors and calibrated confidences alone: columns network, picture (a number), level, radial_px, confidence."""
    import pandas as pd

    from lumbar import weights
    from lumbar.landmarks import picture

    tables = []
    for name, table in points.groupby("network", sort=False):
        sure = networks[name].get("confidence", {"slope": 1.0, "offset": 0.0})
        tables.append(
            table[["network", "level"]].assign(
                picture=picture(table).factorize()[0] + 1,
                radial_px=table["radial_px"].round(2),
                confidence=weights.confidence(table["chance"].to_numpy(), sure["slope"], sure["offset"]).round(4),
            )
        )
    return pd.concat(tables, ignore_index=True)[["network", "picture", "level", "radial_px", "confidence"]]


def _draw(folder: Path, points: pd.DataFrame, pictures: Prepared) -> None:
    """Coverage against error, and the worst pictures of each network."""
    import pandas as pd

    from lumbar import figures
    from lumbar.landmarks import channel, picture

    surest_first = {}
    for name, table in points.groupby("network", sort=False):
        by_picture = table.groupby(picture(table), sort=False)
        radial = np.stack([each["radial_px"].to_numpy() for _, each in by_picture])
        if table["chance"].notna().any():
            surest_first[name] = radial[np.argsort(-by_picture["chance"].min().to_numpy(), kind="stable")]
        order = pd.Index(picture(pictures.index)).get_indexer([name for name, _ in by_picture])
        figures.worst_cases(
            pictures.images[order],
            _by_picture(table, _TRUE),
            _by_picture(table, _PREDICTED),
            channels=channel(table).unique().tolist(),
            titles=pictures.index["patient"].to_numpy()[order],
            count=20,
        ).savefig(folder / f"worst_cases_{name.replace(' ', '_').replace('/', '_')}.png")
    if surest_first:
        figures.coverage(surest_first, miss_px=MISS_PIXELS).savefig(folder / "coverage.png")


def _rows(part, points: np.ndarray, chances: np.ndarray, errors) -> pd.DataFrame:
    from lumbar import accuracy
    from lumbar.report import points_table

    shown = np.nonzero(accuracy.belongs(part.index["view"], part.channels))
    return points_table(part, points, errors).assign(chance=chances[shown])


def _numbers(table: pd.DataFrame) -> dict[str, Any]:
    """Accuracy over all folds, and what the confidence is worth."""
    from lumbar import accuracy, weights
    from lumbar.landmarks import channel, picture
    from lumbar.readout import NEAR_PIXELS

    true, predicted = (_by_picture(table, columns) for columns in (_TRUE, _PREDICTED))
    pictures = table[~picture(table).duplicated()]
    channels = tuple(channel(table).unique())
    unknown = np.full((len(pictures), 2), np.nan)
    errors = accuracy.errors(true, predicted, unknown, pictures["view"].tolist(), channels)
    numbers = accuracy.summary(errors, pictures["patient"].tolist())
    numbers["level_shift_share"] = accuracy.level_shift_share(true, predicted, channels)
    known = table["radial_px"].notna() & table["chance"].notna()
    if known.any():
        of = table[known]
        slope, offset = weights.calibrated(of["chance"].to_numpy(), (of["radial_px"] <= NEAR_PIXELS).to_numpy())
        least = of.groupby(picture(of))["chance"].min()
        limit = float(least.quantile(FLAGGED_SHARE))
        doubted = picture(of).map(least) <= limit
        misses = of["radial_px"] > MISS_PIXELS
        numbers["confidence"] = {
            "slope": slope,
            "offset": offset,
            "doubtful_chance": limit,
            "flagged_pictures": float((least <= limit).mean()),
            "misses": int(misses.sum()),
            "misses_flagged": float(doubted[misses].mean()) if misses.any() else None,
        }
    return numbers


_TRUE = ["x_256", "y_256"]
_PREDICTED = ["predicted_x_256", "predicted_y_256"]


def _by_picture(table: pd.DataFrame, columns: list[str]) -> np.ndarray:
    from lumbar.landmarks import picture

    per_picture = table.groupby(picture(table), sort=False).size()
    if (per_picture != per_picture.iloc[0]).any():
        raise SettingsError("a cross-validation measures one kind of view at a time", field="views")
    return table[columns].to_numpy().reshape(len(per_picture), -1, 2)
