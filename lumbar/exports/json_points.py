"""Points as JSON, with all that is known about them.

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
          "image": "study/001.dcm",               as it was given
          "frame": null,                          of a multi-frame file or volume, from 0
          "view": "sagittal", "view_assumed": false,
          "width": 320, "height": 320,            pixels
          "pixel_width": 0.9, "pixel_height": 0.9,
          "flagged": false,                       true: look at these points before you use them
          "warnings": [],                         what was repaired while reading
          "points": [
            {"level": "L1/L2", "side": null, "x": 166.1, "y": 63.4,
             "x_mm": 2.1, "y_mm": 15.0, "z_mm": 70.3, "confidence": 0.99}
          ]
        }
      ],
      "left_out": [{"image": …, "problem": …, "remedy": …}]
    }

What is not known is null, never NaN, which JSON does not have. An axial point has a side (the patient's) and no level.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lumbar
from lumbar.core.errors import ScanError, TableError
from lumbar.exports import notices, number
from lumbar.prediction import COLUMNS, Picture, Predictions, by_picture
from lumbar.storage.files import describe_os_error, write_json

if TYPE_CHECKING:
    import pandas as pd

FORMAT, VERSION = "lumbar points", 1

NUMBERS = ("x", "y", "x_mm", "y_mm", "z_mm", "confidence")
"""What is known of a point in numbers."""

UNITS = {
    "x, y": "pixels of the picture as it is stored; the centre of the first one is (0, 0)",
    "x_mm, y_mm, z_mm": "millimetres in the patient (DICOM's coordinates: to the left, to the back, to the head)",
    "pixel_width, pixel_height": "millimetres between the centres of neighbouring columns and rows",
    "confidence": "chance that the point lies within 5 pixels of the 256×256 picture of the true one",
}


def write(found: Predictions, file: Path) -> Path:
    """Write all points to one file.

    Returns:
        `file`.
    """
    with describe_os_error(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, content(found))
    return file


def content(found: Predictions) -> dict[str, Any]:
    """What stands in the file, as plain values."""
    tables = [points for _, _, points in by_picture(found.table)]
    return {
        "format": FORMAT,
        "version": VERSION,
        "software": {"name": "lumbar", "version": lumbar.__version__},
        "network": {"name": found.network, "synthetic_patients_only": found.synthetic},
        "notices": notices(found.synthetic),
        "units": UNITS,
        "pictures": [_picture(*each) for each in zip(found.pictures, tables, strict=True)],
        "left_out": [
            {"image": error.file, "problem": error.problem, "remedy": error.remedy} for error in found.refused
        ],
    }


def read(file: Path) -> Predictions:
    """Read what `write` has written.

    Raises:
        TableError: If that is not what the file holds.
    """
    try:
        held = json.loads(file.read_text(encoding="utf-8-sig"))
        if (held["format"], held["version"]) != (FORMAT, VERSION):
            raise ValueError(f"{held['format']}, version {held['version']}")
        return _predictions(held)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise TableError(
            "this is not a file of points",
            file=file,
            found=f"{type(error).__name__}: {error}",
            expected=f"{FORMAT}, version {VERSION}",
            remedy="write it anew: python -m lumbar predict … --json FILE",
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
        "flagged": bool(points["flagged"].any()),
        "warnings": list(picture.warnings),
        "points": [
            {"level": row["level"] or None, "side": row["side"] or None} | {name: number(row[name]) for name in NUMBERS}
            for row in points.to_dict("records")
        ],
    }


def _predictions(held: dict[str, Any]) -> Predictions:
    import pandas as pd

    pictures, rows = [], []
    for each in held["pictures"]:
        sides = {name: each[name] for name in ("pixel_width", "pixel_height")}
        spacing = {name: None if side is None else float(side) for name, side in sides.items()}
        frame = None if each["frame"] is None else int(each["frame"])
        about = {
            "frame": frame,
            "assumed": each["view_assumed"],
            "warnings": tuple(str(warning) for warning in each["warnings"] if warning),
        }
        size = int(each["width"]), int(each["height"])
        pictures.append(Picture(str(each["image"]), str(each["view"]), *size, **spacing, **about))
        common = {"image": str(each["image"]), "frame": frame, "view": str(each["view"])}
        common |= {"flagged": bool(each["flagged"])}
        rows += [
            common
            | {name: str(point[name] or "") for name in ("level", "side")}
            | {name: float("nan") if point[name] is None else float(point[name]) for name in NUMBERS}
            for point in each["points"]
        ]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(NUMBERS, float) | {"frame": "Int64"})
    refused = [ScanError(str(each["problem"]), file=each["image"], remedy=each["remedy"]) for each in held["left_out"]]
    network = held["network"]
    return Predictions(
        table, tuple(refused), tuple(pictures), str(network["name"]), bool(network["synthetic_patients_only"])
    )
