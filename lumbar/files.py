"""Files that appear whole or not at all, folders held by one process at a time, and what the system's refusals mean."""

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

from lumbar.errors import OutputError, RunError

if TYPE_CHECKING:
    import pandas as pd

_ELSEWHERE = "choose another place (--out; LUMBAR_HOME says where data/ and runs/ are)"
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), f"free some space, or {_ELSEWHERE}"),
    errno.EFBIG: f"raise the limit for the size of files (ulimit -f), or {_ELSEWHERE}",
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), f"{_ELSEWHERE} that you may write to"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "make the folder first"),
}


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turns the system's refusal to write `path` into a message for a person.

    Raises:
        OutputError: In place of an OSError: which file, why, and what to do.
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


def claim(path: Path) -> None:
    """Make sure before the work that its result can be written: its folder is made, and a file tried there.

    Raises:
        OutputError: If it cannot.
    """
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        tried = _temporary(path)
        tried.touch()
        tried.unlink()


def reserve(path: Path) -> None:
    """Have the system set aside the room that a file takes, which a memory-mapped file must have.

    A file can be made without room for what is still to be written to it. Where it is mapped, a disk that fills up
    later ends the process.
    """
    if hasattr(os, "posix_fallocate"):
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


LOCK = ".lock"
"""Name of the file in a folder by which one process keeps others out; its content says which."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
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
    with told(folder):
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
            (folder / LOCK).write_text(f"process {os.getpid()} on {_HOST}", encoding="utf-8")
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


_HOST = re.sub(r"[^A-Za-z0-9]", "-", platform.node())[:32]


def _temporary(path: Path) -> Path:
    return path.with_name(f".{_HOST}-{os.getpid()}.{path.name}")


def clear(folder: Path) -> None:
    """Remove from a folder what `replacing` began there in processes of this machine that are gone."""
    _clear(folder, rf"\.{_HOST}-(\d+)\.")


def _clear(folder: Path, pattern: str) -> None:
    """Remove files and folders whose names begin as the pattern says, if the process it names is gone."""
    import psutil

    for left in folder.iterdir():
        owner = re.match(pattern, left.name)
        if owner is None or psutil.pid_exists(int(owner[1])):
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to; renamed to `path` at the end, removed if anything goes wrong.

    A kill at any moment leaves the old file or the new one. The temporary name keeps the ending, by which libraries
    choose a format.

    Raises:
        OutputError: If the system will not have it written.
    """
    temporary = _temporary(path)
    with told(path):
        try:
            yield temporary
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
            _sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Have the names in a folder on the disk, so that files written one after the other survive a power cut so, too."""
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network disks do not know how
            os.fsync(opened)
    finally:
        os.close(opened)


@contextmanager
def building(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder` to fill; renamed to `folder` at the end, removed if anything goes wrong.

    If another process has made the folder meanwhile, that one stays.

    Raises:
        OutputError: If the system will not have it written.
    """
    temporary = folder.with_name(f".{folder.name}.{_HOST}-{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    with told(folder):
        temporary.mkdir(parents=True)
        _clear(folder.parent, rf"\.{re.escape(folder.name)}\.{_HOST}-(\d+)\.tmp$")
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
    """Write plain values as JSON."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, without its index."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
