"""``python -m tests.stress.kills [--kills 20]``: kill trainings at random moments, and see each resume to the same end.

One training is left in peace. Each of the others is the same command in a process of its own, killed with SIGKILL at
a random moment, given again, and evaluated; then weights, optimizer, history and metrics are compared bit by bit. Half
of the moments are drawn from the time that the training takes, the other half lie within some milliseconds after a
file was begun or renamed: inside the write of a checkpoint or the history, between two of them, or just after the last.
Every third training is killed again while it goes on, and some evaluations are, too. Printed is a Markdown table; the
exit code is 1 if anything differs.
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
"""What is trained: dropout, augmentation, a schedule, a frozen backbone."""

SMALL = ("--epochs", "4", "--batch-size", "4", "--width", "4", "--depth", "3")
WATCHED = ("config.json", "split.csv", "history.csv", "best.keras", "last.keras", "learning_curves.png")


@dataclass(frozen=True)
class Moment:
    """When a process is killed.

    Args:
        seconds: After its start; or, if there is an event, after that.
        event: Name of a file, and whether its temporary file is to appear ("begun") or it itself ("written").
        count: The how-manieth such event of this process.
    """

    seconds: float
    event: tuple[str, str] | None = None
    count: int = 1

    def __str__(self) -> str:
        if self.event is None:
            return f"{self.seconds:.2f} s after the start"
        return f"{1000 * self.seconds:.0f} ms after {self.event[0]} was {self.event[1]}, time {self.count}"


def moments(kills: int, chance: random.Random, whole: float, training: float, epochs: int) -> Iterator[Moment]:
    """As many moments, half of them drawn from the time that it takes, half of them tied to a file.

    Args:
        kills: How many.
        chance: Draws them.
        whole: Seconds that the command takes, most of which Python and TensorFlow need to start.
        training: Seconds that the training itself takes, to the last picture; most moments lie here.
        epochs: Of the training.
    """
    for number in range(kills):
        if number % 8 == 0:
            yield Moment(chance.uniform(0, whole))
        elif number % 2 == 0:
            yield Moment(chance.uniform(0, training), ("config.json", "written"))
        else:
            name = chance.choice(WATCHED[:2]) if number % 10 == 9 else WATCHED[2:][number // 2 % 4]
            times = chance.randint(1, epochs) if name in ("history.csv", "last.keras") else 1
            seconds = chance.choice((0, chance.uniform(0, 0.03)))
            yield Moment(seconds, (name, chance.choice(("begun", "written"))), times)


def again(chance: random.Random) -> Moment:
    """A moment for a training that goes on: around the first of its files that it writes anew."""
    event = (chance.choice(WATCHED[2:5]), chance.choice(("begun", "written")))
    return Moment(chance.choice((0, chance.uniform(0, 0.03))), event)


class Watch:
    """What a process has done to the files of a run, as far as one can see who looks often."""

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
            names = os.listdir(self.run)  # noqa: PTH208  the quickest there is
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
        """What was under way at the last look."""
        half = [name for name in WATCHED if any(each.startswith(".") and each.endswith(name) for each in self.seen)]
        if half:
            return f"writing {' and '.join(half)}"
        return f"after {self.events[-1][0]}" if self.events else "before any file"


def start(words: tuple[str, ...], home: Path) -> subprocess.Popen:
    """A command in a process of its own, from the repository."""
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=paths.REPOSITORY,
        env=os.environ | {"LUMBAR_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(words: tuple[str, ...], home: Path) -> float:
    """Run a command to its end; seconds it took."""
    began = time.perf_counter()
    process = start(words, home)
    _, complaint = process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{complaint}")
    return time.perf_counter() - began


def killed(words: tuple[str, ...], home: Path, run: Path, moment: Moment) -> tuple[bool, str]:
    """Start a command and kill it at a moment; whether it still ran then, and what it was at."""
    watch, began = Watch(run), time.perf_counter()
    process = start(words, home)

    def come() -> bool:
        watch.look()
        if moment.event is None:
            return time.perf_counter() - began >= moment.seconds
        return watch.events.count(moment.event) >= moment.count

    while process.poll() is None and not come():
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
    """One training that is killed, resumed, perhaps killed again, evaluated and compared."""
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
    told = "; again ".join(map(str, kills))
    if kill_evaluation is not None:
        told += f"; evaluation {kill_evaluation:.2f} s"
    comparison = compare(straight, run)
    different = "; ".join(f"{what} {how}" for what, how in comparison.findings.items() if how)
    left = [path.name for path in run.iterdir() if path.name.startswith(".")]
    return {
        "network": network,
        "killed": told,
        "epochs in the history": ", ".join(map(str, epochs)),
        "at": ", ".join(state if running else "it was through" for running, state in found),
        "identical": "yes" if comparison.same else f"NO: {different}",
        "left over": ", ".join(left) or "nothing",
    }


def training_words(network: str, name: str) -> tuple[str, ...]:
    return ("train.py", *NETWORKS[network], *SMALL, "--patients", "24", "--name", name)


def evaluation_words(run: Path) -> tuple[str, ...]:
    return ("evaluate.py", "--run", str(run), "--bootstrap", "200")


def series(network: str, kills: int, chance: random.Random, home: Path, tell: Callable[[dict], None]) -> list[dict]:
    """All trials of one network."""
    straight = paths.runs() / f"straight-{network}"
    words = training_words(network, straight.name)
    finish(words, home)  # makes the patients, too
    shutil.rmtree(straight)
    whole, evaluating = finish(words, home), finish(evaluation_words(straight), home)
    first, last = ((straight / name).stat().st_mtime for name in ("config.json", "learning_curves.png"))
    rows = []
    for number, moment in enumerate(moments(kills, chance, whole, last - first, int(SMALL[1]))):
        kill_evaluation = chance.uniform(0.5, 1) * evaluating if number % 4 == 3 else None
        kills_of_it = [moment, again(chance)] if number % 3 == 2 else [moment]
        rows.append(trial(network, kills_of_it, home, straight, kill_evaluation))
        tell(rows[-1])
    return rows


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="trainings to kill, of each network (default: 20)")
    parser.add_argument("--model", nargs="+", choices=NETWORKS, default=["baseline", "heatmap"], help="networks")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other moments")
    arguments = parser.parse_args()
    chance, rows, columns = random.Random(arguments.seed), [], []

    def tell(row: dict[str, str]) -> None:
        if not columns:
            columns.extend(row)
            print(f"| kill | {' | '.join(row)} |\n|{' --- |' * (len(row) + 1)}")
        rows.append(row)
        print(f"| {len(rows)} | {' | '.join(row.values())} |", flush=True)

    with tempfile.TemporaryDirectory(prefix="lumbar-kills-") as place:
        os.environ["LUMBAR_HOME"] = place
        for network in arguments.model:
            series(network, arguments.kills, chance, Path(place), tell)
    same = sum(row["identical"] == "yes" for row in rows)
    clean = sum(row["left over"] == "nothing" for row in rows)
    caught = sum(not row["at"].startswith("it was through") for row in rows)
    print(f"\n{len(rows)} trainings, {caught} killed at work; {same} ended identically, {clean} left nothing over.")
    return 0 if same == clean == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
