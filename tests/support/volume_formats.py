"""Synthetic patients in the layouts of sets of volumes, for `tests.stress.formats`."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lumbar.core.constants import LEVELS
from lumbar.phantom.anatomy import draw_patient
from tests.support.volume_files import CANAL, block_of, spider_mask, write

PATIENTS = 12
FIRST_VERTEBRA, FIRST_DISC = 20, 21
"""Labels of L1 in VerSe and of L1/L2 among disc labels."""


def volumes() -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Of each patient number, signal, SPIDER mask, the five points as voxels (5, 3), and where the grid lies."""
    for number in range(1, PATIENTS + 1):
        patient = draw_patient(np.random.default_rng(number), anomalies=False)
        shape, origin, steps = block_of(patient)
        mask = spider_mask(patient, shape, origin, steps)
        noise = np.random.default_rng(number).normal(20, 5, shape)
        signal = (noise + 900 * (mask == CANAL) + 300 * (mask > CANAL) + 500 * (mask > 0)).clip(0).astype(np.int16)
        marked = patient.landmarks_mm("sagittal")
        points_mm = np.array([marked[level, ""] for level in LEVELS])
        yield number, signal, mask, (points_mm - origin) @ np.linalg.inv(steps), origin, steps


def write_spider(_: Path, folder: Path) -> None:
    for number, signal, mask, _, origin, steps in volumes():
        write(folder / "images" / f"{number}_t2.mha", signal, origin, steps)
        write(folder / "masks" / f"{number}_t2.mha", mask, origin, steps)


def write_verse(_: Path, folder: Path) -> None:
    """Centroids between which the first four points lie; L5/S1 is not marked in this set."""
    for number, signal, _, points, origin, steps in volumes():
        centroids = [points[0] - (points[1] - points[0]) / 2]
        for point in points[:4]:
            centroids.append(2 * point - centroids[-1])
        entries = [{"direction": ["R", "I", "P"]}]
        for label, (across, row, column) in enumerate(centroids, start=FIRST_VERTEBRA):
            entries.append({"label": label, "X": len(signal) - 1 - across, "Y": row, "Z": column})
        name = f"sub-verse{number:03d}"
        write(folder / "rawdata" / name / f"{name}_ct.nii.gz", signal, origin, steps)
        file = folder / "derivatives" / name / f"{name}_seg-subreg_ctd.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(entries))


def write_disc_labels(_: Path, folder: Path) -> None:
    for number, signal, mask, points, origin, steps in volumes():
        labels = np.zeros_like(mask)
        for label, voxel in enumerate(points.round().astype(int), start=FIRST_DISC):
            labels[tuple(voxel)] = label
        write(folder / f"sub-{number:02d}_T2w.nii.gz", signal, origin, steps)
        write(folder / f"sub-{number:02d}_T2w_labels-disc.nii.gz", labels, origin, steps)
