"""DICOM files to read: those of pydicom's wheel, the hard ones where they are at hand, and a small one of our own."""

import warnings
from pathlib import Path

import numpy as np
import pydicom.data
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

SHIPPED = sorted(Path(pydicom.data.__file__).parent.joinpath("test_files").rglob("*.dcm"))
EDGE_CASES = Path(__file__).resolve().parents[3] / "shared" / "dicom_edge_cases"
STORED = np.arange(12, dtype=np.uint16).reshape(3, 4) * 100


def dicom(path: Path, **changes) -> Path:
    """A small MR file; a keyword changes an attribute, None takes it out."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, MRImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["test"])
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    attributes = {
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "PatientID": "P1",
        "PatientName": "Somebody^Real",
        "SeriesDescription": "Sagittal T2",
        "Rows": 3,
        "Columns": 4,
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelSpacing": [0.5, 0.8],
        "ImagePositionPatient": [1, -20, 300],
        "ImageOrientationPatient": [0, 1, 0, 0, 0, -1],
        "PixelData": STORED.tobytes(),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword, value in (attributes | changes).items():
            if value is not None:
                setattr(dataset, keyword, value)
        dataset.save_as(path, enforce_file_format=True)
    return path
