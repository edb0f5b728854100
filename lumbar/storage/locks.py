"""A folder that only one process works in at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lumbar.core.errors import RunError
from lumbar.storage.files import HOST, clear, describe_os_error

LOCK = ".lock"
"""Name of the file in a folder by which one process keeps others out; its content says which."""


@contextmanager
def exclusive_lock(folder: Path) -> Iterator[None]:
    """Keep a folder to this process while it works there, and clear away what killed processes left half-written.

    The folder is made if it is not there, and is gone afterwards if nothing came to stand in it. The system itself
    frees it when the process ends, however it ends. Folders inside it are not held.

    Raises:
        RunError: If another process is at work in it.
        OutputError: If the system will not have it written to.
    """
    import filelock

    made = not folder.is_dir()
    lock = filelock.FileLock(folder / LOCK)
    with describe_os_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise RunError(
                "another process is at work in this folder",
                file=folder,
                found=_text(folder / LOCK) or None,
                remedy="wait until it has ended, or choose another folder (--name, --out)",
            ) from None
    try:
        with suppress(OSError):  # a courtesy to whoever comes second
            (folder / LOCK).write_text(f"process {os.getpid()} on {HOST}", encoding="utf-8")
        clear(folder)
        yield
    finally:
        with suppress(OSError):
            (folder / LOCK).unlink()
            if made:
                folder.rmdir()
        lock.release()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
