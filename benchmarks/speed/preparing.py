"""DICOM files to 256×256 images per second, beside a loop of pydicom and scikit-image; see `preparation.py`."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.speed.figure import Figure, Goal
from benchmarks.speed.plan import Plan, log

FILES = 4000


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield the row of the table."""
    what, beside = "DICOM → 256×256", "loop of pydicom and scikit-image, one process"
    if importlib.util.find_spec("skimage") is None:
        yield Figure(what, "images/s", beside=beside, goal=Goal(4, of="ratio"), note="not installed: skimage")
        return
    from benchmarks.preparation import Tree, ours, plain

    own, others = [], []
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(Path(folder) / "rsna")
        tree.grow(60 if plan.quick else FILES)
        for _ in range(plan.rounds):
            others.append(float(plain(tree.some_files()).loc["pictures", "rate"]))
            own.append(float(ours(tree.root)[0].loc["pictures", "rate"]))
            log(f"{what}: {own[-1]:.0f} images/s, the loop {others[-1]:.0f}")
        count = len(tree.some_files())
    yield Figure(
        what, "images/s", tuple(own), beside, tuple(others), goal=Goal(4, of="ratio"),
        limit="pydicom parses elements in Python, on both sides; then sorting for the percentiles",
        note=f"{60 if plan.quick else FILES} files, the loop {count} of them; "
        "larger sets: `python -m benchmarks.preparation`",
    )  # fmt: skip
