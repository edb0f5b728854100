"""Limits beyond which a file is not a scan of a spine; it is refused before memory is allocated for it."""

from __future__ import annotations

from pathlib import Path

from lumbar.core.errors import ScanError

LARGEST_SIDE = 8192
"""Largest number of rows or columns; larger images are not scans of a spine and are refused before any allocation."""

LARGEST_VALUE = 1e12
"""Largest absolute value of a pixel; results computed from larger values would leave the range of float32."""


def check_size(path: Path, columns: int, rows: int) -> None:
    """Refuse an image that is empty or absurdly large, before its pixels are read.

    Args:
        path: The file, for the message.
        columns: Width, pixels.
        rows: Height, pixels.

    Raises:
        ScanError: If either is not between 1 and `LARGEST_SIDE`.
    """
    if not (0 < columns <= LARGEST_SIDE and 0 < rows <= LARGEST_SIDE):
        raise ScanError(
            "the picture's size is out of bounds",
            file=path,
            field="Columns × Rows",
            found=f"{columns} × {rows}",
            expected=f"1 to {LARGEST_SIDE} each",
        )
