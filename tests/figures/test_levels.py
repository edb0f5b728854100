"""The figure of a study's levels: its words can be read whatever the files are called."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from lumbar.figures.levels import levels
from lumbar.figures.style import fit_name
from lumbar.landmarks import LEVELS
from lumbar.study.frames import ASSUMED
from lumbar.study.sagittal import ONLY_SLICE
from tests.support.phantom_studies import centred, header, write_slices

SAGITTAL = centred(np.zeros(3), np.array([0.0, 1, 0]), np.array([0, 0, -1.0]), 1.0, 1.0)
AXIAL = centred(np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), 1.0, 1.0)
LONG = "1.3.6.1.4.1.5962.1.1.0.0.0.1196533885.18148.0.133_AXIAL_T2_DISC_BY_DISC_{:03d}.dcm"


def table_of_levels(folder: Path, name: str = "{:03d}.dcm", **columns) -> pd.DataFrame:
    """Return a table of five levels in slices of these names; the other columns as given."""
    rows = []
    for number, level in enumerate(LEVELS):
        files = []
        for kind, plane in (("sagittal", SAGITTAL), ("axial", AXIAL)):
            (written,) = write_slices(folder / kind / str(number), [plane], header(kind))
            files.append(written.rename(written.with_name(name.format(number))))
        place = {"sagittal_x": 20, "sagittal_y": 5 + 9 * number, "axial_x": 22, "axial_y": 28, "distance_mm": 1.0}
        frames = {"sagittal_frame": 0, "axial_frame": 0, "remark": "", "flagged": False}
        rows.append({"level": level, "sagittal_file": str(files[0]), "axial_file": str(files[1])} | place | frames)
    return pd.DataFrame(rows).assign(**columns)


@pytest.mark.parametrize("name", ["{:03d}.dcm", LONG, "W" * 240 + "{:03d}.dcm"], ids=["short", "long", "longest"])
def test_the_names_above_the_images_neither_overlap_nor_leave_the_figure(tmp_path, name):
    figure = levels(table_of_levels(tmp_path, name))
    FigureCanvasAgg(figure).draw()
    titles = [each.title for each in figure.axes if each.get_title()]
    boxes = [title.get_window_extent() for title in titles]
    assert len(boxes) == 6
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)
    assert all(title.get_text().split("\n")[0].endswith("dcm") for title in titles)
    if name == "{:03d}.dcm":
        assert [title.get_text() for title in titles[:2]] == [
            "mid-sagittal: 000.dcm",
            "L1/L2: 000.dcm\n1.0 mm from the point",
        ]


def test_flagged_levels_are_named_with_the_reason(tmp_path):
    table = table_of_levels(tmp_path, flagged=[False, True, True, False, False], remark=["", ASSUMED, ASSUMED, "", ""])
    figure = levels(table)
    words = " ".join(" ".join(text.get_text() for axes in figure.axes for text in axes.texts).split())
    expected = f"Flagged, check before use: L2/L3 and L3/L4: {ASSUMED}."
    assert expected in words
    assert figure.alt.endswith(expected)
    assert "Flagged" not in levels(table.assign(flagged=False)).alt
    assert "Flagged" not in levels(table.assign(flagged=pd.array([None] * 5, "boolean"))).alt, "nothing was judged"


def test_the_only_slice_of_a_series_is_not_called_mid_sagittal(tmp_path):
    figure = levels(table_of_levels(tmp_path, remark=f"the sagittal slice is {ONLY_SLICE}", flagged=True))
    assert figure.axes[0].get_title().startswith("sagittal: ")
    assert figure.alt.startswith("The sagittal slice with")


def test_a_name_that_does_not_fit_keeps_its_beginning_and_its_end():
    short = fit_name(LONG.format(7), 2.4, before="L5/S1: ", after=" frame 3")
    assert short.startswith("L5/S1: 1.3.")
    assert short.endswith("_007.dcm frame 3")
    assert short.count("…") == 1
    assert fit_name("007.dcm", 2.4) == "007.dcm"
