"""Points as 3D Slicer's markups (``.mrk.json``), one file a picture, one control point a level.

After https://slicer.readthedocs.io, "Markups json file format", and its schema, version 1.0.3. Positions are patient
millimetres in DICOM's coordinates (LPS), so only a picture whose file places it in the patient can have markups.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumbar.core.errors import ScanError
from lumbar.exports import Written, notices, number
from lumbar.prediction import Predictions, by_picture
from lumbar.storage.files import describe_os_error, write_json

if TYPE_CHECKING:
    import pandas as pd

# Slicer knows a file by this name; the address itself leads nowhere since the branch was renamed.
SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)
MM = ["x_mm", "y_mm", "z_mm"]


def write(found: Predictions, folder: Path) -> Written:
    """Write one file for each picture that has a place in the patient.

    Args:
        found: The points.
        folder: Where to; the files are named as `lumbar.prediction.by_picture` has it.
    """
    with describe_os_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
    files, skipped = [], []
    for name, image, points in by_picture(found.table):
        if points[MM].isna().all(axis=None):
            skipped.append(
                ScanError(
                    "no markups: the file does not place the picture in the patient",
                    file=image,
                    remedy="give the original DICOM file; its points in pixels are in the table",
                )
            )
            continue
        file = folder / f"{name}.mrk.json"
        write_json(file, content(name, points, found))
        files.append(file)
    return Written(folder, tuple(files), tuple(skipped))


def content(name: str, points: pd.DataFrame, found: Predictions) -> dict[str, Any]:
    """What stands in a picture's file.

    Args:
        name: What Slicer calls the list of points.
        points: The rows of this picture.
        found: Where they come from.
    """
    # Slicer shows the description of a control point, and of nothing else.
    said = ["flagged: look at it before you use it"] if points["flagged"].any() else []
    said = "; ".join([*said, f"found by the network {found.network}"]) + ". " + " ".join(notices(found.synthetic))
    markup = {
        "type": "Fiducial",
        "name": name,
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "controlPoints": [
            _control_point(order, row, said) for order, row in enumerate(points.to_dict("records"), start=1)
        ],
        "display": {"visibility": True, "pointLabelsVisibility": True},
    }
    return {"@schema": SCHEMA, "markups": [markup]}


def _control_point(order: int, row: dict[str, Any], said: str) -> dict[str, Any]:
    confidence = row["confidence"]
    sure = "confidence unknown" if confidence != confidence else f"confidence {confidence:.2f}"
    position = [number(row[axis]) for axis in MM]
    known = None not in position
    return {
        "id": str(order),
        "label": row["level"] or row["side"],
        "description": f"{sure}; {said}",
        **({"position": position} if known else {}),
        "positionStatus": "defined" if known else "undefined",
    }
