"""The three synthetic pictures that come with the page: a DICOM, a PNG and a JPEG file."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass

import numpy as np
from PIL import Image

from lumbar import imaging
from lumbar.phantom import PhantomSettings, write_study
from lumbar.preprocess import windowed
from lumbar.reports.page import Embedded, embed_pixels

THUMBNAIL = 96
"""Longest side of a sample's small picture, pixels."""


@dataclass(frozen=True)
class Sample:
    """A synthetic picture to try the page with.

    Args:
        id: Its name in the page.
        name: Name of the file.
        title: What it is, in words.
        content: The file.
        picture: A small picture of it.
    """

    id: str
    name: str
    title: str
    content: bytes
    picture: Embedded


def make_samples() -> tuple[Sample, ...]:
    """Return the samples: a lumbar spine, one in another contrast, and one that is cut off so that counting is hard."""
    with tempfile.TemporaryDirectory() as folder:
        settings = PhantomSettings(seed=61, series=("sagittal-t1", "sagittal-t2"), anomalies=False, stir_share=0)
        files = [write_study(folder, settings, number) for number in (1, 2, 4)]
        t2, t1, cut = (
            next(patient.glob(f"{series}/*.dcm"))
            for patient, series in zip(files, ("sagittal-t2", "sagittal-t1", "sagittal-t2"), strict=True)
        )
        whole, other, rest = (windowed(imaging.read(file).pixels) for file in (t2, t1, cut))
        content = t2.read_bytes()
    below = rest[round(0.35 * len(rest)) :]  # the upper edge lies at L1/L2
    return (
        Sample("sample-1", "synthetic-t2.dcm", "Sagittal T2, DICOM", content, _small(whole)),
        Sample("sample-2", "synthetic-t1.png", "Sagittal T1, PNG", _encoded(other, "PNG"), _small(other)),
        Sample("sample-3", "synthetic-cut.jpg", "Sagittal T2, cut off, JPEG", _encoded(below, "JPEG"), _small(below)),
    )


def _encoded(pixels: np.ndarray, form: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=form, **({"quality": 92} if form == "JPEG" else {}))
    return buffer.getvalue()


def _small(pixels: np.ndarray) -> Embedded:
    image = Image.fromarray(pixels)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    return embed_pixels(np.asarray(image), "")
