"""Download files from open servers with pooch.

pooch writes to a temporary name, compares the checksum, and only then renames the file. It cannot resume in the middle
of a file: complete files are kept, and an interrupted download starts again.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from lumbar.core.errors import FetchError
from lumbar.download import refusals
from lumbar.download.archives import unpack
from lumbar.download.catalogue import File, PublicSet
from lumbar.storage.files import write_json

RECORD = "fetched.json"
"""File in the set's folder that records the source and checksum of each file, and what was unpacked from it."""

RETRIES = 2
"""Number of immediate retries after a network error."""

CHUNK = 1 << 20
"""Number of bytes written at a time."""


def download(known: PublicSet, file: File, *, progress: bool = True) -> None:
    """Download one file of a set, and unpack it if it is an archive; nothing is done if that has been done before.

    Args:
        known: The data set.
        file: One of its files.
        progress: Show progress bars.

    Raises:
        FetchError: If the file cannot be downloaded or written, or is not the one that was published.
    """
    record = _read_record(known.place)
    kept = record.get(file.name, {})
    if kept.get("unpacked") and all((known.place / name).exists() for name in kept["unpacked"]):
        return
    path = _downloaded(known, file, file.sha256 or kept.get("sha256"), progress)
    kept = {
        "url": file.url,
        "sha256": refusals.import_client("pooch").file_hash(str(path)),
        "compared with": "the published checksum" if file.sha256 else "nothing at first: no checksum is published",
    }
    try:
        write_json(known.place / RECORD, record | {file.name: kept})
        if path.suffix == ".zip":
            kept["unpacked"] = unpack(path, known.place, progress=progress)
            write_json(known.place / RECORD, record | {file.name: kept})
            path.unlink()
    except OSError as error:
        raise refusals.not_written(known.place, error) from error


def _read_record(place: Path) -> dict[str, dict[str, Any]]:
    file = place / RECORD
    if not file.is_file():
        return {}
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        return {name: dict(kept) for name, kept in record.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise FetchError(
            "the record of what was downloaded is damaged",
            file=file,
            found=error,
            remedy="delete it; the files will then be compared or downloaded again",
        ) from error


def _downloaded(known: PublicSet, file: File, expected: str | None, progress: bool) -> Path:
    """Return the path of the complete file with the right checksum; a file that the user has put there is used."""
    pooch = refusals.import_client("pooch")
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    store = pooch.create(
        known.place, "", registry={file.name: expected}, urls={file.name: file.url}, retry_if_failed=RETRIES
    )
    if not (known.place / file.name).is_file():
        refusals.check_free_space(known)
    try:
        return Path(store.fetch(file.name, downloader=pooch.HTTPDownloader(progressbar=progress, chunk_size=CHUNK)))
    except requests.HTTPError as error:
        raise FetchError(
            "the server refuses the file",
            file=file.url,
            found=f"HTTP {error.response.status_code} {error.response.reason}",
            remedy=refusals.by_hand(known),
        ) from error
    except requests.RequestException as error:
        refusal = refusals.unreachable(known, file.url, error)
        resume = (
            f"`curl -L -C - -o {known.place / file.name} {file.url}` resumes in the middle, which this command cannot"
        )
        refusal.remedy = f"{refusal.remedy}; on a slow connection, {resume}"
        raise refusal from error
    except ValueError as error:  # pooch raises it for a wrong checksum
        raise FetchError(
            "the file is not the one that was published",
            file=file.url,
            field="sha256",
            found=refusals.in_one_line(error),
            expected=expected,
            remedy="it was deleted; run the same command again, and if it fails again do not use the file",
        ) from error
    except OSError as error:
        raise refusals.not_written(known.place, error) from error
