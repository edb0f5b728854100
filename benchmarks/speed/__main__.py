"""The command: ``python -m benchmarks.speed [--only NAME …] [--quick]``."""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.speed import machine
from benchmarks.speed.plan import Plan, told
from benchmarks.speed.side import REPOSITORY
from benchmarks.speed.table import Results, as_text

ROWS = {
    "starting": "milliseconds of `import lumbar` and `--help`",
    "inference": "milliseconds a picture, beside ONNX Runtime, OpenVINO and EfficientNetV2-S",
    "training": "pictures a second, beside the same network in PyTorch and EfficientNetV2-S",
    "waiting": "share of a training's time in which it waits for batches",
    "phantoms": "synthetic pictures a second, beside the first version of the renderer",
    "preparing": "DICOM to 256×256 pictures a second, beside pydicom and scikit-image",
    "memory": "of a training, as the number of pictures grows to 100,000 (7 GB of disk for a while)",
    "roofline": "how far each kind of layer is from what the processor can do",
    "tried": "number types, compilers, batch sizes, threads, backends, layouts, beside the default",
    "learning": "seconds until the points are found, beside the baseline and EfficientNetV2-S",
}
"""Each row is a module of this folder with ``measure(plan) -> figures``."""


def main() -> int:
    """Measure, row by row; what is measured is written at once."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measure how fast we are, beside peers, on an otherwise idle machine. About a quarter of an hour "
        "on two cores.\nPeers that are not installed are left out: pip install -e .[benchmarks]",
        epilog="rows:\n" + "\n".join(f"  {name:10} {purpose}" for name, purpose in ROWS.items()),
    )
    parser.add_argument("--only", nargs="+", choices=ROWS, metavar="NAME", default=list(ROWS), help="rows to measure")
    parser.add_argument("--repeats", type=int, default=5, help="rounds, of which the median counts (default: 5)")
    parser.add_argument(
        "--patience",
        type=float,
        default=4,
        help="row learning: the others are stopped after so many times our seconds (default: 4; 20 tells the goal)",
    )
    parser.add_argument("--quick", action="store_true", help="only whether it works; the figures mean nothing")
    parser.add_argument("--out", type=Path, help="folder of speed.json and speed.md (default: benchmarks/)")
    given = parser.parse_args()
    plan = Plan(given.repeats, given.quick, given.patience)
    if given.out is None:
        given.out = Path(tempfile.mkdtemp()) if given.quick else REPOSITORY / "benchmarks"
    given.out.mkdir(parents=True, exist_ok=True)
    results = Results(given.out)
    for row in (name for name in ROWS if name in given.only):
        told(f"— {row}: {ROWS[row]}")
        described, begin = machine.described(), time.perf_counter()
        figures = list(importlib.import_module(f"benchmarks.speed.{row}").measure(plan))
        results.add(row, described | {"quick": plan.quick}, figures, time.perf_counter() - begin, list(ROWS))
        print(f"{as_text(figures)}\n", flush=True)
        _draw(figures, given.out)
    told(f"written: {results.json} and {results.markdown}")
    return 0


def _draw(figures, folder: Path) -> None:
    for figure in figures:
        if "kinds" in figure.details:
            from benchmarks.speed.roofline import draw

            draw(figure.details).savefig(folder / "roofline.png")


if __name__ == "__main__":
    sys.exit(main())
