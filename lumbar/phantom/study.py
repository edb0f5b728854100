"""Studies of synthetic patients on disk: DICOM series in folders, and one landmark table over all of them.

::

    out/phantom.json                                    the settings; a folder is made again from them alone
    out/landmarks.csv                                   written last, so that its presence means "finished"
    out/phantom-7-0001/sagittal-t2/001.dcm              one folder a patient, one a series, one file a slice
    out/phantom-7-0001/landmarks.csv                    this patient's rows

Each patient has random numbers of its own, derived from the seed and the patient's number: the files are the same for
any number of processes, and the first patients of a large set are those of a small one.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from lumbar.datasets.phantom_study import RECIPE, TABLE
from lumbar.errors import DatasetError, SettingsError
from lumbar.landmarks import SCHEMA, SIDES
from lumbar.parallel import in_parallel
from lumbar.phantom import dicom, planning
from lumbar.phantom.anatomy import Patient, draw_patient
from lumbar.phantom.contrast import draw_contrast
from lumbar.phantom.planning import Cut
from lumbar.phantom.render import render
from lumbar.settings import setting, to_dict, write_json

VERSION = 1
"""Raised whenever the same settings give other files than before."""

SERIES = {
    "sagittal-t1": ("Sagittal T1", "sagittal"),
    "sagittal-t2": ("Sagittal T2/STIR", "sagittal"),
    "coronal-t2": ("Coronal T2", "coronal"),
    "axial-t2": ("Axial T2", "axial"),
}
"""Series that can be written: name of the folder → (series description as in RSNA 2024, view)."""

COLUMNS = (
    *SCHEMA.columns,
    *("study", "series", "instance", "x_mm", "y_mm", "z_mm", "lumbar_vertebrae", "findings"),
)
"""Columns of the table: those of every landmark table; where the slice is found in its study; the point in patient mm
(LPS), also where it falls outside of the picture; what is particular about the patient."""

_STALE_AFTER_SECONDS = 3600


@dataclass(frozen=True)
class PhantomSettings:
    """What to make. The defaults are a small teaching set."""

    patients: int = setting(100, "number of synthetic patients", at_least=1)
    seed: int = setting(7, "another seed, other patients", at_least=0)
    series: tuple[str, ...] = setting(tuple(SERIES), "series of each study", choices=tuple(SERIES))
    slices: int = setting(1, "slices of a sagittal series, an odd number; the middle one has the points", at_least=1)
    anomalies: bool = setting(True, "whether slips, fractures, hernias, transitional vertebrae and the like may occur")
    stir_share: float = setting(0.2, "share of STIR among the series sagittal-t2, 0 to 1", at_least=0)
    random_contrast: float = setting(0.0, "share of series with a contrast no scanner makes, 0 to 1", at_least=0)

    def __post_init__(self):
        if self.slices % 2 == 0:
            raise SettingsError(
                "the number of slices must be odd: the middle one is the mid-sagittal",
                field="slices",
                found=self.slices,
            )


def write_dataset(
    out: str | Path, settings: PhantomSettings | None = None, *, workers: int | None = None, progress: bool = True
) -> Path:
    """Write studies and landmark table of many patients; an interrupted call is resumed by the next.

    Args:
        out: Folder for them: new, empty, or begun with the same settings.
        settings: What to make.
        workers: Processes; one a core if left out. The files do not depend on it.
        progress: Whether to show a progress bar.

    Returns:
        `out`, ready for `lumbar.datasets.load`.

    Raises:
        DatasetError: If the folder holds something else, or patients of other settings.
    """
    out, settings = Path(out), settings or PhantomSettings()
    _claim(out, settings)
    names = [patient_name(settings.seed, number) for number in range(1, settings.patients + 1)]
    missing = [number for number, name in enumerate(names, start=1) if not (out / name).is_dir()]
    if not missing and (out / TABLE).is_file():
        return out
    _remove_stale(out)
    bar = tqdm(total=len(names), initial=len(names) - len(missing), desc="patients", disable=not progress)
    with bar:
        for _ in in_parallel(partial(write_study, out, settings), missing, workers):
            bar.update()
    _gather(out, names)
    return out


def write_study(out: str | Path, settings: PhantomSettings | None = None, number: int = 1) -> Path:
    """Write one patient's study.

    Args:
        out: Folder in which the patient's folder is made.
        settings: Which series, how many slices, which seed.
        number: Which patient of that seed, from 1.

    Returns:
        The patient's folder, a data set of its own. If it is there already, it is left as it is.
    """
    settings = settings or PhantomSettings()
    name = patient_name(settings.seed, number)
    folder = Path(out) / name
    if folder.is_dir():
        return folder
    temporary = folder.with_name(f".{name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    patient = draw_patient(_stream(settings.seed, number, 0), anomalies=settings.anomalies)
    rows = [row for series in settings.series for row in _write_series(temporary, settings, number, series, patient)]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).round({"x": 4, "y": 4, "x_mm": 4, "y_mm": 4, "z_mm": 4})
    table.to_csv(temporary / TABLE, index=False, lineterminator="\n")
    try:
        temporary.rename(folder)
    except OSError:  # another process has just written the same patient
        if not folder.is_dir():
            raise
        shutil.rmtree(temporary)
    return folder


def patient_name(seed: int, number: int) -> str:
    """What a patient and its folder are called."""
    return f"phantom-{seed}-{number:04d}"


def _write_series(
    folder: Path, settings: PhantomSettings, number: int, series: str, patient: Patient
) -> Iterator[dict[str, Any]]:
    """Write one series and give its rows of the table."""
    description, view = SERIES[series]
    order = 1 + list(SERIES).index(series)
    rng = _stream(settings.seed, number, order)
    contrast_name = _contrast_name(series, settings, rng)
    contrast, gain = draw_contrast(contrast_name, rng), rng.uniform(1.5, 3.0)
    cuts = (
        planning.sagittal(patient, rng, settings.slices)
        if view == "sagittal"
        else getattr(planning, view)(patient, rng)
    )
    name = patient_name(settings.seed, number)
    study = dicom.uid(VERSION, *(value for key, value in to_dict(settings).items() if key != "patients"), name)
    header = _header(name, study, number, patient) | dicom.acquisition(contrast_name)
    header |= {"SeriesInstanceUID": dicom.uid(study, series), "SeriesNumber": order, "SeriesDescription": description}
    (folder / series).mkdir()
    for instance, cut in enumerate(cuts, start=1):
        image = f"{series}/{instance:03d}.dcm"
        signal_rng = _stream(settings.seed, number, order, instance)
        picture = render(patient, cut.plane, cut.width, cut.height, contrast, signal_rng, thickness=cut.thickness)
        pixels = np.clip(np.rint(picture * gain), 0, 2**dicom.BITS - 1).astype(np.uint16)
        own = {"SOPInstanceUID": dicom.uid(study, series, instance), "InstanceNumber": instance}
        dicom.write_slice(folder / image, pixels, cut, header | own)
        common = {"image": image, "patient": name, "source": "phantom", "view": view, "contrast": contrast_name}
        place = {"study": study, "series": description, "instance": instance}
        about = {"lumbar_vertebrae": patient.lumbar_vertebrae, "findings": "; ".join(patient.findings)}
        for row in _points(cut, view, patient):
            yield common | row | place | about


def _contrast_name(series: str, settings: PhantomSettings, rng: np.random.Generator) -> str:
    odd, stir = rng.random(2) < (settings.random_contrast, settings.stir_share)
    if odd:
        return "random"
    return "T1" if series == "sagittal-t1" else "STIR" if series == "sagittal-t2" and stir else "T2"


def _header(name: str, study: str, number: int, patient: Patient) -> dict[str, Any]:
    return {
        "PatientID": name,
        "PatientName": name.replace("-", "^", 1),
        "PatientSex": "M" if patient.person.male else "F",
        "PatientAge": f"{int(patient.person.age):03d}Y",
        "StudyInstanceUID": study,
        "StudyID": str(number),
        "StudyDescription": "Lumbar spine, synthetic",
        "FrameOfReferenceUID": dicom.uid(study, "frame of reference"),
    }


def _points(cut: Cut, view: str, patient: Patient) -> Iterator[dict[str, Any]]:
    """Rows for a slice's landmarks; x and y are NaN for a point that lies outside of the picture."""
    known = patient.landmarks_mm(view)
    for level in cut.levels:
        for side in SIDES if view == "axial" else ("",):
            xyz = known.get((level, side), np.full(3, np.nan))
            x, y = cut.plane.to_pixels(xyz)
            if not (-0.5 <= x <= cut.width - 0.5 and -0.5 <= y <= cut.height - 0.5):
                x = y = np.nan
            yield {
                **{"level": level, "side": side, "x": x, "y": y, "width": cut.width, "height": cut.height},
                **{"pixel_width": cut.plane.pixel_width, "pixel_height": cut.plane.pixel_height},
                **dict(zip(("x_mm", "y_mm", "z_mm"), xyz, strict=True)),
            }


def _stream(seed: int, *key: int) -> np.random.Generator:
    """Random numbers that belong to one patient, series or slice, whatever else is made."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _claim(out: Path, settings: PhantomSettings) -> None:
    """Make the folder ours, or make sure that it was begun with the same settings."""
    recipe, wanted = out / RECIPE, {"version": VERSION, "settings": to_dict(settings)}
    if recipe.is_file():
        try:
            found = json.loads(recipe.read_text(encoding="utf-8"))
        except ValueError:
            found = "unreadable"
        if found != wanted:
            raise DatasetError(
                "the folder holds synthetic patients of other settings",
                file=recipe,
                found=json.dumps(found),
                expected=json.dumps(wanted),
                remedy="choose another folder, or delete this one",
            )
    elif out.is_dir() and any(not entry.name.startswith(".") for entry in out.iterdir()):
        raise DatasetError(
            "the folder is not empty and was not made by this command", file=out, remedy="choose a new folder"
        )
    else:
        out.mkdir(parents=True, exist_ok=True)
        write_json(recipe, wanted)


def _remove_stale(out: Path) -> None:
    """Remove half-written patients of a call that died; those of a call at work just now are younger."""
    for folder in out.glob(".phantom-*.tmp"):
        if time.time() - folder.stat().st_mtime > _STALE_AFTER_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _gather(out: Path, names: list[str]) -> None:
    """Join the patients' tables; done as text, so that every number stays as it was written."""
    lines = [",".join(COLUMNS)]
    for name in names:
        rows = (out / name / TABLE).read_text(encoding="utf-8").splitlines()
        lines += [f"{name}/{row}" for row in rows[1:]]
    temporary = out / f".{TABLE}.{os.getpid()}.tmp"
    temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    temporary.replace(out / TABLE)
