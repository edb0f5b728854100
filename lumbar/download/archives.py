"""Unpack untrusted archives: nothing outside the folder, and nothing larger than the free space on the disk."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

from tqdm.auto import tqdm

from lumbar.core.errors import FetchError


def unpack(archive: Path, folder: Path, *, progress: bool = True) -> tuple[str, ...]:
    """Unpack a zip file. Complete files from an interrupted unpacking are kept.

    Args:
        archive: The zip file.
        folder: Folder to unpack into.
        progress: Show a progress bar.

    Returns:
        Names of the files and folders at the top level of the archive.

    Raises:
        FetchError: If the archive is damaged; has members that are links, are encrypted, or would be written outside
            the folder; or is larger than the free space. Nothing is then unpacked, unless the damage is found during
            unpacking.
    """
    try:
        with zipfile.ZipFile(archive) as content:
            members = content.infolist()
            for member in members:
                _refuse_if_unsafe(archive, member)
            waiting = [member for member in members if not _is_unpacked(folder, member)]
            _refuse_if_too_large(archive, folder, sum(member.file_size for member in waiting))
            for member in tqdm(waiting, f"unpacking {archive.name}", unit="file", disable=not progress):
                content.extract(member, folder)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, zipfile.zlib.error) as error:
        raise FetchError(
            "the archive is damaged",
            file=archive,
            found=error,
            remedy="delete it and run the same command again, which downloads it again",
        ) from error
    return tuple(sorted({PurePosixPath(member.filename).parts[0] for member in members}))


def _is_unpacked(folder: Path, member: zipfile.ZipInfo) -> bool:
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
        problem, file=archive, field="member", found=repr(name), remedy="do not unpack it with another program either"
    )


def _refuse_if_too_large(archive: Path, folder: Path, needed: int) -> None:
    existing = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise FetchError(
            "the disk has no room for the contents of the archive",
            file=archive,
            found=f"{free / 1e9:.1f} GB free",
            expected=f"{needed / 1e9:.1f} GB",
            remedy="free some space, or set LUMBAR_HOME to a folder on another disk",
        )
