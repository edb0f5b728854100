"""Execute a notebook for each combination of its parameters in a grid, and compare the results.

The grid is a YAML file with lines ``PARAMETER: [value, value, …]``; a single value stays constant while the others
vary. Each combination has a folder, 001, 002 and so on, with the executed notebook, its page, its record and the runs
that it trained. The record is written when a combination ends. A sweep that is stopped therefore loses only the
combinations in progress, and keeps the finished epochs of their trainings.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumbar.compute import dask_cluster
from lumbar.compute.processes import in_parallel
from lumbar.core import paths
from lumbar.core.digests import digest_of_values
from lumbar.core.errors import ClusterError, RunError
from lumbar.course.comparison import (
    describe_diverged,
    is_boolean,
    plot,
    read_record,
    recorded_names,
    restore_numbers,
    tabulate,
)
from lumbar.course.execution import execute
from lumbar.course.grid import Grid
from lumbar.course.notebook import read_notebook
from lumbar.storage.claims import claim_folder
from lumbar.storage.files import atomic_write, write_json, write_table
from lumbar.storage.locks import exclusive_lock

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Combination:
    """One combination of parameters, with all that a process needs to execute it, perhaps on another machine.

    Args:
        folder: Folder of its results.
        source: Copy of the notebook, made when the sweep started.
        notebook_folder: Folder of the original notebook, which is the current folder of the notebook's process.
        parameters: Parameter → value.
        threads: Number of threads that the notebook's process computes with; None for the default of TensorFlow.
    """

    folder: Path
    source: Path
    notebook_folder: Path
    parameters: dict[str, Any]
    threads: int | None


@dataclass(frozen=True)
class Sweep:
    """The outcome of `sweep`.

    Args:
        out: Folder of the results.
        table: One row per combination.
        figure: Path of the figure; None if there is nothing to plot.
        diverged: One sentence for each recorded number that is not finite in some combinations.
    """

    out: Path
    table: pd.DataFrame
    figure: Path | None
    diverged: tuple[str, ...] = ()

    @property
    def failed(self) -> int:
        """Number of combinations whose notebook stopped with an error."""
        return int((self.table["state"] != "done").sum())

    def __str__(self) -> str:
        # Boolean values, such as those of exercises, are in sweep.csv only.
        hidden = [name for name in recorded_names(self.table) if is_boolean(self.table[name])]
        shown = self.table.drop(columns=hidden if self.failed else [*hidden, "error"])
        lines = [shown.to_string(index=False, float_format="{:.4g}".format, na_rep="")]
        if self.failed:
            lines.append(
                f"{self.failed} of {len(self.table)} combinations failed; run the same command to try them again"
            )
        lines += self.diverged
        figure = f" and {self.figure.name}" if self.figure else ""
        return "\n".join([*lines, f"The executed notebooks, with sweep.csv{figure}, are in {self.out}"])


def sweep(
    notebook: Path,
    grid: Grid,
    out: Path | None = None,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    metrics: Sequence[str] | None = None,
    progress: bool = True,
) -> Sweep:
    """Execute the combinations that are missing or failed before, then compare all of them.

    Args:
        notebook: Path of the notebook.
        grid: Values of its parameters.
        out: Folder for one folder per combination, sweep.csv and sweep.png; by default a folder below
            ``runs/sweeps/`` whose name depends on the notebook and the grid.
        workers: Number of processes that execute combinations at the same time, each with its share of the cores.
        scheduler: Address of a Dask cluster that executes them instead. Its workers must see the folder of the
            notebook and `out` under the same path.
        metrics: Recorded numbers to plot; by default all that differ.
        progress: Whether to show a progress bar over the combinations.

    Raises:
        SettingsError: If no combination recorded a number in `metrics`.
        RunError: If the folder contains another sweep, or another process is at work in it.
        ClusterError: If the cluster cannot do the work.
        OutputError: If the results cannot be written.
    """
    digest = _digest(notebook, grid)
    out = (out or paths.runs() / "sweeps" / f"{notebook.stem}-{digest}").expanduser().absolute()
    with exclusive_lock(out):
        _begin(out, notebook, grid, digest)
        threads = max(1, (os.cpu_count() or 1) // workers) if workers > 1 and not scheduler else None
        combinations = [
            Combination(out / f"{number:03}", out / notebook.name, notebook.absolute().parent, parameters, threads)
            for number, parameters in enumerate(grid.combinations, start=1)
        ]
        _execute_missing(combinations, out, workers, scheduler, progress)
        stored = tabulate({each.folder: each.parameters for each in combinations}, grid.varied)
        write_table(out / "sweep.csv", stored)  # where a number that is not finite differs from a missing one
        table, diverged = restore_numbers(stored)
        figure = plot(out / "sweep.png", table, grid.varied, metrics, diverged)
        return Sweep(out, table, figure, tuple(describe_diverged(table, grid.varied, diverged)))


def _digest(notebook: Path, grid: Grid) -> str:
    """Return the fingerprint that identifies a sweep: of the grid, and of the notebook without its outputs."""
    cells = [(cell.cell_type, cell.source) for cell in read_notebook(notebook).cells]
    return digest_of_values([cells, list(grid.offered.items())], length=8)


def _begin(out: Path, notebook: Path, grid: Grid, digest: str) -> None:
    """Claim the folder and copy the notebook to it; the sweep executes the copy, even if the original is edited."""
    claim_folder(
        out / "sweep.json",
        {"notebook": str(notebook), "grid": grid.offered, "digest": digest},
        RunError(
            "this folder contains a sweep of another grid or notebook",
            file=out,
            remedy="choose another --out, or remove the folder",
        ),
        key="digest",
    )
    if not (out / notebook.name).is_file():
        with atomic_write(out / notebook.name) as copy:
            shutil.copyfile(notebook, copy)


def _execute_missing(
    combinations: list[Combination], out: Path, workers: int, scheduler: str | None, progress: bool
) -> None:
    from tqdm.auto import tqdm

    missing = [each for each in combinations if not (record := read_record(each.folder)) or record["error"]]
    done = len(combinations) - len(missing)
    if done:
        print(f"{done} of {len(combinations)} combinations were done before", flush=True)
    if not missing:
        return
    with dask_cluster.use_cluster(scheduler, out) if scheduler else nullcontext():
        outcomes = in_parallel(run_combination, missing, workers)
        bar = {"desc": "combinations", "unit": "combination", "disable": not progress}
        for _ in tqdm(outcomes, total=len(combinations), initial=done, **bar):
            pass


def run_combination(combination: Combination) -> None:
    """Execute one combination and write its record, which includes an error in the notebook.

    Raises:
        ClusterError: If this machine does not see the folder of the notebook.
        RunError: If another process is executing this combination.
        OutputError: If the results cannot be written.
    """
    if not combination.notebook_folder.is_dir():
        raise ClusterError(
            "a worker does not see the folder of the notebook",
            file=combination.notebook_folder,
            remedy="move it to a file system that all workers share",
        )
    environment = {"TF_NUM_INTRAOP_THREADS": str(combination.threads)} if combination.threads else {}
    # Each combination has its own runs folder: two of them may train the same network at the same time.
    environment = environment | os.environ | {"LUMBAR_RUNS": str(combination.folder / "runs")}
    # The lock is needed because a Dask worker finishes its combination even if the sweep is stopped and started again.
    with exclusive_lock(combination.folder), _interruptible():
        executed = execute(
            combination.source,
            combination.folder / combination.source.name,
            combination.parameters,
            folder=combination.notebook_folder,
            environment=environment,
            progress=False,
        )
        write_json(combination.folder / "record.json", {"parameters": combination.parameters, **asdict(executed)})


_stopped = threading.Event()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end the notebook in a worker of `in_parallel`, which would otherwise ignore it, perhaps for hours."""
    if multiprocessing.parent_process() is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    if _stopped.is_set():  # this combination was submitted before the main process received Ctrl-C
        raise KeyboardInterrupt
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        _stopped.set()
        raise
    finally:
        signal.signal(signal.SIGINT, previous)
