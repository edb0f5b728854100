"""What predictors that never see an image get on public labels: ``python -m benchmarks.public_labels TABLE.csv``.

The table is `coords_pretrain.csv` of Kaggle's "Lumbar Coordinate Pretraining Dataset". The command writes
``lumbar/course/measured/public_labels.csv``, which lesson 12 shows: the mean absolute error per axis of the documented
project, "about 0.49" without a unit, beside what knows nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from lumbar.core import paths
from lumbar.core.constants import LEVELS
from lumbar.datasets.dataset import read_csv
from lumbar.geometry import SIZE
from lumbar.storage.files import write_table


def measured(labels: pd.DataFrame) -> pd.DataFrame:
    """Return the mean absolute error per axis of two predictors, over all images and over those of the largest source.

    Args:
        labels: One row a point: filename, source, level, x and y in pixels of the 256 frame.

    Returns:
        Columns source, pictures (how many), predictor, unit, mae.
    """
    rows = []
    largest = labels["source"].value_counts().index[0]
    for source, some in (("all", labels), (largest, labels[labels["source"] == largest])):
        points = some.pivot_table(index="filename", columns="level", values=["x", "y"])
        points = np.stack([points[axis][list(LEVELS)].to_numpy() for axis in "xy"], axis=-1)
        unit = points / SIZE
        scored = (points - np.nanmean(points, axis=(0, 1))) / np.nanstd(points, axis=(0, 1))
        for predictor, name, off in (
            ("always zero", "unit coordinates", unit),
            ("mean per landmark", "z-scored", scored - np.nanmean(scored, axis=0)),
        ):
            mae = float(np.nanmean(np.abs(off)))
            rows.append({"source": source, "pictures": len(points), "predictor": predictor, "unit": name, "mae": mae})
    return pd.DataFrame(rows)


def main() -> None:
    """Write the table that lesson 12 shows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.public_labels", description=main.__doc__)
    parser.add_argument("labels", type=Path, help="coords_pretrain.csv")
    parser.add_argument("--out", type=Path, default=paths.MEASURED / "public_labels.csv", help="table to write")
    arguments = parser.parse_args()
    labels = read_csv(arguments.labels, text=("filename", "source", "level"), numbers=("x", "y"))
    table = measured(labels).round(4)
    write_table(arguments.out, table)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
