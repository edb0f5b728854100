"""Labels that do not fit the answers of a network that has not seen them come first."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lumbar import datasets
from lumbar.core.constants import LEVELS
from lumbar.core.errors import TableError
from lumbar.evaluation import points_table
from lumbar.experiments.label_audit import miscounted, suspicious_labels
from lumbar.metrics import errors
from lumbar.phantom import PhantomSettings, write_dataset

WHO = "phantom-3-0001"


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    made = PhantomSettings(patients=2, seed=3, series=("sagittal-t1", "sagittal-t2"), neighbours=True)
    return write_dataset(tmp_path_factory.mktemp("phantoms") / "set", made, workers=1, progress=False)


@pytest.fixture(scope="module")
def everything(phantoms):
    return pd.read_csv(phantoms / "landmarks.csv", keep_default_na=False)


def point(table, level, patient=WHO):
    rows = table[(table["patient"] == patient) & (table["level"] == level)]
    return rows[["x", "y"]].to_numpy()


@pytest.mark.parametrize(("discs", "named", "lies_at"), [(1, "L5/S1", "S1/S2"), (-1, "L1/L2", "T12/L1")])
def test_a_miscount_gives_each_point_the_name_of_the_next_disc(everything, discs, named, lies_at):
    table = miscounted(everything, {WHO: discs})
    np.testing.assert_array_equal(point(table, named), point(everything, lies_at))
    np.testing.assert_array_equal(point(table, "L3/L4"), point(everything, "L4/L5" if discs == 1 else "L2/L3"))
    other = "phantom-3-0002"
    np.testing.assert_array_equal(point(table, "L3/L4", other), point(everything, "L3/L4", other))
    assert (table.groupby("image")["level"].agg(set) == set(LEVELS)).all()


def test_a_miscounted_table_is_a_valid_one(phantoms, everything):
    """The mistake that the lesson is about: no rule for tables can find it."""
    miscounted(everything, {WHO: 1}).to_csv(phantoms / "annotated.csv", index=False)
    assert len(datasets.load(phantoms / "annotated.csv").table) == 20


def test_a_miscount_needs_the_disc_beyond_the_last(everything):
    levels = everything[everything["level"].isin(LEVELS)]
    with pytest.raises(TableError, match="S1/S2"):
        miscounted(levels, {WHO: 1})
    with pytest.raises(TableError, match="moved by 2"):
        miscounted(everything, {WHO: 2})
    assert len(miscounted(levels, {})) == len(levels)


@pytest.fixture(scope="module")
def answers(phantoms):
    """Points as a network would answer that is 1 px off, for labels of which those of the first patient are moved."""
    prepared = datasets.prepare(datasets.load(phantoms), progress=False)
    labels = prepared.points.copy()
    labels[:2, :-1], labels[:2, -1] = prepared.points[:2, 1:], np.nan  # one disc too low; the last is not marked
    views = prepared.index["view"].tolist()
    answered = prepared.points + np.array([0, 1])
    found = errors(labels, answered, prepared.mm_per_pixel, views, prepared.channels)
    return points_table(replace(prepared, points=labels), answered, found)


def test_the_labels_that_fit_least_come_first_with_the_way_they_would_have_to_move(answers):
    images = suspicious_labels(answers)
    assert images["patient"].tolist() == [WHO, WHO, "phantom-3-0002", "phantom-3-0002"]
    assert images["radial_px"].is_monotonic_decreasing
    assert images["moved"].tolist() == [-1, -1, 0, 0]
    assert images["points"].tolist() == [4, 4, 5, 5]
    assert images["radial_px"].iloc[-1] == pytest.approx(1)
    assert set(images["image"]) == set(answers["image"])


def test_patients_are_ranked_by_all_of_their_points(answers):
    patients = suspicious_labels(answers, by_patient=True)
    assert patients["patient"].tolist() == [WHO, "phantom-3-0002"]
    assert patients["points"].tolist() == [8, 10]
    assert patients["moved"].tolist() == [-1, 0]
    of_first = answers.loc[answers["patient"] == WHO, "radial_px"]
    assert patients["radial_px"].iloc[0] == pytest.approx(of_first.mean())


def test_images_without_a_label_are_left_out_and_frames_are_images_of_their_own(answers):
    unlabelled = answers.assign(radial_px=answers["radial_px"].where(answers["patient"] != WHO))
    assert set(suspicious_labels(unlabelled)["patient"]) == {"phantom-3-0002"}
    framed = answers.assign(image="all.dcm", frame=pd.factorize(answers["image"])[0])
    assert len(suspicious_labels(framed)) == 4
    assert suspicious_labels(answers.iloc[:1])["moved"].isna().all(), "one level alone tells nothing of the count"
