"""Milliseconds that ``import lumbar`` and ``python -m lumbar --help`` take."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.speed.figure import Figure, Goal
from benchmarks.speed.plan import Plan, log
from benchmarks.speed.side import REPOSITORY

HEAVY = ("keras", "tensorflow", "numpy", "pandas", "cv2", "matplotlib")

STARTS = {
    "import lumbar": "import lumbar",
    "python -m lumbar --help": "import runpy, sys; sys.argv = ['lumbar', '--help']\n"
    "try: runpy.run_module('lumbar', run_name='__main__')\nexcept SystemExit: pass",
}
LOADED = f"\nimport json, sys; print(json.dumps([name for name in {HEAVY} if name in sys.modules]), file=sys.stderr)"
"""Code that is appended to a program, and lists the heavy packages that are loaded."""


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield the rows of the table, compared with the start of Python itself."""
    rounds = 1 if plan.quick else 4 * plan.repeats
    times: dict[str, list[float]] = {name: [] for name in ("pass", *STARTS)}
    for _ in range(rounds):
        for name in times:
            times[name].append(_milliseconds(STARTS.get(name, name)))
    for name, program in STARTS.items():
        log(f"{name}: {sorted(times[name])[rounds // 2]:.0f} ms")
        heavy = json.loads(_run(program + LOADED).stderr.splitlines()[-1])
        yield Figure(
            name,
            "ms",
            tuple(times[name]),
            beside="python -c pass",
            others=tuple(times["pass"]),
            more_is_better=False,
            goal=Goal(most=300),
            limit="Python's own start, then argparse",
            note=f"imports {', '.join(heavy)}" if heavy else f"imports none of {', '.join(HEAVY)}",
        )


def _milliseconds(program: str) -> float:
    begin = time.perf_counter()
    _run(program)
    return 1000 * (time.perf_counter() - begin)


def _run(program: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
