"""Export points as markups of 3D Slicer (``.mrk.json``): one file per image, one control point per disc level.

The format follows https://slicer.readthedocs.io, "Markups json file format", and its schema, version 1.0.3. Positions
are in millimetres in the patient, in DICOM coordinates (LPS). An image can therefore have markups only if its file
gives its position in the patient.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumbar.core.errors import ScanError
from lumbar.exports import Written, judgement, notices_of_points, number
from lumbar.prediction import Predictions, by_picture
from lumbar.storage.files import describe_os_error, write_json

if TYPE_CHECKING:
    import pandas as pd

# Slicer recognises a file by this name. The address itself is no longer valid, because the branch was renamed.
SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)
MM = ["x_mm", "y_mm", "z_mm"]


def write(found: Predictions, folder: Path) -> Written:
    """Write one file for each image whose position in the patient is known.

    Args:
        found: The points.
        folder: Folder of the files; `lumbar.prediction.by_picture` gives their names.

    Returns:
        The files, and an error for each image without markups.

    Raises:
        OutputError: If a file cannot be written.
    """
    with describe_os_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
    files, skipped = [], []
    for name, image, points in by_picture(found.table):
        if points["x"].isna().all():
            skipped.append(ScanError("no markups: the picture shows none of the levels", file=image))
            continue
        if points[MM].isna().all(axis=None):
            skipped.append(
                ScanError(
                    "no markups: the file does not give the position of the picture in the patient",
                    file=image,
                    remedy="use the original DICOM file; the table contains the points in pixels",
                )
            )
            continue
        file = folder / f"{name}.mrk.json"
        write_json(file, content(name, points, found))
        files.append(file)
    return Written(folder, tuple(files), tuple(skipped))


def content(name: str, points: pd.DataFrame, found: Predictions) -> dict[str, Any]:
    """Return the content of the file of one image, as plain values.

    Args:
        name: Name of the list of points in Slicer.
        points: Rows of this image in the table of points.
        found: The predictions that they are part of.
    """
    # Slicer shows the descriptions of control points, but not those of lists.
    flagged = {True: "flagged: check it before you use it", None: "not judged: check it before you use it"}
    remarks = [remark] if (remark := flagged.get(judgement(points["flagged"]))) else []
    remarks = [*remarks, f"found by the network {found.network}"]
    description = f"{'; '.join(remarks)}. {' '.join(notices_of_points(found.synthetic))}"
    markup = {
        "type": "Fiducial",
        "name": name,
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "controlPoints": [
            _control_point(order, row, description) for order, row in enumerate(points.to_dict("records"), start=1)
        ],
        "display": {"visibility": True, "pointLabelsVisibility": True},
    }
    return {"@schema": SCHEMA, "markups": [markup]}


def _control_point(order: int, row: dict[str, Any], description: str) -> dict[str, Any]:
    confidence = "unknown" if row["confidence"] != row["confidence"] else f"{row['confidence']:.2f}"
    about = "not in this image" if row["absent"] > 0.5 else f"confidence {confidence}"
    position = [number(row[axis]) for axis in MM]
    known = None not in position
    return {
        "id": str(order),
        "label": row["level"] or row["side"],
        "description": f"{about}; {description}",
        **({"position": position} if known else {}),
        "positionStatus": "defined" if known else "undefined",
    }
