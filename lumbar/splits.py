"""Splits by patient: pictures of one person never stand on both sides of a comparison."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from lumbar.core.constants import PARTS
from lumbar.core.errors import TableError


def split(table: pd.DataFrame, fractions: tuple[float, float, float] = (0.7, 0.15, 0.15), seed: int = 0) -> pd.Series:
    """Send every PATIENT to one part; pictures of one person never meet on both sides.

    Patients are shuffled by a hash of the seed and their name, source by source, and cut at the fractions: the same
    seed gives the same split on any machine, whatever the order of the rows, and each source is shared out alike.

    Args:
        table: Landmark table (columns patient and source are used).
        fractions: Shares of train, validation and test; positive, adding up to 1.
        seed: Another seed, another split.

    Returns:
        Series of "train", "validation" or "test", indexed by patient, sorted by patient.

    Raises:
        ValueError: If the fractions are not three non-negative numbers adding up to 1.
        TableError: If a source is too small to give each wanted part a patient, or a patient has several sources.
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions must be three numbers from 0 that add up to 1, got {fractions}")
    people = table[["patient", "source"]].drop_duplicates()
    if people["patient"].duplicated().any():
        who = people.loc[people["patient"].duplicated(), "patient"].iloc[0]
        raise TableError("a patient appears in several sources", field="patient", found=who)
    parts: dict[str, str] = {}
    for source, group in people.groupby("source"):
        order = _shuffled(group["patient"], seed)
        counts = _share_out(len(order), fractions)
        if any(count == 0 < fraction for count, fraction in zip(counts, fractions, strict=True)):
            raise TableError(
                f"source {source!r} has too few patients to split by patient",
                field="patient",
                found=len(order),
                expected=f"enough for {counts} to leave no part empty",
                remedy="use more patients, or fewer parts (a fraction of 0)",
            )
        parts |= dict(zip(order, np.repeat(PARTS, counts).tolist(), strict=True))
    return pd.Series(parts, name="part").rename_axis("patient").sort_index()


def fold(table: pd.DataFrame, folds: int, number: int, seed: int = 0) -> pd.Series:
    """Send every PATIENT to one part of a cross-validation: each stands in the test part of one fold.

    Of the patients of the other folds every eighth validates. Patients are shuffled as in `split`, source by source.

    Args:
        table: Landmark table (columns patient and source are used).
        folds: How many.
        number: Which one is tested, from 1 to `folds`.
        seed: Another seed, other folds.

    Returns:
        Series of "train", "validation" or "test", indexed by patient, sorted by patient.

    Raises:
        TableError: If there are too few patients to leave no part empty.
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
    """By a hash of seed and name, so that the order is the same on any machine."""
    return sorted(patients, key=lambda patient: hashlib.sha256(f"{seed}/{patient}".encode()).digest())


def check_split(patients: list[str], parts: list[str]) -> None:
    """Make sure that no patient stands in two parts.

    Args:
        patients: Who each picture shows.
        parts: The part each picture is in, of the same length.

    Raises:
        TableError: Naming a patient who leaks from one part into another.
    """
    counts = pd.DataFrame({"patient": patients, "part": parts}).drop_duplicates()
    leaks = counts.loc[counts["patient"].duplicated(keep=False)]
    if len(leaks):
        who = leaks["patient"].iloc[0]
        raise TableError(
            f"{leaks['patient'].nunique()} patient(s) stand in more than one part of the split",
            field="patient",
            found=f"{who} in {' and '.join(sorted(leaks.loc[leaks['patient'] == who, 'part']))}",
            remedy="split by patient (lumbar.splits.split), not by picture",
        )


def _share_out(total: int, fractions: tuple[float, float, float]) -> list[int]:
    """Whole numbers that add up to `total`; parts that want a share but would round to nothing get one patient."""
    validation, test = (max(round(total * fraction), int(fraction > 0)) for fraction in fractions[1:])
    return [max(total - validation - test, 0), validation, test] if fractions[0] else [0, total - test, test]
