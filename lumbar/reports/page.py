"""Write pages from templates, and embed images in them."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lumbar.core.constants import VERSION
from lumbar.storage.files import atomic_write, describe_os_error

JPEG_QUALITY = 82
FEW_COLOURS = 4096
"""Colours up to which an image is stored as PNG; with more it is a photograph, which is smaller as JPEG."""


@dataclass(frozen=True)
class Embedded:
    """An image that is part of a page.

    Args:
        address: The image as a data URL.
        width: Width in pixels.
        height: Height in pixels.
        alt: Text alternative.
    """

    address: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True)
class Script:
    """A script of this package that is part of a page.

    Args:
        text: The script.
    """

    text: str

    @property
    def digest(self) -> str:
        """The source expression of the page's Content-Security-Policy that allows this script and no other."""
        return f"sha256-{base64.b64encode(hashlib.sha256(self.text.encode()).digest()).decode()}"


def read_script(name: str) -> Script:
    """Return a script of ``lumbar/reports/templates``."""
    return Script((Path(__file__).with_name("templates") / name).read_text(encoding="utf-8"))


def write(file: Path, template: str, content: dict[str, Any], *, package: str = "lumbar.reports") -> Path:
    """Fill in a template and write the page.

    Args:
        file: The page to write.
        template: Name of a template in ``lumbar/reports/templates``, or of the package.
        content: Values for the template; all text in them is escaped.
        package: A package with further templates.

    Returns:
        `file`.

    Raises:
        OutputError: If the page cannot be written.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader("lumbar.reports"), PackageLoader(package)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    footer = {"version": VERSION, "today": datetime.now().astimezone().date().isoformat()}
    text = environment.get_template(template).render(footer | content)
    with describe_os_error(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as temporary:
        # A file name may contain bytes that are not text; they are shown as question marks.
        temporary.write_bytes(text.encode("utf-8", "replace"))
    return file


def embed(image: Image.Image, alt: str) -> Embedded:
    """Return an image for a page, without its metadata: as JPEG if it is a photograph, otherwise as PNG of 256 colours.

    Args:
        image: A grey or colour image; transparent pixels become white.
        alt: Text alternative.
    """
    if image.mode != "L":
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(background, image).convert("RGB")
    buffer = io.BytesIO()
    if image.mode == "RGB" and image.getcolors(FEW_COLOURS):
        kind = "png"
        image.quantize(256).save(buffer, format="PNG", optimize=True)
    else:
        kind = "jpeg"
        image.save(buffer, format="JPEG", quality=JPEG_QUALITY, optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    return Embedded(f"data:image/{kind};base64,{data}", *image.size, alt)


def embed_pixels(pixels: np.ndarray, alt: str) -> Embedded:
    """Return a grey image for a page.

    Args:
        pixels: uint8 (rows, columns).
        alt: Text alternative.
    """
    return embed(Image.fromarray(pixels), alt)


def embed_file(file: Path) -> Embedded:
    """Return a figure for a page; its text alternative is the ``Description`` in its metadata, or its file name.

    Raises:
        OSError: If the file is not an image or cannot be read.
    """
    with Image.open(file) as image:
        image.load()
        return embed(image, str(image.info.get("Description", file.stem.replace("_", " "))))
