"""Synthetic patients: random anatomy and contrast, rendering in any plane, and studies written as DICOM.

`write_dataset` writes a whole data set, `write_study` one patient. The steps in between are modules of their own:
`variation` (the numbers of one person), `anatomy` (the 3-D patient), `planning` (where the slices lie), `contrast`
(sequence and scanner), `render` (one image) and `dicom` (one file).
"""

from __future__ import annotations

from typing import Any

from lumbar.phantom.recipe import PhantomSettings

__all__ = ["PhantomSettings", "write_dataset", "write_study"]  # noqa: F822  __getattr__ provides the last two


def __getattr__(name: str) -> Any:
    """Import `lumbar.phantom.study` on first use, so that the command line's ``--help`` answers at once."""
    if name in __all__:
        from lumbar.phantom import study

        return getattr(study, name)
    raise AttributeError(name)
