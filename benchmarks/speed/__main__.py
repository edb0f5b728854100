"""Measure rows, and write the tables: ``python -m benchmarks.speed [--only NAME …] [--quick]``."""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.speed import machine
from benchmarks.speed.figure import Figure
from benchmarks.speed.plan import Plan, log
from benchmarks.speed.side import REPOSITORY
from benchmarks.speed.table import Results, as_text

ROWS = {
    "starting": "milliseconds of `import lumbar` and `--help`",
    "answering": "processor time and memory of whole commands that find points, beside Keras",
    "inference": "milliseconds per image, beside ONNX Runtime and OpenVINO called bare, Keras and EfficientNetV2-S",
    "training": "images per second, beside the same network in PyTorch and EfficientNetV2-S",
    "waiting": "share of training time spent waiting for batches",
    "phantoms": "synthetic images per second, beside the first version of the renderer",
    "preparing": "DICOM to 256×256 images per second, beside pydicom and scikit-image",
    "memory": "peak memory of a training, for up to 100,000 images (needs 7 GB of disk for a while)",
    "roofline": "how close each kind of layer comes to the limit of the processor",
    "tried": "precision, compilers, batch sizes, threads, backends and memory layouts, beside the default",
    "learning": "seconds of training until the points are found, beside the baseline and EfficientNetV2-S",
}
"""Name of a row → what it measures. Each row is a module of this folder with ``measure(plan) -> figures``."""


def main() -> int:
    """Measure row by row, and write the results of each row at once."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measure the speed of this package beside other software, on an otherwise idle machine.\n"
        "This takes about a quarter of an hour on two cores.\n"
        "Software that is not installed is left out: pip install -e .[benchmarks]",
        epilog="rows:\n" + "\n".join(f"  {name:10} {purpose}" for name, purpose in ROWS.items()),
    )
    parser.add_argument("--only", nargs="+", choices=ROWS, metavar="NAME", default=list(ROWS), help="rows to measure")
    parser.add_argument("--repeats", type=int, default=5, help="number of rounds; the median counts (default: 5)")
    parser.add_argument(
        "--patience",
        type=float,
        default=4,
        help="row learning: stop the other networks after this many times our own time (default: 4; the goal needs 20)",
    )
    parser.add_argument("--quick", action="store_true", help="only check that it runs; the figures mean nothing")
    parser.add_argument("--out", type=Path, help="folder of speed.json and speed.md (default: benchmarks/)")
    parser.add_argument(
        "--before", type=Path, help="row answering: checkout of another version of this package to measure beside it"
    )
    given = parser.parse_args()
    plan = Plan(given.repeats, given.quick, given.patience, given.before and given.before.resolve())
    if given.out is None:
        given.out = Path(tempfile.mkdtemp()) if given.quick else REPOSITORY / "benchmarks"
    given.out.mkdir(parents=True, exist_ok=True)
    results = Results(given.out)
    for row in (name for name in ROWS if name in given.only):
        log(f"— {row}: {ROWS[row]}")
        described, begin = machine.described(), time.perf_counter()
        figures = list(importlib.import_module(f"benchmarks.speed.{row}").measure(plan))
        results.add(row, described | {"quick": plan.quick}, figures, time.perf_counter() - begin, list(ROWS))
        print(f"{as_text(figures)}\n", flush=True)
        _save_plot(figures, given.out)
    log(f"written: {results.json} and {results.markdown}")
    return 0


def _save_plot(figures: list[Figure], folder: Path) -> None:
    """Write roofline.png, if the figures are those of row roofline."""
    for figure in figures:
        if "kinds" in figure.details:
            from benchmarks.speed.roofline import plot

            plot(figure.details).savefig(folder / "roofline.png")


if __name__ == "__main__":
    sys.exit(main())
