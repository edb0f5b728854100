"""Download public data sets whose licence allows it, and unpack them below data/.

`catalogue` lists the sets. `from_kaggle` downloads with Kaggle's own client, `direct` from other servers; `archives`
unpacks, and `refusals` makes the errors. Nothing heavy is imported, so that the command's help appears at once.
"""

from __future__ import annotations

from pathlib import Path

from lumbar.core.errors import FetchError
from lumbar.download import direct, from_kaggle, refusals
from lumbar.download.catalogue import find

__all__ = ["fetch"]


def fetch(name: str, *, only: tuple[str, ...] = (), progress: bool = True) -> Path:
    """Download a data set and unpack it. Files that exist are not downloaded again.

    Args:
        name: Name of the set in `lumbar.download.catalogue`.
        only: Names of the files to download, for a set that has several; by default all.
        progress: Show progress bars.

    Returns:
        Folder of the set, below data/.

    Raises:
        FetchError: If there is no such set, the user must accept its terms first, the download fails, or the file is
            not the one that was published.
    """
    known = find(name)
    if not known.fetchable:
        raise FetchError(
            f"{known.title} cannot be downloaded automatically",
            field="licence",
            found=known.licence,
            remedy=refusals.by_hand(known),
        )
    names = [file.name for file in known.files]
    if unknown := sorted(set(only) - set(names)):
        raise FetchError(
            "there is no such file in this set",
            found=", ".join(unknown),
            expected=", ".join(names) or "no file names: this set is downloaded as a whole",
        )
    if known.kaggle:
        return from_kaggle.download(known)
    for file in known.files:
        if not only or file.name in only:
            direct.download(known, file, progress=progress)
    return known.place
