"""One point of a structured report: a planar region of interest with its measurements (PS3.16, TID 1410).

The group contains

- the disc as the finding (CID 7604), or for an axial point, which has no level, the lumbar spine and a side,
- a POINT in the source image, and the same point in the patient if the file gives the position of the image,
- the confidence as Certainty of Finding in percent, and
- the network as the algorithm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lumbar.core.constants import VERSION
from lumbar.exports import notices_of_points, number

if TYPE_CHECKING:
    from highdicom.sr import PlanarROIMeasurementsAndQualitativeEvaluations, Scoord3DContentItem
    from pydicom import Dataset
    from pydicom.sr.coding import Code

    from lumbar.prediction import Predictions

FLAGGED = "Flagged: the points of this image must be checked before they are used."
NOT_JUDGED = "Not judged: the network gives no confidence. The points must be checked before they are used."
"""Comments in the groups of an image that is flagged, or that the network could not judge."""


def measurement_group(
    row: dict[str, Any], source: Dataset, found: Predictions
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    """Return the measurement group of one point.

    Args:
        row: The row of the point in the table of points.
        source: Header of the image's DICOM file.
        found: The predictions that the point is part of.

    Returns:
        The group, as highdicom defines it.
    """
    import numpy as np
    import pandas as pd
    from highdicom.sr import (
        AlgorithmIdentification,
        FindingSite,
        ImageRegion,
        Measurement,
        PlanarROIMeasurementsAndQualitativeEvaluations,
        RelationshipTypeValues,
        SourceImageForRegion,
        TextContentItem,
        TrackingIdentifier,
    )
    from pydicom.sr.codedict import codes

    from lumbar.geometry import Affine

    certainty = number(row["confidence"])
    finding, side = _anatomy(row)
    group = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(identifier=row["level"] or row["side"]),
        referenced_region=ImageRegion(
            graphic_type="POINT",
            graphic_data=Affine.corner().points(np.array([[row["x"], row["y"]]])),
            source_image=SourceImageForRegion(source.SOPClassUID, source.SOPInstanceUID, _frame_number(row, source)),
        ),
        finding_category=codes.SCT.AnatomicalStructure,
        finding_type=finding,
        finding_sites=[FindingSite(anatomic_location=finding, laterality=side)],
        algorithm_id=AlgorithmIdentification(
            name=_ascii(found.network), version=VERSION, parameters=notices_of_points(found.synthetic)
        ),
        measurements=None
        if certainty is None
        else [Measurement(name=codes.DCM.CertaintyOfFinding, value=round(100 * certainty, 2), unit=codes.UCUM.Percent)],
    )
    # The template is extensible: content for which it has no row is added at the end.
    items = group[0].ContentSequence
    if row["x_mm"] == row["x_mm"] and source.get("FrameOfReferenceUID"):
        items.append(_in_patient(row, source))
    if comment := NOT_JUDGED if pd.isna(row["flagged"]) else FLAGGED if row["flagged"] else "":
        items.append(TextContentItem(codes.DCM.Comment, comment, relationship_type=RelationshipTypeValues.CONTAINS))
    return group


def _in_patient(row: dict[str, Any], source: Dataset) -> Scoord3DContentItem:
    """Return the point in patient coordinates, millimetres."""
    import numpy as np
    from highdicom.sr import RelationshipTypeValues, Scoord3DContentItem
    from pydicom.sr.codedict import codes

    return Scoord3DContentItem(
        name=codes.DCM.RepresentativePoint,
        graphic_type="POINT",
        graphic_data=np.array([[row["x_mm"], row["y_mm"], row["z_mm"]]]),
        frame_of_reference_uid=source.FrameOfReferenceUID,
        relationship_type=RelationshipTypeValues.CONTAINS,
    )


def _anatomy(row: dict[str, Any]) -> tuple[Code, Code | None]:
    """Return (the code of the disc, None), or for an axial point (the code of the lumbar spine, the patient's side)."""
    from pydicom.sr.codedict import codes

    if row["level"]:
        return getattr(codes.cid7604, row["level"].replace("/", "") + "Disc"), None
    return codes.SCT.LumbarSpine, getattr(codes.SCT, row["side"].capitalize())


def _frame_number(row: dict[str, Any], source: Dataset) -> list[int] | None:
    """Return the frame number, which DICOM counts from 1; None for a file with a single frame, which has no number."""
    return [int(row["frame"]) + 1] if int(source.get("NumberOfFrames") or 1) > 1 else None


def _ascii(text: str) -> str:
    """Return text that every character set of DICOM can represent; other characters become question marks."""
    return text.encode("ascii", "replace").decode()
