"""Work shared out among processes: results in order, nothing left running when it is stopped."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import cv2

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(
    task: Callable[[Item], Result], items: Sequence[Item], workers: int | None = None, *, chunk: int = 1
) -> Iterator[Result]:
    """Results of `task` for each of `items`, in their order.

    Args:
        task: A function that can be pickled: one at the top of a module, or a `functools.partial` of it.
        items: What to work on.
        workers: Processes; one a core if left out. One process means this one.
        chunk: Items handed over at a time; more of them for short tasks.

    Raises:
        Whatever `task` raises; work that has not begun is then given up.
    """
    workers = min(workers or os.cpu_count() or 1, -(-len(items) // chunk))
    if workers <= 1:
        yield from map(task, items)
        return
    # Fresh processes ("spawn") are safe beside TensorFlow's threads, and alike on all systems.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start_worker)
    try:
        yield from pool.map(task, items, chunksize=chunk)
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's business
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """A worker whose main process was killed would wait for work for ever."""
    multiprocessing.parent_process().join()
    os._exit(1)
