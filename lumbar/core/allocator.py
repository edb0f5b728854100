"""Keep the memory that one training step frees, so that the next step can reuse it."""

from __future__ import annotations

import ctypes
import os
import sys

KEEPING = {
    "MALLOC_MMAP_MAX_": (-4, 0),  # large blocks come from the heap, too
    "MALLOC_TRIM_THRESHOLD_": (-1, 2**31 - 1),  # free memory at the end of the heap is not returned
    "MALLOC_ARENA_MAX": (-8, 1),  # a single heap: one thread can reuse what another has freed
}
"""Settings of the GNU C library's allocator: environment variable → (option's number in malloc.h, value)."""


def keep_freed_memory() -> None:
    """Make the GNU C library keep freed memory, in this process and in those that it starts.

    A training step allocates and frees the same large tensors again and again. By default the library returns each of
    them to the operating system and then gets it back page by page; ``python -m benchmarks.speed --only tried``
    measures the cost. Call this before the first thread starts, when it has the most effect. It does nothing with other
    C libraries, or if one of the settings is already in the environment.
    """
    if sys.platform != "linux" or any(name in os.environ for name in KEEPING):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    for name, (option, value) in KEEPING.items():
        mallopt(option, value)
        os.environ[name] = str(value)
