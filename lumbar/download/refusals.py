"""Why a download fails, in words that help: the network, the disk, a missing client; and how to do without it."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from types import ModuleType

from lumbar.core.errors import FetchError
from lumbar.download.catalogue import PublicSet

UNPACKED_TOO = 2
"""Room that a download needs together with what is unpacked from it, in downloads."""


def by_hand(known: PublicSet) -> str:
    """How a person gets the set, in one sentence."""
    return f"by hand: open {known.address}, {known.by_hand} {known.place}"


def client(name: str) -> ModuleType:
    """A package that only downloading needs.

    Raises:
        FetchError: If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise FetchError(
            f"downloading needs the package {name}, which is not installed",
            found=error,
            remedy="pip install kagglehub pooch (the extra lumbar[fetch] names both)",
        ) from error


def if_no_room(known: PublicSet) -> None:
    """Look whether the disk has room, before anything is downloaded.

    Raises:
        FetchError: If it has none for the set and what is unpacked from it.
    """
    place = next(folder for folder in known.place.parents if folder.is_dir())
    free, needed = shutil.disk_usage(place).free / 1e9, known.gigabytes * UNPACKED_TOO
    if free < needed:
        raise FetchError(
            "the disk has no room for the data set",
            file=place,
            found=f"{free:.0f} GB free",
            expected=f"about {needed:.0f} GB, for the download and what is unpacked from it",
            remedy="free some, or set LUMBAR_HOME to a place that has it",
        )


def unreachable(known: PublicSet, url: str, error: Exception) -> FetchError:
    """No network, no such host, no answer in time, or a connection that broke off."""
    return FetchError(
        "the server cannot be reached, or the connection broke off",
        file=url,
        found=in_one_line(error),
        remedy=f"give the command again when there is a network; or {by_hand(known)}",
    )


def not_written(place: Path, error: OSError) -> FetchError:
    """A full disk, or a folder that may not be written to."""
    return FetchError(
        "what was downloaded cannot be written",
        file=error.filename or place,
        found=error.strerror or in_one_line(error),
        remedy="free some room or make the folder writable, or set LUMBAR_HOME to a place that is",
    )


def in_one_line(error: Exception) -> str:
    """What an error says, without its line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
