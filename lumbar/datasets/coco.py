"""Read keypoints in COCO's JSON format, as annotation tools export them: images, annotations and categories.

The keypoints of a category are named after the levels (`L1/L2`; also L1-L2, L1_L2, l1l2 or L1/2). Those of axial images
are named after the patient's side, with the level before it (`L4/L5 left`) or in the image's entry `level` (`left`).
A keypoint is (x, y, v), and visibility v = 0 means that it is not marked. Coordinates are read as pixels whose centres
are integers. The entry of an image may also have patient, source, view, contrast, level and frame, which COCO does not
define, and so may it or the file have `xy_unit`, see `lumbar.datasets.units`.
"""

from __future__ import annotations

import json
import mmap
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from lumbar import landmarks
from lumbar.core.errors import DatasetError
from lumbar.datasets import units
from lumbar.datasets.dataset import PLAIN_LEVELS, Dataset, Reader, level_named
from lumbar.datasets.headers import read_image_headers

_KEYPOINT = re.compile(f"^(?P<level>{'|'.join(PLAIN_LEVELS)})?(?P<side>{'|'.join(landmarks.SIDES)})?$")
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
    contents = []
    for file in files:
        with _as_dataset_error(file):
            contents.append(json.loads(file.read_text(encoding="utf-8-sig")))
    root = _root(place, contents)
    bases = _bases(root)
    notes: list[str] = []
    rows: list[dict] = []
    for file, content in zip(files, contents, strict=True):
        with _as_dataset_error(file):
            rows += _rows(content, partial(_find_image, root=root, bases=bases, start=file.parent), notes)
    if not rows:
        raise DatasetError(
            "no keypoint is named after a level",
            file=files[0],
            found=notes[0] if notes else "no annotation with keypoints",
            expected=", ".join(landmarks.LEVELS),
        )
    table = _completed(pd.DataFrame(rows), root, notes)
    return Dataset(root.name, root, table, tuple(dict.fromkeys(notes)))


@contextmanager
def _as_dataset_error(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise DatasetError(
            "the annotations do not follow the COCO format",
            file=file,
            found=f"{type(error).__name__}: {error}",
            expected="images, annotations with keypoints [x, y, v, …], and categories with names of keypoints",
        ) from error


def _root(place: Path, contents: list[Any]) -> Path:
    """Return the folder of the data set, which no path may leave.

    This is the folder that the user named, or the folder of the file. For a file in `annotations`, and for that folder
    if its files name images with "..", it is the folder above, where CVAT and the COCO sets have `images`.
    """
    folder = place if place.is_dir() else place.parent
    if place.is_file() and folder.name == "annotations":
        return folder.parent
    above = folder.absolute().name == "annotations" and any(map(_climbs, contents))
    return folder.absolute().parent if above else folder


def _climbs(content: Any) -> bool:
    """Whether an image of a file has a path that leads out of the file's folder."""
    images = content.get("images") if isinstance(content, dict) else None
    names = (image.get("file_name") for image in images or () if isinstance(image, dict))
    return any(".." in PurePosixPath(str(name).replace("\\", "/")).parts for name in names)


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


def _rows(content: dict[str, Any], find: Callable[[str], str], notes: list[str]) -> list[dict]:
    """Return one row for each keypoint of each annotation, with what the entry of its image states.

    Args:
        content: The content of a file.
        find: Function that returns the path of an image below the root, given its `file_name`.
        notes: List to which notes are added.
    """
    images = _images(content["images"])
    named = {_id(each["id"]): _named(each.get("keypoints") or ()) for each in content["categories"]}
    unknown = sorted({name for each in content["categories"] for name in _unknown(each.get("keypoints") or ())})
    if unknown:
        notes.append(f"keypoints that are not named after a level are left out: {', '.join(unknown)}")
    found: dict[str, str] = {}
    rows, seen, unplaced = [], set(), 0
    for annotation, names, triples in _with_points(content["annotations"], images, named, notes):
        image = images[_id(annotation["image_id"])]
        name = str(image["file_name"])
        of_image = {"image": found.get(name) or found.setdefault(name, find(name))}
        of_image |= {key: None if image.get(key) is None else str(image[key]) for key in _TEXT}
        of_image |= {key: None if image.get(key) is None else float(image[key]) for key in ("width", "height")}
        if image.get("frame") is not None:
            of_image["frame"] = int(image["frame"])
        if stated := image.get(units.COLUMN, content.get(units.COLUMN)):
            of_image[units.COLUMN] = str(stated)
        for (level, side), (x, y, visible) in _shown(names, triples, of_image["view"]):
            level = level or level_named(str(annotation.get("level") or image.get("level")))
            if not level:
                unplaced += 1
                continue
            point = (x, y) if visible > 0 else (np.nan, np.nan)
            rows.append(of_image | {"level": level, "side": side, "x": point[0], "y": point[1]})
            seen.add(_id(annotation["image_id"]))
    if unplaced:
        notes.append(f"{unplaced} axial points are left out: neither keypoint nor image states their level")
    if rows and len(images) > len(seen):
        notes.append(f"{len(images) - len(seen)} of {len(images)} images have no keypoints and are left out")
    return _each_once(rows)


def _id(value: Any) -> str:
    """Return an identifier as text: for one image, tools write 7, 7.0 and "7"."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _images(entries: list[dict]) -> dict[str, dict]:
    images: dict[str, dict] = {}
    for image in entries:
        known = images.setdefault(_id(image["id"]), image)
        if known["file_name"] != image["file_name"]:
            raise ValueError(f"{known['file_name']} and {image['file_name']} have the same id, {image['id']}")
    return images


def _with_points(
    annotations: list[dict], images: dict[str, dict], named: dict[str, list], notes: list[str]
) -> list[tuple[dict, list, np.ndarray]]:
    """Return the annotations that have keypoints, with the names of these and their (x, y, v), shape (K, 3).

    An annotation without a visible point is left out if its image has another annotation: tools write such ones for
    crowds (`iscrowd`) and for objects that were begun and not finished (`num_keypoints` 0).
    """
    found = []
    for annotation in annotations:
        if not annotation.get("keypoints"):
            continue
        for key, known in (("image_id", images), ("category_id", named)):
            if _id(annotation[key]) not in known:
                raise ValueError(f"an annotation has the {key} {annotation[key]!r}, which the file does not list")
        triples = np.asarray(annotation["keypoints"], float).reshape(-1, 3)
        names = named[_id(annotation["category_id"])]
        marked = any(name and triple[2] > 0 for name, triple in zip(names, triples, strict=False))
        found.append((annotation, names, triples, marked))
    settled = {_id(annotation["image_id"]) for annotation, *_, marked in found if marked}
    kept, empty = [], 0
    for annotation, names, triples, marked in found:
        if not marked and _id(annotation["image_id"]) in settled:
            empty += 1
            continue
        settled.add(_id(annotation["image_id"]))
        kept.append((annotation, names, triples))
    if empty:
        notes.append(f"{empty} annotation(s) without a visible point are left out: their picture has another one")
    return kept


def _each_once(rows: list[dict]) -> list[dict]:
    """Leave out the points that an annotation does not mark and another one of the same image has too."""
    keys = [(row["image"], row.get("frame"), row["level"], row["side"]) for row in rows]
    settled = {key for key, row in zip(keys, rows, strict=True) if not np.isnan(row["x"])}
    kept = []
    for key, row in zip(keys, rows, strict=True):
        if not np.isnan(row["x"]) or key not in settled:
            settled.add(key)
            kept.append(row)
    return kept


def _named(keypoints: list[str]) -> list[tuple[str, str] | None]:
    """Return (level, side) for each keypoint of a category; None for a keypoint that is named after neither."""
    matches = [_KEYPOINT.match(re.sub(r"[^a-z0-9]", "", str(name).lower())) for name in keypoints]
    sided = [(PLAIN_LEVELS.get(m["level"], ""), m["side"] or "") if m and m[0] else None for m in matches]
    return [
        known or ((level, "") if (level := level_named(str(name))) else None)
        for name, known in zip(keypoints, sided, strict=True)
    ]


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


def _find_image(name: str, root: Path, bases: list[str], start: Path) -> str:
    """Return the path of an image below the root: in the first folder that has it, else as the annotations state it.

    A path with ".." counts from `start`, the folder of the annotations, and may lead anywhere below the root.
    """
    if ".." in PurePosixPath(name.replace("\\", "/")).parts:
        path = os.path.relpath(os.path.normpath(start / name.replace("\\", "/")), root).replace(os.sep, "/")
        return name if path.startswith("..") else path
    candidates = (f"{base}/{name}".lstrip("/") for base in bases)
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
