"""Write one slice as a DICOM MR image (PS3.3, A.4: MR Image Storage), Explicit VR Little Endian.

The same slice gives the same bytes: identifiers are derived from names, not from a clock. Dates, times and other
unknown values are empty where DICOM allows it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from lumbar.phantom.planning import Cut

BITS = 12
"""Bits used per pixel; as in files from scanners, they are stored in 16."""

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "lumbar phantom")


def uid(*names: object) -> str:
    """Return a DICOM UID under 2.25 (a UUID as a decimal number, PS3.5 B.2) that is the same for the same names."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join(map(str, names))).int}"


def write_slice(file: Path, pixels: np.ndarray, cut: Cut, attributes: Mapping[str, Any]) -> None:
    """Write one slice.

    Args:
        file: File to write; its folder exists.
        pixels: uint16, shape (cut.height, cut.width), below 2 ** BITS.
        cut: Plane, size, thickness and spacing of the slice.
        attributes: Further attributes of the header, by DICOM keyword; at least SOPInstanceUID.
    """
    dataset = Dataset()
    dataset.file_meta = _file_meta(attributes["SOPInstanceUID"])
    dataset.update(_common() | _image_plane(cut) | _pixels(pixels) | dict(attributes))
    dataset.save_as(file, enforce_file_format=True)


def acquisition(contrast: str) -> dict[str, Any]:
    """Return the attributes of the MR Image module for a contrast: a fast spin echo with typical times, ms."""
    repetition, echo, train, inversion = {
        "T1": (550, 10, 3, None),
        "T2": (3500, 100, 17, None),
        "STIR": (4000, 45, 11, 160),
    }.get(contrast, (2000, 50, 9, None))
    values = {
        "ScanningSequence": "SE" if inversion is None else ["SE", "IR"],
        "SequenceVariant": "SK",
        "ScanOptions": None,
        "MRAcquisitionType": "2D",
        "RepetitionTime": repetition,
        "EchoTime": echo,
        "EchoTrainLength": train,
        "MagneticFieldStrength": "1.5",
    }
    return values if inversion is None else values | {"InversionTime": inversion}


def _file_meta(instance: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = uid("writer")
    meta.ImplementationVersionName = "LUMBAR_PHANTOM"
    return meta


def _common() -> dict[str, Any]:
    return {
        "SpecificCharacterSet": "ISO_IR 192",
        "ImageType": ["ORIGINAL", "PRIMARY", "OTHER"],
        "SOPClassUID": MRImageStorage,
        "StudyDate": None,
        "StudyTime": None,
        "AccessionNumber": None,
        "Modality": "MR",
        "Manufacturer": "lumbar phantom",
        "ReferringPhysicianName": None,
        "PatientBirthDate": None,
        "PatientPosition": "HFS",
        "BodyPartExamined": "LSPINE",
        "PositionReferenceIndicator": None,
        "ImageComments": "synthetic: not a person",
    }


def _image_plane(cut: Cut) -> dict[str, Any]:
    plane = cut.plane
    return {
        "PixelSpacing": [plane.pixel_height, plane.pixel_width],
        "ImagePositionPatient": plane.position.tolist(),
        "ImageOrientationPatient": [*plane.along_row.tolist(), *plane.along_column.tolist()],
        "SliceThickness": cut.thickness,
        "SpacingBetweenSlices": cut.spacing,
    }


def _pixels(pixels: np.ndarray) -> dict[str, Any]:
    low, high = np.percentile(pixels, (1, 99.5))
    return {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": 16,
        "BitsStored": BITS,
        "HighBit": BITS - 1,
        "PixelRepresentation": 0,
        "WindowCenter": round((low + high) / 2),
        "WindowWidth": max(round(high - low), 1),
        "PixelData": np.ascontiguousarray(pixels, dtype="<u2").tobytes(),
    }
