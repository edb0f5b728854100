"""Run a task on many items in several processes: results in order, bounded memory, and no process left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import cv2

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4
"""Chunks submitted per process at a time: enough that no process waits, few enough that results do not pile up."""


Executor = Callable[[Callable, Sequence, int], Iterator]
"""A function that does the work: it takes a task, items and a chunk size, and yields the results in order."""

_current_executor: ContextVar[Executor | None] = ContextVar("current_executor", default=None)


@contextmanager
def use_executor(executor: Executor) -> Iterator[None]:
    """Make `in_parallel` use another executor in this block, in place of the processes of this machine."""
    token = _current_executor.set(executor)
    try:
        yield
    finally:
        _current_executor.reset(token)


def in_parallel(
    task: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int | None = None,
    *,
    chunk: int = 1,
    min_items: int = 0,
) -> Iterator[Result]:
    """Yield the result of a task for each item, in the order of the items.

    Args:
        task: A function that can be pickled: one at the top level of a module, or a `functools.partial` of it.
        items: The arguments of the task.
        workers: Number of processes; by default one per core. With one, the task runs in this process.
        chunk: Number of items sent to a process at a time; use more for short tasks.
        min_items: With fewer items than this, the task runs in this process, because starting others takes longer.

    Yields:
        The results.

    Raises:
        Exception: Whatever `task` raises. Chunks that have not started are then cancelled.
    """
    executor = _current_executor.get()
    if executor is not None:
        yield from executor(task, items, chunk)
        return
    workers = min(workers or os.cpu_count() or 1, -(-len(items) // chunk))
    if workers <= 1 or len(items) < min_items:
        yield from map(task, items)
        return
    # The start method "spawn" is safe beside the threads of TensorFlow, and the same on all operating systems.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start_worker)
    try:
        futures = (pool.submit(run_chunk, task, part) for part in chunks(items, chunk))
        for future in keep_ahead(futures, AHEAD * workers):
            yield from future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Return the items in chunks of `size`; the last one may be shorter."""
    return (items[start : start + size] for start in range(0, len(items), size))


def run_chunk(task: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return the results of a task for one chunk of items; a worker process calls this."""
    return [task(item) for item in items]


def keep_ahead(submitted: Iterator[Item], ahead: int) -> Iterator[Item]:
    """Yield the elements of an iterator in order, but take `ahead` of them before yielding the first.

    Args:
        submitted: An iterator that submits a chunk of work each time it is advanced, and yields its future.
        ahead: How many chunks are submitted at the same time, at most.

    Yields:
        The futures. While the caller waits for the result of one, the next ones are being computed.
    """
    waiting: deque[Item] = deque()
    for one in submitted:
        waiting.append(one)
        if len(waiting) >= ahead:
            yield waiting.popleft()
    while waiting:
        yield waiting.popleft()


def _start_worker() -> None:
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process handles Ctrl-C
    exit_after(multiprocessing.parent_process().join)


def exit_after(wait: Callable[[], object]) -> None:
    """End this process as soon as `wait`, called in a separate thread, returns.

    A worker uses it to end with its main process: if that process were killed, the worker would otherwise wait for
    work forever.

    Args:
        wait: A function that returns when the main process has ended.
    """

    def leave() -> None:
        wait()
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()
