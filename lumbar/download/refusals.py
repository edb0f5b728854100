"""Errors of downloads that say what to do: no network, no space, a missing client; and how to download by hand."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from types import ModuleType

from lumbar.core import extras
from lumbar.core.errors import FetchError
from lumbar.download.catalogue import PublicSet

UNPACKED_TOO = 2
"""Space for a download together with its unpacked contents, as a multiple of the download."""


def by_hand(known: PublicSet) -> str:
    """Return a sentence that says how to download a data set by hand."""
    return f"by hand: open {known.address}, {known.by_hand} {known.place}"


def import_client(name: str) -> ModuleType:
    """Import a package that only downloads need.

    Args:
        name: Name of the package.

    Raises:
        SettingsError: If the package is not installed.
    """
    extras.require("fetch", "download")
    return importlib.import_module(name)


def check_free_space(known: PublicSet) -> None:
    """Check before a download that the disk has room for it and for its unpacked contents.

    Args:
        known: The data set.

    Raises:
        FetchError: If the disk has too little free space.
    """
    existing = next(folder for folder in known.place.parents if folder.is_dir())
    free, needed = shutil.disk_usage(existing).free / 1e9, known.gigabytes * UNPACKED_TOO
    if free < needed:
        raise FetchError(
            "the disk has no room for the data set",
            file=existing,
            found=f"{free:.0f} GB free",
            expected=f"about {needed:.0f} GB, for the download and its unpacked contents",
            remedy="free some space, or set LUMBAR_HOME to a folder on another disk",
        )


def unreachable(known: PublicSet, url: str, error: Exception) -> FetchError:
    """Return the error for a missing network, an unknown host, a timeout or a broken connection.

    Args:
        known: The data set.
        url: Address of the file.
        error: What the client raised.
    """
    return FetchError(
        "the server cannot be reached, or the connection broke off",
        file=url,
        found=in_one_line(error),
        remedy=f"run the same command again when the network works; or {by_hand(known)}",
    )


def not_written(place: Path, error: OSError) -> FetchError:
    """Return the error for a full disk or a folder without write permission.

    Args:
        place: The folder.
        error: What the operating system raised.
    """
    return FetchError(
        "the download cannot be written",
        file=error.filename or place,
        found=error.strerror or in_one_line(error),
        remedy="free some space, make the folder writable, or set LUMBAR_HOME to another folder",
    )


def in_one_line(error: Exception) -> str:
    """Return the message of an error without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
