"""Studies of a synthetic patient with slices wherever a test wants them; the pixels say only which slice they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian

from lumbar.geometry import Plane
from lumbar.phantom import dicom
from lumbar.phantom.planning import Cut

WIDTH, HEIGHT = 44, 56
STUDY = dicom.uid("a study for tests")
FRAME = dicom.uid(STUDY, "frame of reference")


def header(series: str, **others: Any) -> dict[str, Any]:
    """What the files of one series have in common."""
    common = {
        **{"PatientID": "phantom-1-0001", "StudyInstanceUID": STUDY, "FrameOfReferenceUID": FRAME},
        **{"SeriesInstanceUID": dicom.uid(STUDY, series), "SeriesDescription": series, "SeriesNumber": 1},
    }
    return common | others


def parallel(first: Plane, count: int, step: float) -> list[Plane]:
    """Planes one after the other along the normal, rounded as in a file."""
    return [moved(first, number * step * first.normal) for number in range(count)]


def moved(plane: Plane, by: np.ndarray) -> Plane:
    position = np.round(plane.position + by, 5)
    return Plane(position, plane.along_row, plane.along_column, plane.pixel_width, plane.pixel_height)


def centred(centre: np.ndarray, row: np.ndarray, column: np.ndarray, pixel_width: float, pixel_height: float) -> Plane:
    """The plane whose picture has `centre`, patient mm, in its middle."""
    row = np.round(row / np.linalg.norm(row), 9)
    column = column - (column @ row) * row
    column = np.round(column / np.linalg.norm(column), 9)
    corner = centre - row * pixel_width * (WIDTH - 1) / 2 - column * pixel_height * (HEIGHT - 1) / 2
    return Plane(np.round(corner, 5), row, column, pixel_width, pixel_height)


def write_slices(
    folder: Path,
    planes: Sequence[Plane],
    common: dict[str, Any],
    *,
    thickness: float | None = 4.0,
    spacing: float | None = None,
    own: Sequence[dict[str, Any]] | None = None,
    shuffled: int | None = None,
) -> list[Path]:
    """One file a slice; the value of all pixels is the slice's position in `planes`, from 1.

    Names and instance numbers follow `planes`, or are dealt out at random from a seed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = np.arange(1, len(planes) + 1)
    if shuffled is not None:
        names, numbers = (np.random.default_rng(shuffled + n).permutation(numbers) for n in (0, 1))
    else:
        names = numbers
    files = []
    for index, plane in enumerate(planes):
        file = folder / f"IM{names[index]:04d}"
        attributes = common | {
            "SOPInstanceUID": dicom.uid(common["SeriesInstanceUID"], folder, index),
            "InstanceNumber": int(numbers[index]),
        }
        attributes |= own[index] if own else {}
        cut = Cut(plane, WIDTH, HEIGHT, thickness, spacing, ())
        dicom.write_slice(file, np.full((HEIGHT, WIDTH), index + 1, np.uint16), cut, attributes)
        files.append(file)
    return files


def write_enhanced(
    file: Path,
    planes: Sequence[Plane],
    common: dict[str, Any],
    *,
    thickness: float = 4.0,
    echo_times: Sequence[float] | None = None,
    pixels: np.ndarray | None = None,
) -> Path:
    """One enhanced multi-frame file (PS3.3, A.36), its frames in the order of `planes`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if pixels is None:
        pixels = (
            np.ones((len(planes), HEIGHT, WIDTH), np.uint16)
            * np.arange(1, len(planes) + 1, dtype=np.uint16)[:, None, None]
        )
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dicom.uid(common["SeriesInstanceUID"], file.name)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.update(
        {
            **common,
            "SOPClassUID": EnhancedMRImageStorage,
            "SOPInstanceUID": dataset.file_meta.MediaStorageSOPInstanceUID,
            **{"Modality": "MR", "ImageType": ["ORIGINAL", "PRIMARY", "T2", "NONE"], "InstanceNumber": 1},
            **{"NumberOfFrames": len(planes), "Rows": pixels.shape[1], "Columns": pixels.shape[2]},
            **{"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "PixelRepresentation": 0},
            **{"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11},
            "PixelData": np.ascontiguousarray(pixels, dtype="<u2").tobytes(),
        }
    )
    measures, orientation = Dataset(), Dataset()
    first = planes[0]
    measures.PixelSpacing, measures.SliceThickness = [first.pixel_height, first.pixel_width], thickness
    orientation.ImageOrientationPatient = [*first.along_row.tolist(), *first.along_column.tolist()]
    shared = Dataset()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = []
    for index, plane in enumerate(planes):
        position, echo, frame = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = plane.position.tolist()
        frame.PlanePositionSequence = [position]
        if echo_times is not None:
            echo.EffectiveEchoTime = float(echo_times[index])
            frame.MREchoSequence = [echo]
        dataset.PerFrameFunctionalGroupsSequence.append(frame)
    dataset.save_as(file, enforce_file_format=True)
    return file
