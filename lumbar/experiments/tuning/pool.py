"""A search by several processes, on one machine or several: Keras Tuner's chief hands out trials, workers run them.

Chief and workers are processes of their own, see `lumbar.experiments.tuning.worker`. The process that started them
looks after them: a worker that dies is started again under its name and goes on with its trial after the last epoch; a chief
that dies is started again and knows all trials; and none of them outlives the process that started it.

The workers talk to the chief through gRPC, without a password: anybody who reaches the port can take part. So the chief
listens on this machine alone unless it is told another address.
"""

from __future__ import annotations

import ipaddress
import os
import platform
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lumbar.core.digests import digest_of_text
from lumbar.core.errors import RunError, SettingsError
from lumbar.experiments.tuning.leaderboard import trial_records
from lumbar.runs.settings import WorkerSettings
from lumbar.storage.files import describe_os_error

if TYPE_CHECKING:
    from collections.abc import Iterator

CHIEF = "chief"
"""The chief's name; Keras Tuner knows it by that."""

DEATHS = "LUMBAR_DEATHS"
"""Variable of the environment that tells a worker how often it has died since a trial was finished."""

GIVE_UP = 3
"""Deaths in a row after which a worker calls its trial failed; and restarts of the chief without any progress."""

NO_CHIEF = 75
"""Exit code of a worker that lost its chief: to be started again (EX_TEMPFAIL of sysexits.h)."""

_LOOK_EVERY = 0.2


def search(folder: Path, total: int | None, settings: WorkerSettings, *, progress: bool = True) -> None:
    """Have several processes do the search whose settings stand in the folder's config.json.

    Args:
        folder: The search's.
        total: Trials, if known beforehand.
        settings: How many, and where others may join.
        progress: Show a bar.

    Raises:
        SettingsError: If the address cannot be used.
        RunError: If one of the processes ends with an error; its message is told.
    """
    address = _free(settings.chief) if settings.chief else _free("127.0.0.1:0")
    if settings.chief and not _is_loopback(address):
        print(
            f"note: anybody who can reach {address} can take part in this search: there is no password",
            file=sys.stderr,
        )
    with _worker_pool(folder, address, settings.workers, chief=True) as pool, _bar(folder, total, progress) as look:
        while pool.at_work(wait_for_chief=settings.chief is not None):
            look()
            time.sleep(_LOOK_EVERY)
        look()


def join(folder: Path, settings: WorkerSettings, *, progress: bool = True) -> None:
    """Work for the search of another machine until it has no more trials.

    Raises:
        SettingsError: If the address cannot be used.
        RunError: If there is no such search in the runs folder, or a worker ends with an error.
    """
    if not (folder / "config.json").is_file():
        raise RunError(
            "the search to join is not in the runs folder of this machine",
            file=folder,
            remedy="LUMBAR_HOME must be the same folder on all machines, and --name the search's",
        )
    host, port = _parts(settings.join)
    with (
        _worker_pool(folder, f"{host}:{port}", settings.workers, chief=False) as pool,
        _bar(folder, None, progress) as look,
    ):
        while pool.at_work(wait_for_chief=False):
            look()
            time.sleep(_LOOK_EVERY)


class WorkerPool:
    """The processes of a search on this machine.

    Args:
        folder: The search's.
        address: HOST:PORT of the chief.
        workers: How many.
        chief: Whether the chief is one of them.
    """

    def __init__(self, folder: Path, address: str, workers: int, *, chief: bool):
        self.folder, self.address = folder, address
        self.threads = max(1, (os.cpu_count() or 1) // max(workers, 1))
        machine = digest_of_text(platform.node(), length=6)
        names = [CHIEF] * chief + [f"worker-{machine}-{number}" for number in range(1, workers + 1)]
        self.processes: dict[str, subprocess.Popen | None] = {}
        self.deaths = dict.fromkeys(names, 0)
        self.finished = dict.fromkeys(names, 0)
        with describe_os_error(folder / "workers"):
            (folder / "workers").mkdir(exist_ok=True)
        for name in names:
            self.processes[name] = self._started(name)

    def _started(self, name: str) -> subprocess.Popen:
        host, port = _parts(self.address)
        environment = (
            {"TF_NUM_INTRAOP_THREADS": str(self.threads)}
            | os.environ
            | {
                "KERASTUNER_TUNER_ID": name,
                "KERASTUNER_ORACLE_IP": host,
                "KERASTUNER_ORACLE_PORT": str(port),
                DEATHS: str(self.deaths[name]),
            }
        )
        with describe_os_error(self._log(name)), self._log(name).open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "lumbar.experiments.tuning.worker", str(self.folder)],
                env=environment,
                stdin=subprocess.PIPE,  # open as long as this process lives, see `worker.main`
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is this process's business
            )

    def _log(self, name: str) -> Path:
        return self.folder / "workers" / f"{name}.log"

    def at_work(self, *, wait_for_chief: bool) -> bool:
        """Look after the processes; whether the search still goes on.

        Args:
            wait_for_chief: Whether the chief may have workers elsewhere, so that only itself knows when it is done.

        Raises:
            RunError: If one has ended with an error.
        """
        for name, process in self.processes.items():
            code = process.poll() if process else 0
            if code == 0:
                self.processes[name] = None
            elif code is not None:
                self._restart(name, code)
        working = {name for name, process in self.processes.items() if process is not None}
        return bool(working if wait_for_chief else working - {CHIEF})

    def _restart(self, name: str, code: int) -> None:
        killed = code < 0 or code == NO_CHIEF
        finished = sum(status in ("COMPLETED", "FAILED") for status in statuses(self.folder))
        self.deaths[name] = 1 if finished > self.finished[name] else self.deaths[name] + (code != NO_CHIEF)
        self.finished[name] = finished
        if not killed or self.deaths[name] > GIVE_UP:
            last = self._log(name).read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
            raise RunError(
                "a process of the search cannot go on",
                file=self._log(name),
                found=" / ".join(last) or f"exit code {code}",
                remedy="see its log; finished trials are kept, and the same command goes on from there",
            )
        self.processes[name] = self._started(name)

    def end(self) -> None:
        """End all processes that are left."""
        left = [process for process in self.processes.values() if process is not None and process.poll() is None]
        for process in left:
            process.terminate()
        for process in left:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def _worker_pool(folder: Path, address: str, workers: int, *, chief: bool) -> Iterator[WorkerPool]:
    pool = WorkerPool(folder, address, workers, chief=chief)
    try:
        yield pool
    finally:
        pool.end()


def statuses(folder: Path) -> list[str]:
    """Return how each trial of a search stands: RUNNING, COMPLETED or FAILED."""
    return [trial["status"] for trial in trial_records(folder)]


@contextmanager
def _bar(folder: Path, total: int | None, progress: bool):
    from tqdm.auto import tqdm

    with tqdm(total=total, desc="trials", unit="trial", disable=not progress) as bar:

        def look() -> None:
            finished = sum(status != "RUNNING" for status in statuses(folder))
            if finished != bar.n:
                bar.update(finished - bar.n)

        yield look


def _parts(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise SettingsError(
            "this is no address", field="chief", found=address, expected="HOST:PORT, e.g. 10.0.0.5:9000"
        )
    return host, int(port)


def _free(address: str) -> str:
    """The address, with a free port for port 0; gRPC itself would share a port with another search."""
    host, port = _parts(address)
    try:
        with socket.socket() as tried:
            tried.bind((host, port))
            return f"{host}:{tried.getsockname()[1]}"
    except OSError as error:
        raise SettingsError(
            "the chief cannot listen at this address",
            field="chief",
            found=f"{address} ({error.strerror or error})",
            remedy="name an address of this machine and a free port",
        ) from error


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(socket.gethostbyname(_parts(address)[0])).is_loopback
