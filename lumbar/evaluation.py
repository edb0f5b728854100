"""Measure a run on patients it was not trained on, beside predictors that know nothing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lumbar import places, run_files
from lumbar.errors import RunError
from lumbar.files import clear, write_json, write_table
from lumbar.names import PARTS
from lumbar.settings import setting, to_dict

if TYPE_CHECKING:
    import pandas as pd

    from lumbar import accuracy, figures
    from lumbar.preprocess import Prepared

BATCH = 16
"""Pictures given to the network at once; the answers do not depend on it. What more of them hold between two layers
leaves the processor's caches."""


@dataclass(frozen=True)
class EvaluationSettings:
    """Settings of an evaluation."""

    run: Path | None = setting(None, "run folder, or its name under runs/; the newest trained one if left out")
    part: str = setting("test", "part of the split to measure on", choices=PARTS)
    data: Path | None = setting(None, "another data set to measure on, whole, in place of a part of the run's own")
    bootstrap: int = setting(2000, "resamples of the patients for the 95 % intervals; 0 for none", at_least=0)
    seed: int = setting(0, "seed of the resampling", at_least=0)


@dataclass(frozen=True, eq=False)
class Results:
    """What an evaluation found; printed, it is a table.

    Args:
        run: The run folder.
        metrics: What stands in metrics.json.
        predictions: What stands in predictions.csv: one row a point.
        errors: The network's errors.
        figures: The pictures written, by name: predicted_against_true, error_curves, errors_by_level, worst_cases.
    """

    run: Path
    metrics: dict[str, Any]
    predictions: pd.DataFrame
    errors: accuracy.Errors
    figures: dict[str, figures.Drawing] = field(repr=False)

    def table(self) -> str:
        """The table for the screen."""
        from lumbar.report import as_text

        return as_text(self.metrics)

    __str__ = table


def evaluate(settings: EvaluationSettings, *, progress: bool = True) -> Results:
    """Measure a run's best network on one part of its split, and write what was found into the run folder.

    Written are metrics.json, predictions.csv and one PNG a figure; the names get ``_train`` or ``_validation`` added if
    the part is not the test part, and ``_all_of_`` with the folder's name for another data set. Each look at the test
    patients is noted in metrics.json: who chooses settings by them has no test patients any more.

    Args:
        settings: Which run, which part.
        progress: Show a progress bar.

    Raises:
        RunError: If there is no such run, it has no trained network, or the network does not answer with numbers.
        TableError: If a patient to be measured on stood in another part when the run was trained.
        LumbarError: If the data cannot be read.
    """
    from lumbar import accuracy
    from lumbar.report import labels, points_table
    from lumbar.training import load_settings, prepared_parts

    run = run_files.run_folder(settings.run)
    trained_with = load_settings(run)
    parts = prepared_parts(trained_with, progress=progress)
    if settings.data is None:
        measured, part = settings.part, parts[settings.part]
    else:
        measured, part = _elsewhere(settings.data, trained_with, progress)
    _check_unseen(run, measured, part.index["patient"].tolist())
    predicted = predict(run / "best.keras", part, progress=progress)
    patients, views = part.index["patient"].tolist(), part.index["view"].tolist()

    def score(points: np.ndarray) -> tuple[accuracy.Errors, dict[str, Any]]:
        found = accuracy.errors(part.points, points, part.mm_per_pixel, views, part.channels)
        numbers = accuracy.summary(found, patients, bootstrap=settings.bootstrap, seed=settings.seed)
        return found, {**numbers, "level_shift_share": accuracy.level_shift_share(part.points, points, part.channels)}

    errors, network = score(predicted)
    trivial = {name: score(points) for name, points in accuracy.baselines(parts["train"].points, len(views)).items()}
    groups = {
        kind: accuracy.by_group(errors, patients, names, bootstrap=settings.bootstrap, seed=settings.seed)
        for kind, names in labels(part).items()
    }
    metrics = {
        "run": run.name,
        "part": measured,
        "synthetic_share": float(np.mean(parts["train"].index["source"] == "phantom")),
        **_training_in_short(run, trained_with),
        "test_looks": _looks(run, measured),
        "network": network,
        "baselines": {name: numbers for name, (_, numbers) in trivial.items()},
        "groups": groups,
        "settings": to_dict(settings),
    }
    predictions = points_table(part, predicted, errors)
    _write(run, measured, metrics, predictions)
    drawn = _draw(part, predicted, errors, {name: found.radial_px for name, (found, _) in trivial.items()})
    for name, drawing in drawn.items():
        drawing.savefig(run / f"{name}{_added(measured)}.png")
    return Results(run, metrics, predictions, errors, drawn)


def predict(network: Path, part: Prepared, *, progress: bool = True) -> np.ndarray:
    """A saved network's points, see `predict_with_confidence`; float64 (N, K, 2) pixels of the 256 frame."""
    return predict_with_confidence(network, part, progress=progress)[0]


def predict_with_confidence(network: Path, part: Prepared, *, progress: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """A saved network's points, and how sure it is of them.

    Args:
        network: The .keras file; it may hold nothing but registered layers (no code of its own is run).
        part: N prepared pictures.
        progress: Show a progress bar.

    Returns:
        float64 (N, K, 2) pixels of the 256 frame, and (N, K) from 0 to 1 as `lumbar.readout.read_out` has it; NaN from
        a network without maps, which cannot say.

    Raises:
        WeightsError: If the file is no network of ours.
        RunError: If the network answers with other landmarks than the pictures have, or with something not a number.
    """
    from tqdm.auto import trange

    from lumbar import models
    from lumbar.backend import keras
    from lumbar.batches import Batches
    from lumbar.geometry import Affine
    from lumbar.readout import read_out
    from lumbar.weights import loading

    model = models.answering(loading.load(network))
    has_maps = len(model.output_shape) == 4
    answers_with = model.output_shape[-1] if has_maps else model.output_shape[1]
    if answers_with != len(part.channels):
        raise RunError(
            "the network answers with other landmarks than these pictures have",
            file=network,
            found=answers_with,
            expected=f"{len(part.channels)}: {', '.join(part.channels)}",
        )
    if has_maps:
        model = models.heatmaps(model)
    batches = Batches(part, BATCH, seed=0, shuffle=False, augment=None)
    points, confidences = [], []
    for step in trange(len(batches), desc="predicting", unit="batch", disable=not progress):
        answer = keras.ops.convert_to_numpy(model.predict_on_batch(batches[step][0]))
        if not np.isfinite(answer).all():
            raise RunError(
                "the network answers with something that is not a number",
                file=network,
                remedy="its training went astray: train anew with a smaller learning rate",
            )
        if has_maps:
            views = part.index["view"].iloc[step * BATCH :]
            for maps, view in zip(answer, views, strict=False):
                place, confidence = read_out(maps, view, part.channels)
                points.append(place)
                confidences.append(confidence)
        else:
            points.extend(Affine.unit().inverse().points(answer))
            confidences.extend(np.full(answer.shape[:2], np.nan))
    return np.array(points), np.array(confidences)


def _elsewhere(data: Path, trained_with: Any, progress: bool) -> tuple[str, Prepared]:
    """What to call another data set, and all its pictures, prepared as those the run was trained on."""
    from lumbar import datasets, preprocess

    dataset = datasets.load(data)
    settings = preprocess.PreprocessSettings(fit=trained_with.fit)
    pictures = preprocess.prepare(dataset, settings, views=trained_with.views, cache=places.cache(), progress=progress)
    return f"all of {dataset.root.resolve().name}", pictures


def _check_unseen(run: Path, part: str, patients: list[str]) -> None:
    """Make sure that the data have not changed since, so that a patient trained on is now among those to measure on."""
    from lumbar.landmarks import check_split

    then = run_files.read_split(run)
    check_split([*then["patient"], *patients], [*then["part"], *[part] * len(patients)])


def _training_in_short(run: Path, trained_with: Any) -> dict[str, Any]:
    history = run_files.read_history(run)
    validation = history["val_mae_px"]
    return {
        "model": trained_with.model,
        "started_from": trained_with.weights,
        "epochs_asked": trained_with.epochs,
        "epochs_trained": len(history),
        "best_epoch": int(history["epoch"][validation.idxmin()]) if validation.notna().any() else None,
    }


def _looks(run: Path, part: str) -> list[dict[str, str]]:
    """When the test patients were looked at, and with which network; a look at them now is added."""
    file = run / "metrics.json"
    looks = json.loads(file.read_text(encoding="utf-8")).get("test_looks", []) if file.is_file() else []
    if part == "test":
        network = hashlib.sha256((run / "best.keras").read_bytes()).hexdigest()[:12]
        looks.append({"when": datetime.now(UTC).isoformat(timespec="seconds"), "network": network})
    return looks


def _draw(
    part: Prepared, predicted: np.ndarray, errors: accuracy.Errors, trivial: dict[str, np.ndarray]
) -> dict[str, figures.Drawing]:
    from lumbar import figures

    named = {"channels": part.channels}
    titles = (part.index["patient"] + " " + part.index["view"] + " " + part.index["contrast"]).str.strip().tolist()
    return {
        "predicted_against_true": figures.predicted_against_true(part.points, predicted, **named),
        "error_curves": figures.error_curves({"network": errors.radial_px, **trivial}),
        "errors_by_level": figures.errors_by_level(errors.radial_px, **named),
        "worst_cases": figures.worst_cases(part.images, part.points, predicted, titles=titles, **named),
    }


def _write(run: Path, part: str, metrics: dict, predictions: pd.DataFrame) -> None:
    clear(run)
    write_json(metrics_file(run, part), metrics)
    write_table(run / f"predictions{_added(part)}.csv", predictions)


def metrics_file(run: Path, part: str) -> Path:
    """Where stands what was measured of a run on a part of its split."""
    return run / f"metrics{_added(part)}.json"


def _added(part: str) -> str:
    """What the names of files get added, so that other parts leave the test results alone."""
    return "" if part == "test" else f"_{part.replace(' ', '_')}"
