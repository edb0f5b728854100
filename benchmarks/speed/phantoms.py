"""Synthetic pictures a second: on one core, on two, and as the renderer was when it was first written."""

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
from benchmarks.speed.plan import Plan, told
from benchmarks.speed.side import REPOSITORY, Side, Unmeasured, in_turns, once

RENDERER = "lumbar/phantom/render.py"

ONE, FIRST = "today's renderer", "first version of the renderer"


def measure(plan: Plan) -> Iterator[Figure]:
    """The rows of the table."""
    options = {"cores": 1, "count": 2 if plan.quick else 100}
    with tempfile.TemporaryDirectory() as folder:
        sides = [Side(ONE, "phantoms:rendering", **options)]
        absent = {}
        try:
            sides.append(Side(FIRST, "phantoms:rendering", source=first_version(Path(folder)), **options))
        except Unmeasured as error:
            absent[FIRST] = str(error)
        found, missing = in_turns(sides, plan.rounds, told)
    what, unit = "phantoms, 256×256 mid-sagittal T2, new patients", "pictures/s"
    found.setdefault(FIRST, [])
    yield compared(
        found, absent | missing, f"{what}, one core", ONE, FIRST, unit=unit, goal=Goal(150), limit=_limit(plan)
    )
    yield _two(plan, f"{what}, two processes")


def _limit(plan: Plan) -> str:
    try:
        work = once("phantoms:work", cores=1, count=2 if plan.quick else 50)
    except Unmeasured as error:
        return str(error)
    return (
        f"a picture is {work['parts']:.0f} parts of the body, painted with {work['calls']:,.0f} calls on small arrays: "
        f"the price of a call in Python, not arithmetic; {work['patient']:.0%} of the time makes the patient"
    )


def _two(plan: Plan, what: str) -> Figure:
    """One process and two at the same time, in turns."""
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
            told(f"two processes: {together[-1]:.1f} pictures/s, one: {alone[-1]:.1f}")
    except Unmeasured as error:
        note = str(error)
    finally:
        for side in pair:
            side.close()
    return Figure(
        what,
        "pictures/s",
        tuple(together),
        beside="one process",
        others=tuple(alone),
        goal=Goal(1.9, of="ratio"),
        limit=f"{os.cpu_count()} cores, which share caches and the way to memory",
        note=note,
    )


def first_version(folder: Path) -> Path:
    """The package as it was when it first had a renderer, out of the project's history.

    Raises:
        Unmeasured: If there is no history here.
    """
    log = _git("log", "--diff-filter=A", "--format=%H", "--", RENDERER).split()
    if not log:
        raise Unmeasured("the project's history is not here")
    with tarfile.open(fileobj=BytesIO(_git("archive", log[-1], "lumbar", text=False))) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _git(*words: str, text: bool = True):
    try:
        return subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=text, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unmeasured("the project's history is not here") from error


def rendering(count: int) -> Callable[[], float]:
    """Pictures a second.

    Args:
        count: Pictures a measurement.
    """
    _draw(1)

    def measure() -> float:
        begin = time.perf_counter()
        _draw(count)
        return count / (time.perf_counter() - begin)

    return measure


def work(count: int) -> Callable[[], dict[str, float]]:
    """Of a picture: how many parts of the body are painted and how many calls it takes; making the patient's share.

    Args:
        count: Pictures that are looked at, with Python's own profiler.
    """
    from lumbar.phantom.anatomy import draw_patient
    from lumbar.phantom.canvas import Canvas

    _draw(1)

    def measure() -> dict[str, float]:
        profile = cProfile.Profile()
        profile.runcall(_draw, count)
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


def _draw(count: int) -> None:
    """New patients, one picture each; the calls are those of the first version, and still ours."""
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
