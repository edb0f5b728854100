"""How fast the rooms are on this machine: ``python benchmarks/speed.py``. Prints a table and writes speed.json.

Run it on an otherwise idle machine. Ratios within one run travel from machine to machine; the absolute figures do not.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from lumbar.files import write_json
from lumbar.memory import keep_freed_memory

REPEATS = 5


def median_seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    work()  # the first time pays for imports and compilation
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def phantoms(count: int = 20) -> dict[str, float]:
    """New patients, one 256×256 mid-sagittal T2 picture each, on one core."""
    from lumbar.geometry import Plane
    from lumbar.phantom.anatomy import draw_patient
    from lumbar.phantom.contrast import draw_contrast
    from lumbar.phantom.render import render

    cv2.setNumThreads(1)

    def make() -> None:
        rng = np.random.default_rng(0)
        for _ in range(count):
            patient = draw_patient(rng)
            frame = patient.sagittal_frame()
            corner = frame.centre - 128 * frame.posterior + 128 * frame.superior
            plane = Plane(corner, frame.posterior, -frame.superior, 1.0, 1.0)
            render(patient, plane, 256, 256, draw_contrast("T2", rng), rng)

    rate = count / median_seconds(make)
    cv2.setNumThreads(-1)
    return {"phantom pictures/s, one core": rate}


def training(batches: int = 6) -> dict[str, float]:
    """Pictures a second through `fit`, with augmentation, beside the bare network on batches that lie ready."""
    from lumbar.augment import AugmentSettings
    from lumbar.backend import keras
    from lumbar.batches import Batches
    from lumbar.training import TrainingSettings, _compiled, prepared_parts

    found = {}
    for name in ("baseline", "heatmap"):
        settings = TrainingSettings(model=name, patients=150)
        part = prepared_parts(settings, progress=False)["train"]
        part = part.select(np.arange(batches * 32))
        feed = Batches(part, 32, shuffle=True, augment=AugmentSettings())
        ready = [feed[index] for index in range(batches)]
        keras.backend.clear_session()
        model = _compiled(settings, part.channels, steps=batches)
        bare = median_seconds(lambda: [model.train_on_batch(*batch) for batch in ready])  # noqa: B023
        fitted = median_seconds(lambda: model.fit(feed, epochs=1, verbose=0, shuffle=False))  # noqa: B023
        found[f"{name} training pictures/s"] = len(part.images) / fitted
        found[f"{name} share of the bare network's speed"] = bare / fitted
    return found


def gain_of_kept_memory(trained: dict[str, float]) -> dict[str, float]:
    """How much faster training is than where freed memory goes back to the system, as glibc does by itself."""
    glibc_default = {"MALLOC_MMAP_MAX_": "65536", "MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_ARENA_MAX": "16"}
    command = [sys.executable, __file__, "--training-only"]
    answer = subprocess.run(command, env=os.environ | glibc_default, stdout=subprocess.PIPE, text=True, check=True)
    without = json.loads(answer.stdout)
    rates = [name for name in trained if name.endswith("pictures/s")]
    return {f"{name}, times that without kept memory": trained[name] / without[name] for name in rates}


def main() -> None:
    if sys.argv[1:] == ["--training-only"]:
        print(json.dumps(training()))
        return
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as home:
        os.environ["LUMBAR_HOME"] = home
        trained = training()
        found = phantoms() | trained | gain_of_kept_memory(trained)
    for name, value in found.items():
        print(f"{name:66} {value:8.2f}")
    write_json(Path(__file__).with_suffix(".json"), {"cores": os.cpu_count(), "machine": platform.machine(), **found})


if __name__ == "__main__":
    main()
