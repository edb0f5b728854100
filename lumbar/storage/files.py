"""Files and folders that appear whole or not at all, and errors of the operating system in plain words."""

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

_ELSEWHERE = "choose another place (--out; LUMBAR_HOME says where data/ and runs/ are)"
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), f"free some space, or {_ELSEWHERE}"),
    errno.EFBIG: f"raise the limit for the size of files (ulimit -f), or {_ELSEWHERE}",
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), f"{_ELSEWHERE} that you may write to"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "make the folder first"),
}


@contextmanager
def describe_os_error(path: Path) -> Iterator[None]:
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
    with describe_os_error(path):
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


HOST = re.sub(r"[^A-Za-z0-9]", "-", platform.node())[:32]


def _temporary(path: Path) -> Path:
    return path.with_name(f".{HOST}-{os.getpid()}.{path.name}")


def clear(folder: Path) -> None:
    """Remove from a folder what `atomic_write` began there in processes of this machine that are gone."""
    _clear(folder, rf"\.{HOST}-(\d+)\.")


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
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to; renamed to `path` at the end, removed if anything goes wrong.

    A kill at any moment leaves the old file or the new one. The temporary name keeps the ending, by which libraries
    choose a format.

    Raises:
        OutputError: If the system will not have it written.
    """
    temporary = _temporary(path)
    with describe_os_error(path):
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
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder` to fill; renamed to `folder` at the end, removed if anything goes wrong.

    If another process has made the folder meanwhile, that one stays.

    Raises:
        OutputError: If the system will not have it written.
    """
    temporary = folder.with_name(f".{folder.name}.{HOST}-{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    with describe_os_error(folder):
        temporary.mkdir(parents=True)
        _clear(folder.parent, rf"\.{re.escape(folder.name)}\.{HOST}-(\d+)\.tmp$")
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
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, without its index."""
    with atomic_write(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
