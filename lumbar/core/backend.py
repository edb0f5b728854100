"""Keras, ready for training on a processor and without start-up chatter: ``from lumbar.core.backend import keras``.

TensorFlow 2.21 writes some twenty lines about oneDNN and missing graphics drivers straight to the process's standard
error, whatever TF_CPP_MIN_LOG_LEVEL says. They would head each notebook and command. Here that stream is
set aside while the backend starts; if the start fails, what was set aside is shown.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from lumbar.core.allocator import keep_freed_memory


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


keep_freed_memory()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # heeded from here on
with _standard_error_set_aside():
    import keras

    keras.ops.zeros(())  # the search for devices speaks at the first operation, not at the import

# After the import, which sets a level of its own in a notebook. That several networks are built needs no warning.
logging.getLogger("tensorflow").setLevel(logging.ERROR)

__all__ = ["keras"]
