"""Kill searches at random moments and compare their results: ``python -m tests.stress.search_kills [--kills 20]``.

A small search runs to its end. Others like it are killed with SIGKILL and resumed by the same command: first the whole
process, again and again, then a worker, then the chief. The command prints a Markdown table; its exit code is 1 if a
result differs.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pandas as pd
import psutil

from lumbar.phantom import PhantomSettings, write_dataset

SEARCH = "tune --trials 4 --trial-epochs 2 --epochs 2 --search dropout learning_rate --width 4 --depth 3 --batch-size 8"


def command(data: Path, name: str, *more: str) -> list[str]:
    words = [*SEARCH.split(), "--no-tensorboard", "--data", str(data), "--name", name, *more]
    return [sys.executable, "-m", "lumbar", *words]


def environment(home: Path) -> dict[str, str]:
    # Two workers on two cores have one thread each, and the last bits depend on the number of threads.
    return os.environ | {"LUMBAR_HOME": str(home), "TF_NUM_INTRAOP_THREADS": "1"}


def started(words: list[str], home: Path) -> subprocess.Popen:
    return subprocess.Popen(words, env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(words: list[str], home: Path) -> None:
    process = started(words, home)
    complaint = process.communicate()[1]
    if process.returncode:
        raise SystemExit(f"the search failed with exit code {process.returncode}:\n{complaint}")


def ending(folder: Path) -> dict[str, str]:
    """Return the result of a search: the leaderboard, and history and fingerprints of the weights of each run."""
    found = {"leaderboard": (folder / "leaderboard.csv").read_text()}
    for run in sorted(path.parent for path in folder.rglob("history.csv")):
        name = str(run.relative_to(folder))
        found[f"{name} history"] = pd.read_csv(run / "history.csv").drop(columns="seconds").to_csv()
        for checkpoint in ("best.keras", "last.keras"):
            with zipfile.ZipFile(run / checkpoint) as archive:
                weights = archive.read("model.weights.h5")
            found[f"{name} {checkpoint}"] = hashlib.sha256(weights).hexdigest()
    return found


def files(folder: Path) -> set[tuple[str, int]]:
    """Return the files below a folder; a file that was replaced counts as another one."""
    found = set()
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # a temporary file that is gone already
                found.add((name, os.stat(f"{place}/{name}").st_ino))  # noqa: PTH116  the fastest way
    return found


def kill_the_search(words: list[str], home: Path, folder: Path, after: int, wait: float) -> str | None:
    """Kill a search `wait` seconds after its file number `after`; return what it wrote last, None if it had ended."""
    before, written, last = files(folder), set(), "nothing"
    process = started(words, home)
    while process.poll() is None and len(written) < after:
        new = files(folder) - before - written
        last = max(new)[0] if new else last
        written |= new
        time.sleep(0.002)
    with suppress(subprocess.TimeoutExpired):
        process.wait(wait)
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    trials = len(list(folder.glob("trials/*/learning_curves.png")))
    return f"{1000 * wait:.0f} ms after its file {after}, {last}; {trials} trial(s) finished" if running else None


def kill_one(words: list[str], home: Path, folder: Path, who: str) -> str:
    """Kill the chief or a worker when one trial is finished and another is running; the search must go on."""
    process = started(words, home)
    while process.poll() is None:
        finished = len(list(folder.glob("trials/*/learning_curves.png")))
        processes = []
        with suppress(psutil.Error):  # one of them has just ended
            processes += [
                child
                for child in psutil.Process(process.pid).children()
                if who in child.environ().get("KERASTUNER_TUNER_ID", "")
            ]
        if finished and processes and list(folder.glob("trials/*/history.csv")):
            processes[0].kill()
            break
        time.sleep(0.05)
    complaint = process.communicate()[1]
    if process.returncode:
        raise SystemExit(f"the search failed with exit code {process.returncode}:\n{complaint}")
    return f"{who} killed after {finished} trial(s)"


def rows(kills: int, home: Path, seed: int) -> Iterator[tuple[str, bool]]:
    """Yield a row for each kill: what was killed and when, and whether the result of the search is the same."""
    data = write_dataset(
        home / "patients", PhantomSettings(patients=10, seed=3, series=("sagittal-t2",)), progress=False
    )
    finish(command(data, "whole"), home)
    rng, runs = random.Random(seed), home / "runs"
    true, written = ending(runs / "whole"), len(files(runs / "whole"))
    # Each search is killed up to four times, so that some kills happen after it has resumed.
    done = 0
    while done < kills:
        words = command(data, name := f"killed-{done}")
        moments = []
        while len(moments) < min(4, kills - done):
            moment = kill_the_search(words, home, runs / name, rng.randint(1, written // 3), rng.uniform(0, 0.3))
            if moment is None:
                break
            moments.append(moment)
        done += len(moments)
        finish(words, home)
        same = ending(runs / name) == true
        yield from ((f"the search, {moment}", same) for moment in moments)
    for who in ("worker", "chief"):
        words = command(data, f"killed-{who}", "--workers", "2")
        moment = kill_one(words, home, runs / f"killed-{who}", who)
        yield f"two workers: {moment}", ending(runs / f"killed-{who}") == true


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.stress.search_kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="kills of the whole search (default: 20)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments (default: 0)")
    arguments = parser.parse_args()
    print("| kill | what was killed | same result |\n| --- | --- | --- |")
    all_same = True
    with tempfile.TemporaryDirectory() as home:
        for number, (what, same) in enumerate(rows(arguments.kills, Path(home), arguments.seed), start=1):
            print(f"| {number} | {what} | {'yes' if same else 'NO'} |", flush=True)
            all_same &= same
    return 0 if all_same else 1


if __name__ == "__main__":
    raise SystemExit(main())
