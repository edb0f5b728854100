"""Keras, ready for training on a processor and without start-up chatter: ``from lumbar.backend import keras``.

TensorFlow 2.21 writes some twenty lines about oneDNN and missing graphics drivers straight to the process's standard
error, whatever TF_CPP_MIN_LOG_LEVEL says. They would head each notebook and command. Here that stream is
set aside while the backend starts; if the start fails, what was set aside is shown.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _standard_error_set_aside() -> Iterator[None]:
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _keep_freed_memory() -> None:
    """Have the C library (glibc) keep freed memory for the next step.

    A training step frees and allocates the same large tensors over and over. By default each of them goes back to the
    system and comes again page by page; `benchmarks/speed.py` measures what that costs. Other C libraries are left
    alone.
    """
    trim_threshold, mmap_max, arena_max = -1, -4, -8  # the numbers of malloc.h
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(mmap_max, 0)  # large pieces come from the heap, too
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(arena_max, 1)  # one heap: what one thread frees another may take


if not os.environ.get("MALLOC_MMAP_MAX_"):  # somebody's own choice stands
    _keep_freed_memory()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # heeded from here on
with _standard_error_set_aside():
    import keras

    keras.ops.zeros(())  # the search for devices speaks at the first operation, not at the import

# After the import, which sets a level of its own in a notebook. That several networks are built needs no warning.
logging.getLogger("tensorflow").setLevel(logging.ERROR)

__all__ = ["keras"]
