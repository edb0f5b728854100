"""Facts for the exercises of lesson 11 that are not rooms of their own."""

import copy
import hashlib

import numpy as np
import pandas as pd
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import MRImageStorage

from lumbar.course.hospital import as_handed_out

_NAIVE_OFF_MM = {1: 0.7, 2: 0.9, 3: 0.5, 4: None, 5: 1.0, 7: 1.1}


def sagittal_slice(number: int) -> Dataset:
    """A slice of 4 × 4 pixels."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.SOPClassUID, ds.Modality = MRImageStorage, "MR"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "2.25.1", "2.25.2", "2.25.3"
    ds.SOPInstanceUID = f"2.25.4{number}"
    ds.Rows = ds.Columns = 4
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.PixelSpacing, ds.ImageOrientationPatient = [0.7, 0.7], [0, 1, 0, 0, 0, -1]
    ds.ImagePositionPatient = [4.0 * number, 0, 0]
    ds.PixelData = np.arange(16, dtype="<u2").tobytes()
    return ds


def by_removing(ds: Dataset) -> Dataset:
    """De-identify by taking away, where the solution copies what is needed."""
    new = copy.deepcopy(ds)
    new.remove_private_tags()
    for element in list(new):
        if element.VR in ("PN", "DA", "TM", "DT", "SQ", "LT", "LO", "SH"):
            del new[element.tag]
        elif element.VR == "UI" and element.keyword != "SOPClassUID":
            digest = hashlib.sha256(f"salt {element.value}".encode()).hexdigest()
            new[element.tag].value = f"2.25.{int(digest[:24], 16)}"
    return new


FACTS = {
    "11.1": (pd.Series(_NAIVE_OFF_MM, dtype=float),),
    "11.2": (as_handed_out([sagittal_slice(1), sagittal_slice(2)]),),
}

ANSWERED = {"11.1": 4, "11.2": by_removing}
