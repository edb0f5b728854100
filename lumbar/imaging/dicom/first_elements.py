"""The first elements of a DICOM file as bytes, many times as fast as a parser that understands all of it.

Only what is written in the plainest way is read: little endian, not deflated, the elements in their order, each of a
stated length and wholly there. Of anything else nothing is said, and pydicom is to be asked (`lumbar.imaging.header`).
"""

from __future__ import annotations

import struct

_PREAMBLE = 132
_TRANSFER_SYNTAX = 0x00020010
_IMPLICIT = b"1.2.840.10008.1.2"
_EXPLICIT = (b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.5")
_EXPLICIT_COMPRESSED = b"1.2.840.10008.1.2.4."
_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_explicit = struct.Struct("<HH2sH").unpack_from
_length = struct.Struct("<I").unpack_from
_implicit = struct.Struct("<HHI").unpack_from


def first_elements(content: bytes, wanted: dict[int, bytes]) -> dict[int, bytes] | None:
    """Values of some elements.

    Args:
        content: The beginning of the file.
        wanted: Tag (group and element as one number) → its value representation, e.g. 0x00280010 → b"US".

    Returns:
        Tag → value for those that are there; None if the file is written in another way than the plainest, or if the
        last of them would stand beyond `content`.
    """
    if content[128:_PREAMBLE] != b"DICM":
        return None
    try:
        meta, start = _walk(content, _PREAMBLE, {_TRANSFER_SYNTAX: b"UI"}, 0x0002FFFF, explicit=True)
        syntax = meta[_TRANSFER_SYNTAX].rstrip(b"\0")
        explicit = syntax in _EXPLICIT or syntax.startswith(_EXPLICIT_COMPRESSED)
        if not explicit and syntax != _IMPLICIT:
            return None
        return _walk(content, start, wanted, max(wanted), explicit=explicit)[0]
    except (struct.error, KeyError, ValueError):
        return None


def _walk(
    content: bytes, at: int, wanted: dict[int, bytes], last: int, *, explicit: bool
) -> tuple[dict[int, bytes], int]:
    """The wanted values, and where the first element after `last` stands.

    Raises:
        struct.error: If the content ends before that.
        ValueError: If an element is not written as plainly as we can read.
    """
    found, previous = {}, 0
    while True:
        if explicit:
            group, element, kind, size = _explicit(content, at)
        else:
            group, element, size = _implicit(content, at)
        tag = group << 16 | element
        if tag > last:
            return found, at
        if tag <= previous:
            raise ValueError("elements out of order")
        previous, at = tag, at + 8
        if explicit and kind not in _SHORT:
            if kind not in _LONG or size:
                raise ValueError("no value representation")
            (size,) = _length(content, at)
            at += 4
        if tag in wanted:
            if explicit and kind != wanted[tag]:
                raise ValueError("another value representation than the standard's")
            found[tag] = content[at : at + size]
        at += size  # of undefined length, 2**32 - 1: beyond the content
