"""Run the work of `lumbar.compute.processes` on an existing Dask cluster; a worker that dies loses no work.

>>> with lumbar.compute.dask_cluster.use_cluster("tcp://scheduler:8786", folder):  # doctest: +SKIP
...     prepared = lumbar.datasets.preparation.prepare(lumbar.datasets.load(folder), cache=lumbar.core.paths.cache())

If a worker dies, Dask gives its unfinished chunks to another one. Workers only read images; this process alone writes
them. If a chunk is computed twice, its results are written to the same place. Anyone who can reach the scheduler can
run code on its workers: use your own scheduler, in a network that you trust.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lumbar.compute.processes import AHEAD, Item, Result, chunks, keep_ahead, run_chunk, use_executor
from lumbar.core import extras
from lumbar.core.constants import VERSION
from lumbar.core.errors import ClusterError

if TYPE_CHECKING:
    from distributed import Client, Future

SECONDS = 10
"""Time limit for a connection to the scheduler; also how long to wait for a result before checking for workers."""


@contextmanager
def use_cluster(address: str, folder: Path) -> Iterator[None]:
    """Make `lumbar.compute.processes.in_parallel` use a Dask cluster in this block.

    Args:
        address: Address of the scheduler, such as "tcp://10.0.0.5:8786".
        folder: Absolute path of the folder that the workers read or write; they must see it under the same path.

    Raises:
        SettingsError: If the package distributed is not installed.
        ClusterError: If the scheduler does not respond, lacks this package or
            has no workers, a worker does not see the folder, or one of them has another version of this package.
    """
    client = _connect(address)
    try:
        _check_scheduler(client, address)
        _check_workers(client, address, folder)

        def executor(task: Callable[[Item], Result], items: Sequence[Item], chunk: int) -> Iterator[Result]:
            # Not `pure`: Dask must not reuse the result for a file that has changed since and kept its name.
            futures = (client.submit(run_chunk, task, part, pure=False) for part in chunks(items, chunk))
            for future in keep_ahead(futures, AHEAD * sum(client.nthreads().values())):
                yield from _result(client, address, future)

        with use_executor(executor):
            yield
    finally:
        client.close()


def _connect(address: str) -> Client:
    extras.require("dask", "use a Dask cluster")
    from distributed import Client
    from distributed.comm import get_address_host_port, normalize_address

    try:
        get_address_host_port(normalize_address(address))
        return Client(address, timeout=SECONDS, set_as_default=False)
    except ValueError as error:
        raise ClusterError(
            "this is not the address of a scheduler",
            field="scheduler",
            found=f"{address} ({error})",
            expected="for example tcp://10.0.0.5:8786",
            remedy="use the address that `dask scheduler` prints when it starts",
        ) from error
    except OSError as error:
        raise ClusterError(
            f"no Dask scheduler responded within {SECONDS} seconds",
            field="scheduler",
            found=address,
            remedy="check that it runs and that this machine can reach it; `dask scheduler` prints its address",
        ) from error


def _check_scheduler(client: Client, address: str) -> None:
    try:
        version = client.run_on_scheduler(_version)
    except ImportError as error:  # the scheduler unpacks what it hands on
        raise ClusterError(
            "the scheduler cannot hand on the work",
            field="scheduler",
            found=f"{error} at {address}",
            remedy=f"install lumbar {VERSION} and its requirements where the scheduler runs, too",
        ) from error
    if version != VERSION:
        raise ClusterError(
            "the scheduler has another version of this package",
            field="version",
            found=f"{version} at {address}",
            expected=VERSION,
            remedy=f"install lumbar {VERSION} where the scheduler runs",
        )


def _check_workers(client: Client, address: str, folder: Path) -> None:
    try:
        answers = client.run(_describe, str(folder))
    except Exception as error:  # a worker that cannot import this package may raise anything
        raise ClusterError(
            "a worker of the cluster cannot do the work",
            field="scheduler",
            found=f"{type(error).__name__}: {error}",
            remedy=f"install lumbar {VERSION} and its requirements where the workers run",
        ) from error
    if not answers:
        raise ClusterError(
            "the scheduler has no workers",
            field="scheduler",
            found=address,
            remedy=f"start workers: dask worker {address}",
        )
    own_version, own_entries = _describe(str(folder))
    for worker, (version, entries) in answers.items():
        if version != own_version:
            raise ClusterError(
                "a worker has another version of this package, so its results could differ",
                field="version",
                found=f"{version} at {worker}",
                expected=own_version,
                remedy=f"install lumbar {own_version} where the workers run",
            )
        if entries != own_entries:
            raise ClusterError(
                "a worker does not see the folder as this machine does",
                file=folder,
                found=f"{'another folder' if entries else 'no such folder'} at {worker}",
                expected="the same folder under the same path",
                remedy="move the folder to a file system that all workers share",
            )


def _version() -> str:
    """Return the version of this package where it is called."""
    return VERSION


def _describe(folder: str) -> tuple[str, list[str]]:
    """Return the version of this package, and the sorted names of the entries of a folder."""
    return VERSION, sorted(entry.name for entry in Path(folder).iterdir()) if Path(folder).is_dir() else []


def _result(client: Client, address: str, future: Future) -> list:
    """Return the result of a future; wait as long as the cluster has workers.

    Raises:
        ClusterError: If the connection is lost, no workers are left, or the work kills the workers.
    """
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    lost = ClusterError(
        "the connection to the scheduler is lost",
        field="scheduler",
        found=address,
        remedy="run the same command again; finished work is kept",
    )
    while True:
        try:
            return future.result(timeout=SECONDS)
        except KilledWorker as error:
            raise ClusterError(
                "one piece of work killed several workers, one after another",
                found=str(error).splitlines()[0],
                remedy="look at the logs and the memory of the workers; finished work is kept",
            ) from error
        except TimeoutError:
            if client.status != "running":
                raise lost from None
            if not client.nthreads():
                raise ClusterError(
                    "the cluster has no workers left",
                    field="scheduler",
                    found=address,
                    remedy="start workers and run the same command again; finished work is kept",
                ) from None
        except (CancelledError, CommClosedError, OSError) as error:
            raise lost from error
