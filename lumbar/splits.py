"""Splits by patient: images of one person are never in two parts, such as training and test."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from lumbar.core.constants import PARTS
from lumbar.core.errors import TableError


def split(table: pd.DataFrame, fractions: tuple[float, float, float] = (0.7, 0.15, 0.15), seed: int = 0) -> pd.Series:
    """Assign every PATIENT to one part, so that images of one person are never in two parts.

    The patients of each source are shuffled by a hash of the seed and their name, and divided by the fractions. The
    same seed gives the same split on any machine, whatever the order of the rows, and the fractions hold in each
    source.

    Args:
        table: Landmark table (the columns patient and source are used).
        fractions: Fractions of train, validation and test: non-negative, adding up to 1.
        seed: Seed of the shuffle.

    Returns:
        Series of "train", "validation" or "test", indexed by patient, sorted by patient.

    Raises:
        ValueError: If the fractions are not three non-negative numbers adding up to 1.
        TableError: If a source has too few patients to fill every part with a positive fraction, or a patient has
            several sources.
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions must be three non-negative numbers that add up to 1, got {fractions}")
    people = table[["patient", "source"]].drop_duplicates()
    if people["patient"].duplicated().any():
        who = people.loc[people["patient"].duplicated(), "patient"].iloc[0]
        raise TableError("a patient appears in several sources", field="patient", found=who)
    parts: dict[str, str] = {}
    for source, group in people.groupby("source"):
        order = _shuffled(group["patient"], seed)
        counts = _counts(len(order), fractions)
        if any(count == 0 < fraction for count, fraction in zip(counts, fractions, strict=True)):
            raise TableError(
                f"source {source!r} has too few patients to split by patient",
                field="patient",
                found=len(order),
                expected=f"at least one patient in each part, not {counts}",
                remedy="use more patients, or fewer parts (a fraction of 0)",
            )
        parts |= dict(zip(order, np.repeat(PARTS, counts).tolist(), strict=True))
    return pd.Series(parts, name="part").rename_axis("patient").sort_index()


def fold(table: pd.DataFrame, folds: int, number: int, seed: int = 0) -> pd.Series:
    """Assign every PATIENT to one part for one fold of a cross-validation.

    Each patient is in the test part of exactly one fold. Of the patients of the other folds, every eighth is in the
    validation part. The patients of each source are shuffled as in `split`.

    Args:
        table: Landmark table (the columns patient and source are used).
        folds: Number of folds.
        number: The fold to test on, from 1 to `folds`.
        seed: Seed of the shuffle.

    Returns:
        Series of "train", "validation" or "test", indexed by patient, sorted by patient.

    Raises:
        TableError: If there are too few patients to fill every part.
    """
    parts: dict[str, str] = {}
    for _, group in table[["patient", "source"]].drop_duplicates().groupby("source"):
        order = np.array(_shuffled(group["patient"], seed))
        tested = np.arange(len(order)) % folds == number - 1
        others = order[~tested]
        validates = np.arange(len(others)) % 8 == 0
        parts |= dict.fromkeys(order[tested].tolist(), "test") | dict.fromkeys(others[validates].tolist(), "validation")
        parts |= dict.fromkeys(others[~validates].tolist(), "train")
    if set(parts.values()) != set(PARTS):
        raise TableError(
            "there are too few patients for so many folds", field="folds", found=f"{len(parts)} patients, {folds} folds"
        )
    return pd.Series(parts, name="part").rename_axis("patient").sort_index()


def _shuffled(patients: pd.Series, seed: int) -> list[str]:
    """Order patients by a hash of seed and name, which is the same on any machine."""
    return sorted(patients, key=lambda patient: hashlib.sha256(f"{seed}/{patient}".encode()).digest())


def check_split(patients: Sequence[str], parts: Sequence[str]) -> None:
    """Check that no patient is in two parts.

    Args:
        patients: The patient of each image.
        parts: The part of each image; same length.

    Raises:
        TableError: If a patient is in several parts; the message names the first.
    """
    people = pd.DataFrame({"patient": patients, "part": parts})
    _refuse_leaks(people, ["patient"], "split by patient (lumbar.splits.split), not by image")


def check_people(people: pd.DataFrame) -> None:
    """Check that no patient is in two parts, where the parts come from several data sets.

    A name that a table states is the same patient in every data set. A name that a reader took from a file is the same
    patient only within its source. If the image is the same too, one data set is a copy of the other.

    Args:
        people: One row an image, with the columns patient, source and part; and picture, as `Prepared.people` returns
            it. Where picture is missing, as in runs of earlier releases, names are compared whatever their source.

    Raises:
        TableError: If a patient is in several parts; the message names the first.
    """
    known = "picture" in people and people["picture"].notna().all()
    for same in (["patient", "source"], ["patient", "picture"]) if known else (["patient"],):
        _refuse_leaks(
            people,
            same,
            "leave these patients out of one of the data sets; if they are different people, add a column `patient` "
            "(or `source`) to the tables that tells them apart",
        )


def _refuse_leaks(people: pd.DataFrame, same: list[str], remedy: str) -> None:
    """Raise an error if rows with the same values in the columns `same` are in several parts."""
    once = people[[*same, "part"]].drop_duplicates()
    leaks = once[once.duplicated(same, keep=False)]
    if len(leaks):
        first = leaks[(leaks[same] == leaks[same].iloc[0]).all(axis=1)]
        raise TableError(
            f"{len(leaks[same].drop_duplicates())} patient(s) are in more than one part of the split",
            field="patient",
            found=f"{first['patient'].iloc[0]} in {' and '.join(sorted(first['part']))}",
            remedy=remedy,
        )


def _counts(total: int, fractions: tuple[float, float, float]) -> list[int]:
    """Divide `total` patients by the fractions; a positive fraction that rounds to zero gives one patient."""
    validation, test = (max(round(total * fraction), int(fraction > 0)) for fraction in fractions[1:])
    return [max(total - validation - test, 0), validation, test] if fractions[0] else [0, total - test, test]
