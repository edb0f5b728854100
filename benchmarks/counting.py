"""How well the levels of whole studies are counted, with and without a localiser: ``python -m benchmarks.counting``.

The studies are of new synthetic patients, as many with four and with six lumbar vertebrae as with five. Their sagittal
series has the usual field of view (seed 71), or any (seed 72): then it often shows neither the sacrum nor all levels.
The command prints a table with a row for each network, kind of study, number of vertebrae, and with and without the
check, and writes counting.csv.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from lumbar import weights
from lumbar.core import paths
from lumbar.datasets.phantom_study import TABLE
from lumbar.landmarks import LEVELS
from lumbar.phantom import PhantomSettings, write_dataset
from lumbar.runs.settings import LocateSettings
from lumbar.storage.files import write_table
from lumbar.study import locate

USUAL = PhantomSettings(
    patients=150, seed=71, series=("sagittal-t2",), slices=3, unusual_counts=2 / 3, worn=0.2, localiser=True
)
KINDS = {"usual field of view": USUAL, "any field of view": replace(USUAL, seed=72, field_of_view=1.0)}


def judged(study: Path, settings: LocateSettings) -> dict[str, Any]:
    """Return what `locate` answers for a study, compared with the truth.

    Args:
        study: Folder of a synthetic patient.
        settings: Settings of the search.

    Returns:
        lumbar_vertebrae; off, by how many levels the points lie too low, NaN without points; wrong (a level is more
        than half a gap off, missing though the slice shows it, or there though it does not); flagged.
    """
    true = pd.read_csv(study / TABLE)
    true = true[true["level"].isin(LEVELS)].set_index("level").loc[list(LEVELS)]
    found = locate([study], settings, progress=False).table
    apart = found[["x_mm", "y_mm", "z_mm"]].to_numpy() - true[["x_mm", "y_mm", "z_mm"]].to_numpy()
    gap = -np.diff(true["z_mm"]).mean()
    gone, shown = np.isnan(apart).any(axis=1), true["x"].notna().to_numpy()
    # The middle slice may lie beside the true one, so depth (x) does not count.
    off = np.linalg.norm(apart[:, 1:], axis=1) > gap / 2
    return {
        "lumbar_vertebrae": int(true["lumbar_vertebrae"].iloc[0]),
        "off": float(np.round(np.median(-apart[~gone, 2]) / gap)) if not gone.all() else np.nan,
        "wrong": bool(np.where(shown, gone | off, ~gone).any()),
        "flagged": bool(found["flagged"].any()),
    }


def rows(names: list[str]) -> Iterator[dict[str, Any]]:
    """Yield a row of the table for each network, kind of study, check and number of vertebrae."""
    for kind, settings in KINDS.items():
        folder = write_dataset(paths.data() / f"counting-{settings.seed}", settings)
        studies = sorted(each.parent for each in folder.glob(f"*/{TABLE}"))
        for name in names:
            for check in (False, True):
                how = LocateSettings(weights=name, check_count=check)
                said = pd.DataFrame([judged(study, how) for study in tqdm(studies, f"{name}, {kind}", unit="study")])
                about = {"network": name, "studies": kind, "localiser": check}
                for vertebrae, here in [*said.groupby("lumbar_vertebrae"), ("all", said)]:
                    yield about | {"lumbar_vertebrae": vertebrae} | _summary(here)


def _summary(said: pd.DataFrame) -> dict[str, Any]:
    """Return the number of studies, of those with points, those counted rightly, and shares of all (of the right)."""
    wrong, flagged = said["wrong"], said["flagged"]
    return {
        "count": len(said),
        "with_points": int(said["off"].notna().sum()),
        "counted_right": int((said["off"] == 0).sum()),
        "wrong": float(wrong.mean()),
        "wrong_unflagged": float((wrong & ~flagged).mean()),
        "right_flagged": float(flagged[~wrong].mean()),
    }


def main() -> None:
    """Print the table and write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.counting", description=main.__doc__)
    parser.add_argument("--weights", nargs="+", default=weights.released(), help="networks (default: the released)")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".csv"), help="table to write")
    arguments = parser.parse_args()
    table = pd.DataFrame(rows(arguments.weights)).sort_values("network", kind="stable").round(3)
    write_table(arguments.out, table)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
