"""Peak memory of a training, without the memory-mapped images, as the number of images grows."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.speed.figure import Figure, Goal
from benchmarks.speed.plan import Plan, log
from benchmarks.speed.side import Unmeasured, once

COUNTS = (1_000, 10_000, 100_000)
STEPS = 200
BYTES = 256 * 256


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield a row for each number of images; the last one is compared with the first."""
    found: list[float] = []
    counts = (20, 40) if plan.quick else COUNTS
    for count in counts:
        what = f"peak memory, training on {count:,} images"
        with tempfile.TemporaryDirectory() as folder:
            try:
                _fill(Path(folder) / "images.npy", count)
                found.append(once("memory:training", folder=folder, steps=2 if plan.quick else STEPS))
            except (Unmeasured, OSError) as error:
                yield Figure(what, "MB", note=str(error))
                continue
        log(f"{what}: {found[-1]:.0f} MB")
        last = count == counts[-1]
        yield Figure(
            what,
            "MB",
            (found[-1],),
            beside=f"{counts[0]:,} images" if last else "",
            others=(found[0],) if last else (),
            more_is_better=False,
            goal=Goal(0.9, of="ratio") if last else None,
            limit="TensorFlow, and the arrays of one step" if last else "",
            note="private and shared memory (RssAnon, RssShmem) of the process, without the mapped file; steps of `fit`"
            if last
            else "",
        )


def _fill(file: Path, count: int) -> None:
    """Write images as `lumbar.datasets.preparation` keeps them, the same thousand over and over."""
    block = np.random.default_rng(0).integers(0, 256, (min(count, 1000), 256, 256), dtype=np.uint8)
    images = np.lib.format.open_memmap(file, "w+", np.uint8, (count, 256, 256))
    for begin in range(0, count, len(block)):
        images[begin : begin + len(block)] = block[: count - begin]
    images.flush()


def training(folder: str, steps: int) -> Callable[[], float]:
    """Prepare what `lumbar.training.train` does with prepared images: split, fingerprint, config.json, steps of `fit`.

    Returns:
        The function that runs it, and returns the peak memory, MB.
    """
    import pandas as pd

    from lumbar import preprocess, splits
    from lumbar.compute.devices import BatchShard
    from lumbar.core.constants import LEVELS, PARTS
    from lumbar.preprocess import Prepared
    from lumbar.runs.settings import TrainingSettings
    from lumbar.training import data, loop
    from lumbar.training.job import TrainingJob

    images = np.load(Path(folder) / "images.npy", mmap_mode="r")
    count = len(images)
    patients = [f"patient-{number // 2}" for number in range(count)]
    index = pd.DataFrame({"patient": patients, "source": "phantom", "view": "sagittal", "contrast": "T2", "level": ""})
    points = np.random.default_rng(0).uniform(60, 200, (count, 5, 2))
    own = Prepared(images, index, np.tile(np.eye(2, 3), (count, 1, 1)), points, LEVELS)

    def measure() -> float:
        with _Peak() as peak:
            where = own.index["patient"].map(splits.split(own.index, seed=0)).to_numpy()
            parts = {part: own.select(where == part) for part in PARTS}
            parts["train"] = preprocess.concatenate([parts["train"]])
            settings, run = TrainingSettings(model="heatmap", epochs=1, tensorboard=False), Path(folder) / "run"
            run.mkdir()
            found = data.fingerprint(parts)
            job = TrainingJob(run, settings, settings.resolved(), parts, found, start=None, shard=BatchShard())
            loop.write_config_of(job, finished_epochs=0)
            _some_steps(settings, parts, steps)
        return peak.megabytes

    return measure


def _some_steps(settings, parts, steps: int) -> None:
    """Train for some steps, and validate for a quarter as many."""
    from lumbar.augment import AugmentSettings
    from lumbar.batches import Batches
    from lumbar.training.optimization import compiled

    feed = Batches(parts["train"], 16, shuffle=True, augment=AugmentSettings())
    network = compiled(settings, parts["train"].channels, steps=len(feed))
    validation = Batches(parts["validation"], 16)
    network.fit(**feed.for_fit(range(1)) | {"steps_per_epoch": min(steps, len(feed))}, verbose=0)
    network.evaluate(validation, steps=min(steps // 4 + 1, len(validation)), verbose=0)


class _Peak:
    """The peak memory of this process while the block runs, looked up every 20 ms."""

    def __enter__(self) -> _Peak:
        self.megabytes, self._over = _own_memory(), threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()
        return self

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.megabytes = max(self.megabytes, _own_memory())

    def __exit__(self, *_) -> None:
        self._over.set()
        self._watcher.join()


def _own_memory() -> float:
    """Return the memory of this process, without mapped files, MB."""
    file = Path("/proc/self/status")
    if not file.is_file():
        raise OSError("only Linux reports the memory of a process without mapped files")
    lines = dict(line.split(":", 1) for line in file.read_text(encoding="utf-8").splitlines())
    return sum(int(lines[name].split()[0]) for name in ("RssAnon", "RssShmem")) / 1024
