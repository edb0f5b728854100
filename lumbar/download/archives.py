"""Unpack a stranger's archive: nothing outside of the folder, nothing that the disk has no room for."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

from tqdm.auto import tqdm

from lumbar.core.errors import FetchError


def unpack(archive: Path, folder: Path, *, progress: bool = True) -> tuple[str, ...]:
    """Unpack a zip file. What an interrupted unpacking has left whole is kept.

    Args:
        archive: The file.
        folder: Where to.
        progress: Show a progress bar.

    Returns:
        The names that now stand in the folder because of it.

    Raises:
        FetchError: If the file is no whole archive, has members that would land outside of the folder, links or
            encrypted ones, or is larger than the disk has room for. Nothing of it is then unpacked, except for an
            archive that turns out to be damaged on the way.
    """
    try:
        with zipfile.ZipFile(archive) as content:
            members = content.infolist()
            for member in members:
                _refuse_if_unsafe(archive, member)
            waiting = [member for member in members if not _is_there(folder, member)]
            _refuse_if_too_large(archive, folder, sum(member.file_size for member in waiting))
            for member in tqdm(waiting, f"unpacking {archive.name}", unit="file", disable=not progress):
                content.extract(member, folder)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, zipfile.zlib.error) as error:
        raise FetchError(
            "the archive is damaged",
            file=archive,
            found=error,
            remedy="remove it and give the command again: it is downloaded anew",
        ) from error
    return tuple(sorted({PurePosixPath(member.filename).parts[0] for member in members}))


def _is_there(folder: Path, member: zipfile.ZipInfo) -> bool:
    target = folder / member.filename
    return not member.is_dir() and target.is_file() and target.stat().st_size == member.file_size


def _refuse_if_unsafe(archive: Path, member: zipfile.ZipInfo) -> None:
    name = member.filename
    path, windows = PurePosixPath(name.replace("\\", "/")), PureWindowsPath(name)
    if not path.parts or path.is_absolute() or windows.drive or ".." in path.parts or "\0" in name:
        problem = "the archive would write outside of its folder"
    elif stat.S_ISLNK(member.external_attr >> 16):
        problem = "the archive holds a link"
    elif member.flag_bits & 1:
        problem = "the archive is encrypted"
    else:
        return
    raise FetchError(
        problem, file=archive, field="name of a member", found=repr(name), remedy="do not unpack it by hand either"
    )


def _refuse_if_too_large(archive: Path, folder: Path, needed: int) -> None:
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise FetchError(
            "the disk has no room for what is in the archive",
            file=archive,
            found=f"{free / 1e9:.1f} GB free",
            expected=f"{needed / 1e9:.1f} GB",
            remedy="free some, or set LUMBAR_HOME to a place that has it",
        )
