"""The data of a training: the prepared images of each part of the split, and a fingerprint of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lumbar import phantom, splits
from lumbar.core import paths
from lumbar.core.constants import NEIGHBOURS, PARTS
from lumbar.core.digests import digest_of
from lumbar.core.errors import RunError
from lumbar.datasets.phantom_study import TABLE
from lumbar.datasets.preparation import load_prepared
from lumbar.phantom.recipe import SERIES
from lumbar.preprocess import Prepared, PreprocessSettings, concatenate
from lumbar.runs.settings import TrainingSettings


def prepared_parts(settings: TrainingSettings, *, progress: bool = True) -> dict[str, Prepared]:
    """Return the images and points of each part of the split, the same whenever the settings are the same.

    Args:
        settings: Settings of the training; data, patients, extra, folds, views, resize, absent and seed matter here.
        progress: Show progress bars.

    Returns:
        "train", "validation" and "test" → Prepared. They have channels for the neighbouring discs if the network is to
        learn what is absent, and an image to train it states where such a disc is.

    Raises:
        LumbarError: If the data cannot be read or are too few to split.
    """

    def prepared(folder: Path) -> Prepared:
        how = PreprocessSettings(resize=settings.resize)
        return load_prepared(folder, how, views=settings.views, neighbours=settings.absent, progress=progress)[1]

    own = prepared(_data_folder(settings, progress))
    if settings.folds == 1:
        part_of = splits.split(own.index, seed=settings.seed)
    else:
        part_of = splits.fold(own.index, settings.folds, settings.fold, seed=settings.seed)
    where = own.index["patient"].map(part_of)
    extra = [prepared(folder) for folder in settings.extra]
    people = [own.people.assign(part=where), *(more.people.assign(part="train") for more in extra)]
    splits.check_people(pd.concat(people, ignore_index=True))
    parts = {part: own.select((where == part).to_numpy()) for part in PARTS}
    parts["train"] = concatenate([parts["train"], *extra])
    beside = np.isin(parts["train"].channels, NEIGHBOURS)
    if np.isfinite(parts["train"].points[:, beside]).any():
        return parts
    return {name: part.without_neighbours() for name, part in parts.items()}


def _data_folder(settings: TrainingSettings, progress: bool) -> Path:
    if settings.data is not None:
        return settings.data
    wanted = phantom.PhantomSettings(patients=settings.patients, seed=settings.patients_seed)
    whole = paths.data() / f"phantom-{settings.patients}-{settings.patients_seed}"
    series = tuple(name for name, (_, view) in SERIES.items() if view in settings.views)
    if series == wanted.series or (whole / TABLE).is_file():
        return phantom.write_dataset(whole, wanted, progress=progress)
    # The images of the other views would not be read, and take most of the time.
    part = whole.with_name(f"{whole.name}-{'-'.join(settings.views)}")
    return phantom.write_dataset(part, replace(wanted, series=series), progress=progress)


def index_of(parts: dict[str, Prepared]) -> pd.DataFrame:
    """Return one row for each image, with its patient, source, part and picture (see `Prepared.people`)."""
    return pd.concat([prepared.people.assign(part=part) for part, prepared in parts.items()], ignore_index=True)


def fingerprint(parts: dict[str, Prepared]) -> str:
    """Return a fingerprint that changes with any pixel and any point of the prepared parts."""

    def pieces() -> Iterator[Any]:
        for prepared in parts.values():
            yield from map(np.ascontiguousarray, prepared.images)  # all of them together may be too large for memory
            yield prepared.points.tobytes()
            if prepared.absent is not None and prepared.absent.any():
                yield prepared.absent.tobytes()

    return digest_of(pieces())


def check_unchanged(run: Path, config: dict[str, Any], found: str, *, problem: str, remedy: str) -> None:
    """Make sure that the data are those that a run was trained on.

    Args:
        run: The run's folder.
        config: Its configuration.
        found: Fingerprint of the data as they are now.
        problem: What the error says if the data have changed.
        remedy: What the user can then do.

    Raises:
        RunError: If they are not; see also `check_preparation`.
    """
    check_preparation(run, config, found)
    recorded = config["data"]["fingerprint"]
    if found != recorded:
        raise RunError(problem, file=run, field="fingerprint", found=found, expected=recorded, remedy=remedy)


def check_preparation(run: Path, config: dict[str, Any], found: str) -> None:
    """Make sure that a run of an earlier release was trained on the same images as they are prepared now.

    Args:
        run: The run's folder.
        config: Its configuration.
        found: Fingerprint of the data as they are prepared now.

    Raises:
        RunError: If it was trained on mirrored or turned images, which are turned upright now.
    """
    recorded = config["data"]["fingerprint"]
    if found != recorded and prepared_otherwise(config):
        raise RunError(
            "this run was trained on images as they were stored; now they are turned upright and freed of padding",
            file=run,
            field="fingerprint",
            found=found,
            expected=recorded,
            remedy="train again under another name; the earlier run stays as it is and still answers `predict`",
        )


def prepared_otherwise(config: dict[str, Any]) -> bool:
    """Return whether a run's images were prepared by version 1 of `lumbar.preprocess`: turned ones as stored."""
    return config["data"].get("preparation", 1) == 1
