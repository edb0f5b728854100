"""From what a report says to a file: the templates, and pictures as part of the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import lumbar
from lumbar.storage.files import atomic_write, describe_os_error

JPEG_QUALITY = 82
FEW_COLOURS = 4096
"""A picture with more colours is a photograph, and smaller as JPEG."""


@dataclass(frozen=True)
class Embedded:
    """A picture as part of a page: its address, size in pixels, and text alternative."""

    address: str
    width: int
    height: int
    alt: str


def write(file: Path, template: str, content: dict[str, Any]) -> Path:
    """Fill a template and write the page.

    Args:
        file: Where to.
        template: Name of one of the templates beside this module.
        content: What it shows; whatever it holds is escaped.

    Returns:
        `file`.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("lumbar.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    written = {"version": lumbar.__version__, "today": datetime.now().astimezone().date().isoformat()}
    text = environment.get_template(template).render(written | content)
    with describe_os_error(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as temporary:
        # A file name may hold bytes that are no text; they are shown as question marks.
        temporary.write_bytes(text.encode("utf-8", "replace"))
    return file


def embedded(picture: Image.Image, alt: str) -> Embedded:
    """A picture as part of the page, without its metadata: JPEG if it is a photograph, else PNG of 256 colours.

    Args:
        picture: Grey or in colour; what is transparent becomes white.
        alt: What it shows, in words.
    """
    if picture.mode != "L":
        picture = picture.convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture).convert("RGB")
    buffer = io.BytesIO()
    if picture.mode == "RGB" and picture.getcolors(FEW_COLOURS):
        kind = "png"
        picture.quantize(256).save(buffer, format="PNG", optimize=True)
    else:
        kind = "jpeg"
        picture.save(buffer, format="JPEG", quality=JPEG_QUALITY, optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    return Embedded(f"data:image/{kind};base64,{data}", *picture.size, alt)


def embedded_pixels(pixels: np.ndarray, alt: str) -> Embedded:
    """Grey pixels, uint8 (rows, columns), as part of the page."""
    return embedded(Image.fromarray(pixels), alt)


def embedded_file(file: Path) -> Embedded:
    """A figure as part of the page; its ``Description``, which figures of this package carry, becomes the alternative.

    Raises:
        OSError: If it is no picture.
    """
    with Image.open(file) as picture:
        picture.load()
        return embedded(picture, str(picture.info.get("Description", file.stem.replace("_", " "))))
