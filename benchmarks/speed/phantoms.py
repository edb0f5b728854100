"""Synthetic images per second: on one core, in two processes, and with the first version of the renderer."""

from __future__ import annotations

import cProfile
import os
import pstats
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

from benchmarks.speed.figure import Figure, Goal, compared
from benchmarks.speed.plan import Plan, log
from benchmarks.speed.side import REPOSITORY, Side, Unmeasured, in_turns, once

RENDERER = "lumbar/phantom/render.py"

ONE, FIRST = "current renderer", "first version of the renderer"


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield the rows of the table."""
    options = {"cores": 1, "count": 2 if plan.quick else 100}
    with tempfile.TemporaryDirectory() as folder:
        sides = [Side(ONE, "phantoms:rendering", **options)]
        absent = {}
        try:
            sides.append(Side(FIRST, "phantoms:rendering", source=first_version(Path(folder)), **options))
        except Unmeasured as error:
            absent[FIRST] = str(error)
        found, missing = in_turns(sides, plan.rounds, log)
    what, unit = "phantoms, 256×256 mid-sagittal T2, new patients", "images/s"
    found.setdefault(FIRST, [])
    yield compared(
        found, absent | missing, f"{what}, one core", ONE, FIRST, unit=unit, goal=Goal(150), limit=_limit(plan)
    )
    yield _two(plan, f"{what}, two processes")


def _limit(plan: Plan) -> str:
    """Return what limits the renderer, as text with measured numbers."""
    try:
        work = once("phantoms:work", cores=1, count=2 if plan.quick else 50)
    except Unmeasured as error:
        return str(error)
    return (
        f"an image is {work['parts']:.0f} parts of the body, painted with {work['calls']:,.0f} calls on small arrays: "
        f"the cost of calls in Python, not arithmetic; {work['patient']:.0%} of the time goes into making the patient"
    )


def _two(plan: Plan, what: str) -> Figure:
    """Measure one process, and two at the same time, in turns."""
    options = {"count": 2 if plan.quick else 100, "environment": {"OMP_NUM_THREADS": "1"}}
    pair = [Side(name, "phantoms:rendering", **options) for name in ("one", "other")]
    alone, together, note = [], [], ""
    try:
        for side in pair:
            side.ready()
        for _ in range(plan.rounds):
            alone.append(pair[0].measure())
            for side in pair:
                side.start()
            together.append(sum(side.result() for side in pair))
            log(f"two processes: {together[-1]:.1f} images/s, one: {alone[-1]:.1f}")
    except Unmeasured as error:
        note = str(error)
    finally:
        for side in pair:
            side.close()
    return Figure(
        what,
        "images/s",
        tuple(together),
        beside="one process",
        others=tuple(alone),
        goal=Goal(1.9, of="ratio"),
        limit=f"{os.cpu_count()} cores, which share caches and memory bandwidth",
        note=note,
    )


def first_version(folder: Path) -> Path:
    """Extract the package as it was when it first had a renderer, from the project's Git history.

    Args:
        folder: Where to extract it.

    Returns:
        The folder.

    Raises:
        Unmeasured: If the history is not available.
    """
    commits = _git("log", "--diff-filter=A", "--format=%H", "--", RENDERER).split()
    if not commits:
        raise Unmeasured("the project's Git history is not available")
    with tarfile.open(fileobj=BytesIO(_git("archive", commits[-1], "lumbar", text=False))) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _git(*words: str, text: bool = True):
    try:
        return subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=text, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unmeasured("the project's Git history is not available") from error


def rendering(count: int) -> Callable[[], float]:
    """Prepare the renderer; measured are images per second.

    Args:
        count: Images per measurement.
    """
    _render(1)

    def measure() -> float:
        begin = time.perf_counter()
        _render(count)
        return count / (time.perf_counter() - begin)

    return measure


def work(count: int) -> Callable[[], dict[str, float]]:
    """Prepare the profiling of an image: parts of the body, calls of functions, share of time that makes the patient.

    Args:
        count: Images that Python's profiler looks at.
    """
    from lumbar.phantom.anatomy import draw_patient
    from lumbar.phantom.canvas import Canvas

    _render(1)

    def measure() -> dict[str, float]:
        profile = cProfile.Profile()
        profile.runcall(_render, count)
        stats = pstats.Stats(profile)

        def of(function: Callable) -> tuple:
            code = function.__code__
            return stats.stats[code.co_filename, code.co_firstlineno, code.co_name]

        return {
            "parts": of(Canvas.paint)[0] / count,
            "calls": stats.total_calls / count,
            "patient": of(draw_patient)[3] / stats.total_tt,
        }

    return measure


def _render(count: int) -> None:
    """Render one image each of new patients; the first version of the renderer has the same functions."""
    import cv2
    import numpy as np

    from lumbar.geometry import Plane
    from lumbar.phantom.anatomy import draw_patient
    from lumbar.phantom.contrast import draw_contrast
    from lumbar.phantom.render import render

    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    for _ in range(count):
        patient = draw_patient(rng)
        frame = patient.sagittal_frame()
        corner = frame.centre - 128 * frame.posterior + 128 * frame.superior
        plane = Plane(corner, frame.posterior, -frame.superior, 1.0, 1.0)
        render(patient, plane, 256, 256, draw_contrast("T2", rng), rng)
