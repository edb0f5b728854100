"""Export points as COCO keypoints (https://cocodataset.org, "Data format"): one file, one annotation per image.

Coordinates are in pixels, with pixel centres at whole numbers, as in COCO's own files. In addition to COCO's fields, an
annotation has ``score``, the lowest confidence of its points, and ``confidences``, one per keypoint. Both are null if
the network has no confidence. ``flagged`` has the same meaning as in the table of points.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumbar.core.constants import VERSION
from lumbar.exports import judgement, notices_of_points, number
from lumbar.landmarks import LEVELS, channels, row_channels
from lumbar.prediction import Picture, Predictions, by_picture
from lumbar.storage.files import describe_os_error, write_json

if TYPE_CHECKING:
    import pandas as pd

CATEGORY = 1
PRESENT, MISSING = 2, 0
"""COCO's visibility flags: labelled and visible, not labelled."""


def write(found: Predictions, file: Path) -> Path:
    """Write all points to one file.

    Returns:
        `file`.

    Raises:
        OutputError: If the file cannot be written.
    """
    with describe_os_error(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, content(found, file.parent))
    return file


def content(found: Predictions, folder: Path) -> dict[str, Any]:
    """Return the content of the file, as plain values.

    Args:
        found: The points.
        folder: Folder of the file. An image below it gets a path relative to it, any other image its original path.
    """
    names = channels(sorted(set(found.table["view"])) or ["sagittal"])
    pairs = list(zip(found.pictures, by_picture(found.table), strict=True))
    return {
        "info": {
            "description": " ".join(
                [f"Points found by the network {found.network}.", *notices_of_points(found.synthetic)]
            ),
            "version": f"lumbar {VERSION}",
        },
        "licenses": [],
        "images": [
            {
                "id": order,
                "file_name": _relative(folder, picture.image),
                "width": picture.width,
                "height": picture.height,
                "view": picture.view,
                "frame": picture.frame,
            }
            for order, (picture, _) in enumerate(pairs, start=1)
        ],
        "annotations": [
            _annotation(order, picture, points, names) for order, (picture, (_, _, points)) in enumerate(pairs, start=1)
        ],
        "categories": [
            {
                "id": CATEGORY,
                "name": "lumbar spine",
                "supercategory": "spine",
                "keypoints": list(names),
                # One line from each level to the next; COCO counts keypoints from 1.
                "skeleton": [[order, order + 1] for order in range(1, len(LEVELS))] if LEVELS[0] in names else [],
            }
        ],
    }


def _relative(folder: Path, image: str) -> str:
    """Return the path of an image relative to the folder, or unchanged if the image is not below it."""
    path, folder = Path(image).absolute(), folder.absolute()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else image


def _annotation(order: int, picture: Picture, points: pd.DataFrame, names: tuple[str, ...]) -> dict[str, Any]:
    found = points.assign(channel=row_channels(points)).set_index("channel")[["x", "y", "confidence"]]
    keypoints: list[float] = []
    confidences = []
    for name in names:
        x, y, confidence = map(number, found.loc[name]) if name in found.index else (None, None, None)
        present = x is not None and y is not None
        keypoints += [x, y, PRESENT] if present else [0, 0, MISSING]
        confidences.append(confidence if present else None)
    known = [confidence for confidence in confidences if confidence is not None]
    low, high = found[["x", "y"]].min(), found[["x", "y"]].max()
    width, height = (number(length) or 0.0 for length in high - low)
    return {
        "id": order,
        "image_id": order,
        "category_id": CATEGORY,
        "keypoints": keypoints,
        "num_keypoints": keypoints[2::3].count(PRESENT),
        "bbox": [number(low["x"]) or 0.0, number(low["y"]) or 0.0, width, height],
        "area": number(width * height),
        "iscrowd": 0,
        "score": min(known) if known else None,
        "confidences": confidences,
        "flagged": judgement(points["flagged"]),
    }
