"""Find the five lumbar disc levels in medical images with convolutional networks, and learn how it is done."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lumbar.core.constants import VERSION

if TYPE_CHECKING:
    import pandas as pd

__version__ = VERSION


def predict(
    paths: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    weights: str | os.PathLike | None = None,
    view: str | None = None,
    frame: int | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Find the points in pictures.

    Args:
        paths: A DICOM, PNG or JPEG file, a volume (.mha, .nii, .nii.gz), a folder of pictures, or several of these.
        weights: A trained network: a released one by its name, or a run's folder or name; `lumbar.weights.DEFAULT` if
            left out.
        view: "sagittal", "coronal" or "axial", for pictures whose files do not say it (PNG, JPEG); sagittal if left
            out.
        frame: Of a multi-frame file or volume, from 0; a volume's middle sagittal slice if left out.
        progress: Show progress bars.

    Returns:
        DataFrame with one row per point; its columns are those of `lumbar.prediction.Predictions`. A file that cannot
        be used is left out with a warning.

    Raises:
        ScanError: If not one of the files can be used.
        RunError: If there is no such network.
    """
    import warnings

    from lumbar.prediction import PredictionSettings
    from lumbar.prediction import predict as find

    several = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    chosen = {} if weights is None else {"weights": os.fspath(weights)}
    found = find(several, PredictionSettings(**chosen, view=view, frame=frame), progress=progress)
    if found.table.empty and found.refused:
        raise found.refused[0]
    for error in found.refused:
        warnings.warn(f"left out: {error}", stacklevel=2)
    return found.table
