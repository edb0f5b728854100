"""Work shared out among processes: results in order, memory bounded, nothing left running when it is stopped."""

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
"""Chunks under way for each process: enough that none waits, few enough that results do not pile up."""


Executor = Callable[[Callable, Sequence, int], Iterator]
"""Who does the work: takes a task, items and the size of a chunk, gives the results in the order of the items."""

_elsewhere: ContextVar[Executor | None] = ContextVar("elsewhere", default=None)


@contextmanager
def sent_to(executor: Executor) -> Iterator[None]:
    """Within this, `in_parallel` hands its work to another executor than the processes of this machine."""
    token = _elsewhere.set(executor)
    try:
        yield
    finally:
        _elsewhere.reset(token)


def in_parallel(
    task: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int | None = None,
    *,
    chunk: int = 1,
    worth: int = 0,
) -> Iterator[Result]:
    """Results of `task` for each of `items`, in their order.

    Args:
        task: A function that can be pickled: one at the top of a module, or a `functools.partial` of it.
        items: What to work on.
        workers: Processes; one a core if left out. One process means this one.
        chunk: Items handed over at a time; more of them for short tasks.
        worth: Fewer items than this are worked on in this process: others take longer to start.

    Raises:
        Whatever `task` raises; work that has not begun is then given up.
    """
    executor = _elsewhere.get()
    if executor is not None:
        yield from executor(task, items, chunk)
        return
    workers = min(workers or os.cpu_count() or 1, -(-len(items) // chunk))
    if workers <= 1 or len(items) < worth:
        yield from map(task, items)
        return
    # Fresh processes ("spawn") are safe beside TensorFlow's threads, and alike on all systems.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start_worker)
    try:
        parts = (pool.submit(each, task, part) for part in chunks(items, chunk))
        for done in under_way(parts, AHEAD * workers):
            yield from done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items in pieces of `size`; the last may be shorter."""
    return (items[start : start + size] for start in range(0, len(items), size))


def each(task: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """What a process does with a chunk."""
    return [task(item) for item in items]


def under_way(submitted: Iterator[Item], ahead: int) -> Iterator[Item]:
    """The same in the same order; `ahead` of them have been submitted when the first is asked for its result."""
    waiting: deque[Item] = deque()
    for one in submitted:
        waiting.append(one)
        if len(waiting) >= ahead:
            yield waiting.popleft()
    while waiting:
        yield waiting.popleft()


def _start_worker() -> None:
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's business
    exit_after(multiprocessing.parent_process().join)


def exit_after(wait: Callable[[], object]) -> None:
    """End this process when `wait`, called in a thread of its own, returns: the process that started it is gone.

    Otherwise a worker whose main process was killed would wait for work for ever.
    """

    def leave() -> None:
        wait()
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()
