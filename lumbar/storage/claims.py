"""Folders that belong to one task: a hyperparameter search, a sweep, or a set of synthetic patients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lumbar.core.errors import LumbarError
from lumbar.storage.files import write_json


def claim_folder(file: Path, description: dict[str, Any], error: LumbarError, *, key: str | None = None) -> None:
    """Reserve a folder for one task, or check that it already belongs to this task.

    Args:
        file: The JSON file in the folder that describes the task; it is written if it does not exist.
        description: The task, as plain values. Another description means another task.
        error: The error to raise if the folder belongs to another task.
        key: The entry of the description that identifies the task. The default is the whole description.

    Raises:
        LumbarError: `error`, if the file describes another task or is damaged.
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
