"""The landmark table keeps its schema, and every problem is named with its row and column."""

import numpy as np
import pandas as pd
import pytest

from lumbar import landmarks
from lumbar.core.errors import TableError


def table(patients: int = 4, source: str = "hospital") -> pd.DataFrame:
    rows = [
        {
            "image": f"{source}/{patient}.dcm",
            "patient": f"{source}-{patient}",
            "source": source,
            "view": "sagittal",
            "contrast": "T2",
            "level": level,
            "side": "",
            "x": 130.0,
            "y": 60.0 + 30 * position,
            "width": 256,
            "height": 256,
            "pixel_width": 1.0,
            "pixel_height": np.nan,
        }
        for patient in range(patients)
        for position, level in enumerate(landmarks.LEVELS)
    ]
    return pd.DataFrame(rows)


def test_a_valid_table_passes_unchanged():
    pd.testing.assert_frame_equal(landmarks.check(table()), table())


def test_a_missing_point_is_valid_but_half_a_point_is_not():
    missing = table()
    missing.loc[3, ["x", "y"]] = np.nan
    assert landmarks.problems(missing).empty
    missing.loc[3, "x"] = 5.0
    assert landmarks.problems(missing)["row"].tolist() == [3]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("level", "L6/S1"),
        ("view", "oblique"),
        ("side", "left"),
        ("x", 255.6),
        ("y", -0.6),
        ("width", 0),
        ("pixel_width", -1.0),
        ("image", ""),
        ("patient", "somebody else"),
    ],
)
def test_one_bad_value_is_named_with_its_row_and_column(column, value):
    broken = table()
    broken.loc[7, column] = value
    found = landmarks.problems(broken)
    assert ((found["row"] == 7) & (found["column"] == column)).any()
    with pytest.raises(TableError, match=column):
        landmarks.check(broken)


def test_a_duplicate_names_both_rows():
    twice = pd.concat([table(1), table(1).iloc[[2]]], ignore_index=True)
    assert landmarks.problems(twice)["row"].tolist() == [2, 5]


def test_a_missing_column_is_named():
    found = landmarks.problems(table().drop(columns="side"))
    assert found[["row", "column"]].to_numpy().tolist() == [[-1, "side"]]


def test_text_in_a_column_of_numbers_is_named():
    broken = table().astype({"x": object})
    broken.loc[4, "x"] = "left of centre"
    assert "x" in landmarks.problems(broken)["column"].tolist()


@pytest.mark.parametrize(
    ("views", "count"), [(["sagittal"], 5), (["coronal"], 5), (["axial"], 2), (["axial", "coronal", "sagittal"], 7)]
)
def test_channels_by_view(views, count):
    assert len(landmarks.channels(views)) == count


def test_an_unknown_view_has_no_channels():
    with pytest.raises(ValueError, match="oblique"):
        landmarks.channels(["oblique"])


def test_an_axial_image_of_two_levels_is_a_problem():
    axial = table(1).iloc[:2].assign(view="axial", side="left")
    found = landmarks.problems(axial)
    assert found["problem"].tolist() == ["an axial picture shows one level, not several"] * 2


@pytest.mark.parametrize(("column", "value"), [("source", "elsewhere"), ("contrast", "T1"), ("pixel_width", 2.0)])
def test_an_image_has_one_value_of_each(column, value):
    broken = table(1)
    broken.loc[0, column] = value
    assert set(landmarks.problems(broken)["column"]) == {column}
