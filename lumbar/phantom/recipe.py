"""What a set of synthetic patients is made from: the settings, and random numbers that belong to one thing each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lumbar.core.errors import SettingsError
from lumbar.core.settings import setting

VERSION = 2
"""Raised whenever the same settings give other files than before."""

SERIES = {
    "sagittal-t1": ("Sagittal T1", "sagittal"),
    "sagittal-t2": ("Sagittal T2/STIR", "sagittal"),
    "coronal-t2": ("Coronal T2", "coronal"),
    "axial-t2": ("Axial T2", "axial"),
}
"""Series that can be written: name of the folder → (series description as in RSNA 2024, view)."""


@dataclass(frozen=True)
class PhantomSettings:
    """What to make. The defaults are a small teaching set."""

    patients: int = setting(100, "number of synthetic patients", at_least=1)
    seed: int = setting(7, "another seed, other patients", at_least=0)
    series: tuple[str, ...] = setting(tuple(SERIES), "series of each study", choices=tuple(SERIES))
    slices: int = setting(1, "slices of a sagittal series, an odd number; the middle one has the points", at_least=1)
    anomalies: bool = setting(True, "whether slips, fractures, hernias, transitional vertebrae and the like may occur")
    stir_share: float = setting(0.2, "share of STIR among the series sagittal-t2, 0 to 1", at_least=0, at_most=1)
    random_contrast: float = setting(
        0.0, "share of series with a contrast no scanner makes, 0 to 1", at_least=0, at_most=1
    )

    def __post_init__(self):
        if len(set(self.series)) < max(len(self.series), 1):
            raise SettingsError("each series can be written once, and one at least", field="series", found=self.series)
        if self.slices % 2 == 0:
            raise SettingsError(
                "the number of slices must be odd: the middle one is the mid-sagittal",
                field="slices",
                found=self.slices,
            )


def patient_name(seed: int, number: int) -> str:
    """What a patient and its folder are called."""
    return f"phantom-{seed}-{number:04d}"


def stream(seed: int, *key: int) -> np.random.Generator:
    """Random numbers that belong to one patient, series or slice, whatever else is made."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
