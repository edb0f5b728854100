"""Synthetic patients: anatomy, contrast, rendering of any plane, and studies written as DICOM."""

from __future__ import annotations

from typing import Any

from lumbar.phantom.recipe import PhantomSettings

__all__ = ["PhantomSettings", "write_dataset", "write_study"]  # noqa: F822  the last two come by __getattr__


def __getattr__(name: str) -> Any:
    """Import the writer of studies when it is first used: whoever only asks for help need not wait for it."""
    if name in __all__:
        from lumbar.phantom import study

        return getattr(study, name)
    raise AttributeError(name)
