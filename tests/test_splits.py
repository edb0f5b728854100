"""A split never puts a patient in two parts, and depends on nothing but the patients and the seed."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbar import splits
from lumbar.core.errors import TableError


def table(patients: int = 4, source: str = "hospital") -> pd.DataFrame:
    """Return the columns that a split uses, with five rows per patient, one for each level."""
    return pd.DataFrame({"patient": [f"{source}-{row // 5}" for row in range(5 * patients)], "source": source})


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


def test_a_patient_in_two_parts_is_named():
    with pytest.raises(TableError, match=r"anna in test and train"):
        splits.check_split(["anna", "bert", "anna"], ["train", "train", "test"])


def test_too_few_patients_are_an_error():
    with pytest.raises(TableError, match="too few patients"):
        splits.split(table(2))


def test_fractions_must_add_up():
    with pytest.raises(ValueError, match="add up to 1"):
        splits.split(table(), (0.5, 0.5, 0.5))


def shown(part: str, patient: str, source: str, picture: str | None = "") -> dict:
    """Return one row of the table that `check_people` takes; without a picture if it is None."""
    row = {"part": part, "patient": patient, "source": source}
    return row if picture is None else row | {"picture": picture}


@pytest.mark.parametrize(
    ("one", "other", "leaks"),
    [
        (shown("train", "anna", "A"), shown("test", "anna", "B"), True),
        (shown("train", "001", "A", "f00d"), shown("test", "001", "B", "beef"), False),
        (shown("train", "001", "A", "f00d"), shown("test", "001", "A", "beef"), True),
        (shown("train", "001", "A", "f00d"), shown("test", "001", "copy of A", "f00d"), True),
        (shown("train", "001", "A", "f00d"), shown("test", "002", "A", "f00d"), False),
        (shown("train", "001", "A"), shown("test", "001", "B", "beef"), False),
        (shown("train", "001", "A"), shown("test", "001", "A", "beef"), True),
        (shown("train", "001", "A", None), shown("test", "001", "B", "beef"), True),
    ],
    ids=[
        "stated names mean the same everywhere",
        "names of files belong to their source",
        "names of files in one source",
        "a copy under another name",
        "two files of one source are two patients",
        "a stated name and one of a file",
        "the table has come to state its patients",
        "a run of an earlier release does not say whose names were stated",
    ],
)
def test_a_name_taken_from_a_file_belongs_to_its_source(one, other, leaks):
    people = pd.DataFrame([one, other, shown("validation", "bert", "A")])
    if not leaks:
        splits.check_people(people)
        return
    with pytest.raises(TableError, match=f"{one['patient']} in test and train[\\s\\S]*column `patient`"):
        splits.check_people(people)
