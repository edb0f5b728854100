"""Download a public data set that allows it, through the client that its place is made for, and unpack it below data/.

Imports nothing heavy, so that a command's help comes at once.
"""

from __future__ import annotations

from pathlib import Path

from lumbar.core.errors import FetchError
from lumbar.download import direct, from_kaggle, refusals
from lumbar.download.catalogue import find

__all__ = ["fetch"]


def fetch(name: str, *, only: tuple[str, ...] = (), progress: bool = True) -> Path:
    """Download a data set and unpack it. What is there already is not downloaded again.

    Args:
        name: What `lumbar.download.catalogue` calls it.
        only: Names of the files wanted, of a set that has several; all if left out.
        progress: Show progress bars.

    Returns:
        Its folder, below data/.

    Raises:
        FetchError: If there is no such set, it may not be downloaded without a person, the network or the server does
            not give it, or what came is not what was promised.
    """
    known = find(name)
    if not known.fetchable:
        raise FetchError(
            f"{known.title} may only be downloaded by yourself",
            field="licence",
            found=known.licence,
            remedy=refusals.by_hand(known),
        )
    names = [file.name for file in known.files]
    if unknown := sorted(set(only) - set(names)):
        raise FetchError(
            "there is no such file in this set",
            found=", ".join(unknown),
            expected=", ".join(names) or "nothing: this set comes as a whole",
        )
    if known.kaggle:
        return from_kaggle.download(known)
    for file in known.files:
        if not only or file.name in only:
            direct.download(known, file, progress=progress)
    return known.place
