"""The settings of a set of synthetic patients, and a separate stream of random numbers for each of its parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lumbar.core.errors import SettingsError
from lumbar.core.schema import setting

VERSION = 2
"""Raised whenever a change makes the same settings give different files."""

SERIES = {
    "sagittal-t1": ("Sagittal T1", "sagittal"),
    "sagittal-t2": ("Sagittal T2/STIR", "sagittal"),
    "coronal-t2": ("Coronal T2", "coronal"),
    "axial-t2": ("Axial T2", "axial"),
}
"""Available series: name of the folder → (series description as in RSNA 2024, view)."""


@dataclass(frozen=True)
class PhantomSettings:
    """Settings of a set of synthetic patients. The defaults give a small teaching set."""

    patients: int = setting(100, "number of synthetic patients", at_least=1)
    seed: int = setting(7, "seed of the random numbers; another seed gives other patients", at_least=0)
    series: tuple[str, ...] = setting(tuple(SERIES), "series of each study", choices=tuple(SERIES))
    slices: int = setting(1, "slices of a sagittal series, an odd number; the points lie in the middle one", at_least=1)
    anomalies: bool = setting(True, "whether slips, fractures, hernias, transitional vertebrae and the like may occur")
    stir_share: float = setting(0.2, "share of STIR among the series sagittal-t2, 0 to 1", at_least=0, at_most=1)
    random_contrast: float = setting(
        0.0, "share of series with a contrast that no scanner produces, 0 to 1", at_least=0, at_most=1
    )

    worn: float = setting(
        0.0,
        "share of patients with a badly worn lower spine, as those have whose pain leads to a scan, 0 to 1",
        at_least=0,
        at_most=1,
        added=True,
    )

    implants: float = setting(
        0.0,
        "share of patients with metal cages between two discs, which leave black holes in the image, 0 to 1",
        at_least=0,
        at_most=1,
        added=True,
    )

    unusual_counts: float | None = setting(
        None,
        "share of patients with four or six lumbar vertebrae, half of them each, 0 to 1 (default: as many as people "
        "have, 4.1 % with four and 5.8 % with six)",
        at_least=0,
        at_most=1,
        added=True,
    )

    localiser: bool = setting(
        False,
        "whether each study has a localiser: coarse slices of a large field of view in three planes, with which an "
        "operator plans the series; it has no points",
        added=True,
    )

    necks: float = setting(
        0.0,
        "share of patients of whom the neck is scanned in place of the lumbar spine, in the sagittal series alone, so "
        "that every level is absent, 0 to 1",
        at_least=0,
        at_most=1,
        added=True,
    )

    neighbours: bool = setting(
        False, "whether the table also lists T12/L1 and S1/S2, for networks that count the levels by them", added=True
    )

    field_of_view: float = setting(
        0.0,
        "share of sagittal and coronal series with any field of view between T8 and the coccyx, 0 to 1; the table then "
        "has a column absent, 1 for a point outside the image",
        at_least=0,
        at_most=1,
        added=True,
    )

    def __post_init__(self):
        if len(set(self.series)) < max(len(self.series), 1):
            raise SettingsError("name at least one series, and each only once", field="series", found=self.series)
        if self.slices % 2 == 0:
            raise SettingsError(
                "the number of slices must be odd, because the middle one is the mid-sagittal slice",
                field="slices",
                found=self.slices,
            )


def patient_name(seed: int, number: int) -> str:
    """Return the name of a patient and of its folder.

    Args:
        seed: Seed of the set.
        number: Number of the patient in the set, from 1.
    """
    return f"phantom-{seed}-{number:04d}"


def stream(seed: int, *key: int) -> np.random.Generator:
    """Return the random numbers of one patient, series or slice; they do not depend on what else is made.

    Args:
        seed: Seed of the set.
        *key: Number of the patient; then 0 for the anatomy or the number of the series; then that of the slice.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
