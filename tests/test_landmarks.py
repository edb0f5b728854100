"""The landmark table keeps its schema, and a split never lets a patient leak."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbar import landmarks, splits
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


def test_a_sound_table_passes_unchanged():
    pd.testing.assert_frame_equal(landmarks.check(table()), table())


def test_a_missing_point_is_no_problem_but_half_a_point_is():
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


def test_text_where_a_number_belongs_is_named():
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


@given(
    sizes=st.lists(st.integers(3, 60), min_size=1, max_size=4),
    seed=st.integers(0, 2**31),
    test=st.floats(0.05, 0.3),
    validation=st.floats(0.05, 0.3),
)
def test_every_patient_is_in_one_part_and_each_source_in_all(sizes, seed, test, validation):
    whole = pd.concat([table(size, f"source{number}") for number, size in enumerate(sizes)], ignore_index=True)
    parts = splits.split(whole, (1 - validation - test, validation, test), seed)
    assert sorted(parts.index) == sorted(whole["patient"].unique())
    joined = whole.merge(parts, left_on="patient", right_index=True)
    splits.check_split(joined["patient"], joined["part"])
    assert (joined.groupby("source")["part"].nunique() == 3).all()
    for size, (_, group) in zip(sizes, joined.groupby("source"), strict=True):
        held_out = group.loc[group["part"] == "test", "patient"].nunique()
        assert abs(held_out - size * test) <= 1


def test_the_split_ignores_row_order_and_follows_the_seed():
    whole = table(40)
    shuffled = whole.sample(frac=1, random_state=1)
    pd.testing.assert_series_equal(splits.split(whole, seed=3), splits.split(shuffled, seed=3))
    assert not splits.split(whole, seed=3).equals(splits.split(whole, seed=4))


def test_a_leak_is_named():
    with pytest.raises(TableError, match=r"anna in test and train"):
        splits.check_split(["anna", "bert", "anna"], ["train", "train", "test"])


def test_too_few_patients_is_said_plainly():
    with pytest.raises(TableError, match="too few patients"):
        splits.split(table(2))


def test_fractions_must_add_up():
    with pytest.raises(ValueError, match="add up to 1"):
        splits.split(table(), (0.5, 0.5, 0.5))


def test_an_axial_picture_of_two_levels_is_a_problem():
    axial = table(1).iloc[:2].assign(view="axial", side="left")
    found = landmarks.problems(axial)
    assert found["problem"].tolist() == ["an axial picture shows one level, not several"] * 2


@pytest.mark.parametrize(("column", "value"), [("source", "elsewhere"), ("contrast", "T1"), ("pixel_width", 2.0)])
def test_a_picture_has_one_of_each(column, value):
    broken = table(1)
    broken.loc[0, column] = value
    assert set(landmarks.problems(broken)["column"]) == {column}
