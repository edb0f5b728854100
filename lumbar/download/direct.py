"""Files that lie open on a server, through pooch.

pooch writes to a temporary name, compares the checksum, and only then lets the file appear. It cannot go on in the
middle of a file: a file that is whole is kept, one that was cut off begins again.
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
"""Beside the files: where each came from, its checksum, and what was unpacked from it."""

RETRIES = 2
"""Times that a file is begun again at once after a fault of the network."""

CHUNK = 1 << 20
"""Bytes written at a time."""


def download(known: PublicSet, file: File, *, progress: bool = True) -> None:
    """Make sure that one file of a set is there, and what is in it if it is an archive.

    Raises:
        FetchError: If it cannot be had, or is not the one that was published.
    """
    record = _read_record(known.place)
    kept = record.get(file.name, {})
    if kept.get("unpacked") and all((known.place / name).exists() for name in kept["unpacked"]):
        return
    path = _downloaded(known, file, file.sha256 or kept.get("sha256"), progress)
    kept = {
        "url": file.url,
        "sha256": refusals.client("pooch").file_hash(str(path)),
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
            remedy="remove it: the files are then compared or downloaded anew",
        ) from error


def _downloaded(known: PublicSet, file: File, expected: str | None, progress: bool) -> Path:
    """The file, whole and with the right checksum; one that a person has put there is taken up."""
    pooch = refusals.client("pooch")
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    store = pooch.create(
        known.place, "", registry={file.name: expected}, urls={file.name: file.url}, retry_if_failed=RETRIES
    )
    if not (known.place / file.name).is_file():
        refusals.if_no_room(known)
    try:
        return Path(store.fetch(file.name, downloader=pooch.HTTPDownloader(progressbar=progress, chunk_size=CHUNK)))
    except requests.HTTPError as error:
        raise FetchError(
            "the server does not give the file",
            file=file.url,
            found=f"HTTP {error.response.status_code} {error.response.reason}",
            remedy=refusals.by_hand(known),
        ) from error
    except requests.RequestException as error:
        refusal = refusals.unreachable(known, file.url, error)
        whole = f"`curl -L -C - -o {known.place / file.name} {file.url}` goes on in the middle, which this cannot"
        refusal.remedy = f"{refusal.remedy}; on a slow line {whole}"
        raise refusal from error
    except ValueError as error:  # pooch's word for a wrong checksum
        raise FetchError(
            "the file is not the one that was published",
            file=file.url,
            field="sha256",
            found=refusals.in_one_line(error),
            expected=expected,
            remedy="it was removed; give the command again, and if this happens again do not use the file",
        ) from error
    except OSError as error:
        raise refusals.not_written(known.place, error) from error
