"""Images are cut off where they should be, and an answer to them counts as wrong exactly when it misleads."""

import numpy as np
import pandas as pd
import pytest

from lumbar.experiments import cut_off
from lumbar.geometry import SIZE, Affine
from lumbar.landmarks import LEVELS
from lumbar.preprocess import unlabelled
from tests.support.prepared import answered

COLUMN = np.array([(125.0, 60), (118, 90), (114, 120), (115, 150), (122, 180)])


@pytest.fixture
def part():
    """Three images whose grey value is their row, the last one without a label of L3/L4."""
    image = np.repeat(np.arange(SIZE, dtype=np.uint8)[:, None], SIZE, axis=1)
    maps = [Affine.stretch(300, 512)] * 3
    prepared = unlabelled([image] * 3, ["sagittal"] * 3, maps, LEVELS)
    prepared.index["patient"] = ["a", "b", "c"]
    points = np.stack([COLUMN, np.add(COLUMN, [3.0, 20.0]), COLUMN])
    points[2, 2] = np.nan
    prepared.points[:] = points
    return prepared


@pytest.mark.parametrize(
    ("cut", "top", "bottom"),
    [("whole", 0, SIZE), ("above L5/S1", 0, 165.5), ("just below L5/S1", 0, 192.5), ("below L1/L2", 75.5, SIZE)],
)
def test_the_window_is_stretched_and_points_and_maps_move_with_it(part, cut, top, bottom):
    shown = cut_off.cut_off(part, cut)
    assert len(shown.images) == len(shown.index) == 2, "without all levels there is no telling where to cut"
    first = shown.images[0].astype(float)
    rows = (np.arange(SIZE) + 0.5) / SIZE * (bottom - top) + top - 0.5
    np.testing.assert_allclose(first[1:-1, 9], rows[1:-1], atol=1.01)
    expected = ((COLUMN[:, 1] + 0.5 - top) / (bottom - top)) * SIZE - 0.5
    np.testing.assert_allclose(shown.points[0], np.column_stack([COLUMN[:, 0], expected]))
    native = Affine(shown.to_native[1]).points(shown.points[1])
    np.testing.assert_allclose(native, Affine(part.to_native[1]).points(part.points[1]))
    inside = (shown.points[0, :, 1] >= -0.5) & (shown.points[0, :, 1] <= SIZE - 0.5)
    hidden = {"above L5/S1": ["L5/S1"], "below L1/L2": ["L1/L2"]}.get(cut, [])
    assert [level for level, there in zip(LEVELS, inside, strict=True) if not there] == hidden


def answer(points, absent=np.nan, probability=0.9):
    return answered(np.asarray(points, float)[None].repeat(2, axis=0), probability, absent)


GONE = np.array([0.01, 0.01, 0.01, 0.01, 0.99])


@pytest.mark.parametrize(
    ("cut", "shifted", "absent", "wrong"),
    [
        ("whole", 0, np.nan, False),
        ("whole", 1, np.nan, True),
        ("whole", 0, GONE, True),
        ("above L5/S1", 0, np.nan, True),
        ("above L5/S1", 0, GONE, False),
        ("above L5/S1", 1, GONE, True),
        ("above L5/S1", 0, np.full(5, 0.99), True),
        ("just below L5/S1", 0, np.nan, False),
    ],
)
def test_an_answer_is_wrong_if_it_misleads(part, cut, shifted, absent, wrong):
    shown = cut_off.cut_off(part.select([0, 0]), cut)
    step = np.diff(shown.points[0], axis=0, prepend=2 * shown.points[0, :1] - shown.points[0, 1:2])
    found = cut_off.judged(shown, answer(shown.points[0] - shifted * step, absent))
    assert found["wrong"].tolist() == [wrong] * 2


def test_a_level_without_a_point_counts_as_outside_the_image(part):
    shown = part.select([0, 0])
    shown.points[:, 1:] = np.nan
    expected = np.where(np.arange(5) < 1, 0.01, 0.99)
    assert not cut_off.judged(shown, answer(COLUMN, expected))["wrong"].any()
    assert cut_off.judged(shown, answer(COLUMN, 1 - expected))["wrong"].all()
    assert cut_off.judged(shown, answer(COLUMN))["wrong"].all()
    shown.points[:, 1] = COLUMN[1]
    two = np.where(np.arange(5) < 2, 0.01, 0.99)
    assert not cut_off.judged(shown, answer(COLUMN, two))["wrong"].any()
    assert cut_off.judged(shown, answer(np.add(COLUMN, [0, 20]), two))["wrong"].all(), "more than half a gap off"


def test_what_speaks_for_a_flag(part):
    shown = part.select([0, 0])
    sure = cut_off.judged(shown, answer(COLUMN, 0.02, 0.8))
    assert not sure["unclear"].any()
    assert (sure["least"] == 0.8).all()
    assert cut_off.judged(shown, answer(COLUMN, 0.3))["unclear"].all()
    together = COLUMN.copy()
    together[3] = together[2] + 2
    assert cut_off.judged(shown, answer(together))["unclear"].all()
    doubtful_but_absent = answer(COLUMN, GONE)
    doubtful_but_absent.probability[:, 4] = 0.001
    assert (cut_off.judged(shown, doubtful_but_absent)["least"] == 0.9).all(), "it has no point to be in doubt of"


def test_shares_of_wrong_and_flagged_answers():
    rows = pd.DataFrame(
        {
            "patient": list("aabbcd"),
            "wrong": [True, True, True, False, False, False],
            "least": [0.9, 0.2, 0.9, 0.2, 0.9, 0.9],
            "unclear": [False, False, True, False, False, False],
        }
    )
    found = cut_off.summary(rows, limit=0.2)
    assert (found["images"], found["patients"], found["wrong"]) == (6, 4, 3)
    assert found["wrong_unflagged"] == pytest.approx(1 / 6)
    assert found["right_flagged"] == pytest.approx(1 / 3)
    low, high = found["wrong_unflagged_95"]
    assert low == 0 < found["wrong_unflagged"] < high < 0.6
    assert cut_off.summary(rows[rows["wrong"]], 0.2)["right_flagged"] is None
