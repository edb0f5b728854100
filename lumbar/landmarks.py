"""The landmark table: one row a point, the same columns whatever data set it came from; and splits by patient."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pandera.pandas as pandera

from lumbar.errors import TableError

LEVELS = ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
"""The five lumbar disc levels, from the head down."""

VIEWS = ("sagittal", "coronal", "axial")
"""The planes a scan may be cut in."""

SIDES = ("left", "right")
"""The PATIENT's sides, for the two subarticular points of an axial slice."""

PARTS = ("train", "validation", "test")
"""The parts of a split."""

SCHEMA = pandera.DataFrameSchema(
    {
        "image": pandera.Column(str, pandera.Check.str_length(min_value=1), description="path below the data set's folder"),
        "patient": pandera.Column(str, pandera.Check.str_length(min_value=1), description="who; splits are by patient"),
        "source": pandera.Column(str, description="hospital or data set the picture came from; splits are stratified by it"),
        "view": pandera.Column(str, pandera.Check.isin(VIEWS), description="plane of the cut"),
        "contrast": pandera.Column(str, description="T1, T2, STIR, CT …; empty if unknown"),
        "level": pandera.Column(str, pandera.Check.isin(LEVELS), description="disc level"),
        "side": pandera.Column(str, pandera.Check.isin(("", *SIDES)), description="patient's side, axial points only"),
        "x": pandera.Column(float, nullable=True, description="column in native pixels; NaN where the point is missing"),
        "y": pandera.Column(float, nullable=True, description="row in native pixels; NaN where the point is missing"),
        "width": pandera.Column(int, pandera.Check.gt(0), description="columns of the native picture"),
        "height": pandera.Column(int, pandera.Check.gt(0), description="rows of the native picture"),
        "pixel_width": pandera.Column(float, pandera.Check.gt(0), nullable=True, description="mm; NaN if unknown"),
        "pixel_height": pandera.Column(float, pandera.Check.gt(0), nullable=True, description="mm; NaN if unknown"),
    },
    strict=False,
    coerce=True,
)
"""Columns that every reader in `lumbar.datasets` fills. Further columns are welcome and travel along."""
