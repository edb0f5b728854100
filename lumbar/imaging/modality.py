"""Kinds of imaging: a network answers for those that it was trained on, and an image may be of another."""

from __future__ import annotations

from collections.abc import Iterable

KINDS = {
    "MR": "MR",
    "CT": "CT",
    **dict.fromkeys(("CR", "DX", "RF", "XA", "RG"), "X-ray"),
    "US": "ultrasound",
    "NM": "scintigraphy",
    "PT": "PET",
    "MG": "mammography",
}
"""Modality of a DICOM file (PS3.3, C.7.3.1.1.1) → kind of imaging. Others, such as OT (other), do not state one."""

_OF_CONTRAST = {"T1": "MR", "T2": "MR", "STIR": "MR", "random": "MR", "CT": "CT", "X-ray": "X-ray"}
"""Contrast in a table of landmarks → kind of imaging. A random one is that of a synthetic patient in a simulated MR."""


def kind_of(modality: str) -> str:
    """Return the kind of imaging that a DICOM file's Modality states; "" if it states none."""
    return KINDS.get(modality.strip().upper(), "")


def kinds_of(contrasts: Iterable[str]) -> tuple[str, ...]:
    """Return the kinds of imaging of a data set; empty if they are not known of every image.

    Args:
        contrasts: The contrast of each image, as in a table of landmarks; "" if it is not known.
    """
    kinds = {_OF_CONTRAST.get(contrast, "") for contrast in contrasts}
    return () if "" in kinds else tuple(sorted(kinds))
