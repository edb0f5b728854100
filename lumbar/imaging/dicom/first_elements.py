"""Read the first elements of a DICOM file as bytes, many times faster than a complete parser.

Only the simplest files are read: little endian, not deflated, with elements in ascending order, each of a stated length
and complete. For any other file the result is None, and `lumbar.imaging.header` uses pydicom instead.
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
    """Read the values of some elements.

    Args:
        content: The beginning of the file.
        wanted: Tag (group and element as one number) → value representation, e.g. 0x00280010 → b"US".

    Returns:
        Tag → value for the elements that the file has; None if the file is not of the simplest kind, or if `content`
        ends before the last element.
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
    """Return the wanted values and the position of the first element after the tag `last`.

    Raises:
        struct.error: If the content ends before that element.
        ValueError: If an element is not written in the simplest way.
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
            raise ValueError("the elements are out of order")
        previous, at = tag, at + 8
        if explicit and kind not in _SHORT:
            if kind not in _LONG or size:
                raise ValueError("an element has no known value representation")
            (size,) = _length(content, at)
            at += 4
        if tag in wanted:
            if explicit and kind != wanted[tag]:
                raise ValueError("an element has another value representation than in the standard")
            found[tag] = content[at : at + size]
        at += size  # an undefined length, 2**32 - 1, leads beyond the content
