"""Fingerprints of values, files and arrays: SHA-256 digests, cut to a readable length."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LENGTH = 16
"""Hexadecimal digits of a fingerprint, unless the caller asks for another number."""


def digest_of(pieces: Iterable[Any], length: int = LENGTH) -> str:
    """Return the fingerprint of a sequence of bytes, given in pieces so that they need not all be in memory at once.

    Args:
        pieces: Bytes, or contiguous arrays.
        length: Number of hexadecimal digits, at most 64.
    """
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()[:length]


def digest_of_text(text: str, length: int = LENGTH) -> str:
    """Return the fingerprint of a text."""
    return digest_of([text.encode()], length)


def digest_of_values(values: Any, length: int = LENGTH) -> str:
    """Return the fingerprint of plain values that JSON can hold; the order of a mapping's keys does not matter."""
    return digest_of_text(json.dumps(values, sort_keys=True), length)


def digest_of_file(file: Path, length: int = LENGTH) -> str:
    """Return the fingerprint of a file's content.

    Raises:
        OSError: If the file cannot be read.
    """
    return digest_of([file.read_bytes()], length)
