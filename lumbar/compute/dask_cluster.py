"""The work of `lumbar.compute.processes` done by an existing Dask cluster; a worker that dies loses nothing.

>>> with lumbar.compute.dask_cluster.at("tcp://scheduler:8786", folder):  # doctest: +SKIP
...     prepared = lumbar.datasets.preparation.prepare(lumbar.datasets.load(folder), cache=lumbar.core.paths.cache())

What a worker had not handed over when it died is given to another. Of pictures, workers read and this process alone
writes; one that comes twice is stored in the same place. Who may send work to a scheduler may have its
workers run anything: use one of your own, in a network that you trust.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lumbar.compute.processes import AHEAD, Item, Result, chunks, each, sent_to, under_way
from lumbar.core.constants import VERSION
from lumbar.core.errors import ClusterError

if TYPE_CHECKING:
    from distributed import Client, Future

SECONDS = 10
"""To reach the scheduler; and after which a result that does not come makes us ask whether there are workers left."""


@contextmanager
def at(address: str, folder: Path) -> Iterator[None]:
    """Within this, `lumbar.compute.processes.in_parallel` has a Dask cluster do its work.

    Args:
        address: Of the scheduler, e.g. "tcp://10.0.0.5:8786".
        folder: Of the data, or of the results where the workers write those; an absolute path, under which the
            workers must see it, too.

    Raises:
        ClusterError: If the package distributed is not installed, the scheduler does not answer, it has no workers,
            or these cannot do the work: they lack the folder, or this package in this version.
    """
    client = _connected(address)
    try:
        _check_workers(client, address, folder)

        def executor(task: Callable[[Item], Result], items: Sequence[Item], chunk: int) -> Iterator[Result]:
            # Not `pure`: an earlier result for the same name must not stand for a file that has changed since.
            parts = (client.submit(each, task, part, pure=False) for part in chunks(items, chunk))
            for future in under_way(parts, AHEAD * sum(client.nthreads().values())):
                yield from _result(client, address, future)

        with sent_to(executor):
            yield
    finally:
        client.close()


def _connected(address: str) -> Client:
    try:
        from distributed import Client
        from distributed.comm import get_address_host_port, normalize_address
    except ImportError as error:
        raise ClusterError(
            "working on a cluster needs a package that is not installed",
            found=error.name,
            remedy="pip install distributed",
        ) from error
    try:
        get_address_host_port(normalize_address(address))
        return Client(address, timeout=SECONDS, set_as_default=False)
    except ValueError as error:
        raise ClusterError(
            "this is no address of a scheduler",
            field="scheduler",
            found=f"{address} ({error})",
            expected="for example tcp://10.0.0.5:8786",
            remedy="`dask scheduler` prints its address when it starts",
        ) from error
    except OSError as error:
        raise ClusterError(
            f"no Dask scheduler answers within {SECONDS} seconds",
            field="scheduler",
            found=address,
            remedy="look whether it runs and can be reached from here; `dask scheduler` prints its address",
        ) from error


def _check_workers(client: Client, address: str, folder: Path) -> None:
    try:
        said = client.run(_about, str(folder))
    except Exception as error:  # a worker that cannot even look up our function may raise anything
        raise ClusterError(
            "a worker of the cluster cannot do the work",
            field="scheduler",
            found=f"{type(error).__name__}: {error}",
            remedy=f"install lumbar {VERSION} and what it needs where the workers run",
        ) from error
    if not said:
        raise ClusterError(
            "the scheduler has no workers",
            field="scheduler",
            found=address,
            remedy=f"start some: dask worker {address}",
        )
    here = _about(str(folder))
    for worker, (version, names) in said.items():
        if version != here[0]:
            raise ClusterError(
                "a worker has another version of this package: its results might be others",
                field="version",
                found=f"{version} at {worker}",
                expected=here[0],
            )
        if names != here[1]:
            raise ClusterError(
                "a worker does not see the folder as it is here",
                file=folder,
                found=f"{'another folder' if names else 'no such folder'} at {worker}",
                expected="the same folder under the same path",
                remedy="put it on a file system that all workers share",
            )


def _about(folder: str) -> tuple[str, list[str]]:
    """What a worker says of itself: its version of this package, and the names in the folder."""
    return VERSION, sorted(entry.name for entry in Path(folder).iterdir()) if Path(folder).is_dir() else []


def _result(client: Client, address: str, future: Future) -> list:
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    lost = ClusterError(
        "the connection to the scheduler is lost",
        field="scheduler",
        found=address,
        remedy="what was finished is kept; the same command goes on from there",
    )
    while True:
        try:
            return future.result(timeout=SECONDS)
        except KilledWorker as error:
            raise ClusterError(
                "the same piece of work brought down one worker after another",
                found=str(error).splitlines()[0],
                remedy="look at the workers' logs and their memory; what was finished is kept",
            ) from error
        except TimeoutError:
            if client.status != "running":
                raise lost from None
            if not client.nthreads():
                raise ClusterError(
                    "the cluster has no worker left",
                    field="scheduler",
                    found=address,
                    remedy="start workers; what was finished is kept, and the same command goes on from there",
                ) from None
        except (CancelledError, CommClosedError, OSError) as error:
            raise lost from error
