"""A folder that belongs to one piece of work: a search, a sweep, a set of synthetic patients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lumbar.core.errors import LumbarError
from lumbar.storage.files import write_json


def claim_folder(file: Path, description: dict[str, Any], error: LumbarError, *, key: str | None = None) -> None:
    """Make a folder the place of one piece of work, or make sure that it is that already.

    Args:
        file: The JSON file in the folder that describes the work; it is written if it is missing.
        description: The work, as plain values; another description is other work.
        error: Raised if the folder belongs to other work.
        key: The entry that tells one piece of work from another; the whole description if left out.

    Raises:
        LumbarError: `error`, if the file describes other work or cannot be read.
        OutputError: If the file cannot be written.
    """
    if not file.is_file():
        write_json(file, description)
        return
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        same = found == description if key is None else found[key] == description[key]
    except (ValueError, TypeError, KeyError):  # damaged, or another kind of file
        same = False
    if not same:
        raise error
