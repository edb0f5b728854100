"""Read keypoints in COCO's JSON format, as annotation tools export them: images, annotations and categories.

The keypoints of a category are named after the levels (`L1/L2`; also L1-L2, L1_L2 or l1l2). Those of axial images are
named after the patient's side, with the level before it (`L4/L5 left`) or in the entry `level` of the image (`left`).
A keypoint is (x, y, v), and visibility v = 0 means that it is not marked. Coordinates are read as pixels whose centres
are integers. The entry of an image may also have patient, source, view, contrast, level and frame, which COCO does not
define, and so may it or the file have `xy_unit`, see `lumbar.datasets.units`.
"""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lumbar import landmarks
from lumbar.core.errors import DatasetError
from lumbar.datasets import units
from lumbar.datasets.dataset import Dataset, Reader
from lumbar.datasets.headers import read_image_headers

LEVELS = {level.replace("/", "").lower(): level for level in landmarks.LEVELS}
_KEYPOINT = re.compile(f"^(?P<level>{'|'.join(LEVELS)})?(?P<side>{'|'.join(landmarks.SIDES)})?$")
_TEXT = ("patient", "source", "view", "contrast")
_MARKS = (b'"images"', b'"annotations"', b'"categories"', b'"keypoints"')


def read(place: Path) -> Dataset:
    """Read the landmark table of a JSON file, or of all in a folder and its `annotations/`, without checking it.

    Args:
        place: The file or the folder.

    Raises:
        DatasetError: If a file does not follow the COCO format, or no keypoint is named after a level.
    """
    files = [place] if place.is_file() else list(_files(place))
    root = place if place.is_dir() else place.parent
    root = root.parent if place.is_file() and root.name == "annotations" else root
    bases = _bases(root)
    notes: list[str] = []
    rows: list[dict] = []
    for file in files:
        try:
            content = json.loads(file.read_text(encoding="utf-8-sig"))
            rows += _rows(content, root, bases, notes)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise DatasetError(
                "the annotations do not follow the COCO format",
                file=file,
                found=f"{type(error).__name__}: {error}",
                expected="images, annotations with keypoints [x, y, v, …], and categories with names of keypoints",
            ) from error
    if not rows:
        raise DatasetError(
            "no keypoint is named after a level",
            file=files[0],
            found=notes[0] if notes else "no annotation with keypoints",
            expected=", ".join(landmarks.LEVELS),
        )
    table = _completed(pd.DataFrame(rows), root, notes)
    return Dataset(root.name, root, table, tuple(dict.fromkeys(notes)))


def _files(folder: Path) -> Iterator[Path]:
    for file in (*sorted(folder.glob("*.json")), *sorted((folder / "annotations").glob("*.json"))):
        if _is_coco(file):
            yield file


def _is_coco(file: Path) -> bool:
    """Whether a JSON file contains the keys of COCO keypoints; the file is searched, not parsed."""
    if file.suffix.lower() != ".json":
        return False
    try:
        with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return all(content.find(mark) >= 0 for mark in _MARKS)
    except (OSError, ValueError):  # an empty file cannot be mapped
        return False


def _bases(root: Path) -> list[str]:
    """Return the folders, relative to the root, that may hold the images."""
    folders = ["", "images", *(f"images/{name}" for name in _subfolders(root / "images")), *_subfolders(root)]
    return [folder for folder in dict.fromkeys(folders) if (root / folder).is_dir()]


def _subfolders(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []


def _rows(content: dict[str, Any], root: Path, bases: list[str], notes: list[str]) -> list[dict]:
    """Return one row for each keypoint of each annotation, with what the entry of its image states."""
    images = {image["id"]: image for image in content["images"]}
    named = {each["id"]: _named(each.get("keypoints") or ()) for each in content["categories"]}
    unknown = sorted({name for each in content["categories"] for name in _unknown(each.get("keypoints") or ())})
    if unknown:
        notes.append(f"keypoints that are not named after a level are left out: {', '.join(unknown)}")
    found: dict[str, str] = {}
    rows, seen, unplaced = [], set(), 0
    for annotation in content["annotations"]:
        if not annotation.get("keypoints"):
            continue
        image = images[annotation["image_id"]]
        triples = np.asarray(annotation["keypoints"], float).reshape(-1, 3)
        name = str(image["file_name"])
        of_image = {"image": found.get(name) or found.setdefault(name, _find_image(name, root, bases))}
        of_image |= {key: None if image.get(key) is None else str(image[key]) for key in _TEXT}
        of_image |= {key: None if image.get(key) is None else float(image[key]) for key in ("width", "height")}
        if image.get("frame") is not None:
            of_image["frame"] = int(image["frame"])
        if stated := image.get(units.COLUMN, content.get(units.COLUMN)):
            of_image[units.COLUMN] = str(stated)
        for (level, side), (x, y, visible) in _shown(named[annotation["category_id"]], triples, of_image["view"]):
            level = level or _level(annotation.get("level") or image.get("level"))
            if not level:
                unplaced += 1
                continue
            point = (x, y) if visible > 0 else (np.nan, np.nan)
            rows.append(of_image | {"level": level, "side": side, "x": point[0], "y": point[1]})
            seen.add(annotation["image_id"])
    if unplaced:
        notes.append(f"{unplaced} axial points are left out: neither keypoint nor image states their level")
    if rows and len(images) > len(seen):
        notes.append(f"{len(images) - len(seen)} of {len(images)} images have no keypoints and are left out")
    return rows


def _named(keypoints: list[str]) -> list[tuple[str, str] | None]:
    """Return (level, side) for each keypoint of a category; None for a keypoint that is named after neither."""
    matches = [_KEYPOINT.match(re.sub(r"[^a-z0-9]", "", str(name).lower())) for name in keypoints]
    return [(LEVELS.get(m["level"], ""), m["side"] or "") if m and m[0] else None for m in matches]


def _unknown(keypoints: list[str]) -> list[str]:
    return [str(name) for name, known in zip(keypoints, _named(keypoints), strict=True) if known is None]


def _shown(
    named: list[tuple[str, str] | None], triples: np.ndarray, view: str | None
) -> list[tuple[tuple[str, str], np.ndarray]]:
    """Return the keypoints that an image shows: those with a side if it is axial, otherwise the levels.

    A category may have both kinds; in each image those of the other plane are not marked.
    """
    if len(named) != len(triples):
        raise ValueError(f"{len(triples)} keypoints in an annotation, {len(named)} names in its category")
    pairs = [(name, triple) for name, triple in zip(named, triples, strict=True) if name is not None]
    sided = [(name, triple) for name, triple in pairs if name[1]]
    marked = [(name, triple) for name, triple in sided if triple[2] > 0]
    axial = view == "axial" or (view is None and (bool(marked) or len(sided) == len(pairs)))
    if not axial:
        return [(name, triple) for name, triple in pairs if not name[1]]
    return marked or [(name, triple) for name, triple in sided if not name[0]]


def _level(name: str | None) -> str:
    return LEVELS.get(re.sub(r"[^a-z0-9]", "", str(name or "").lower()), "")


def _find_image(name: str, root: Path, bases: list[str]) -> str:
    """Return the path of an image below the root: in the first folder that has it, else as the annotations state it."""
    candidates = (f"{base}/{name}".lstrip("/") for base in bases if ".." not in Path(name).parts)
    return next((path for path in candidates if (root / path).is_file()), name)


def _completed(table: pd.DataFrame, root: Path, notes: list[str]) -> pd.DataFrame:
    """Fill the columns that the annotations lack from the headers of the images, or by assumptions with a note."""
    headers = read_image_headers(root, table["image"].unique().tolist()).reindex(table["image"]).set_axis(table.index)
    shown = headers["view"].where(headers["view"] != "", table["side"].map({"": ""}).fillna("axial"))
    assumed = table["view"].isna() & (shown == "")
    if assumed.any():
        notes.append("images of unstated plane are assumed to be sagittal")
    if table["patient"].isna().any():
        notes.append("patients are not stated: each picture counts as a patient of its own, named after the file")
    return table.assign(
        patient=table["patient"].fillna(table["image"].map(lambda image: str(Path(image).with_suffix("")))).astype(str),
        patient_from_file=table["patient"].isna(),
        source=table["source"].fillna(root.absolute().name),
        view=table["view"].fillna(shown.replace("", "sagittal")),
        contrast=table["contrast"].fillna(""),
        width=table["width"].astype(float).fillna(headers["width"]),
        height=table["height"].astype(float).fillna(headers["height"]),
        pixel_width=headers["pixel_width"],
        pixel_height=headers["pixel_height"],
    )


READER = Reader(
    layout="COCO keypoints",
    looks_for=f"a JSON file (or annotations/*.json) whose keypoints are named {', '.join(landmarks.LEVELS)}",
    recognises=lambda place: _is_coco(place) if place.is_file() else next(_files(place), None) is not None,
    read=read,
    any_name=True,
    user_made=True,
)
