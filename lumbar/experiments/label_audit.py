"""Find suspicious labels: rank images, or patients, by how far their labels lie from the answers of a network.

The network must not have been trained on the labels that it judges: given time, a network fits wrong labels as well as
right ones (Arpit et al., ICML 2017). A cross-validation has such a network for each patient. To rank labels by
out-of-fold predictions is the idea of confident learning (Northcutt et al., JAIR 2021).

Which of the two is wrong, the label or the network, a person has to decide, with the image at hand.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from lumbar import metrics
from lumbar.core.constants import LEVELS, ROW
from lumbar.core.errors import TableError
from lumbar.landmarks import image_names, row_channels


def miscounted(table: pd.DataFrame, discs: Mapping[str, int]) -> pd.DataFrame:
    """Return a landmark table in which an annotator has miscounted the levels of some patients.

    Every point stays where it is and gets the name of another disc. Points whose new name is that of no level are left
    out, and so are those of the neighbouring discs.

    Args:
        table: Landmark table that also lists the discs `lumbar.landmarks.NEIGHBOURS`.
        discs: Patient → by how many discs their points move: 1 if the disc below is taken for each level, so that L1/L2
            is marked at L2/L3; -1 if it is the disc above.

    Raises:
        TableError: If an image of a miscounted patient then lacks a level that it had.
    """
    order = {name: position for position, name in enumerate(ROW)}
    moved = table["level"].map(order) - table["patient"].map(discs).fillna(0).astype(int)
    names = moved.map(dict(enumerate(ROW)))
    found = table.assign(level=names)[names.isin(LEVELS)]
    before, after = (each[each["level"].isin(LEVELS)].groupby("patient").size() for each in (table, found))
    lacking = before.index[after.reindex(before.index, fill_value=0) < before]
    if len(lacking):
        raise TableError(
            "the disc beyond the last level is not in the table",
            field="level",
            found=f"patient {lacking[0]}, moved by {discs[lacking[0]]}",
            expected=f"all of {', '.join(ROW)}; moved by one disc at most",
            remedy="make the synthetic patients with neighbours=True",
        )
    return found


def suspicious_labels(points: pd.DataFrame, *, by_patient: bool = False) -> pd.DataFrame:
    """Rank images or patients by how far their labels lie from the answers of a network that has not seen them.

    Args:
        points: One row a point, as `lumbar.evaluation.points_table` returns them and as points.csv of a
            cross-validation holds them for one network: image, patient, view, level, side, x_256, y_256,
            predicted_x_256, predicted_y_256 (pixels of the 256 frame) and radial_px.
        by_patient: Return one row a patient; otherwise one an image.

    Returns:
        The most suspicious first: image (its path, with its frame) unless `by_patient`, patient, points (how many were
        compared), radial_px (mean distance between label and answer, pixels of the 256 frame), and moved: 1 if the
        labels fit the answers better one disc further down, -1 if one disc further up, 0 if neither, NaN where that
        cannot be judged (see `lumbar.metrics.level_shifts`); of a patient, what holds for most images, 0 if they
        differ. Images without a label are left out.
    """
    known = points.assign(name=image_names(points)).dropna(subset=["radial_px"])
    images = known.groupby("name", sort=False).agg(
        patient=("patient", "first"), points=("radial_px", "size"), radial_px=("radial_px", "mean")
    )
    images["moved"] = [_moved(rows) for _, rows in known.groupby("name", sort=False)]
    found = images.rename_axis("image").reset_index()
    if by_patient:
        mean = known.groupby("patient", sort=False).agg(points=("radial_px", "size"), radial_px=("radial_px", "mean"))
        moved = found.groupby("patient", sort=False)["moved"].median().round() + 0.0  # no -0
        found = mean.assign(moved=moved).reset_index()
    return found.sort_values("radial_px", ascending=False, kind="stable", ignore_index=True)


def _moved(rows: pd.DataFrame) -> float:
    """Return by how many discs the labels of an image would have to move to fit the answers best."""
    channels = row_channels(rows).tolist()
    true, predicted = (rows[[f"{who}x_256", f"{who}y_256"]].to_numpy(float)[None] for who in ("", "predicted_"))
    return float(metrics.level_shifts(true, predicted, channels)[0])
