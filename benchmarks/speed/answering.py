"""Processor time, memory and wall time of whole commands that find points, beside Keras and an earlier version."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.speed.figure import Figure
from benchmarks.speed.plan import Plan, log
from benchmarks.speed.side import REPOSITORY

OWN, KERAS, BEFORE = "lumbar", "with --engine keras", "the version before"
UNITS = {"processor time": "s", "wall time": "s", "peak memory": "MB"}
MANY = 500
"""DICOM files of the command that predicts many."""


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield the rows of the table: each command in turns with each engine, and with an earlier version if given."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands = _commands(folder, 3 if plan.quick else MANY)
        for what, command in commands.items():
            sides = {OWN: (command, REPOSITORY), KERAS: ([*command, "--engine", "keras"], REPOSITORY)}
            if plan.before:
                sides[BEFORE] = (command, plan.before)
            # A command of many seconds needs fewer turns than one of two.
            rounds = 1 if plan.quick else max(3, plan.rounds // 3) if command[1] == "many" else plan.rounds
            found = {side: [] for side in sides}
            for _ in range(rounds):
                for side, (words, source) in sides.items():
                    found[side].append(_run(words, source, folder))
            for number, (measured, unit) in enumerate(UNITS.items()):
                values = {side: tuple(each[number] for each in turns) for side, turns in found.items()}
                log(f"{what}: {measured} {sorted(values[OWN])[rounds // 2]:.2f} {unit}")
                for side in [each for each in sides if each != OWN]:
                    yield Figure(
                        f"{what}: {measured}",
                        unit,
                        values[OWN],
                        beside=side,
                        others=values[side],
                        more_is_better=False,
                        limit="importing NumPy, pandas, pydicom and OpenCV"
                        if "processor" in measured and command[1] != "many"
                        else "",
                    )


def _commands(folder: Path, many: int) -> dict[str, list[str]]:
    """Write synthetic patients, and return the commands that find their points."""
    import cv2

    from lumbar import imaging
    from lumbar.phantom import PhantomSettings, write_dataset

    write_dataset(folder / "many", PhantomSettings(patients=many, series=("sagittal-t2",)), progress=False)
    study = write_dataset(folder / "study", PhantomSettings(patients=1, slices=9), progress=False)
    one = next((folder / "many").rglob("*.dcm"))
    pixels = imaging.read(one).pixels.astype(float)
    cv2.imwrite(str(folder / "one.png"), (pixels / pixels.max() * 255).astype("uint8"))
    (patient,) = (each for each in study.iterdir() if each.is_dir())
    return {
        "predict one DICOM file": ["predict", str(one)],
        "predict one PNG": ["predict", "one.png"],
        f"predict {many} DICOM files": ["predict", "many"],
        "locate in a study": ["locate", str(patient), "--out", "located"],
    }


def _run(words: list[str], source: Path, folder: Path) -> tuple[float, float, float]:
    """Return processor seconds, wall seconds and peak megabytes of a command."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "lumbar", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(source), "LUMBAR_HOME": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise RuntimeError(f"lumbar {' '.join(words)} of {source} failed")
    return used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024
