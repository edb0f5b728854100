"""Read the header of a compressed image before a decoder does.

A decoder allocates the memory that a codestream asks for, and some decoders abort the process if there is not enough.
The codestream must therefore state the same size as the DICOM header, which is bounded.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSTransferSyntaxes,
    RLELossless,
)

_START_OF_IMAGE = b"\xff\xd8"
_CODESTREAM_AND_SIZE = b"\xff\x4f\xff\x51"  # the first two markers of every JPEG 2000 codestream
_JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_PROCESSES = {
    0xC0: "JPEG baseline",
    0xC1: "JPEG extended",
    0xC2: "JPEG progressive",
    0xC3: "JPEG lossless",
    0xF7: "JPEG-LS",
}
"""Coding processes by their start-of-frame markers (ISO/IEC 10918-1, table B.1, and 14495-1)."""

_EXPECTED: dict[str, tuple[str, ...]] = {
    JPEGBaseline8Bit: ("JPEG baseline",),
    JPEGExtended12Bit: ("JPEG baseline", "JPEG extended"),
    JPEGLossless: ("JPEG lossless",),
    JPEGLosslessSV1: ("JPEG lossless",),
    RLELossless: ("RLE",),
    **dict.fromkeys(JPEGLSTransferSyntaxes, ("JPEG-LS",)),
    **dict.fromkeys(JPEG2000TransferSyntaxes, ("JPEG 2000",)),
    "1.2.840.10008.1.2.4.201": ("JPEG 2000",),
    "1.2.840.10008.1.2.4.202": ("JPEG 2000",),
    "1.2.840.10008.1.2.4.203": ("JPEG 2000",),
}

RLE_GAIN = 64
"""Largest ratio of decoded to encoded bytes: RLE encodes a run of 128 equal bytes in two (PS3.5, G.3)."""


@dataclass(frozen=True)
class Codestream:
    """What the header of a compressed frame states.

    Args:
        coding: One of "JPEG baseline", "JPEG extended", "JPEG progressive", "JPEG lossless", "JPEG-LS", "JPEG 2000".
        columns: Width, pixels.
        rows: Height, pixels.
        components: Samples per pixel.
        bits: Bits per sample.
    """

    coding: str
    columns: int
    rows: int
    components: int
    bits: int


def expected_coding(syntax: UID) -> tuple[str, ...]:
    """Return the codings that a transfer syntax allows; empty if this module cannot read its codestreams."""
    return _EXPECTED.get(syntax, ())


def examine(coded: bytes) -> Codestream | None:
    """Read the header of a frame's codestream; None unless it is JPEG, JPEG-LS or JPEG 2000 and complete."""
    try:
        if coded.startswith(_JP2_SIGNATURE):  # not allowed in DICOM, but some programs write it
            coded = coded[max(coded.find(_CODESTREAM_AND_SIZE), 0) :]
        if coded.startswith(_CODESTREAM_AND_SIZE):
            return _jpeg_2000(coded)
        return _jpeg(coded) if coded.startswith(_START_OF_IMAGE) else None
    except struct.error:
        return None


def _jpeg_2000(coded: bytes) -> Codestream:
    """Read the SIZ segment (ISO/IEC 15444-1, A.5.1)."""
    right, bottom, left, top = struct.unpack_from(">4I", coded, 8)
    components, bits, step_x, step_y = struct.unpack_from(">H3B", coded, 40)
    step_x, step_y = max(step_x, 1), max(step_y, 1)
    columns, rows = -(-right // step_x) + (-left // step_x), -(-bottom // step_y) + (-top // step_y)
    return Codestream("JPEG 2000", columns, rows, components, (bits & 0x7F) + 1)


def _jpeg(coded: bytes) -> Codestream | None:
    """Read the first start-of-frame segment and skip the segments before it; None if there is none."""
    place = len(_START_OF_IMAGE)
    while True:
        fill, marker = struct.unpack_from(">2B", coded, place)
        if fill != 0xFF:
            return None
        if marker == 0xFF:  # any number of these fill bytes may precede a marker
            place += 1
            continue
        (length,) = struct.unpack_from(">H", coded, place + 2)
        if marker in _PROCESSES:
            bits, rows, columns, components = struct.unpack_from(">B2HB", coded, place + 4)
            return Codestream(_PROCESSES[marker], columns, rows, components, bits)
        if marker == 0xDA or length < 2:  # the scan begins before any segment has stated its size
            return None
        place += 2 + length


def rle_segments(coded: bytes) -> int | None:
    """Return the number of byte planes in an RLE frame (PS3.5, G.5); None if its header is damaged."""
    if len(coded) < 64:
        return None
    count, *offsets = struct.unpack_from("<16I", coded)
    offsets = offsets[:count]
    in_order = offsets == sorted(offsets) and offsets[:1] == [64]
    return count if 1 <= count <= 15 and in_order and offsets[-1] < len(coded) else None
