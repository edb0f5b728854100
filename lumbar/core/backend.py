"""Keras, set up for training on a CPU and without start-up messages: ``from lumbar.core.backend import keras``.

TensorFlow 2.21 writes about twenty lines on oneDNN and missing GPU drivers directly to the standard error of the
process, whatever TF_CPP_MIN_LOG_LEVEL says. They would appear at the top of each notebook and command. This module
captures that stream while the backend starts, and shows it only if the start fails.
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
def _captured_stderr() -> Iterator[None]:
    """Capture what is written to file descriptor 2; write it out if the block raises an error."""
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except BaseException:
            captured.seek(0)
            os.write(original, captured.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)


keep_freed_memory()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # takes effect once TensorFlow has started
with _captured_stderr():
    import keras

    keras.ops.zeros(())  # TensorFlow looks for devices, and prints messages, at the first operation

# This must follow the import, which sets its own level in a notebook. A process that builds several networks would
# otherwise print warnings.
logging.getLogger("tensorflow").setLevel(logging.ERROR)

__all__ = ["keras"]
