"""Read the header of a MetaImage file (.mha); where fields contradict each other, prefer the same one as MetaIO."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np

from lumbar.core.errors import ScanError
from lumbar.imaging.volume.layout import Header, no_volume, not_a, unplaced

_HEADER_LINES = 500
_LONGEST_LINE = 2**12
_ELEMENTS = {
    **{"MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4"},
    **{"MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8"},
}
_PLACE = {
    "position": (("Origin", "Offset", "Position"), 3),
    "directions": (("TransformMatrix", "Rotation", "Orientation"), 9),
    "spacing": (("ElementSpacing", "ElementSize"), 3),
}
"""Fields of a MetaImage header that mean the same, in the order of MetaIO's preference, and their count of numbers."""
_BYTE_ORDER = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")


def read_metaimage(path: Path) -> Header:
    """Read the header of a MetaImage file; `lumbar.imaging.volume.header` checks it further.

    Raises:
        ScanError: If the header is damaged or incomplete.
    """
    with path.open("rb") as file:
        lines = (file.readline(_LONGEST_LINE) for _ in range(_HEADER_LINES))
        # takewhile also reads the line that it leaves out; the voxels follow that line.
        head = list(itertools.takewhile(lambda line: line and not line.startswith(b"ElementDataFile"), lines))
        offset = file.tell()
        file.seek(sum(map(len, head)))
        pairs = (line.decode("latin-1").partition("=") for line in (*head, file.readline(_LONGEST_LINE)))
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    source = fields.get("ElementDataFile")
    if source is None:
        raise not_a("MetaImage", path)
    if source != "LOCAL":
        raise ScanError(
            "the header refers to another file for the voxels",
            file=path,
            field="ElementDataFile",
            found=source,
            expected="LOCAL",
            remedy="save header and voxels in one .mha file",
        )
    size, kind = _numbers(fields, "DimSize"), _ELEMENTS.get(fields.get("ElementType", ""))
    one_number = fields.get("ElementNumberOfChannels", "1") == "1" and _flag(fields, "BinaryData", "True")
    if len(size) != 3 or not all(map(float.is_integer, size)) or not kind or not one_number or "HeaderSize" in fields:
        raise no_volume(path, f"DimSize {fields.get('DimSize')}, ElementType {fields.get('ElementType')}")
    place, remarks = {}, []
    for meaning, (names, count) in _PLACE.items():
        name, *others = [name for name in names if name in fields] or names
        place[meaning] = _numbers(fields, name)
        if len(place[meaning]) != count:
            raise unplaced(path, name, fields.get(name), f"{count} finite numbers")
        # The size of a voxel (ElementSize) may differ from the distance to the next one.
        differing = [other for other in others if meaning != "spacing" and _numbers(fields, other) != place[meaning]]
        remarks += [_contradiction(name, other) for other in differing if other in fields]
    directions, spacing = np.reshape(place["directions"], (3, 3)), np.array(place["spacing"])
    if min(spacing) <= 0 or not np.allclose(np.linalg.norm(directions, axis=1), 1, atol=1e-3):
        raise unplaced(path, "ElementSpacing, TransformMatrix", spacing.tolist(), "positive lengths, unit vectors")
    orders = [name for name in _BYTE_ORDER if name in fields]
    most_significant_first = bool(orders) and _flag(fields, orders[0])
    if len(orders) > 1 and np.dtype(kind).itemsize > 1 and _flag(fields, orders[1]) != most_significant_first:
        remarks.append(_contradiction(*orders))
    return Header(
        path,
        size=tuple(map(int, size)),
        dtype=np.dtype((">" if most_significant_first else "<") + kind),
        offset=offset,
        packed="zlib" if _flag(fields, "CompressedData") else "",
        scale=None,
        origin=np.array(place["position"]),
        steps=directions * spacing[:, None],
        remarks=tuple(remarks),
    )


def _contradiction(name: str, other: str) -> str:
    return f"the header contradicts itself: {name} was used, as ITK and 3D Slicer do, and not {other}"


def _flag(fields: dict[str, str], name: str, default: str = "False") -> bool:
    return fields.get(name, default)[:1] in ("T", "t", "1")


def _numbers(fields: dict[str, str], name: str) -> list[float]:
    """Return the numbers of a field; an empty list unless all are finite numbers."""
    try:
        numbers = [float(word) for word in fields.get(name, "").split()]
    except ValueError:
        return []
    return numbers if all(map(math.isfinite, numbers)) else []
