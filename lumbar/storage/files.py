"""Atomic writes of files and folders, and operating system errors turned into messages for the user."""

from __future__ import annotations

import errno
import json
import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumbar.core.errors import OutputError

if TYPE_CHECKING:
    import pandas as pd

_ELSEWHERE = "choose another folder (with --out, or with LUMBAR_HOME for data/ and runs/)"
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), f"free some space, or {_ELSEWHERE}"),
    errno.EFBIG: f"raise the limit on file sizes (ulimit -f), or {_ELSEWHERE}",
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), f"{_ELSEWHERE} that you may write to"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "create the folder first"),
}


@contextmanager
def describe_os_error(path: Path) -> Iterator[None]:
    """Turn an OSError raised in the block into an OutputError that tells the user what to do.

    Args:
        path: The file or folder that the block writes; the message names it.

    Raises:
        OutputError: In place of an OSError, with the file, the reason and a remedy.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(
            "the result cannot be written",
            file=path,
            found=error.strerror or str(error),
            remedy=_REMEDIES.get(error.errno),
        ) from error


def check_writable(path: Path) -> None:
    """Check that a file can be written, before long work whose result it will hold. Its folder is created.

    Raises:
        OutputError: If the file cannot be written.
    """
    with describe_os_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        trial = _temporary(path)
        trial.touch()
        trial.unlink()


def allocate(path: Path) -> None:
    """Allocate the disk space of a file that is to be memory-mapped, where the operating system supports it.

    A new file may be sparse: its size is set, but its blocks are not allocated yet. If such a file is memory-mapped
    and the disk becomes full, the operating system kills the process.

    Raises:
        OSError: If the disk has too little free space.
    """
    if hasattr(os, "posix_fallocate"):
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


HOST = re.sub(r"[^A-Za-z0-9]", "-", platform.node())[:32]
"""Name of this machine, as temporary files carry it."""


def _temporary(path: Path) -> Path:
    return path.with_name(f".{HOST}-{os.getpid()}.{path.name}")


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that `atomic_write` left in a folder when a process of this machine was killed."""
    _remove_leftovers(folder, rf"\.{HOST}-(\d+)\.")


def _remove_leftovers(folder: Path, pattern: str) -> None:
    """Remove the entries of a folder whose names match a pattern, unless the process in its first group is running."""
    for entry in folder.iterdir():
        owner = re.match(pattern, entry.name)
        if owner is None or _is_running(int(owner[1])):
            continue
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _is_running(process_id: int) -> bool:
    """Return whether a process runs; a killed one may keep its number until its parent takes note of its end."""
    import psutil

    try:
        return psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` at the end, or remove it if the block raises an error.

    A process that is killed at any moment leaves either the old file or the new one, never part of a file. The
    temporary name has the same suffix, because libraries choose the format by it.

    Yields:
        The path to write to.

    Raises:
        OutputError: If the file cannot be written.
    """
    temporary = _temporary(path)
    with describe_os_error(path):
        try:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Flush the entries of a folder to disk: after a power cut, no file exists without those written before it."""
    if os.name != "posix":  # other systems cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems do not support it
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `folder`; rename it at the end, or remove it if the block raises an error.

    If another process has created `folder` in the meantime, that folder is kept and the temporary one is removed.

    Yields:
        The folder to fill.

    Raises:
        OutputError: If the folder cannot be written.
    """
    temporary = folder.with_name(f".{folder.name}.{HOST}-{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    with describe_os_error(folder):
        temporary.mkdir(parents=True)
        _remove_leftovers(folder.parent, rf"\.{re.escape(folder.name)}\.{HOST}-(\d+)\.tmp$")
        try:
            yield temporary
            try:
                temporary.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_json(path: Path, content: Any) -> None:
    """Write plain values to a JSON file; values of other types are written as text."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table to a CSV file, without its index."""
    with atomic_write(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
