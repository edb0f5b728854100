"""Kill trainings at random moments and compare their results: ``python -m tests.stress.kills [--kills 20]``.

One training is not disturbed. Each of the others is the same command in a process of its own. It is killed with SIGKILL
at a random moment, resumed by the same command, and evaluated. Then weights, optimizer, history and metrics are
compared bit by bit. Half of the moments are uniform over the time that the training takes. The other half lie within
some milliseconds after a file was begun or renamed: during the writing of a checkpoint or the history, between two of
them, or just after the last. Every third training is killed again after it has resumed, and some evaluations are
killed, too. The command prints a Markdown table; its exit code is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lumbar.core import paths

NETWORKS = {
    "baseline": ("--model", "baseline", "--dropout", "0.3", "--schedule", "cosine"),
    "heatmap": ("--model", "heatmap", "--dropout", "0.2"),
    "transfer": ("--model", "transfer", "--backbone", "EfficientNetV2B0", "--frozen-epochs", "2"),
}
"""Network → flags of its training, which together cover dropout, augmentation, a schedule and a frozen backbone."""

SMALL = ("--epochs", "4", "--batch-size", "4", "--width", "4", "--depth", "3")
ENDED = "it had ended"
WATCHED = ("config.json", "split.csv", "history.csv", "best.keras", "last.keras", "learning_curves.png")


@dataclass(frozen=True)
class Moment:
    """The moment at which a process is killed.

    Args:
        seconds: Seconds after the event, or after the start of the process if there is no event.
        event: Name of a file, and "begun" (its temporary file appears) or "written" (the file itself appears).
        count: Which event of this kind in this process, counted from 1.
    """

    seconds: float
    event: tuple[str, str] | None = None
    count: int = 1

    def __str__(self) -> str:
        if self.event is None:
            return f"{self.seconds:.2f} s after the start"
        return f"{1000 * self.seconds:.0f} ms after {self.event[0]} was {self.event[1]} (no. {self.count})"


def moments(kills: int, rng: random.Random, whole: float, training: float, epochs: int) -> Iterator[Moment]:
    """Yield random moments, half of them uniform over the time of a training, half of them tied to a file.

    Args:
        kills: Number of moments.
        rng: Random number generator.
        whole: Seconds that the command takes, most of which Python and TensorFlow need to start.
        training: Seconds that the training itself takes, up to the last figure.
        epochs: Epochs of the training.
    """
    for number in range(kills):
        if number % 8 == 0:
            yield Moment(rng.uniform(0, whole))
        elif number % 2 == 0:
            yield Moment(rng.uniform(0, training), ("config.json", "written"))
        else:
            name = rng.choice(WATCHED[:2]) if number % 10 == 9 else WATCHED[2:][number // 2 % 4]
            times = rng.randint(1, epochs) if name in ("history.csv", "last.keras") else 1
            seconds = rng.choice((0, rng.uniform(0, 0.03)))
            yield Moment(seconds, (name, rng.choice(("begun", "written"))), times)


def again(rng: random.Random) -> Moment:
    """Return a moment at which a resumed training is killed: around the first time that it writes one of its files."""
    event = (rng.choice(WATCHED[2:5]), rng.choice(("begun", "written")))
    return Moment(rng.choice((0, rng.uniform(0, 0.03))), event)


class Watch:
    """The changes that a process makes to the files of a run, observed by polling."""

    def __init__(self, run: Path):
        self.run, self.events = run, []
        self.seen = self._look()

    def _look(self) -> dict[str, int]:
        found = {}
        for name in WATCHED:
            try:
                found[name] = (self.run / name).stat().st_ino
            except FileNotFoundError:
                continue
        try:
            names = os.listdir(self.run)  # noqa: PTH208  the fastest way
        except FileNotFoundError:
            names = []
        return found | {name: 1 for name in names if name.startswith(".") and name.endswith(WATCHED)}

    def look(self) -> None:
        """Note what has changed since the last look."""
        now = self._look()
        for name, inode in now.items():
            if self.seen.get(name) != inode:
                plain = next(each for each in WATCHED if name.endswith(each))
                self.events.append((plain, "begun" if name.startswith(".") else "written"))
        self.seen = now

    @property
    def state(self) -> str:
        """What the process was doing at the last look."""
        half = [name for name in WATCHED if any(each.startswith(".") and each.endswith(name) for each in self.seen)]
        if half:
            return f"writing {' and '.join(half)}"
        return f"after {self.events[-1][0]}" if self.events else "before any file"


def start(words: tuple[str, ...], home: Path) -> subprocess.Popen:
    """Start a command in a process of its own, in the folder of the repository."""
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=paths.REPOSITORY,
        env=os.environ | {"LUMBAR_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(words: tuple[str, ...], home: Path) -> float:
    """Run a command to its end, and return the seconds that it took."""
    began = time.perf_counter()
    process = start(words, home)
    _, complaint = process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{complaint}")
    return time.perf_counter() - began


def killed(words: tuple[str, ...], home: Path, run: Path, moment: Moment) -> tuple[bool, str]:
    """Start a command and kill it at a moment; return whether it still ran then, and what it was doing."""
    watch, began = Watch(run), time.perf_counter()
    process = start(words, home)

    def is_time() -> bool:
        watch.look()
        if moment.event is None:
            return time.perf_counter() - began >= moment.seconds
        return watch.events.count(moment.event) >= moment.count

    while process.poll() is None and not is_time():
        time.sleep(0.0005)
    if moment.event is not None and moment.seconds:
        time.sleep(moment.seconds)
        watch.look()
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return running, watch.state


def trial(
    network: str, kills: list[Moment], home: Path, straight: Path, kill_evaluation: float | None
) -> dict[str, str]:
    """Kill a training, resume it, perhaps kill it again, evaluate it, compare it, and return a row of the table."""
    from lumbar.evaluation import EvaluationSettings, evaluate
    from lumbar.experiments.rerun import compare
    from lumbar.runs.folder import read_history

    run = paths.runs() / "killed"
    shutil.rmtree(run, ignore_errors=True)
    words = training_words(network, "killed")
    found, epochs = [], []
    for moment in kills:
        found.append(killed(words, home, run, moment))
        epochs.append(len(read_history(run)))
    finish(words, home)
    if kill_evaluation is None:
        evaluate(EvaluationSettings(run=run, bootstrap=200), progress=False)
    else:
        killed(evaluation_words(run), home, run, Moment(kill_evaluation))
        finish(evaluation_words(run), home)
    kill_times = "; again ".join(map(str, kills))
    if kill_evaluation is not None:
        kill_times += f"; evaluation {kill_evaluation:.2f} s"
    comparison = compare(straight, run)
    different = "; ".join(f"{what} {how}" for what, how in comparison.findings.items() if how)
    left = [path.name for path in run.iterdir() if path.name.startswith(".")]
    return {
        "network": network,
        "killed": kill_times,
        "epochs in the history": ", ".join(map(str, epochs)),
        "state when killed": ", ".join(state if running else ENDED for running, state in found),
        "identical": "yes" if comparison.same else f"NO: {different}",
        "leftovers": ", ".join(left) or "none",
    }


def training_words(network: str, name: str) -> tuple[str, ...]:
    return ("train.py", *NETWORKS[network], *SMALL, "--patients", "24", "--name", name)


def evaluation_words(run: Path) -> tuple[str, ...]:
    return ("evaluate.py", "--run", str(run), "--bootstrap", "200")


def series(network: str, kills: int, rng: random.Random, home: Path, report: Callable[[dict], None]) -> list[dict]:
    """Run all trials of one network, and return their rows."""
    straight = paths.runs() / f"straight-{network}"
    words = training_words(network, straight.name)
    finish(words, home)  # also makes the synthetic patients
    shutil.rmtree(straight)
    whole, evaluating = finish(words, home), finish(evaluation_words(straight), home)
    first, last = ((straight / name).stat().st_mtime for name in ("config.json", "learning_curves.png"))
    rows = []
    for number, moment in enumerate(moments(kills, rng, whole, last - first, int(SMALL[1]))):
        kill_evaluation = rng.uniform(0.5, 1) * evaluating if number % 4 == 3 else None
        kills_of_it = [moment, again(rng)] if number % 3 == 2 else [moment]
        rows.append(trial(network, kills_of_it, home, straight, kill_evaluation))
        report(rows[-1])
    return rows


def main() -> int:
    """Run the trials, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="trainings to kill, per network (default: 20)")
    parser.add_argument(
        "--model", nargs="+", choices=NETWORKS, default=["baseline", "heatmap"], help="networks to train"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments (default: 0)")
    arguments = parser.parse_args()
    rng, rows, columns = random.Random(arguments.seed), [], []

    def report(row: dict[str, str]) -> None:
        if not columns:
            columns.extend(row)
            print(f"| kill | {' | '.join(row)} |\n|{' --- |' * (len(row) + 1)}")
        rows.append(row)
        print(f"| {len(rows)} | {' | '.join(row.values())} |", flush=True)

    with tempfile.TemporaryDirectory(prefix="lumbar-kills-") as place:
        os.environ["LUMBAR_HOME"] = place
        for network in arguments.model:
            series(network, arguments.kills, rng, Path(place), report)
    same = sum(row["identical"] == "yes" for row in rows)
    clean = sum(row["leftovers"] == "none" for row in rows)
    caught = sum(not row["state when killed"].startswith(ENDED) for row in rows)
    print(f"\n{len(rows)} trainings, {caught} killed at work; {same} results identical, {clean} without leftovers.")
    return 0 if same == clean == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
