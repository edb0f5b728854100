"""A notebook executed once for each combination of a grid of its parameters, and what came of them side by side.

The grid is a YAML file ``PARAMETER: [value, value, …]``; a single value stands still while the others vary. Each
combination has a folder, 001, 002 and so on, with the executed notebook, its page, its record and the runs that it
trained. Whoever executes a combination writes its record when it ends, so that a sweep which was stopped loses only
what was under way, and of that not the finished epochs of its trainings.
"""

from __future__ import annotations

import json
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
from lumbar.core.errors import ClusterError, RunError, SettingsError
from lumbar.course.execution import Executed, execute
from lumbar.course.grid import Grid, in_words
from lumbar.storage.claims import claim_folder
from lumbar.storage.files import atomic_write, write_json, write_table
from lumbar.storage.locks import exclusive_lock

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Combination:
    """All that a process needs to execute one: perhaps on another machine, which sees the same folders.

    Attributes:
        folder: Where its results go.
        source: The notebook as it was when the sweep began.
        works_in: Folder in which the notebook's process works, that of the notebook.
        parameters: Their values.
        threads: That the notebook's process is to compute with; None leaves it the choice.
    """

    folder: Path
    source: Path
    works_in: Path
    parameters: dict[str, Any]
    threads: int | None


@dataclass(frozen=True)
class Sweep:
    """What `sweep` leaves: its folder, the table, and the path of the figure (None where there is nothing to draw)."""

    out: Path
    table: pd.DataFrame
    figure: Path | None

    @property
    def failed(self) -> int:
        """How many combinations did not run through."""
        return int((self.table["state"] != "done").sum())

    def __str__(self) -> str:
        # Yes or no, as of exercises, stands in sweep.csv.
        hidden = [name for name in _recorded(self.table) if _is_yes_or_no(self.table[name])]
        shown = self.table.drop(columns=hidden if self.failed else [*hidden, "error"])
        lines = [shown.to_string(index=False, float_format="{:.4g}".format, na_rep="")]
        if self.failed:
            lines.append(f"{self.failed} of {len(self.table)} combinations failed; the same command tries them again")
        drawn = f" and {self.figure.name}" if self.figure else ""
        return "\n".join([*lines, f"Executed notebooks, with sweep.csv{drawn}, are in {self.out}"])


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
        notebook: Its path.
        grid: Values of its parameters.
        out: Folder for one folder a combination, sweep.csv and sweep.png; by default one below ``runs/sweeps/`` that
            this grid and this notebook alone have.
        workers: Processes that execute combinations side by side; each has its share of the cores.
        scheduler: Address of a Dask cluster that executes them instead; its workers must see the folder of the notebook
            and `out` under the same path.
        metrics: Recorded numbers to draw; all that differ if left out.
        progress: Show a bar over the combinations.

    Raises:
        SettingsError: If there is no such number to draw.
        RunError: If the folder holds another sweep, or another process is at work in it.
        ClusterError: If the cluster cannot do the work.
        OutputError: If the system will not have the results written.
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
        table = _table(combinations, grid.varied)
        write_table(out / "sweep.csv", table)
        return Sweep(out, table, _drawn(out / "sweep.png", table, grid.varied, metrics))


def _digest(notebook: Path, grid: Grid) -> str:
    """What makes a sweep this one: the grid, and the notebook without its outputs."""
    import nbformat

    cells = [(cell.cell_type, cell.source) for cell in nbformat.read(notebook, as_version=4).cells]
    return digest_of_values([cells, list(grid.offered.items())], length=8)


def _begin(out: Path, notebook: Path, grid: Grid, digest: str) -> None:
    """Claim the folder, and copy the notebook to it: the sweep executes the copy, even if the original is edited."""
    claim_folder(
        out / "sweep.json",
        {"notebook": str(notebook), "grid": grid.offered, "digest": digest},
        RunError(
            "this folder holds a sweep of another grid or notebook",
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

    missing = [each for each in combinations if not (record := _record(each)) or record["error"]]
    done = len(combinations) - len(missing)
    if done:
        print(f"{done} of {len(combinations)} combinations were done before", flush=True)
    if not missing:
        return
    with dask_cluster.at(scheduler, out) if scheduler else nullcontext():
        ended = in_parallel(run_combination, missing, workers)
        bar = {"desc": "combinations", "unit": "combination", "disable": not progress}
        for _ in tqdm(ended, total=len(combinations), initial=done, **bar):
            pass


def run_combination(combination: Combination) -> None:
    """Execute one combination and write its record; what goes wrong in the notebook is part of that.

    Raises:
        ClusterError: If this machine does not see the folder of the notebook.
        RunError: If somebody is still at it.
        OutputError: If the system will not have the results written.
    """
    if not combination.works_in.is_dir():
        raise ClusterError(
            "a worker does not see the folder of the notebook",
            file=combination.works_in,
            remedy="put it on a file system that all workers share",
        )
    environment = {"TF_NUM_INTRAOP_THREADS": str(combination.threads)} if combination.threads else {}
    # Runs of its own: two combinations that train the same network at the same time would be in each other's way.
    environment = environment | os.environ | {"LUMBAR_RUNS": str(combination.folder / "runs")}
    # Held, as a Dask worker finishes what it has begun even if the sweep was stopped, and is called again meanwhile.
    with exclusive_lock(combination.folder), _interruptible():
        executed = execute(
            combination.source,
            combination.folder / combination.source.name,
            combination.parameters,
            folder=combination.works_in,
            environment=environment,
            progress=False,
        )
        write_json(combination.folder / "record.json", {"parameters": combination.parameters, **asdict(executed)})


_stopped = threading.Event()


@contextmanager
def _interruptible() -> Iterator[None]:
    """In a process of `in_parallel`, which leaves Ctrl-C to the main one, have it end a notebook: it may take hours."""
    if multiprocessing.parent_process() is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    if _stopped.is_set():  # handed over before the main process knew
        raise KeyboardInterrupt
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        _stopped.set()
        raise
    finally:
        signal.signal(signal.SIGINT, before)


def _record(combination: Combination) -> dict[str, Any] | None:
    path = combination.folder / "record.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _table(combinations: list[Combination], varied: list[str]) -> pd.DataFrame:
    """One row a combination: its folder, the varied parameters, state, minutes, recorded values, error."""
    import pandas as pd

    rows, values = [], {}
    for each in combinations:
        record = _record(each)
        executed = Executed(**{name: value for name, value in record.items() if name != "parameters"})
        parameters = {name: each.parameters[name] for name in varied}
        rows.append({"combination": each.folder.name, **{name: _shown(value) for name, value in parameters.items()}})
        rows[-1] |= {"state": executed.state, "minutes": executed.minutes, "error": executed.error}
        rows[-1] |= executed.recorded
        values |= executed.recorded
    return pd.DataFrame(rows, columns=["combination", *varied, "state", "minutes", *values, "error"])


def _shown(value: Any) -> Any:
    return in_words(value) if isinstance(value, list) else "none" if value is None else value


def _recorded(table: pd.DataFrame) -> list[str]:
    columns = list(table)
    return columns[columns.index("minutes") + 1 : -1]


def _numbers(table: pd.DataFrame) -> list[str]:
    from pandas.api.types import is_numeric_dtype

    return [name for name in _recorded(table) if is_numeric_dtype(table[name]) and not _is_yes_or_no(table[name])]


def _is_yes_or_no(column: pd.Series) -> bool:
    return all(str(value) in ("True", "False") for value in column.dropna())


def _drawn(path: Path, table: pd.DataFrame, varied: list[str], metrics: Sequence[str] | None) -> Path | None:
    recorded = _numbers(table)
    for name in metrics or ():
        if name not in [*recorded, "minutes"]:
            raise SettingsError(
                "no combination recorded a number of this name",
                field="metric",
                found=name,
                expected=", ".join([*recorded, "minutes"]),
            )
    chosen = metrics or [name for name in recorded if len(set(table[name].dropna())) > 1] or recorded
    if not varied or not chosen:
        path.unlink(missing_ok=True)
        return None
    from lumbar import figures

    figures.sweep_results(table, varied, chosen).savefig(path)
    return path
