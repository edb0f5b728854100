"""Cross-validation by patient: every patient is used to measure a network that was trained without them."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lumbar import figures, metrics, weights
from lumbar.core import paths
from lumbar.core.errors import SettingsError
from lumbar.core.schema import to_dict
from lumbar.decoding import NEAR_PIXELS
from lumbar.decoding.doubts import doubtful_count
from lumbar.evaluation import points_table
from lumbar.experiments import cut_off
from lumbar.experiments.label_audit import suspicious_labels
from lumbar.inference import NetworkAnswer, predict_with_probability
from lumbar.landmarks import image_names, row_channels
from lumbar.preprocess import Prepared, concatenate
from lumbar.reports.tables import comparison, cut_off_table, miscount_table, reliability_table
from lumbar.runs.settings import CrossvalidationSettings, TrainingSettings
from lumbar.storage.files import write_json, write_table
from lumbar.training import prepared_parts, train
from lumbar.training.checkpoints import CHECKPOINTS
from lumbar.weights import calibration

LAST, BEST = CHECKPOINTS

FLAGGED_SHARE = 0.05
"""Share of the images that are flagged: the limit on a network's confidence is set so that it flags this share."""

MISS_PIXELS = 10.0
"""Distance from the true point beyond which a predicted point counts as a miss, pixels of the 256 frame."""


MISCOUNTED = ("picture", "shift", "one_higher", "one_lower", "flagged")
"""What metrics.json states of an image whose points lie a level off: 1 if they lie too low, -1 too high; the network's
own calibrated probability that all levels lie one disc higher, and one lower, than it says; whether the image is
flagged."""

COUNT = ["one_higher", "one_lower"]


@dataclass(frozen=True, eq=False)
class Crossvalidation:
    """The results of a cross-validation; printed, they are a table.

    Args:
        folder: The folder of metrics.json, points.csv, suspicious_labels.csv (see
            `lumbar.experiments.label_audit.suspicious_labels`), coverage.png, one worst_cases_NETWORK.png and one
            reliability_NETWORK.png per network, and one run folder per fold and seed.
        metrics: The content of metrics.json.
        points: The content of points.csv: one row per point and network, with the probability that the heatmap gave.
    """

    folder: Path
    metrics: dict[str, Any]
    points: pd.DataFrame

    def __str__(self) -> str:
        networks = self.metrics["networks"]
        tables = (comparison, miscount_table, cut_off_table, reliability_table)
        return "\n\n".join(filter(None, [table(networks) for table in tables]))


def crossvalidate(
    settings: CrossvalidationSettings, training: TrainingSettings, *, progress: bool = True
) -> Crossvalidation:
    """Train a network for each fold, and measure it on the patients of that fold, which it has not seen.

    A cross-validation that was stopped resumes when it is called again.

    Args:
        settings: The folder, and further networks to measure on the same images.
        training: Settings of the training of each fold; `data` and `folds` must be given.
        progress: Show progress bars.

    Returns:
        The results of all folds together.

    Raises:
        SettingsError: If there is only one fold, no data set, or the data set has axial images beside others.
        LumbarError: If the data cannot be read, or a network to compare with cannot be found.
    """
    if training.folds < 2 or training.data is None:
        raise SettingsError(
            "a cross-validation needs a data set and at least two folds",
            field="folds",
            found=f"{training.folds}, data {training.data}",
            remedy="give --data FOLDER and --folds 5",
        )
    folder = paths.runs() / settings.name
    others = {name: weights.find(name).file for name in settings.also}
    titles = [f"{settings.title}, seed {training.seed + seed}" for seed in range(settings.seeds)]
    titles = titles if len(titles) > 1 else [settings.title]
    tables, parts, cuts = [], [], []
    for (seed, title), fold in itertools.product(enumerate(titles, training.seed), range(1, training.folds + 1)):
        name = f"fold-{fold}" if settings.seeds == 1 else f"seed-{seed}-fold-{fold}"
        of_fold = replace(training, seed=seed, fold=fold, name=f"{settings.name}/{name}")
        run = train(of_fold, progress=progress)
        part = prepared_parts(of_fold, progress=False)["test"].without_neighbours()
        networks = {title: run / (LAST if settings.last else BEST)}
        if seed == training.seed:
            parts.append(part)
            networks |= others
        for name, file in networks.items():
            answer = predict_with_probability(file, part, progress=False)
            tables.append(_rows(part, answer).assign(network=name, fold=fold))
            cuts += [each.assign(network=name) for each in _cut_off(file, part)]
        if progress:
            print(f"fold {fold} of {training.folds} of {title} finished", file=sys.stderr)
    points = pd.concat(tables, ignore_index=True)
    networks = {name: _numbers(table) for name, table in points.groupby("network", sort=False)}
    if settings.seeds > 1:
        networks = _with_all_seeds(networks, points, titles, settings.title)
        cuts += [each.assign(network=settings.title) for each in cuts if each["network"].iloc[0] in titles]
    if cuts:
        _add_cut_off(networks, pd.concat(cuts, ignore_index=True), dict.fromkeys(titles, settings.title))
    results = {"networks": networks, "training": to_dict(training)}
    write_table(folder / "points.csv", points.round(4))
    write_json(folder / "metrics.json", results)
    suspicious = {name: suspicious_labels(table) for name, table in points.groupby("network", sort=False)}
    suspicious = pd.concat(suspicious, names=["network", "place"]).reset_index("network")
    write_table(folder / "suspicious_labels.csv", suspicious.round(2))
    _plot(folder, points, concatenate(parts), networks)
    if settings.publish is not None:
        write_table(settings.publish, _anonymous(points, networks, titles, settings.title))
    return Crossvalidation(folder, results, points)


def _with_all_seeds(
    networks: dict[str, dict[str, Any]], points: pd.DataFrame, titles: list[str], title: str
) -> dict[str, dict[str, Any]]:
    """Add a row for all seeds together, which calibrates them; that of each seed keeps its errors alone.

    The answers of several seeds to one image count as answers to as many images; intervals are over patients.
    """
    of_seeds = points[points["network"].isin(titles)]
    every = of_seeds.assign(image=of_seeds["image"] + of_seeds["network"].str.removeprefix(title))
    errors = {name: networks[name] for name in titles}
    for numbers in errors.values():
        for judged in ("confidence", "count", "reliability", "miscounted"):
            numbers.pop(judged, None)
    others = {name: numbers for name, numbers in networks.items() if name not in titles}
    return errors | {title: _numbers(every)} | others


def _cut_off(network: Path, part: Prepared) -> Iterator[pd.DataFrame]:
    """Yield the judgements of a network's answers to images of the five levels cut off, see `cut_off.judged`."""
    part = part.select(part.index["view"].ne("axial").to_numpy())
    for cut in cut_off.CUTS if len(part.images) else ():
        shown = cut_off.cut_off(part, cut)
        if len(shown.images):
            answer = predict_with_probability(network, shown, progress=False)
            yield cut_off.judged(shown, answer).assign(cut=cut)


def _add_cut_off(networks: dict[str, dict[str, Any]], rows: pd.DataFrame, together: dict[str, str]) -> None:
    """Add to each network with a confidence how it answers for images that are cut off.

    Args:
        networks: Name → its numbers; they are changed.
        rows: See `cut_off.judged`, with columns network and cut.
        together: Name of a seed's row → name of the row of all seeds, whose calibration and limits it shares.
    """
    for name, numbers in networks.items():
        judged = networks[together.get(name, name)]
        if "confidence" in judged:
            limit = judged["confidence"]["doubtful_probability"]
            of = rows[rows["network"] == name]
            of = of.assign(unclear=of["unclear"] | doubtful_count(_calibrated_count(of, judged)))
            numbers["cut_off"] = {cut: cut_off.summary(each, limit) for cut, each in of.groupby("cut", sort=False)}


PUBLISHED = ("network", "picture", "contrast", "level", "radial_px", "confidence", "shift", *COUNT)
"""Columns of the published table: no names, no coordinates. Shift and the calibrated probabilities of a miscount are
those of the image, see `lumbar.metrics.level_shifts` and `lumbar.weights.calibration.count_probability`. The first of
several seeds goes by the title alone."""


def _anonymous(points: pd.DataFrame, networks: dict[str, Any], titles: list[str], title: str) -> pd.DataFrame:
    """Return errors and calibrated probabilities without names of patients and files; images are numbered."""
    tables, numbers = [], {}
    for name, table in points.groupby("network", sort=False):
        judged = networks[title if name in titles else name]
        fitted = judged.get("confidence", {"slope": 1.0, "offset": 0.0})
        confidence = calibration.confidence(table["probability"].to_numpy(), fitted["slope"], fitted["offset"])
        names = image_names(table)
        # An image has the same number for every network and seed.
        picture = names.map(numbers := numbers or {each: n for n, each in enumerate(names.unique(), start=1)})
        count = dict(zip(COUNT, _calibrated_count(table, judged).T, strict=True))
        shift = _shifts(table)[names.factorize()[0]]
        told = table.assign(picture=picture, confidence=confidence, shift=shift, **count)
        told["network"] = title if name == titles[0] else name
        tables.append(told[[*PUBLISHED]].round({"radial_px": 2} | dict.fromkeys(("confidence", *COUNT), 4)))
    return pd.concat(tables, ignore_index=True)


def _plot(folder: Path, points: pd.DataFrame, prepared: Prepared, networks: dict[str, dict[str, Any]]) -> None:
    """Plot error against coverage, the share of images answered, and each network's reliability and worst images."""
    most_confident_first = {}
    for name, numbers in networks.items():
        if "reliability" in numbers:
            figures.reliability(numbers["reliability"]).savefig(folder / f"reliability_{_as_file(name)}.png")
    for name, table in points.groupby("network", sort=False):
        by_image = table.groupby(image_names(table), sort=False)
        radial = np.stack([each["radial_px"].to_numpy() for _, each in by_image])
        if table["probability"].notna().any():
            most_confident_first[name] = radial[np.argsort(-by_image["probability"].min().to_numpy(), kind="stable")]
        order = pd.Index(image_names(prepared.index)).get_indexer([name for name, _ in by_image])
        figures.worst_cases(
            prepared.images[order],
            _by_image(table, _TRUE),
            _by_image(table, _PREDICTED),
            channels=row_channels(table).unique().tolist(),
            titles=prepared.index["patient"].to_numpy()[order],
            count=20,
        ).savefig(folder / f"worst_cases_{_as_file(name)}.png")
    if most_confident_first:
        figures.coverage(most_confident_first, miss_px=MISS_PIXELS).savefig(folder / "coverage.png")


def _as_file(network: str) -> str:
    return network.replace(" ", "_").replace("/", "_").replace(",", "")


def _rows(part: Prepared, answer: NetworkAnswer) -> pd.DataFrame:
    """Return the rows of points.csv for one network and fold."""
    errors = metrics.errors(part.points, answer.points, part.mm_per_pixel, part.index["view"], part.channels)
    belonging = np.nonzero(metrics.belongs(part.index["view"], part.channels))
    higher, lower = answer.miscounted[belonging[0]].T
    return points_table(part, answer.points, errors).assign(
        probability=answer.probability[belonging],
        absent=answer.absent[belonging],
        one_higher=higher,
        one_lower=lower,
        unclear=cut_off.unclear(part, answer)[belonging[0]],
    )


def _numbers(table: pd.DataFrame) -> dict[str, Any]:
    """Return a network's errors over all folds, and how well its probabilities predict them."""
    numbers = _errors(table)
    by_contrast = table.groupby("contrast")
    if by_contrast.ngroups > 1:
        numbers["by_contrast"] = {contrast: _errors(each) for contrast, each in by_contrast}
    images = table[~image_names(table).duplicated()]
    images = images.assign(picture=image_names(images), shift=_shifts(table))
    known = table["radial_px"].notna() & table["probability"].notna()
    if known.any():
        of = table[known]
        probability, near = of["probability"].to_numpy(), (of["radial_px"] <= NEAR_PIXELS).to_numpy()
        slope, offset = calibration.fit_platt(probability, near)
        answered = of[~(of["absent"] > 0.5)]
        least = answered.groupby(image_names(answered))["probability"].min()
        limit = float(least.quantile(FLAGGED_SHARE))
        doubted = image_names(of).map(least) <= limit
        misses = of["radial_px"] > MISS_PIXELS
        numbers["confidence"] = {
            "slope": slope,
            "offset": offset,
            "doubtful_probability": limit,
            "flagged_pictures": float((least <= limit).mean()),
            "misses": int(misses.sum()),
            "misses_flagged": float(doubted[misses].mean()) if misses.any() else None,
        }
        after = calibration.confidence(probability, slope, offset)
        numbers["reliability"] = {"point within 5 px": _reliability(probability, after, near)}
        unclear = images["unclear"]
        counted = images[images["shift"].notna() & images["one_higher"].notna()]
        if len(counted):
            before, shifts = counted[COUNT].to_numpy(), counted["shift"].to_numpy()
            numbers["count"] = dict(zip(("slope", "offset"), calibration.fit_count(before, shifts), strict=True))
            images = images.assign(**dict(zip(COUNT, _calibrated_count(images, numbers).T, strict=True)))
            unclear = unclear | doubtful_count(images[COUNT].to_numpy())
            after = _calibrated_count(counted, numbers)
            one_off = np.column_stack([shifts == 1, shifts == -1])
            numbers["reliability"]["count one off"] = _reliability(before.ravel(), after.ravel(), one_off.ravel())
        images = images.assign(flagged=(images["picture"].map(least) <= limit) | unclear)
        off = images.loc[np.abs(images["shift"]) == 1, list(MISCOUNTED)]
        numbers["miscounted"] = off.astype(object).where(off.notna(), None).to_dict("records")
    return numbers


def _errors(table: pd.DataFrame) -> dict[str, Any]:
    """Return a network's errors in numbers."""
    true, predicted = (_by_image(table, columns) for columns in (_TRUE, _PREDICTED))
    images = table[~image_names(table).duplicated()]
    channels = tuple(row_channels(table).unique())
    unknown = np.full((len(images), 2), np.nan)
    errors = metrics.errors(true, predicted, unknown, images["view"].tolist(), channels)
    share = metrics.level_shift_share(true, predicted, channels)
    return metrics.summary(errors, images["patient"].tolist()) | {"level_shift_share": share}


def _shifts(table: pd.DataFrame) -> np.ndarray:
    """Return for each image by how many levels its points are off, see `lumbar.metrics.level_shifts`."""
    return metrics.level_shifts(_by_image(table, _TRUE), _by_image(table, _PREDICTED), row_channels(table).unique())


def _calibrated_count(rows: pd.DataFrame, numbers: dict[str, Any]) -> np.ndarray:
    """Return the calibrated probabilities that images are counted one disc off, (n, 2)."""
    if "count" not in numbers:
        return np.full((len(rows), 2), np.nan)
    return calibration.count_probability(rows[COUNT].to_numpy(float), **numbers["count"])


def _reliability(before: np.ndarray, after: np.ndarray, happened: np.ndarray) -> dict[str, list[dict[str, Any]]]:
    """Return the reliability of probabilities before and after their calibration."""
    return {
        when: calibration.reliability(probability, happened)
        for when, probability in (("before calibration", before), ("after calibration", after))
    }


_TRUE = ["x_256", "y_256"]
_PREDICTED = ["predicted_x_256", "predicted_y_256"]


def _by_image(table: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Return two columns of a table of points as (N images, K points, 2)."""
    per_image = table.groupby(image_names(table), sort=False).size()
    if (per_image != per_image.iloc[0]).any():
        raise SettingsError(
            "a cross-validation cannot measure axial images together with others",
            field="views",
            remedy="run one for --views axial, and another for the other planes",
        )
    return table[columns].to_numpy().reshape(len(per_image), -1, 2)
