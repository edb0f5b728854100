"""Keras, set up for training on a CPU and without start-up messages: ``from lumbar.core.backend import keras``.

TensorFlow 2.21 writes about twenty lines on oneDNN and missing GPU drivers directly to the standard error of the
process, whatever TF_CPP_MIN_LOG_LEVEL says. They would appear at the top of each notebook and command. This module
captures that stream while the backend starts, and shows it only if the start fails.

Keras also takes settings that a user may have made for other projects: keras.json in ~/.keras or KERAS_HOME, and
environment variables. The networks here need their own. `KERAS_BACKEND` alone is obeyed.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from lumbar.core import extras
from lumbar.core.allocator import keep_freed_memory
from lumbar.core.errors import SettingsError

BACKENDS = ("tensorflow", "jax", "torch")
"""Backends of Keras that can train; the first that is installed is used unless KERAS_BACKEND names another."""


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


def _choose_backend() -> None:
    """Set KERAS_BACKEND, so that a keras.json does not choose the backend.

    Raises:
        SettingsError: If the variable names a backend that cannot be used here.
    """
    extras.require("train", "run Keras")
    installed = [each for each in BACKENDS if find_spec(each)]
    name = os.environ.get("KERAS_BACKEND") or next(iter(installed), BACKENDS[0])
    if name not in BACKENDS or find_spec(name) is None:
        raise SettingsError(
            "Keras cannot use this backend",
            field="the environment variable KERAS_BACKEND",
            found=f"{name}, which is not installed" if name in BACKENDS else name,
            expected=" or ".join(installed) or "an installed backend",
            remedy="unset the variable, or set it to a backend that is installed",
        )
    os.environ["KERAS_BACKEND"] = name


def _not_started(error: Exception) -> SettingsError:
    """Return the error for a Keras that cannot be imported, which names the file of settings if there is one."""
    file = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "keras.json"
    given = [name for name in ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH") if os.environ.get(name)]
    return SettingsError(
        "Keras does not start with the settings that it finds",
        file=file if file.is_file() else None,
        field=" and ".join(f"the environment variable {name}" for name in given) or None,
        found=f"{type(error).__name__}: {error}",
        remedy="correct or remove these settings; if that does not help, `pip install -r requirements.txt`",
    )


keep_freed_memory()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # takes effect once TensorFlow has started
if "keras" not in sys.modules:
    _choose_backend()
with _captured_stderr():
    try:
        import keras
    except Exception as error:  # invalid settings may raise anything
        raise _not_started(error) from error

    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.config.set_image_data_format("channels_last")
    keras.config.set_epsilon(1e-7)
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)
    keras.ops.zeros(())  # TensorFlow looks for devices, and prints messages, at the first operation

# This must follow the import, which sets its own level in a notebook. A process that builds several networks would
# otherwise print warnings.
logging.getLogger("tensorflow").setLevel(logging.ERROR)

__all__ = ["keras"]
