"""A search by several processes, on one machine or several: Keras Tuner's chief hands out trials, workers run them.

Chief and workers are processes of their own, see `lumbar.experiments.tuning.worker`. The process that started them
supervises them. A worker that dies is restarted under its name, and resumes its trial after the last finished epoch. A
chief that dies is restarted, and reads all trials from disk. None of them outlives the process that started it.

The workers talk to the chief through gRPC without a password, so anyone who can reach the port can take part. Therefore
the chief listens on the loopback address of this machine, unless the settings give another one.
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
from lumbar.experiments.tuning.leaderboard import statuses
from lumbar.runs.settings import WorkerSettings
from lumbar.storage.files import describe_os_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHIEF = "chief"
"""The chief's name; Keras Tuner recognises the chief by it."""

DEATHS = "LUMBAR_DEATHS"
"""Environment variable that gives a worker the number of its deaths since a trial was last finished."""

GIVE_UP = 3
"""Deaths in a row after which a worker marks its trial as failed, and restarts of the chief without any progress."""

NO_CHIEF = 75
"""Exit code of a worker that has lost its chief, and is to be restarted (EX_TEMPFAIL of sysexits.h)."""

_POLL_SECONDS = 0.2


def search(folder: Path, total: int | None, settings: WorkerSettings, *, progress: bool = True) -> None:
    """Run the search that the folder's config.json describes in several processes, until no trials are left.

    Args:
        folder: The search's folder.
        total: Number of trials, if it is known beforehand.
        settings: Number of workers, and the address at which other machines may join.
        progress: Show a progress bar.

    Raises:
        SettingsError: If the address cannot be used.
        RunError: If one of the processes ends with an error; the message quotes the end of its log.
    """
    address = _with_free_port(settings.chief or "127.0.0.1:0")
    if settings.chief and not _is_loopback(address):
        print(
            f"note: anyone who can reach {address} can take part in this search: there is no password",
            file=sys.stderr,
        )
    with _worker_pool(folder, address, settings.workers, chief=True) as pool, _bar(folder, total, progress) as update:
        while pool.supervise(wait_for_chief=settings.chief is not None):
            update()
            time.sleep(_POLL_SECONDS)
        update()


def join(folder: Path, settings: WorkerSettings, *, progress: bool = True) -> None:
    """Run trials for the search of another machine until it has no more.

    Args:
        folder: The search's folder, which both machines must see.
        settings: Number of workers, and the address of the search's chief.
        progress: Show a progress bar.

    Raises:
        SettingsError: If the address cannot be used.
        RunError: If there is no such search in the runs folder, or a worker ends with an error.
    """
    if not (folder / "config.json").is_file():
        raise RunError(
            "the search to join is not in the runs folder of this machine",
            file=folder,
            remedy="set LUMBAR_HOME to the same folder on all machines, and give the search's name with --name",
        )
    host, port = _host_and_port(settings.join)
    with (
        _worker_pool(folder, f"{host}:{port}", settings.workers, chief=False) as pool,
        _bar(folder, None, progress) as update,
    ):
        while pool.supervise(wait_for_chief=False):
            update()
            time.sleep(_POLL_SECONDS)


class WorkerPool:
    """The processes of a search on this machine; creating the pool starts them.

    Args:
        folder: The search's folder.
        address: HOST:PORT of the chief.
        workers: Number of workers.
        chief: Whether the chief runs on this machine, too.
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
            self.processes[name] = self._start(name)

    def _start(self, name: str) -> subprocess.Popen:
        host, port = _host_and_port(self.address)
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
                stdin=subprocess.PIPE,  # stays open as long as this process lives, see `worker.main`
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the supervising process alone
            )

    def _log(self, name: str) -> Path:
        return self.folder / "workers" / f"{name}.log"

    def supervise(self, *, wait_for_chief: bool) -> bool:
        """Restart the processes that were killed, and return whether the search still goes on.

        Args:
            wait_for_chief: Whether the search goes on until the chief has ended. Other machines may work for it, so
                that it alone knows when no trials are left.

        Raises:
            RunError: If a process has ended with an error.
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
        """Restart a process that has ended, unless it failed by itself or has died too often."""
        killed = code < 0 or code == NO_CHIEF
        finished = sum(status in ("COMPLETED", "FAILED") for status in statuses(self.folder))
        self.deaths[name] = 1 if finished > self.finished[name] else self.deaths[name] + (code != NO_CHIEF)
        self.finished[name] = finished
        if not killed or self.deaths[name] > GIVE_UP:
            last = self._log(name).read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
            raise RunError(
                "a process of the search has failed",
                file=self._log(name),
                found=" / ".join(last) or f"exit code {code}",
                remedy="see its log; finished trials are kept, and the same command resumes the search",
            )
        self.processes[name] = self._start(name)

    def end(self) -> None:
        """End all processes that still run."""
        running = [process for process in self.processes.values() if process is not None and process.poll() is None]
        for process in running:
            process.terminate()
        for process in running:
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


@contextmanager
def _bar(folder: Path, total: int | None, progress: bool) -> Iterator[Callable[[], None]]:
    """Show a progress bar over the trials, and yield the function that brings it up to date."""
    from tqdm.auto import tqdm

    with tqdm(total=total, desc="trials", unit="trial", disable=not progress) as bar:

        def update() -> None:
            finished = sum(status != "RUNNING" for status in statuses(folder))
            if finished != bar.n:
                bar.update(finished - bar.n)

        yield update


def _host_and_port(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise SettingsError(
            "this is not an address", field="chief", found=address, expected="HOST:PORT, e.g. 10.0.0.5:9000"
        )
    return host, int(port)


def _with_free_port(address: str) -> str:
    """Return an address at which the chief can listen: port 0 is replaced by a free one.

    The port is tried here because gRPC would share one with another search.
    """
    host, port = _host_and_port(address)
    try:
        with socket.socket() as trial:
            trial.bind((host, port))
            return f"{host}:{trial.getsockname()[1]}"
    except OSError as error:
        raise SettingsError(
            "the chief cannot listen at this address",
            field="chief",
            found=f"{address} ({error.strerror or error})",
            remedy="give an address of this machine and a free port",
        ) from error


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(socket.gethostbyname(_host_and_port(address)[0])).is_loopback
