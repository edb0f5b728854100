"""Augmentation moves points with pixels, changes nothing at strength 0, and is reproducible for the same seed."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumbar.augment import FARTHEST, NEAREST, PROPORTIONS, AugmentSettings, augment
from lumbar.geometry import SIZE


def spot(x: float, y: float) -> np.ndarray:
    picture = np.zeros((SIZE, SIZE), np.uint8)
    cv2.circle(picture, (round(x * 16), round(y * 16)), 3 * 16, 255, -1, cv2.LINE_AA, 4)
    return picture


def grey_at(picture: np.ndarray, point: np.ndarray) -> float:
    """Return the grey value at a place between the pixels."""
    column, row = (np.full((1, 1), value, np.float32) for value in point)
    return cv2.remap(picture.astype(np.float32), column, row, cv2.INTER_LINEAR).item()


ONLY_MOVING = dict.fromkeys(("brightness", "contrast", "gamma", "bias", "blur", "noise"), 0.0)


@settings(max_examples=60)
@given(
    x=st.floats(80, 176),
    y=st.floats(80, 176),
    seed=st.integers(0, 2**31),
    elastic=st.sampled_from([0.0, 2.0, 4.0]),
    flip=st.sampled_from([0.0, 1.0]),
)
def test_a_point_stays_at_its_place_in_the_image(x, y, seed, elastic, flip):
    """If the grey value is the column (or row), a moved point lies on the column (or row) that it came from."""
    how = AugmentSettings(elastic=elastic, flip=flip, **ONLY_MOVING)
    rows, columns = np.indices((SIZE, SIZE), np.uint8)
    for grey, origin in ((columns, x), (rows, y)):
        picture, points = augment(grey, np.array([[x, y]]), np.random.default_rng(seed), how)
        # Half a grey value is for rounding, the rest for interpolation.
        assert abs(grey_at(picture, points[0]) - origin) < 0.7


@given(seed=st.integers(0, 2**31))
@settings(max_examples=20)
def test_the_same_seed_gives_the_same_result_and_another_seed_does_not(seed):
    original, points = spot(120, 90), np.array([[120.0, 90.0]])
    first, second, other = (
        augment(original, points, np.random.default_rng(s), AugmentSettings()) for s in (seed, seed, seed + 1)
    )
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])
    assert not np.array_equal(first[0], other[0])


def test_strength_zero_changes_nothing():
    original, points = spot(120, 90), np.array([[120.0, 90.0], [np.nan, np.nan]])
    picture, moved = augment(original, points, np.random.default_rng(0), AugmentSettings(strength=0))
    assert np.array_equal(picture, original)
    np.testing.assert_array_equal(moved, points)


def test_a_missing_point_stays_missing_and_one_that_leaves_becomes_missing():
    how = AugmentSettings(shift=0, scale=0, stretch=0, rotation=90, elastic=0, **ONLY_MOVING)
    points = np.array([[np.nan, np.nan], [2.0, 2.0], [127.5, 127.5]])
    lost = 0
    for seed in range(20):
        _, moved = augment(spot(120, 90), points, np.random.default_rng(seed), how)
        assert np.isnan(moved[0]).all()
        assert not np.isnan(moved[2]).any()
        lost += np.isnan(moved[1]).all()
        inside = moved[~np.isnan(moved).any(axis=1)]
        assert ((inside >= -0.5) & (inside <= SIZE - 0.5)).all()
    assert lost > 5


WINDOW = dict(shift=0, scale=0, stretch=0, rotation=0, elastic=0, field_of_view=1.0, **ONLY_MOVING)


def test_another_field_of_view_shows_a_part_enlarged_or_the_whole_smaller():
    """Points move with the pixels, and those that the window does not show keep their places outside, if asked."""
    rows, columns = np.indices((SIZE, SIZE), np.uint8)
    points = np.array([[60.0, 20.0], [128.0, 128.0], [200.0, 240.0], [np.nan, np.nan]])
    scales, outside = [], 0
    for seed in range(300):
        results = [
            augment(grey, points, np.random.default_rng(seed), AugmentSettings(**WINDOW), keep_outside=True)
            for grey in (columns, rows)
        ]
        moved = results[0][1]
        assert np.isnan(moved[3]).all()
        scales.append((moved[2] - moved[0]) / (points[2] - points[0]))
        corners = np.array([[-0.5, -0.5], [SIZE - 0.5, SIZE - 0.5]])
        ends = (corners - points[0]) * scales[-1] + moved[0]
        for axis, scale in enumerate(scales[-1]):
            whole_inside = (ends[0, axis] >= -0.5 - 1e-6) and (ends[1, axis] <= SIZE - 0.5 + 1e-6)
            covered = (ends[0, axis] <= -0.5 + 1e-6) and (ends[1, axis] >= SIZE - 0.5 - 1e-6)
            assert whole_inside if scale < 1 else covered
        inside = ((moved > 1) & (moved < SIZE - 2)).all(axis=1)
        for point, origin in zip(moved[inside], points[inside], strict=True):
            for (grey, _), true in zip(results, origin, strict=True):
                assert abs(grey_at(grey, point) - true) < 1.0
        forgotten = augment(rows, points, np.random.default_rng(seed), AugmentSettings(**WINDOW))[1]
        gone = ((moved < -0.5) | (moved > SIZE - 0.5)).any(axis=1)
        np.testing.assert_array_equal(np.isnan(forgotten).any(axis=1), gone | [False, False, False, True])
        outside += gone.sum()
    scales = np.array(scales)
    assert scales.min() > 1 / FARTHEST - 1e-9
    assert scales.max() < 1 / NEAREST + 1e-9
    assert 0.3 < (scales < 1).mean() < 0.6, "both happen often"
    assert 50 < outside < 600
    ratio = scales[:, 0] / scales[:, 1]
    assert max(ratio.max(), 1 / ratio.min()) < PROPORTIONS + 1e-9


def test_without_another_field_of_view_the_same_random_numbers_are_used():
    """Runs of the first release, which did not know it, continue with the batches that they would have had."""
    original, points = spot(120, 90), np.array([[120.0, 90.0]])
    _, moved = augment(original, points, np.random.default_rng(5), AugmentSettings(field_of_view=0))
    assert moved[0] == pytest.approx([113.3929, 77.1423], abs=1e-3)


def test_a_flip_keeps_left_and_right_with_the_patient():
    """After mirroring, the point called left is still on the right side of the image, as in any axial image."""
    how = AugmentSettings(flip=1, shift=0, scale=0, stretch=0, rotation=0, elastic=0, **ONLY_MOVING)
    points = np.array([[150.0, 100.0], [100.0, 110.0]])
    _, moved = augment(spot(150, 100), points, np.random.default_rng(0), how, ("left", "right"))
    np.testing.assert_allclose(moved, [[155.0, 110.0], [105.0, 100.0]], atol=1e-9)


@pytest.mark.parametrize("name", ["brightness", "contrast", "gamma", "contrast_remap", "bias", "blur", "noise"])
def test_each_change_of_grey_values_changes_the_image_and_no_point(name):
    off = dict.fromkeys(("shift", "rotation", "scale", "stretch", "elastic", *ONLY_MOVING), 0.0)
    how = AugmentSettings(**off | {name: getattr(AugmentSettings(), name) or 1.0})
    grey = cv2.GaussianBlur(spot(120, 90) // 2 + 60, (9, 9), 2)
    points = np.array([[120.0, 90.0]])
    changed = [augment(grey, points, np.random.default_rng(seed), how) for seed in range(5)]
    assert any(not np.array_equal(picture, grey) for picture, _ in changed)
    assert all(np.array_equal(moved, points) for _, moved in changed)
