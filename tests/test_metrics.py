"""Errors, their summaries and intervals, trivial baselines, and images whose levels are shifted."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumbar import metrics
from lumbar.landmarks import LEVELS, SIDES

LABELS = Path(__file__).parents[2] / "shared" / "real_mri" / "coords_pretrain.csv"


def compared(true, predicted, mm=(1.0, 1.0), views=None, channels=LEVELS):
    views = ["sagittal"] * len(true) if views is None else views
    return metrics.errors(true, predicted, np.tile(np.array(mm, float), (len(true), 1)), views, channels)


def column(count=3, step=30.0):
    """Return the points of `count` images, one below the other; they differ from image to image."""
    column = np.stack([np.full(5, 128.0), 60 + step * np.arange(5)], axis=-1)
    return column + np.arange(count)[:, None, None]


def test_a_known_error_has_these_numbers():
    found = metrics.summary(
        compared(column(), column() + np.array([3.0, -4.0]), mm=(0.5, 2.0)), list("abc"), bootstrap=0
    )
    assert found["radial_mean_px"] == found["radial_median_px"] == 5
    assert found["mae_px"] == 3.5
    assert found["mae_unit"] == pytest.approx(3.5 / 256)
    assert found["mse_unit"] == pytest.approx((9 + 16) / 2 / 256**2)
    assert found["mae_mm"] == pytest.approx((1.5 + 8) / 2)
    assert found["radial_mean_mm"] == pytest.approx(np.hypot(1.5, 8))
    assert (found["pck_3px"], found["pck_5px"]) == (0, 1), "a point exactly on the radius counts as within"
    assert (found["points"], found["images"], found["patients"], found["missing"]) == (15, 3, 3, 0)


def test_missing_points_are_counted_and_change_no_mean():
    true = column()
    true[0, 2] = np.nan
    found = metrics.summary(compared(true, column() + np.array([3.0, 4.0])), list("aab"), bootstrap=0)
    assert (found["points"], found["missing"], found["patients"]) == (14, 1, 2)
    assert found["radial_mean_px"] == 5


def test_without_a_pixel_size_there_are_pixels_but_no_millimetres():
    found = metrics.summary(compared(column(), column() + 1, mm=(np.nan, np.nan)), list("abc"), bootstrap=10)
    assert found["mae_px"] == 1
    assert found["points_with_mm"] == 0
    assert found["mae_mm"] is found["radial_mean_mm"] is found["sdr_2mm"] is found["radial_mean_mm_interval"] is None


def test_a_landmark_of_another_view_is_not_missing():
    channels = (*LEVELS, *SIDES)
    true = np.full((2, 7, 2), np.nan)
    true[0, :5], true[1, 5] = 100.0, 100.0
    found = compared(true, np.full((2, 7, 2), 101.0), views=["coronal", "axial"], channels=channels)
    assert found.missing.tolist() == [[False] * 7, [False] * 6 + [True]]


def test_a_prediction_that_is_not_a_number_is_an_error():
    predicted = column()
    predicted[1, 1, 0] = np.nan
    with pytest.raises(ValueError, match="not a number"):
        compared(column(), predicted)


def test_intervals_come_from_resampling_whole_patients():
    random = np.random.default_rng(3)
    patients = ["a", "a", "b", "c", "c", "c"]
    predicted = column(6) + random.normal(0, 3, (6, 5, 2))
    errors = compared(column(6), predicted)
    found = metrics.summary(errors, patients, bootstrap=300, seed=9)

    names, radial, rng = ["a", "b", "c"], errors.radial_px, np.random.default_rng(9)
    means, medians = [], []
    for _ in range(300):
        sample = [radial[np.array(patients) == names[number]].ravel() for number in rng.integers(3, size=3)]
        means.append(np.concatenate(sample).mean())
        medians.append(np.median(np.concatenate(sample)))
    assert found["radial_mean_px_interval"] == pytest.approx(np.percentile(means, [2.5, 97.5]))
    assert found["radial_median_px_interval"] == pytest.approx(np.percentile(medians, [2.5, 97.5]))


def test_many_images_of_few_patients_do_not_make_an_interval_narrow():
    offsets = np.repeat([1.0, 9.0, 2.0, 8.0], 25)  # four patients, each with an error of their own
    errors = compared(column(100), column(100) + offsets[:, None, None] * [1, 0])
    together = metrics.summary(errors, np.repeat(list("abcd"), 25), bootstrap=500)["radial_mean_px_interval"]
    apart = metrics.summary(errors, [str(n) for n in range(100)], bootstrap=500)["radial_mean_px_interval"]
    assert np.ptp(together) > 3 * np.ptp(apart)


def test_one_patient_has_no_interval():
    assert metrics.summary(compared(column(), column() + 1), list("aaa"))["radial_mean_px_interval"] is None


def test_groups_share_out_the_points():
    errors = compared(column(), column() + np.array([1, 2, 3])[:, None, None] * [1, 0])
    views = metrics.by_group(errors, list("abc"), np.array(["sagittal", "coronal", "coronal"]), bootstrap=0)
    assert {name: numbers["mae_px"] for name, numbers in views.items()} == {"sagittal": 0.5, "coronal": 1.25}
    levels = metrics.by_group(errors, list("abc"), np.tile(np.array(LEVELS, object), (3, 1)), bootstrap=0)
    assert [numbers["points"] for numbers in levels.values()] == [3] * 5


def test_baselines_come_from_the_training_points_alone():
    training = column(4)
    training[0, 0] = np.nan
    training[:, 4] = np.nan  # a landmark that no training image shows
    points = metrics.baselines(training, 2)
    assert points["mean per landmark"][0, 0].tolist() == [130.0, 62.0]
    assert points["mean per landmark"][0, 4].tolist() == points["mean point"][0, 0].tolist()
    assert points["image centre"][1, 3].tolist() == [127.5, 127.5]
    assert points["always zero"][0, 0].tolist() == [-0.5, -0.5], "unit coordinates begin at the outer edge of the image"


@pytest.mark.skipif(not LABELS.is_file(), reason="the public labels are not available")
def test_baselines_have_their_known_errors_on_the_public_labels():
    table = pd.read_csv(LABELS)
    wide = table.pivot_table(index=["source", "filename"], columns="level", values=["x", "y"])
    true = np.stack([wide["x"], wide["y"]], axis=-1).astype(float)
    scores = {
        name: metrics.summary(compared(true, points), [str(n) for n in range(len(true))], bootstrap=0)
        for name, points in metrics.baselines(true, len(true)).items()
    }
    assert scores["always zero"]["mae_unit"] == pytest.approx(0.507, abs=0.001)
    assert scores["mean point"]["mae_unit"] == pytest.approx(0.094, abs=0.001)
    from_mean = table[["x", "y"]] - table.groupby("level")[["x", "y"]].transform("mean")
    assert scores["mean per landmark"]["mae_px"] == pytest.approx(from_mean.abs().to_numpy().mean())
    assert scores["mean per landmark"]["radial_mean_px"] == pytest.approx(np.hypot(*from_mean.to_numpy().T).mean())


def test_an_image_whose_levels_are_shifted_by_one_is_found():
    true = column(4)
    moved = true + np.array([0.0, 30.0, -29.0, 10.0])[:, None, None] * [0, 1]
    assert metrics.level_shifts(true, moved, LEVELS).tolist() == [0, 1, -1, 0]


def test_an_image_with_one_known_point_cannot_be_judged():
    true = column(1)
    true[0, 1:] = np.nan
    assert np.isnan(metrics.level_shifts(true, column(1), LEVELS)).all()
    assert np.isnan(metrics.level_shifts(np.full((1, 2, 2), 9.0), np.zeros((1, 2, 2)), SIDES)).all()


@settings(max_examples=40)
@given(st.integers(0, 2**31), st.floats(0.2, 5), st.floats(0.2, 5))
def test_shares_grow_with_the_radius_and_units_agree(seed, mm_x, mm_y):
    random = np.random.default_rng(seed)
    true = random.uniform(0, 255, (4, 5, 2))
    true[random.random((4, 5)) < 0.3] = np.nan
    true[0, 0] = 100
    errors = compared(true, random.uniform(0, 255, (4, 5, 2)), mm=(mm_x, mm_y))
    found = metrics.summary(errors, list("aabb"), bootstrap=0)
    assert found["pck_2px"] <= found["pck_3px"] <= found["pck_5px"] <= found["pck_10px"] <= 1
    assert found["mae_unit"] * 256 == pytest.approx(found["mae_px"])
    assert found["mae_px"] * min(mm_x, mm_y) <= found["mae_mm"] * (1 + 1e-9)
    assert found["points"] + found["missing"] == 20
