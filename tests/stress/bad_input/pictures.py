"""PNG and JPEG files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import ExifTags, Image

from lumbar import imaging
from tests.stress.bad_input import FLAGGED, READ, REFUSED, REPAIRED, WARNED, Case, Words
from tests.stress.bad_input.scans import predict
from tests.support.noise import noise


def saved(name: str, picture: Image.Image, **options) -> Callable[[Path], Words]:
    def build(folder: Path) -> Words:
        picture.save(folder / name, **options)
        return predict(folder / name, folder=folder)

    return build


def content(name: str, written: bytes) -> Callable[[Path], Words]:
    def build(folder: Path) -> Words:
        (folder / name).write_bytes(written)
        return predict(folder / name, folder=folder)

    return build


def cut(name: str) -> Callable[[Path], Words]:
    def build(folder: Path) -> Words:
        NOISE.save(folder / name)
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])
        return predict(folder / name, folder=folder)

    return build


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def phantom(rows: int, columns: int) -> Callable[[Path], Words]:
    """Save an image of a synthetic patient as a PNG file, which does not state its orientation."""

    def build(folder: Path) -> Words:
        from lumbar.phantom.study import PhantomSettings, write_study

        study = write_study(folder / "study", PhantomSettings(seed=4243, series=("sagittal-t2",)), 5)
        pixels = imaging.read(study / "sagittal-t2" / "001.dcm").pixels
        pixels = np.clip(pixels / np.percentile(pixels, 99.5) * 255, 0, 255).astype(np.uint8)
        Image.fromarray(np.ascontiguousarray(pixels[::rows, ::columns])).save(folder / "patient.png")
        return predict(folder / "patient.png", folder=folder)

    return build


def faded(share: float) -> Image.Image:
    """Return noise, of which this share is transparent, and white underneath."""
    picture = np.asarray(NOISE).copy()
    picture[: round(64 * share)] = 255
    opacity = np.where(np.arange(64)[:, None] < 64 * share, 0, 255) * np.ones(64)
    return Image.fromarray(np.dstack([picture, opacity]).astype(np.uint8), "LA")


def black_where_transparent(folder: Path) -> None:
    assert (imaging.read(folder / "faded.png").pixels[:16] == 0).all()


NOISE = noise((64, 64), 60)
NO_LEVEL = "1 of them do not show every level; what a picture does not show has no point"


def no_point(folder: Path) -> None:
    """Check that no level has been found."""
    assert pd.read_csv(folder / "points.csv")["x"].isna().all()


COLOUR = Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8))
ORIENTATION = Image.Exif()
ORIENTATION[ExifTags.Base.Orientation] = 3
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n"

_REFUSED = [
    ("a web page that is called PNG", content("page.png", b"<html>Please sign in</html>"), "not a PNG or JPEG file"),
    ("an empty file", content("empty.jpg", b""), "not a PNG or JPEG file"),
    ("a PostScript program that is called PNG", content("program.png", EPS), "not a PNG or JPEG file"),
    ("a PNG cut short", cut("short.png"), "the picture is damaged"),
    ("a JPEG cut short", cut("short.jpg"), "the picture is damaged"),
    ("a size of gigabytes", content("huge.png", png(65535, 65535)), "out of bounds"),
    ("a size beyond all limits", content("vast.png", png(2**31 - 1, 2**31 - 1)), "out of bounds"),
    (
        "a text that unpacks to gigabytes",
        content("text.png", png(9, 9, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**27), 9)))),
        "the picture is damaged",
    ),
    ("a photograph in colour", saved("photo.png", COLOUR), "in colour"),
    ("one bit per pixel", saved("mask.png", NOISE.convert("1")), "one-bit mask"),
    (
        "several pictures in one file",
        saved("film.png", NOISE, save_all=True, append_images=[COLOUR]),
        "several pictures",
    ),
    (
        "a JPEG to be rotated for display",
        saved("turned.jpg", NOISE, exif=ORIENTATION),
        "rotated or mirrored for display",
    ),
    ("a picture that is transparent throughout", saved("clear.png", faded(1)), "every pixel .* is transparent"),
    ("a constant picture", saved("blank.png", Image.new("L", (64, 64), 90)), "one grey throughout"),
]

CASES = [
    *(Case("picture", name, build, REFUSED, says, 1) for name, build, says in _REFUSED),
    Case("picture", "grey stored in colour", saved("rgb.png", NOISE.convert("RGB")), REPAIRED, "grey throughout", 0),
    Case(
        "picture",
        "transparent in places",
        saved("faded.png", faded(0.25)),
        REPAIRED,
        "taken for black",
        0,
        black_where_transparent,
    ),
    Case(
        "picture",
        "sixteen bits",
        saved("deep.png", Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 999)),
        READ,
        "1 pictures",
        0,
    ),
    Case("picture", "as it should be", phantom(1, 1), READ, "1 pictures, 5 points", 0, real=True),
    Case("picture", "upside down", phantom(-1, 1), FLAGGED, "looks upside down.*flagged", 0, real=True),
    Case("picture", "mirrored", phantom(1, -1), FLAGGED, "looks mirrored.*flagged", 0, real=True),
    Case("picture", "turned by 180 degrees", phantom(-1, -1), FLAGGED, "looks turned.*flagged", 0, real=True),
    Case("picture", "noise", saved("noise.png", noise((300, 300), 60)), WARNED, NO_LEVEL, 0, no_point, real=True),
]
