"""One side of a comparison: a process of its own that prepares once, and then measures whenever it is asked.

Each side has a process of its own, because threads, memory and warm-up belong to a process. The processes stay alive,
because sides that take short turns meet the same noise, and because a start would take longer than a measurement.

A side is a function of this folder, written ``module:function``. It prepares, and returns another function, which takes
no arguments, measures, and returns a number or a dictionary of numbers. This module does not import `lumbar`, so that a
side can run another version of it.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]

THREADS = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Unmeasured(Exception):
    """A side cannot be measured on this machine; the text says why."""


class Side:
    """A running side; creating it starts the process.

    Args:
        name: Name of the side in the table.
        function: ``module:function`` in this folder.
        cores: Number of cores that it may use; all if left out.
        environment: Environment variables added to those of this process.
        source: Folder that holds the version of the package to measure; this checkout if left out.
        options: Keyword arguments of the function.
    """

    def __init__(
        self,
        name: str,
        function: str,
        *,
        cores: int | None = None,
        environment: dict[str, str] | None = None,
        source: Path = REPOSITORY,
        **options: Any,
    ):
        self.name = name
        added = dict.fromkeys(THREADS, str(cores)) if cores else {}
        added |= {"PYTHONPATH": f"{source}{os.pathsep}{REPOSITORY}", "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, "-m", __name__, function, json.dumps(options), str(cores or "")]
        self._process = subprocess.Popen(
            command,
            cwd=source,
            env=os.environ | added | (environment or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ready(self) -> None:
        """Wait until the side has prepared.

        Raises:
            Unmeasured: If it cannot: a package is not installed, or this machine does not support it.
        """
        self._answer()

    def start(self) -> None:
        """Begin a measurement; `result` waits for its end."""
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def result(self) -> Any:
        """Wait for the measurement that was begun, and return what it found.

        Raises:
            Unmeasured: If it failed.
        """
        return self._answer()["value"]

    def measure(self) -> Any:
        """Run one measurement, and return what it found.

        Raises:
            Unmeasured: If it failed.
        """
        self.start()
        return self.result()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"failed": f"its process ended with {self._process.wait()}"}
        if "failed" in answer:
            raise Unmeasured(answer["failed"])
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.terminate()
        self._process.wait()


def once(function: str, **options: Any) -> Any:
    """Run one measurement in a process of its own.

    Args:
        function: ``module:function`` in this folder.
        options: Further arguments of `Side`.

    Raises:
        Unmeasured: If it cannot be measured here.
    """
    side = Side(function, function, **options)
    try:
        side.ready()
        return side.measure()
    finally:
        side.close()


def in_turns(
    sides: Sequence[Side], repeats: int, log: Callable[[str], None] = lambda line: None
) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """Measure several sides, each once a round, so that a noisy moment meets all of them.

    Args:
        sides: The sides; all are closed at the end.
        repeats: Number of rounds.
        log: Called with a line of progress after each measurement.

    Returns:
        Name of a side → values of the rounds; and name → reason, for the sides that could not be measured.
    """
    found: dict[str, list[Any]] = {side.name: [] for side in sides}
    missing: dict[str, str] = {}

    def tried(side: Side, step: Callable[[], Any]) -> Any:
        try:
            return step()
        except Unmeasured as error:
            missing[side.name] = str(error)
            found.pop(side.name)
            log(f"{side.name}: {error}")

    try:
        for side in sides:  # one after the other, so that no preparation disturbs another
            tried(side, side.ready)
        for number in range(repeats):
            for side in sides:
                if side.name not in missing and (value := tried(side, side.measure)) is not None:
                    found[side.name].append(value)
                    log(f"{side.name}, round {number + 1} of {repeats}: {shown(value)}")
    finally:
        for side in sides:
            side.close()
    return found, missing


def shown(value: Any) -> str:
    """Return a number, or several with their names, as text with four digits."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {shown(each)}" for name, each in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Run a side. Its answers are lines of JSON on standard output; what libraries print goes to standard error."""
    function, options, cores = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**content: Any) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    try:
        if cores and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(cores)])
        module, name = function.split(":")
        measure = getattr(importlib.import_module(f"benchmarks.speed.{module}"), name)(**json.loads(options))
        answer(ready=True)
        while sys.stdin.readline():
            answer(value=measure())
    except ModuleNotFoundError as error:
        answer(failed=f"not installed: {error.name}")
    except Exception as error:
        traceback.print_exc()
        answer(failed=(str(error).strip() or type(error).__name__).splitlines()[0])


if __name__ == "__main__":
    main()
