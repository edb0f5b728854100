"""Data-parallel training on several devices, in one process or in several: Keras' distribution API, JAX backend only.

Each device takes an equal part of every batch, and the gradients are added up. Apart from rounding, the training is
the same as on one device: batch normalisation sees the whole batch, and the order, augmentation and dropout do not
depend on the number of devices. The number of devices therefore does not distinguish runs: a run that started on two
devices can be continued on one.

Several processes, on one machine or on many, form a job through Keras' environment variables, set for each process::

    KERAS_DISTRIBUTION_JOB_ADDRESSES=HOST:PORT   # of process 0
    KERAS_DISTRIBUTION_NUM_PROCESSES=2
    KERAS_DISTRIBUTION_PROCESS_ID=0              # 0 or 1

All processes must see the same data and runs folders; only process 0 writes the run. The connections are not
authenticated: use the loopback interface or a private network. If a process is killed, the others end, too. If it was
process 0, they end with JAX's message ("another task died"), otherwise with the message of `job_scope`. The same
commands, given again to all processes, continue the training.

Measured with keras 3.15 and jax 0.10.2 on CPUs (collective operations by Gloo). GPUs use the same code through JAX, but
none was available to try it.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lumbar.core import extras
from lumbar.core.errors import RunError, SettingsError

if TYPE_CHECKING:
    import numpy as np


ADDRESSES, PROCESSES, PROCESS = (
    f"KERAS_DISTRIBUTION_{name}" for name in ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID")
)
PATIENCE = 24 * 3600
"""Seconds that the other processes wait for process 0, which prepares the data first."""
HEARTBEAT = 30
"""Seconds without a heartbeat after which a process counts as dead; a process that is killed is noticed at once."""
VIRTUAL = "XLA_FLAGS=--xla_force_host_platform_device_count=2"
"""Environment variable that splits a CPU into two devices, to try a training on several devices."""


@dataclass(frozen=True)
class BatchShard:
    """The part of each batch that this process feeds to its devices.

    Args:
        devices: Number of devices of all processes together.
        processes: Number of processes; each has the same number of devices.
        process: Index of this process, from 0.
    """

    devices: int = 1
    processes: int = 1
    process: int = 0

    def rows(self, count: int) -> int:
        """Return the size to which a batch of `count` images is extended, so that all devices get equally many."""
        return math.lcm(count, self.devices)

    def select(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the part of a batch that this process feeds.

        The last batch of an epoch may not divide evenly among the devices. It is then repeated as a whole until it
        does. Because each image is repeated equally often, the statistics of batch normalisation do not change. The
        copies have no points, so they add nothing to the loss and the gradient.

        Args:
            positions: (N,) positions of the images of the batch.

        Returns:
            Positions of the images to feed, and whether each of them is a copy; both (rows of this process,).
        """
        import numpy as np

        rows = self.rows(len(positions))
        own = np.arange(rows).reshape(self.processes, -1)[self.process]
        return positions[own % len(positions)], own >= len(positions)


def in_job() -> bool:
    """Return whether this process is one of several that train together."""
    return bool(os.environ.get(ADDRESSES))


def writes() -> bool:
    """Return whether this process writes the run; in a job only process 0 does.

    Raises:
        SettingsError: If the environment does not describe a complete job.
    """
    return not in_job() or _number(PROCESS) == 0


@contextmanager
def joining() -> Iterator[None]:
    """Join the job, if there is one; process 0 runs the block before it joins, the others run it afterwards.

    Raises:
        SettingsError: If the environment does not describe a complete job, or this process cannot join it.
    """
    if in_job() and not writes():
        _join()
    yield
    if in_job() and writes():
        _join()


def shard(devices: int, batch_size: int) -> BatchShard:
    """Return the part of each batch that this process feeds to its devices.

    Args:
        devices: Number of devices, as in the setting; 0 for all that are available.
        batch_size: Images per batch.

    Raises:
        SettingsError: If there are fewer devices, they cannot share a batch evenly, or the backend is not JAX.
    """
    if devices == 1 and not in_job():
        return BatchShard()
    from lumbar.core.backend import keras

    if keras.backend.backend() != "jax":
        raise _needs_jax(keras.backend.backend())
    available = keras.distribution.get_device_count()
    wanted = devices or available
    found = BatchShard(wanted, *_process()) if in_job() else BatchShard(wanted)
    if wanted > available or (in_job() and wanted != available):
        raise SettingsError(
            "this machine has fewer devices"
            if wanted > available
            else "each process of a job must use all its devices",
            field="devices",
            found=devices,
            expected=f"{available} ({', '.join(keras.distribution.list_devices())}), or 0 for all",
            remedy=None if in_job() else f"to try it on a CPU, set {VIRTUAL}",
        )
    if batch_size % wanted:
        raise SettingsError(
            f"{wanted} devices cannot share a batch evenly",
            field="batch_size",
            found=batch_size,
            expected=f"a multiple of {wanted}, such as {-(-batch_size // wanted) * wanted}",
        )
    return found


@contextmanager
def scope(shard: BatchShard) -> Iterator[None]:
    """Build and train networks on all devices of the shard in this block; Keras discards earlier networks."""
    from lumbar.core.backend import keras

    keras.backend.clear_session()  # inside the scope it would also discard the devices
    if shard.devices == 1:
        yield
        return
    devices = keras.distribution.list_devices()[: shard.devices]
    with keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False).scope():
        yield


@contextmanager
def local_only() -> Iterator[None]:
    """Run the block in this process of a job alone: what Keras creates in it exists in this process only."""
    from lumbar.core.backend import keras

    if not in_job():
        yield
        return
    distribution = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)


def assert_equal(**facts: object) -> None:
    """Check that all processes of a job are about to train the same network; each waits here for the slowest.

    Args:
        facts: Values that must be the same in all processes, by name.

    Raises:
        RunError: If a value differs in another process.
    """
    import numpy as np
    from jax.experimental import multihost_utils

    digests = [hashlib.sha256(json.dumps(fact, default=str).encode()).digest() for fact in facts.values()]
    each = multihost_utils.process_allgather(np.array([list(digest) for digest in digests], np.uint8))
    different = [name for order, name in enumerate(facts) if (each[:, order] != each[:1, order]).any()]
    if different:
        raise RunError(
            "the processes of this job would not train the same network",
            field=", ".join(different).replace("_", " "),
            remedy="give all of them the same command, data and runs folder (LUMBAR_HOME on a shared file system)",
        )


@contextmanager
def job_scope() -> Iterator[None]:
    """Run a block that all processes of a job run together: they leave it at the same time.

    Raises:
        RunError: If another process has ended.
    """
    if not in_job():
        yield
        return
    try:
        yield
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("end")
    except BaseException as error:
        atexit.register(_leave)
        if "Gloo" not in str(error):
            raise
        raise RunError(
            "another process of this job has ended",
            found=str(error).splitlines()[0],
            remedy="look at its last message; then start all processes again with the same commands to continue",
        ) from error


def _leave() -> None:
    """End this process at once; at exit JAX would wait for the others in vain and print a page of internal details."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def _join() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only
    import jax
    import keras

    if keras.backend.backend() != "jax":
        raise _needs_jax(keras.backend.backend())
    if jax.distributed.is_initialized():
        return
    address = os.environ[ADDRESSES].split(",")[0]
    number, processes = _number(PROCESS), _number(PROCESSES)
    try:
        # The call that keras.distribution.initialize makes, except that it listens on one address only, and waits less
        # for a process that has ended.
        jax.distributed.initialize(
            address,
            processes,
            number,
            initialization_timeout=PATIENCE,
            heartbeat_timeout_seconds=HEARTBEAT,
            shutdown_timeout_seconds=HEARTBEAT,
            coordinator_bind_address=os.environ.get("JAX_COORDINATOR_BIND_ADDRESS", address),
        )
    except (RuntimeError, ValueError) as error:
        raise SettingsError(
            "this process cannot join the job",
            field=ADDRESSES,
            found=f"process {number} of {processes} at {address}: {error}".splitlines()[0],
            expected="HOST:PORT of process 0, a port that is free, and a process that has not used JAX yet",
        ) from error


def _process() -> tuple[int, int]:
    """Return the number of processes of the job, and the index of this one."""
    import jax

    return jax.process_count(), jax.process_index()


def _number(name: str) -> int:
    """Return the whole number in an environment variable of the job.

    Raises:
        SettingsError: If the variable is not set or holds something else.
    """
    try:
        return int(os.environ[name])
    except (KeyError, ValueError) as error:
        raise SettingsError(
            "the environment does not describe a job of several processes",
            field=name,
            found=os.environ.get(name),
            expected=f"a whole number, as {ADDRESSES}={os.environ[ADDRESSES]} is set",
        ) from error


def _needs_jax(backend: str) -> SettingsError:
    return SettingsError(
        "several devices need the JAX backend",
        field="devices",
        found=f"the {backend} backend",
        remedy=f"set KERAS_BACKEND=jax; to install JAX, {extras.how_to_install('jax')}",
    )
