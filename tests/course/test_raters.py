"""The stand-in of lesson 00: it helps out only where nobody marked anything, and scatters as it says."""

import numpy as np
import pandas as pd
import pytest

import lumbar
from lumbar.core.constants import LEVELS
from lumbar.course.raters import SCATTER_MM, correct_flagged, own_labels, two_rounds
from lumbar.datasets import load
from lumbar.figures import compare_raters


@pytest.fixture
def truth(few_patients, tmp_path, monkeypatch) -> pd.DataFrame:
    monkeypatch.setenv("LUMBAR_HOME", str(tmp_path))
    table = load(few_patients).table
    return table.assign(image=[str(few_patients / image) for image in table["image"]])


@pytest.fixture
def session(truth):
    return lumbar.annotate(truth, rater="a reader", start=False, ghosts=False)


def away_mm(points: pd.DataFrame, truth: pd.DataFrame) -> np.ndarray:
    both = points.merge(truth, on=["image", "level"], suffixes=("", "_true"))
    return (both[["x", "y"]].to_numpy() - both[["x_true", "y_true"]].to_numpy()) * both[
        ["pixel_width", "pixel_height"]
    ].to_numpy()


def test_the_stand_in_scatters_in_millimetres_is_the_same_each_time_and_miscounts_once(session, truth):
    first, second, who = two_rounds(session, session, truth, seed=1)
    assert who == "a stand-in"
    assert len(first) == len(second) == len(truth)
    assert away_mm(first, truth).std() == pytest.approx(SCATTER_MM, rel=0.2)
    pd.testing.assert_frame_equal(first, two_rounds(session, session, truth, seed=1)[0])
    image = session.cases[0].image
    true = truth[truth["image"] == image].set_index("level")[["x", "y"]]
    found = second[second["image"] == image].set_index("level")[["x", "y"]]
    np.testing.assert_allclose(found.loc[list(LEVELS[1:])], true.loc[list(LEVELS[:-1])], atol=10)
    assert np.abs(away_mm(second[second["image"] != image], truth)).max() < 5 * SCATTER_MM


def test_a_reader_and_a_stand_in_are_never_taken_for_one_person(session, truth):
    session.change(1, {"L1/L2": (3.0, 4.0)}, session.marks[1].place, done=True)
    nobody = lumbar.annotate(truth, rater="nobody", start=False, ghosts=False)
    assert two_rounds(session, nobody, truth, seed=1)[2] == "a stand-in"
    nobody.change(2, {}, nobody.marks[2].place, done=True)
    assert two_rounds(session, nobody, truth, seed=1)[2] == "a stand-in", "nothing was marked"
    first, second, who = two_rounds(session, session, truth, seed=1)
    assert who == "you"
    assert first[["image", "level", "x", "y"]].to_numpy().tolist() == [[session.cases[1].image, "L1/L2", 3.0, 4.0]]
    assert len(second) == 1


def test_the_figure_states_the_medians_of_all_raters():
    levels = pd.Index(LEVELS * 2, name="level")
    errors = {"one": pd.Series(np.full(10, 2.0), levels), "other": pd.Series(np.full(10, 40.0), levels)}
    assert compare_raters(errors, reference={"one level": 30.0}).alt.endswith("medians in mm: one: 2; other: 40.")


def test_the_stand_in_corrects_the_flagged_images_alone_and_only_if_nobody_did(truth):
    flagged = truth["image"].isin(truth["image"].unique()[:3])
    found = truth.assign(flagged=flagged, confidence=0.5, x=truth["x"] + 20)
    session = lumbar.annotate(found, rater="a reader")
    assert correct_flagged(session, truth, seed=1) == "a stand-in"
    table = session.table
    assert table.loc[table["done"], "image"].nunique() == 3
    assert np.abs(away_mm(table[table["done"]], truth)).max() < 5 * SCATTER_MM
    again = lumbar.annotate(found, rater="another", fresh=True)
    again.change(0, {"L1/L2": (1.0, 2.0)}, again.marks[0].place, done=True)
    assert correct_flagged(again, truth, seed=1) == "you"
    assert again.table["done"].sum() == 5


def test_what_a_reader_has_marked_comes_back_and_a_stand_in_leaves_nothing(session, truth):
    two_rounds(session, session, truth, seed=1)
    assert own_labels() is None
    first, other = (lumbar.annotate(truth, rater=name, start=False, ghosts=False) for name in ("first", "other"))
    for place, round_ in enumerate((first, other)):
        round_.change(place, {"L1/L2": (3.0, 4.0)}, round_.marks[place].place, done=True)
    assert two_rounds(first, other, truth, seed=1)[2] == "you"
    assert own_labels() is None, "no picture was marked twice"
    again = lumbar.annotate(truth, rater="again", start=False, ghosts=False)
    for position, case in enumerate(session.cases):
        here = truth[truth["image"] == case.image].set_index("level").loc[list(LEVELS)]
        xy = here[["x", "y"]].to_numpy(float)
        aside = xy + 2.0 / here[["pixel_width", "pixel_height"]].to_numpy()  # 2 mm along each axis
        if position == 0:
            aside[1:] = aside[:-1].copy()  # one disc too high, the first level above the picture's five
            aside[0] -= xy[1] - xy[0]
        for round_, points in ((session, xy), (again, aside)):
            marks = {level: tuple(map(float, point)) for level, point in zip(LEVELS, points, strict=True)}
            round_.change(position, marks, round_.marks[position].place, done=True)
    two_rounds(session, again, truth, seed=1)
    found = own_labels()
    assert found.pictures == len(session.cases)
    assert found.scatter_mm == pytest.approx(2 / np.sqrt(2), abs=0.01)
    assert found.miscounted == 1
    assert f"1 of {2 * found.pictures} times you were a level off" in str(found)
