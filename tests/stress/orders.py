"""Run the fast tests in other orders and with other seeds: ``python -m tests.stress.orders [--times 20]``.

A test that needs another one before it, or leaves something behind, falls in some order; one that holds by chance falls
with some seed. Each run shuffles the modules and the tests within each, gives Hypothesis and Python's random numbers a
seed of its own, and looks for new examples. The command prints a line a run, and the tests that fell; its exit code is
1 if any did. ``--first N`` starts with seed N: ``--times 1 --first N`` repeats a run. pytest loads this module as a
plugin.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import time
from collections import defaultdict

from tests.conftest import SEED

SELECTION = ("-m", "not slow")


def pytest_collection_modifyitems(items: list) -> None:
    """Shuffle the tests, module by module, so that what a module's tests share is made once as before."""
    chance = random.Random(os.environ[SEED])
    by_module = defaultdict(list)
    for item in items:
        by_module[item.path].append(item)
    modules = list(by_module.values())
    chance.shuffle(modules)
    for tests in modules:
        chance.shuffle(tests)
    items[:] = [test for tests in modules for test in tests]


def run(seed: int, selection: list[str]) -> tuple[str, list[str]]:
    """Run the tests once; return pytest's last line, and the tests that failed.

    Args:
        seed: Seed of the order, of Hypothesis and of Python's random numbers.
        selection: Arguments of pytest that choose the tests.
    """
    words = ["-q", "-p", "tests.stress.orders", "-p", "no:cacheprovider", "--hypothesis-profile", "searching"]
    words += ["--hypothesis-seed", str(seed), "--numprocesses", "auto", "--maxprocesses", "4", "--dist", "worksteal"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, *selection],
        env=os.environ | {SEED: str(seed)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.strip().splitlines() or [done.stderr.strip()]
    failed = [line for line in lines if re.match(r"(FAILED|ERROR) ", line)]
    if done.returncode and not failed:
        failed = [f"pytest ended with {done.returncode}: {done.stderr.strip()[-2000:] or lines[-1]}"]
    return lines[-1].strip("= "), failed


def main() -> None:
    """Run the tests several times, and exit with 1 if any failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.orders", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--times", type=int, default=20, help="runs (default: 20)")
    parser.add_argument("--first", type=int, default=1, help="seed of the first run; the others follow (default: 1)")
    parser.add_argument(
        "selection", nargs="*", help="arguments for pytest that choose the tests (default: the fast ones)"
    )
    arguments = parser.parse_args()
    fallen = 0
    for seed in range(arguments.first, arguments.first + arguments.times):
        begin = time.perf_counter()
        summary, failed = run(seed, arguments.selection or list(SELECTION))
        print(f"seed {seed}, {(time.perf_counter() - begin) / 60:.1f} min: {summary}", flush=True)
        print(*(f"  {line}" for line in failed), sep="\n", end="\n" if failed else "", flush=True)
        fallen += bool(failed)
    print(f"{arguments.times - fallen} of {arguments.times} runs passed")
    sys.exit(bool(fallen))


if __name__ == "__main__":
    main()
