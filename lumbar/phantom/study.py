"""Studies of synthetic patients on disk: DICOM series in folders, and one landmark table for all of them.

::

    out/phantom.json                          the settings; they suffice to write the same folder again
    out/landmarks.csv                         written last, so that its presence means "finished"
    out/phantom-7-0001/sagittal-t2/001.dcm    one folder per patient, one per series, one file per slice
    out/phantom-7-0001/landmarks.csv          the rows of this patient

Each patient has its own random numbers, derived from the seed and the patient's number. So the files are the same for
any number of processes, and a large set begins with the patients of a small one.
"""

from __future__ import annotations

import json
import shutil
import time
from functools import partial
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from lumbar.compute.processes import in_parallel
from lumbar.core.errors import DatasetError
from lumbar.core.schema import first_released_names
from lumbar.datasets.phantom_study import RECIPE, TABLE
from lumbar.phantom.anatomy import Patient, draw_patient
from lumbar.phantom.implants import draw_implants
from lumbar.phantom.neck import Neck, draw_neck
from lumbar.phantom.recipe import SERIES, VERSION, PhantomSettings, patient_name, stream
from lumbar.phantom.series import columns, write_localiser, write_series
from lumbar.storage.claims import claim_folder
from lumbar.storage.files import atomic_folder, atomic_write

__all__ = ["PhantomSettings", "write_dataset", "write_study"]

_STALE_AFTER_SECONDS = 3600


def write_dataset(
    out: str | Path, settings: PhantomSettings | None = None, *, workers: int | None = None, progress: bool = True
) -> Path:
    """Write the studies of many patients and their landmark table; the next call resumes an interrupted one.

    Args:
        out: Folder to write to: new, empty, or begun with the same settings.
        settings: Settings of the set; the defaults if left out.
        workers: Number of processes; one per core if left out. The files do not depend on it.
        progress: Whether to show a progress bar.

    Returns:
        `out`, ready for `lumbar.datasets.load`.

    Raises:
        DatasetError: If the folder holds something else, or patients made with other settings.
    """
    out, settings = Path(out), settings or PhantomSettings()
    _claim(out, settings)
    _remove_stale(out)
    names = [patient_name(settings.seed, number) for number in range(1, settings.patients + 1)]
    missing = [number for number, name in enumerate(names, start=1) if not (out / name).is_dir()]
    if not missing and (out / TABLE).is_file():
        return out
    bar = tqdm(total=len(names), initial=len(names) - len(missing), desc="patients", disable=not progress)
    with bar:
        for _ in in_parallel(partial(write_study, out, settings), missing, workers):
            bar.update()
    _gather(out, names, columns(settings))
    return out


def write_study(out: str | Path, settings: PhantomSettings | None = None, number: int = 1) -> Path:
    """Write the study of one patient.

    Args:
        out: Folder that will hold the patient's folder.
        settings: Seed, series and number of slices; the defaults if left out.
        number: Number of the patient in the set, from 1.

    Returns:
        The patient's folder, a data set of its own. A folder that exists already is left as it is.
    """
    settings = settings or PhantomSettings()
    name = patient_name(settings.seed, number)
    folder = Path(out) / name
    if folder.is_dir():
        return folder
    patient, names = _patient(settings, number)
    metal = stream(settings.seed, number, 0, 1)
    implants = None
    if metal.random() < settings.implants and not isinstance(patient, Neck):
        implants = draw_implants(patient, metal)
    with atomic_folder(folder) as begun:
        if settings.localiser and not isinstance(patient, Neck):
            write_localiser(begun, settings, number, patient, implants)
        rows = [row for series in names for row in write_series(begun, settings, number, series, patient, implants)]
        table = pd.DataFrame(rows, columns=list(columns(settings)))
        table = table.round(dict.fromkeys(("x", "y", "x_mm", "y_mm", "z_mm"), 4))
        table.to_csv(begun / TABLE, index=False, lineterminator="\n")
    return folder


def _patient(settings: PhantomSettings, number: int) -> tuple[Patient, list[str]]:
    """Return a patient, who may be scanned at the neck, and the series of the study."""
    rng = stream(settings.seed, number, 0)
    if stream(settings.seed, number, 0, 2).random() < settings.necks:
        return draw_neck(rng), [name for name in settings.series if SERIES[name][1] == "sagittal"]
    kinds = {"anomalies": settings.anomalies, "worn": settings.worn, "unusual_counts": settings.unusual_counts}
    return draw_patient(rng, **kinds), list(settings.series)


def _claim(out: Path, settings: PhantomSettings) -> None:
    """Create the folder for these settings, or check that it was begun with the same ones."""
    recipe, wanted = out / RECIPE, {"version": VERSION, "settings": first_released_names(settings)}
    if not recipe.is_file() and out.is_dir() and any(not entry.name.startswith(".") for entry in out.iterdir()):
        raise DatasetError(
            "the folder is not empty and was not made by this command", file=out, remedy="choose a new folder"
        )
    out.mkdir(parents=True, exist_ok=True)
    other = DatasetError(
        "the folder holds synthetic patients made with other settings",
        file=recipe,
        expected=json.dumps(wanted),
        remedy="choose another folder, or delete this one",
    )
    claim_folder(recipe, wanted, other)


def _remove_stale(out: Path) -> None:
    """Remove half-written patients of a call that died; those of a call that still runs are younger."""
    for folder in out.glob(".phantom-*.tmp"):
        if time.time() - folder.stat().st_mtime > _STALE_AFTER_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _gather(out: Path, names: list[str], header: tuple[str, ...]) -> None:
    """Join the tables of the patients, as text, so that every number stays as it was written."""
    lines = [",".join(header)]
    for name in names:
        rows = (out / name / TABLE).read_text(encoding="utf-8").splitlines()
        lines += [f"{name}/{row}" for row in rows[1:]]
    with atomic_write(out / TABLE) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
