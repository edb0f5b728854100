"""Slices as a hospital hands them out: with the patient's identity in all the places where it usually stands.

Nobody is meant: the values say what they would be.
"""

from __future__ import annotations

import copy

from pydicom.dataset import Dataset

NAME, IDENTITY = "PATIENT^NAME", "PATIENT-NUMBER"

PERSONAL = {
    "PatientName": NAME,
    "PatientID": IDENTITY,
    "PatientBirthDate": "19000101",
    "AccessionNumber": "ORDER-NUMBER",
    "InstitutionName": "HOSPITAL NAME",
    "OperatorsName": "OPERATOR^NAME",
    "ReferringPhysicianName": "PHYSICIAN^NAME",
    "StudyDate": "19991231",
}
"""What is said about people, in plain view: keyword → value."""

PRIVATE_GROUP, CREATOR = 0x0099, "A MANUFACTURER"


def as_handed_out(slices: list[Dataset]) -> list[Dataset]:
    """Return copies of slices with the identity of a person in them.

    Beside `PERSONAL`, the name stands in a description, in a nested sequence, and in a private element.

    Args:
        slices: Slices of one series.
    """
    handed_out = copy.deepcopy(slices)
    for each in handed_out:
        each.update(_elements(PERSONAL))
        each.SeriesDescription = f"sag T2, {NAME} moved"
        for keyword in ("PatientIdentityRemoved", "DeidentificationMethod", "ImageComments"):
            if keyword in each:
                del each[keyword]
        each.RequestAttributesSequence = [
            _elements({"RequestedProcedureID": "ORDER-NUMBER", "RequestingService": NAME})
        ]
        each.private_block(PRIVATE_GROUP, CREATOR, create=True).add_new(0x01, "LO", NAME)
    return handed_out


def _elements(values: dict[str, str]) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset
