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
    """Find the lumbar disc levels in images with a trained network.

    Args:
        paths: A DICOM, PNG or JPEG file, a volume (.mha, .nii, .nii.gz), a folder of such files, or several of these.
        weights: The trained network: the name of a released one, or the folder or name of a run. The default is
            `lumbar.core.constants.DEFAULT_WEIGHTS`.
        view: "sagittal", "coronal" or "axial", for images whose files do not state their plane (PNG, JPEG). The
            default is sagittal.
        frame: Frame of a multi-frame file, or sagittal slice of a volume, counted from 0. The default is the middle
            sagittal slice of a volume.
        progress: Whether to show progress bars.

    Returns:
        DataFrame with one row per point; `lumbar.prediction.Predictions` describes its columns. A file that cannot be
        used is left out with a warning.

    Raises:
        ScanError: If none of the files can be used.
        RunError: If there is no such network.
    """
    import warnings

    from lumbar.prediction import PredictionSettings
    from lumbar.prediction import predict as predict_files

    files = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    network = {} if weights is None else {"weights": os.fspath(weights)}
    found = predict_files(files, PredictionSettings(**network, view=view, frame=frame), progress=progress)
    if found.table.empty and found.refused:
        raise found.refused[0]
    for error in found.refused:
        warnings.warn(f"left out: {error}", stacklevel=2)
    for unread in found.unread:
        if unread.remedy:
            warnings.warn(f"not read, {unread}", stacklevel=2)
    return found.table
