"""Find the five lumbar disc levels in medical images with convolutional networks, and learn how it is done."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lumbar.core.constants import VERSION

if TYPE_CHECKING:
    import pandas as pd

    from lumbar.annotation import Annotation

__version__ = VERSION


def annotate(
    source: str | os.PathLike | Sequence[str | os.PathLike] | pd.DataFrame,
    *,
    rater: str | None = None,
    quality: str | os.PathLike | None = None,
    ghosts: bool = True,
    start: bool = True,
    fresh: bool = False,
) -> Annotation:
    """Mark the disc levels by hand in a notebook, or correct the points of a network; flagged images come first.

    The result shows an editor on the last line of a cell. `table` holds the points so far, in native pixels, and
    `save(FOLDER)` writes a data set that `lumbar check` and `train --data` read. Work that is not saved survives a
    crash or a new kernel: the same call restores it.

    Args:
        source: A table of points, as `predict` returns it or ``lumbar predict --out`` writes it (CSV or JSON); a data
            set with a landmark table; or images: a file, a folder, or several of these.
        rater: Name of the person who marks; by default the login name.
        quality: Judgements saved on the page of `lumbar report` (CSV or YAML): only images that failed, or of which
            somebody was unsure, are shown.
        ghosts: Whether the editor shows the points that were known before, as rings.
        start: Whether to begin with the points that are known; otherwise with none.
        fresh: Whether to begin anew instead of restoring unsaved work, which is set aside.

    Raises:
        ScanError: If there is no image to annotate.
        TableError: If a table is not a table of points.
        DatasetError: If a data set cannot be read.
        SettingsError: If the extra `course` is not installed.
    """
    from lumbar.annotation import annotate as open_session

    return open_session(source, rater=rater, quality=quality, ghosts=ghosts, start=start, fresh=fresh)


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
