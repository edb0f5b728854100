"""Export points as JSON, with all details.

::

    {
      "format": "lumbar points",
      "version": 1,
      "software": {"name": "lumbar", "version": "0.1.0"},
      "network": {"name": "phantom", "synthetic_patients_only": true},
      "notices": ["The network was trained on synthetic patients only.", "Not for diagnosis."],
      "units": {"x, y": …, "x_mm, y_mm, z_mm": …, "pixel_width, pixel_height": …, "confidence": …},
      "pictures": [
        {
          "image": "study/001.dcm",               path as the user gave it
          "frame": null,                          frame of a multi-frame file or volume, from 0
          "view": "sagittal", "view_assumed": false,
          "width": 320, "height": 320,            pixels
          "pixel_width": 0.9, "pixel_height": 0.9,
          "flagged": false,                       true: check these points before you use them; null: not judged
          "count": {"one_higher": 0.02, "one_lower": 0.01},   whether all levels lie one disc higher, or lower
          "warnings": [],                         what the reader repaired
          "points": [
            {"level": "L1/L2", "side": null, "x": 166.1, "y": 63.4,
             "x_mm": 2.1, "y_mm": 15.0, "z_mm": 70.3, "confidence": 0.99, "absent": 0.01,
             "x_higher": 158.5, "y_higher": 25.2, "x_lower": 175.0, "y_lower": 100.7}
          ]
        }
      ],
      "left_out": [{"image": …, "problem": …, "remedy": …}]
    }

An unknown value is null, never NaN, which is not valid JSON. An axial point has a side of the patient and no level.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumbar.core.constants import VERSION
from lumbar.core.errors import ScanError, TableError
from lumbar.exports import judgement, notices_of_points, number
from lumbar.prediction import COLUMNS, Picture, Predictions, by_picture
from lumbar.storage.files import describe_os_error, write_json

if TYPE_CHECKING:
    import pandas as pd

FORMAT, FORMAT_VERSION = "lumbar points", 1

NUMBERS = ("x", "y", "x_mm", "y_mm", "z_mm", "confidence")
"""The numbers of a point, as in the table of points."""

COUNT = ("one_higher", "one_lower")
"""The numbers on the count of an image, as in the table of points."""

_LATER = ("absent", "x_higher", "y_higher", "x_lower", "y_lower")

LATER = (*_LATER, *COUNT)
"""Numbers that files of the first release lack."""

UNITS = {
    "x, y": "pixels of the picture as stored in its file; the centre of the first pixel is (0, 0)",
    "x_mm, y_mm, z_mm": "millimetres in the patient (DICOM coordinates: towards left, back and head)",
    "pixel_width, pixel_height": "millimetres between the centres of neighbouring columns and rows",
    "confidence": "probability that the point is within 5 pixels of the true point, on a grid of 256×256 pixels",
    "absent": "probability that the picture does not show the level; then it has no point",
    "one_higher, one_lower": "probability that each level lies one disc higher, or lower, than its point",
    "x_higher, y_higher, x_lower, y_lower": "the point if so, in pixels as x and y",
}


def write(found: Predictions, file: Path) -> Path:
    """Write all points to one file.

    Returns:
        `file`.

    Raises:
        OutputError: If the file cannot be written.
    """
    with describe_os_error(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, content(found))
    return file


def content(found: Predictions) -> dict[str, Any]:
    """Return the content of the file, as plain values."""
    tables = [points for _, _, points in by_picture(found.table)]
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "software": {"name": "lumbar", "version": VERSION},
        "network": {"name": found.network, "synthetic_patients_only": found.synthetic},
        "notices": notices_of_points(found.synthetic),
        "units": UNITS,
        "pictures": [_picture(*each) for each in zip(found.pictures, tables, strict=True)],
        "left_out": [{"image": error.file, "problem": error.problem, "remedy": error.remedy} for error in found.refused]
        + [
            {"image": str(file), "problem": f"one of the {unread.kind}, which are not read", "remedy": unread.remedy}
            for unread in found.unread
            if unread.remedy
            for file in unread.files
        ],
    }


def read(file: Path) -> Predictions:
    """Read the points from a file that `write` has written.

    Raises:
        TableError: If the file is not such a file.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
        if (content["format"], content["version"]) != (FORMAT, FORMAT_VERSION):
            raise ValueError(f"{content['format']}, version {content['version']}")
        return _predictions(content)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise TableError(
            "this is not a file of points",
            file=file,
            found=f"{type(error).__name__}: {error}",
            expected=f"{FORMAT}, version {FORMAT_VERSION}",
            remedy="write the file again: python -m lumbar predict … --json FILE",
        ) from error


def _picture(picture: Picture, points: pd.DataFrame) -> dict[str, Any]:
    return {
        "image": picture.image,
        "frame": picture.frame,
        "view": picture.view,
        "view_assumed": picture.assumed,
        "width": picture.width,
        "height": picture.height,
        "pixel_width": picture.pixel_width,
        "pixel_height": picture.pixel_height,
        "flagged": judgement(points["flagged"]),
        "count": None if points[[*COUNT]].isna().all(axis=None) else {n: number(points[n].iloc[0]) for n in COUNT},
        "warnings": list(picture.warnings),
        "points": [
            {"level": row["level"] or None, "side": row["side"] or None}
            | {name: number(row[name]) for name in (*NUMBERS, *_LATER)}
            for row in points.to_dict("records")
        ],
    }


def _predictions(content: dict[str, Any]) -> Predictions:
    import pandas as pd

    pictures, rows = [], []
    for each in content["pictures"]:
        lengths = {name: each[name] for name in ("pixel_width", "pixel_height")}
        spacing = {name: None if length is None else float(length) for name, length in lengths.items()}
        frame = None if each["frame"] is None else int(each["frame"])
        details = {
            "frame": frame,
            "assumed": each["view_assumed"],
            "warnings": tuple(str(warning) for warning in each["warnings"] if warning),
        }
        size = int(each["width"]), int(each["height"])
        pictures.append(Picture(str(each["image"]), str(each["view"]), *size, **spacing, **details))
        common = {"image": str(each["image"]), "frame": frame, "view": str(each["view"])}
        common |= {"flagged": None if each["flagged"] is None else bool(each["flagged"])}
        common |= {name: _number((each.get("count") or {}).get(name)) for name in COUNT}
        rows += [
            common
            | {name: str(point[name] or "") for name in ("level", "side")}
            | {name: _number(point[name]) for name in NUMBERS}
            | {name: _number(point.get(name)) for name in _LATER}
            for point in each["points"]
        ]
    numbers = dict.fromkeys((*NUMBERS, *LATER), float)
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(numbers | {"frame": "Int64"})
    if table["flagged"].isna().any():
        table = table.astype({"flagged": "boolean"})
    refused = [
        ScanError(str(each["problem"]), file=each["image"], remedy=each["remedy"]) for each in content["left_out"]
    ]
    network = content["network"]
    return Predictions(
        table, tuple(refused), tuple(pictures), str(network["name"]), bool(network["synthetic_patients_only"])
    )


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
