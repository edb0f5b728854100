"""Lesson 11: which odd picture fools a network, and a file to hand on. The rooms: `lumbar.course.escape_room`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from lumbar.course.hospital import IDENTITY, NAME, PERSONAL
from lumbar.course.riddles import Riddle

if TYPE_CHECKING:
    import pandas as pd


def exercise_1(off_mm: pd.Series) -> Riddle:
    """In which room does the network find no level, or points that lie farthest from the true ones?

    Args:
        off_mm: How far off they are on average, mm; indexed by room, those with a single picture; NaN without a point.
    """
    return Riddle(
        int(off_mm.fillna(float("inf")).idxmax()),
        "a number of a room; which of these pictures has its discs in other *places* than the network expects?",
        {
            "greys hardly matter to it: the contrasts that it was trained on were stranger (notebook 07)": [2, 3, 7],
            "squashed discs are still discs, in their usual order; what is wrong there are the millimetres": [1],
            "what misleads there is a word in the header; the network sees a coronal picture, and knows such": [5],
            "that room holds several pictures; the six with one are 1, 2, 3, 4, 5 and 7": [6, 8, 9, 10],
        },
    )


def exercise_2(slices: Sequence[Dataset]) -> Riddle:
    """Does a function de-identify two slices of one series, so that they can still be read together?

    Args:
        slices: Two slices of one series, as `lumbar.course.hospital.as_handed_out` returns them.
    """

    def from_list(*, uids: Callable[[str], str] = lambda old: generate_uid(entropy_srcs=["secret", old]), extra=()):
        """Return a function that copies what a reader needs, and `extra`."""

        def deidentify(ds: Dataset) -> Dataset:
            new = copy.deepcopy(Dataset({each.tag: each for each in ds if each.keyword in (*NEEDED, *extra)}))
            for keyword in UIDS:
                setattr(new, keyword, uids(ds[keyword].value))
            return new

        return deidentify

    def without(*keywords: str, private: bool = False) -> Callable[[Dataset], Dataset]:
        """Return a function that copies everything but some elements."""

        def deidentify(ds: Dataset) -> Dataset:
            new = from_list()(ds)
            for each in copy.deepcopy(ds):
                if each.keyword not in keywords and each.tag not in new and not (private and each.tag.is_private):
                    new.add(each)
            return new

        return deidentify

    def in_place(ds: Dataset) -> Dataset:
        ds.PatientName = ""
        return ds

    plain = tuple(PERSONAL)
    return Riddle(
        from_list(),
        "return a new Dataset with the elements that a reader needs, and new UIDs",
        {
            "the dataset that it was given has changed: work on a copy, or fill a new Dataset": [in_place],
            "the patient is still called by name or number": [without(), from_list(extra=["PatientName"])],
            "name and number are gone, but not all that says who it is: look at the birth date, the order, the hospital"
            " and those who work there": [without("PatientName", "PatientID"), from_list(extra=["StudyDate"])],
            "a name is left in free text: people type anything into a description": [
                without(*plain, "RequestAttributesSequence", private=True),
                from_list(extra=["SeriesDescription"]),
            ],
            "a name is left within a sequence: look into nested elements, too": [
                without(*plain, "SeriesDescription", private=True),
                from_list(extra=["RequestAttributesSequence"]),
            ],
            "a private element is left: only its manufacturer knows what it says (`remove_private_tags`)": [
                without(*plain, "SeriesDescription", "RequestAttributesSequence"),
            ],
            "a UID is left as it was: whoever has the hospital's archive can look it up": [
                from_list(uids=lambda old: old),
            ],
            "the two slices no longer know that they are of one series: the same old UID must always become the same "
            "new one": [from_list(uids=lambda old: generate_uid())],
            "both slices have the same SOPInstanceUID now; for a reader the second is the first once more": [
                from_list(uids=lambda old: "1.2.3"),
            ],
            "pixels, spacing, orientation or position are gone; nobody can measure anything in that file": [
                lambda ds: Dataset(),
            ],
        },
        tried=lambda deidentify: _first_fault(deidentify, slices),
    )


NEEDED = (
    "SOPClassUID",
    "Modality",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelSpacing",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "PixelData",
)
"""What it takes to show and measure a slice."""

UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
"""The identifiers that lead back to the patient, and tie slices together."""


def _first_fault(deidentify: Callable[[Dataset], Dataset], slices: Sequence[Dataset]) -> int | None:
    """Return the number of the first thing that is wrong with what a function returns; 0 if nothing is.

    None stands for a function that returns nothing.
    """
    given = copy.deepcopy(list(slices))
    new = [deidentify(each) for each in given]
    if any(each is None for each in new):
        return None
    old_uids = {ds[keyword].value for ds in slices for keyword in UIDS}
    top = [str(each.value) for ds in new for each in ds if each.VR != "SQ" and not each.tag.is_private]
    nested = [str(each.value) for ds in new for each in ds.iterall()]
    faults = (
        given != list(slices),
        any(text in (NAME, IDENTITY) for text in top),
        any(text in PERSONAL.values() for text in top),
        any(NAME in text for text in top),
        any(text in (NAME, PERSONAL["AccessionNumber"]) for ds in new for text in _within_sequences(ds)),
        any(each.tag.is_private for ds in new for each in ds.iterall()),
        any(text in old_uids for text in nested),
        any(len({ds.get(keyword) for ds in new}) > 1 for keyword in UIDS if keyword != "SOPInstanceUID"),
        "SOPInstanceUID" in new[0] and new[0].SOPInstanceUID == new[1].SOPInstanceUID,
        any(ds.get(keyword) != old.get(keyword) for ds, old in zip(new, slices, strict=True) for keyword in NEEDED),
    )
    return next((number for number, found in enumerate(faults, start=1) if found), 0)


def _within_sequences(ds: Dataset) -> list[str]:
    """Return the values of all elements of the datasets in a dataset's sequences."""
    return [str(each.value) for sequence in ds if sequence.VR == "SQ" for item in sequence for each in item.iterall()]
