"""One training shared among several devices, of one process or of several: Keras' distribution API, JAX backend only.

Each device takes an equal part of every batch and gradients are added up, so that the training is that of one device,
but for rounding: batch normalisation sees the whole batch, and order, augmentation and dropout do not depend on the
number of devices. Hence it is no part of what makes a run: one that was begun on two devices may go on on one.

Several processes, on one machine or many, form a job by Keras' own environment variables, set for each of them::

    KERAS_DISTRIBUTION_JOB_ADDRESSES=HOST:PORT   # of process 0
    KERAS_DISTRIBUTION_NUM_PROCESSES=2
    KERAS_DISTRIBUTION_PROCESS_ID=0              # 0 or 1

They see the same data and runs folders; process 0 alone writes the run. Nothing of this is authenticated: port and
gradients belong on loopback or a private network. If one is killed, the others end, too: with our message where JAX
leaves us the word, with JAX's own ("another task died") if it was process 0. The same commands then go on.

Measured with keras 3.15 and jax 0.10.2 on processors (collectives by gloo). Graphics cards take the same way through
JAX, but none was at hand to try it.
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

from lumbar.core.errors import RunError, SettingsError

if TYPE_CHECKING:
    import numpy as np


ADDRESSES, PROCESSES, PROCESS = (
    f"KERAS_DISTRIBUTION_{name}" for name in ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID")
)
PATIENCE = 24 * 3600
"""Seconds that the others wait for process 0, which makes the data ready first."""
HEARTBEAT = 30
"""Seconds without a sign of life after which a process counts as dead; one that is killed is noticed at once."""
VIRTUAL = "XLA_FLAGS=--xla_force_host_platform_device_count=2"
"""What splits a processor into devices, to try things out."""


@dataclass(frozen=True)
class BatchShard:
    """Which rows of each batch this process feeds to its devices.

    Args:
        devices: Of all processes together.
        processes: How many there are; each has as many devices.
        process: The number of this one, from 0.
    """

    devices: int = 1
    processes: int = 1
    process: int = 0

    def rows(self, count: int) -> int:
        """Rows that a batch of `count` pictures has when all devices get equally many."""
        return math.lcm(count, self.devices)

    def select(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """This process's part of a batch.

        The last batch of an epoch may not divide evenly. It is then repeated, whole, until it does. All copies alike,
        the statistics of batch normalisation stay as they were; without points, they add nothing to loss and gradient.

        Args:
            positions: Of the batch's pictures, (N,).

        Returns:
            Positions of the pictures to feed, and which of them are copies, both (rows of this process,).
        """
        import numpy as np

        rows = self.rows(len(positions))
        places = np.arange(rows).reshape(self.processes, -1)[self.process]
        return positions[places % len(positions)], places >= len(positions)


def in_job() -> bool:
    """Whether this process is one of several that train together."""
    return bool(os.environ.get(ADDRESSES))


def writes() -> bool:
    """Whether this process writes the run: of several only the first."""
    return not in_job() or _number(PROCESS) == 0


@contextmanager
def joining() -> Iterator[None]:
    """Join the job, if there is one; what stands within is done by process 0 first, then by the others.

    Raises:
        SettingsError: If the environment does not describe a job, or this process cannot join any more.
    """
    if in_job() and not writes():
        _join()
    yield
    if in_job() and writes():
        _join()


def shard(devices: int, batch_size: int) -> BatchShard:
    """How this process shares batches.

    Args:
        devices: As the setting has it: 0 for all there are.
        batch_size: Pictures a batch.

    Raises:
        SettingsError: If there are not so many devices, or they cannot share a batch evenly.
    """
    if devices == 1 and not in_job():
        return BatchShard()
    from lumbar.core.backend import keras

    if keras.backend.backend() != "jax":
        raise _needs_jax(keras.backend.backend())
    there = keras.distribution.get_device_count()
    wanted = devices or there
    found = BatchShard(wanted, *_process()) if in_job() else BatchShard(wanted)
    if wanted > there or (in_job() and wanted != there):
        raise SettingsError(
            "there are not so many devices" if wanted > there else "the processes of a job use all their devices",
            field="devices",
            found=devices,
            expected=f"{there} ({', '.join(keras.distribution.list_devices())}), or 0 for all",
            remedy=None if in_job() else f"to try it on a processor alone, set {VIRTUAL}",
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
    """Within this, networks are built and trained on all devices. Keras forgets the networks of before."""
    from lumbar.core.backend import keras

    keras.backend.clear_session()  # inside the scope it would forget the devices, too
    if shard.devices == 1:
        yield
        return
    devices = keras.distribution.list_devices()[: shard.devices]
    with keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False).scope():
        yield


@contextmanager
def local_only() -> Iterator[None]:
    """Within this, a process of a job does what the others do not: what Keras makes meanwhile is made here only."""
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
    """Make sure that all processes of a job are about to train the same; others wait here for the slowest.

    Args:
        facts: What each of them has found, by name.

    Raises:
        RunError: If another process has found something else.
    """
    import numpy as np
    from jax.experimental import multihost_utils

    digests = [hashlib.sha256(json.dumps(fact, default=str).encode()).digest() for fact in facts.values()]
    each = multihost_utils.process_allgather(np.array([list(digest) for digest in digests], np.uint8))
    different = [name for place, name in enumerate(facts) if (each[:, place] != each[:1, place]).any()]
    if different:
        raise RunError(
            "the processes of this job do not train the same",
            field=", ".join(different).replace("_", " "),
            remedy="give all of them the same command, data and runs folder (LUMBAR_HOME on a shared file system)",
        )


@contextmanager
def job_scope() -> Iterator[None]:
    """What the processes of a job do together: they leave at the same time, and one that has lost another says so.

    Raises:
        RunError: If another process has gone.
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
            "another process of this job is gone",
            found=str(error).splitlines()[0],
            remedy="see what it said last; the same commands, given to all processes again, go on from there",
        ) from error


def _leave() -> None:
    """At exit JAX would wait for the others, in vain, and end this process with a page about its insides."""
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
        # What keras.distribution.initialize calls, but listening at the one address, and with less patience for a
        # process that is gone.
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
            expected="HOST:PORT of process 0, where nothing else listens, and a process that has not computed yet",
        ) from error


def _process() -> tuple[int, int]:
    """Processes of the job, and the number of this one, as it has joined."""
    import jax

    return jax.process_count(), jax.process_index()


def _number(name: str) -> int:
    try:
        return int(os.environ[name])
    except (KeyError, ValueError) as error:
        raise SettingsError(
            "the environment does not describe a job of several processes",
            field=name,
            found=os.environ.get(name),
            expected=f"a whole number, beside {ADDRESSES}={os.environ[ADDRESSES]}",
        ) from error


def _needs_jax(backend: str) -> SettingsError:
    return SettingsError(
        "several devices need the JAX backend",
        field="devices",
        found=f"the {backend} backend",
        remedy='pip install "lumbar[jax]" (or: pip install jax), and set KERAS_BACKEND=jax',
    )
