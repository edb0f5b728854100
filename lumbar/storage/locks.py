"""Exclusive locks: only one process at a time works in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lumbar.core.errors import RunError
from lumbar.storage.files import HOST, describe_os_error, remove_leftovers

LOCK = ".lock"
"""Name of the lock file in a folder; its content names the process that holds the lock."""


@contextmanager
def exclusive_lock(folder: Path) -> Iterator[None]:
    """Lock a folder for this process, and remove temporary files that killed processes left in it.

    The folder is created if it does not exist; in that case it is removed at the end if it is still empty. The
    operating system releases the lock when the process ends, even if the process is killed. Subfolders are not locked.

    Raises:
        RunError: If another process holds the lock.
        OutputError: If the folder cannot be written to.
    """
    import filelock

    created = not folder.is_dir()
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
        with suppress(OSError):  # the text only helps the user of a second process
            (folder / LOCK).write_text(f"process {os.getpid()} on {HOST}", encoding="utf-8")
        remove_leftovers(folder)
        yield
    finally:
        with suppress(OSError):
            (folder / LOCK).unlink()
            if created:
                folder.rmdir()
        lock.release()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
