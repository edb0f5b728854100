"""Memory that one training step frees is kept for the next."""

from __future__ import annotations

import ctypes
import os
import sys

KEEPING = {
    "MALLOC_MMAP_MAX_": (-4, 0),  # large pieces come from the heap, too
    "MALLOC_TRIM_THRESHOLD_": (-1, 2**31 - 1),  # the heap's free end stays
    "MALLOC_ARENA_MAX": (-8, 1),  # one heap: what one thread frees another may take
}
"""Settings of the GNU C library: name in the environment → (number in malloc.h, value)."""


def keep_freed_memory() -> None:
    """Have the GNU C library keep freed memory, in this process and in those it starts.

    A training step frees and allocates the same large tensors over and over. By default each of them goes back to the
    system and comes again page by page; `python -m benchmarks.speed --only tried` measures what that costs. It works
    best before the first thread is started. Other C libraries, and a choice that somebody made in the environment, are
    left alone.
    """
    if sys.platform != "linux" or any(name in os.environ for name in KEEPING):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    for name, (option, value) in KEEPING.items():
        mallopt(option, value)
        os.environ[name] = str(value)
