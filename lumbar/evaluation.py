"""Measure a run on patients it was not trained on, beside predictors that know nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lumbar import figures, metrics, runs, splits, weights
from lumbar.core import paths
from lumbar.core.constants import LEVELS
from lumbar.core.digests import digest_of_file
from lumbar.core.errors import RunError
from lumbar.core.schema import to_dict
from lumbar.datasets import load_prepared
from lumbar.figures import Drawing
from lumbar.geometry import Affine
from lumbar.inference import predict_points
from lumbar.preprocess import Prepared, PreprocessSettings
from lumbar.reports.tables import as_text
from lumbar.runs.settings import EvaluationSettings, TrainingSettings
from lumbar.storage.files import describe_os_error, remove_leftovers, write_json, write_table
from lumbar.training import data


@dataclass(frozen=True, eq=False)
class _Subject:
    """A network (.keras file), the images to measure it on and what they are called, and where the results go.

    Args:
        training: (M, K, 2) points of the training patients, pixels of the 256 frame; M is 0 if they are not here.
        facts: Entries of metrics.json about the network and its training.
    """

    folder: Path
    network: Path
    measured: str
    part: Prepared
    training: np.ndarray
    facts: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Results:
    """The results of an evaluation; printed, they are a table.

    Args:
        run: The run folder.
        metrics: The content of metrics.json.
        predictions: The content of predictions.csv: one row per point.
        errors: The network's errors.
        figures: The figures written, by name: predicted_against_true, error_curves, errors_by_level, worst_cases.
    """

    run: Path
    metrics: dict[str, Any]
    predictions: pd.DataFrame
    errors: metrics.Errors
    figures: dict[str, Drawing] = field(repr=False)

    def table(self) -> str:
        """Return the table for the screen."""
        return as_text(self.metrics)

    __str__ = table


def evaluate(settings: EvaluationSettings, *, progress: bool = True) -> Results:
    """Measure a run's best network on one part of its split, and write the results into the run folder.

    A released network has no split here: it is measured on another data set, and the results go to a folder of its name
    under runs/. The trivial predictors that learn from training patients are then left out.

    The files are metrics.json, predictions.csv and one PNG a figure; their names get ``_train`` or ``_validation``
    appended if the part is not the test part, and ``_all_of_`` with the folder's name for another data set. Each look
    at the test patients is noted in metrics.json: whoever chooses settings by them has no test patients any more.

    Args:
        settings: The run and the part to measure it on.
        progress: Show a progress bar.

    Raises:
        RunError: If there is no such run, it has no trained network, the network does not answer with numbers, the
            run was trained on images that were prepared otherwise, or a released network is given no data set.
        TableError: If a patient to be measured on stood in another part when the run was trained.
        LumbarError: If the data cannot be read.
    """
    subject = _released(settings, progress) or _trained_here(settings, progress)
    run, measured, part = subject.folder, subject.measured, subject.part
    predicted = predict_points(subject.network, part, progress=progress)
    patients, views = part.index["patient"].tolist(), part.index["view"].tolist()

    def score(points: np.ndarray) -> tuple[metrics.Errors, dict[str, Any]]:
        found = metrics.errors(part.points, points, part.mm_per_pixel, views, part.channels)
        numbers = metrics.summary(found, patients, bootstrap=settings.bootstrap, seed=settings.seed)
        return found, {**numbers, "level_shift_share": metrics.level_shift_share(part.points, points, part.channels)}

    errors, network = score(predicted)
    guesses = metrics.baselines(subject.training, len(views))
    trivial = {name: score(points) for name, points in guesses.items() if np.isfinite(points).all()}
    groups = {
        kind: metrics.by_group(errors, patients, names, bootstrap=settings.bootstrap, seed=settings.seed)
        for kind, names in labels(part).items()
    }
    measurements = {
        "run": run.name,
        "part": measured,
        **subject.facts,
        "test_looks": _looks(run, measured),
        "network": network,
        "baselines": {name: numbers for name, (_, numbers) in trivial.items()},
        "groups": groups,
        "settings": to_dict(settings),
    }
    predictions = points_table(part, predicted, errors)
    _write(run, measured, measurements, predictions)
    drawn = _draw(part, predicted, errors, {name: found.radial_px for name, (found, _) in trivial.items()})
    for name, drawing in drawn.items():
        drawing.savefig(run / f"{name}{_suffix(measured)}.png")
    return Results(run, measurements, predictions, errors, drawn)


def _trained_here(settings: EvaluationSettings, progress: bool) -> _Subject:
    """Return a run with the images to measure it on; none of their patients may have trained it."""
    run = runs.run_folder(settings.run)
    trained_with = runs.load_settings(run)
    parts = data.prepared_parts(trained_with, progress=progress)
    _check_preparation(run, parts)
    parts = {name: part.without_neighbours() for name, part in parts.items()}
    if settings.data is None:
        measured, part = settings.part, parts[settings.part]
    else:
        how = PreprocessSettings(resize=trained_with.resize)
        measured, part = _other_set(settings.data, how, trained_with.views, progress)
    _check_unseen(run, parts, part.people.assign(part=measured))
    share = {"synthetic_share": float(np.mean(parts["train"].index["source"] == "phantom"))}
    facts = share | _training_in_short(run, trained_with)
    return _Subject(run, run / "best.keras", measured, part, parts["train"].points, facts)


def _released(settings: EvaluationSettings, progress: bool) -> _Subject | None:
    """Return a released network with the images to measure it on; None if the settings name a run."""
    name = str(settings.run)
    folder = paths.runs() / name
    if name not in weights.released() or (folder / "best.keras").is_file() or Path(name).is_dir():
        return None
    network = weights.find(name)
    if settings.data is None:
        raise RunError(
            "a released network has no test patients here",
            field="run",
            found=name,
            remedy="name a data set to measure it on: --data FOLDER",
        )
    how = PreprocessSettings(resize=network.resize)
    measured, part = _other_set(settings.data, how, network.views, progress)
    seen = sorted(set(part.index["source"]) & set(network.trained_on))
    facts = {"released": True, "synthetic_share": 1.0 if network.synthetic else None, "trained_on": seen}
    return _Subject(folder, network.file, measured, part, np.empty((0, len(part.channels), 2)), facts)


def points_table(part: Prepared, predicted: np.ndarray, errors: metrics.Errors) -> pd.DataFrame:
    """Return one row per landmark of each image: the true point, the predicted one, and their distance.

    Args:
        part: N prepared images with K landmarks.
        predicted: (N, K, 2) pixels of the 256 frame.
        errors: Errors of these predictions.

    Returns:
        DataFrame with columns image (and frame, if the data set has it), patient, source, view, contrast, level, side;
        x_256, y_256 (true, pixels of the 256 frame), predicted_x_256, predicted_y_256; x, y, predicted_x, predicted_y
        (native pixels); radial_px (of the 256 frame), radial_mm. NaN where there is no true point.
    """
    to_native = [Affine(matrix) for matrix in part.to_native]
    native = np.stack([affine.points(xy) for affine, xy in zip(to_native, part.points, strict=True)])
    predicted_native = np.stack([affine.points(xy) for affine, xy in zip(to_native, predicted, strict=True)])
    picture, landmark = np.nonzero(metrics.belongs(part.index["view"], part.channels))
    named = [name for name in ("image", "frame") if name in part.index]
    table = part.index[[*named, "patient", "source", "view", "contrast", "level"]].iloc[picture].reset_index(drop=True)
    names = pd.Series(part.channels)[landmark].reset_index(drop=True)
    table["level"] = names.where(names.isin(LEVELS), table["level"])
    table["side"] = names.where(~names.isin(LEVELS), "")
    for prefix, points, suffix in (
        ("", part.points, "_256"),
        ("predicted_", predicted, "_256"),
        ("", native, ""),
        ("predicted_", predicted_native, ""),
    ):
        for axis, letter in enumerate("xy"):
            table[f"{prefix}{letter}{suffix}"] = points[picture, landmark, axis]
    return table.assign(radial_px=errors.radial_px[picture, landmark], radial_mm=errors.radial_mm[picture, landmark])


def labels(part: Prepared) -> dict[str, np.ndarray]:
    """Return the groups that are reported: level, side (of axial points), view, source and contrast.

    Args:
        part: N prepared images with K landmarks.

    Returns:
        Kind → (N,) or (N, K) text; "" belongs to no group.
    """
    names = np.asarray(part.channels, dtype=object)
    is_level = np.isin(names, LEVELS)
    belongs = metrics.belongs(part.index["view"], part.channels)
    level = np.where(is_level, names, part.index["level"].to_numpy(dtype=object)[:, None])
    found = {"level": np.where(belongs, level, ""), "side": np.where(belongs & ~is_level, names, "")}
    return found | {kind: part.index[kind].to_numpy(dtype=object) for kind in ("view", "source", "contrast")}


def _check_preparation(run: Path, parts: dict[str, Prepared]) -> None:
    """Make sure that a run of an earlier release was trained on the same images as these."""
    config = runs.load_config(run)
    if data.prepared_otherwise(config):  # computing the fingerprint takes a while
        data.check_preparation(run, config, data.fingerprint(parts))


def _other_set(folder: Path, how: PreprocessSettings, views: tuple[str, ...], progress: bool) -> tuple[str, Prepared]:
    """Return what to call another data set, and all its images, prepared as those the network was trained on."""
    dataset, images = load_prepared(folder, how, views=views, progress=progress)
    return f"all of {dataset.root.resolve().name}", images


def _check_unseen(run: Path, parts: dict[str, Prepared], measured: pd.DataFrame) -> None:
    """Make sure that the split has not changed since, so that no patient is measured who was trained on."""
    then = runs.read_split(run)
    if "picture" not in then:  # the run is of an earlier release
        then = then.merge(data.index_of(parts).drop(columns="part").drop_duplicates(), how="left")
    splits.check_people(pd.concat([then, measured], ignore_index=True))


def _training_in_short(run: Path, trained_with: TrainingSettings) -> dict[str, Any]:
    history = runs.read_history(run)
    validation = history["val_mae_px"]
    return {
        "model": trained_with.model,
        "started_from": trained_with.weights,
        "epochs_asked": trained_with.epochs,
        "epochs_trained": len(history),
        "best_epoch": int(history["epoch"][validation.idxmin()]) if validation.notna().any() else None,
    }


def _looks(run: Path, part: str) -> list[dict[str, str]]:
    """Return when the test patients were looked at, and with which network; a look at them now is added."""
    file = metrics_file(run, "test")
    looks = read_metrics(file).get("test_looks", []) if file.is_file() else []
    if part == "test":
        network = digest_of_file(run / "best.keras", length=12)
        looks.append({"when": datetime.now(UTC).isoformat(timespec="seconds"), "network": network})
    return looks


def _draw(
    part: Prepared, predicted: np.ndarray, errors: metrics.Errors, trivial: dict[str, np.ndarray]
) -> dict[str, Drawing]:
    named = {"channels": part.channels}
    titles = (part.index["patient"] + " " + part.index["view"] + " " + part.index["contrast"]).str.strip().tolist()
    return {
        "predicted_against_true": figures.predicted_against_true(part.points, predicted, **named),
        "error_curves": figures.error_curves({"network": errors.radial_px, **trivial}),
        "errors_by_level": figures.errors_by_level(errors.radial_px, **named),
        "worst_cases": figures.worst_cases(part.images, part.points, predicted, titles=titles, **named),
    }


def _write(run: Path, part: str, measurements: dict, predictions: pd.DataFrame) -> None:
    with describe_os_error(run):
        run.mkdir(parents=True, exist_ok=True)
    remove_leftovers(run)
    write_json(metrics_file(run, part), measurements)
    write_table(run / f"predictions{_suffix(part)}.csv", predictions)


def metrics_file(run: Path, part: str) -> Path:
    """Return the file with the results of a run on one part of its split."""
    return run / f"metrics{_suffix(part)}.json"


def read_metrics(file: Path) -> dict[str, Any]:
    """Return the results in a metrics.json.

    Raises:
        RunError: If the file is damaged.
    """
    return runs.read_json(file, problem="a file of the run is damaged", remedy="evaluate the run again")


def _suffix(part: str) -> str:
    """Return what file names get appended, so that the results of other parts leave those of the test part alone."""
    return "" if part == "test" else f"_{part.replace(' ', '_')}"
