"""Small folders in exactly the layouts of public sets, with grey pictures of the right kind."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from pydicom.uid import generate_uid

from lumbar.core.constants import LEVELS
from tests.support.dicom_files import dicom

SAGITTAL = [0, 1, 0, 0, 0, -1]
AXIAL = [1, 0, 0, 0, 1, 0]
ROWS, COLUMNS = 96, 64

POINTS = dict(zip(LEVELS, ((33, 26), (32, 38), (31, 49), (31, 61), (33, 70)), strict=True))
"""Native pixels of the five levels in a sagittal picture."""

GRADES = ("Normal/Mild", "Moderate", "Severe")


def rsna(folder: Path, *, studies: tuple[int, ...] = (4003253, 4646740), pictures: bool = True) -> Path:
    """RSNA 2024: for each study a sagittal T2, a sagittal T1 and an axial series; L5/S1 is marked a slice further."""
    folder.mkdir(parents=True, exist_ok=True)
    labels, series, grades = [], [], []
    for number, study in enumerate(studies):
        t2, t1, axial = study + 1, study + 2, study + 3
        names = ("Sagittal T2/STIR", "Sagittal T1", "Axial T2")
        series += [(study, each, name) for each, name in zip((t2, t1, axial), names, strict=True)]
        grade = {"study_id": study}
        for order, (level, (x, y)) in enumerate(POINTS.items()):
            short = level.lower().replace("/", "_")
            labels.append((study, t2, 9 if level == "L5/S1" else 8, "Spinal Canal Stenosis", level, x + 0.25, y + 0.5))
            grade[f"spinal_canal_stenosis_{short}"] = GRADES[order % 3]
            for side, instance, across in (("Left", 12, 40), ("Right", 4, 22)):
                labels.append((study, t1, instance, f"{side} Neural Foraminal Narrowing", level, x, y))
                labels.append((study, axial, 5 * order + 1, f"{side} Subarticular Stenosis", level, across, 50))
                grade[f"{side.lower()}_neural_foraminal_narrowing_{short}"] = ""
                grade[f"{side.lower()}_subarticular_stenosis_{short}"] = GRADES[number % 3]
        grades.append(grade)
    columns = ["study_id", "series_id", "instance_number", "condition", "level", "x", "y"]
    labels = pd.DataFrame(labels, columns=columns)
    labels.to_csv(folder / "train_label_coordinates.csv", index=False)
    pd.DataFrame(series, columns=["study_id", "series_id", "series_description"]).to_csv(
        folder / "train_series_descriptions.csv", index=False
    )
    pd.DataFrame(grades).to_csv(folder / "train.csv", index=False)
    if pictures:
        for study, each, instance in labels[columns[:3]].drop_duplicates().itertuples(index=False):
            file = folder / "train_images" / str(study) / str(each) / f"{instance}.dcm"
            file.parent.mkdir(parents=True, exist_ok=True)
            grey_dicom(file, AXIAL if each == study + 3 else SAGITTAL)
    return folder


def rsna_improved(folder: Path, labels: Path) -> Path:
    """The improved table for a folder written by `rsna`: canal points are side R, side L is the disc's other edge."""
    given = pd.read_csv(labels / "train_label_coordinates.csv")
    rows = []
    for row in given.itertuples():
        relative = ((row.x + 1) / COLUMNS, row.y / ROWS)
        side = "L" if row.condition.startswith("Left") else "R"
        rows.append((row.series_id, *relative, row.condition, side, row.instance_number, row.study_id, row.level))
        if row.condition == "Spinal Canal Stenosis":
            other = (relative[0] - 0.2, relative[1])
            rows.append((row.series_id, *other, row.condition, "L", -1, row.study_id, row.level))
    columns = ["series_id", "relative_x", "relative_y", "condition", "side", "instance_number", "study_id", "level"]
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=columns).to_csv(folder / "coords_rsna_improved.csv")  # with its unnamed number
    return folder


def buu(folder: Path, *, patients: int = 2, folders: bool = True) -> Path:
    """BUU-LSPINE: a pair of pictures for each patient, in AP/ and LA/ or all in one folder."""
    for number in range(1, patients + 1):
        for view, count in (("AP", 10), ("LA", 11)):
            name = f"{number:04d}-F-037Y{0 if view == 'AP' else 1}"
            place = folder / view if folders else folder
            place.mkdir(parents=True, exist_ok=True)
            grey_picture(place / f"{name}.jpg")
            lines = [",".join(f"{value:.4f}" for value in ends) + ",0" for ends in endplates(count)]
            (place / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return folder


def endplates(count: int) -> list[tuple[float, float, float, float]]:
    """Ends of the endplates from L1 down: vertebrae 8 pixels high, discs 4, sloping towards the patient's back."""
    return [(20.0, 6.0 + 12 * (i // 2) + 8 * (i % 2), 40.0, 7.0 + 12 * (i // 2) + 8 * (i % 2)) for i in range(count)]


def coco(folder: Path, *, pictures: int = 3) -> Path:
    """COCO keypoints: `annotations/points.json`, pictures in `images/`; L5/S1 of the first is not marked."""
    images, annotations = [], []
    for number in range(1, pictures + 1):
        name = f"patient-{number}.png"
        (folder / "images").mkdir(parents=True, exist_ok=True)
        grey_picture(folder / "images" / name)
        images.append({"id": number, "file_name": name, "width": COLUMNS, "height": ROWS})
        triples = [(x, y, 2) for x, y in POINTS.values()]
        triples[-1] = (0, 0, 0) if number == 1 else triples[-1]
        keypoints = [float(value) for triple in triples for value in triple]
        annotations.append({"id": number, "image_id": number, "category_id": 1, "keypoints": keypoints})
    categories = [{"id": 1, "name": "lumbar spine", "keypoints": list(LEVELS), "skeleton": []}]
    (folder / "annotations").mkdir(exist_ok=True)
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations" / "points.json").write_text(json.dumps(content))
    return folder


def own_csv(folder: Path, *, pictures: tuple[str, ...] = ("scans/001.png", "scans/002.dcm"), extra: str = "") -> Path:
    """A CSV with the four columns that are needed."""
    lines = ["image,level,x,y"]
    for image in pictures:
        file = folder / image
        file.parent.mkdir(parents=True, exist_ok=True)
        grey_dicom(file, SAGITTAL) if file.suffix == ".dcm" else grey_picture(file)
        lines += [f"{image},{level},{x},{y}" for level, (x, y) in POINTS.items()]
    (folder / "points.csv").write_text("\n".join(lines) + "\n" + extra)
    return folder


def grey_picture(file: Path) -> None:
    Image.fromarray(_grey().astype(np.uint8)).save(file)


def grey_dicom(file: Path, directions: list[float]) -> None:
    lies = {"ImageOrientationPatient": directions, "SOPInstanceUID": generate_uid(entropy_srcs=[str(file)])}
    dicom(file, Rows=ROWS, Columns=COLUMNS, PatientName=None, PixelData=_grey().tobytes(), **lies)


def _grey() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 250, (ROWS, COLUMNS)).astype(np.uint16)
