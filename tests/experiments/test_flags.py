"""A flag is that of `predict`, and its price is counted over patients."""

import numpy as np
import pandas as pd
import pytest

from lumbar import datasets, inference, weights
from lumbar.experiments import cut_off, flags
from lumbar.geometry import Affine
from lumbar.inference import PreparedScan, find_points

PATIENTS = np.array(list("aabbccddee"))
WRONG = np.array([1, 0, 0, 0, 1, 0, 0, 0, 0, 1], bool)


def test_what_is_flagged_is_what_predict_flags(few_patients):
    network = weights.find("phantom")
    part = datasets.prepare(datasets.load(few_patients), views=network.views, progress=False)
    part = part.select(part.index["view"].to_numpy() == "sagittal")
    flagged = []
    for cut in cut_off.CUTS:
        shown = cut_off.cut_off(part, cut)
        rows = flags.judged(shown, inference.predict_with_probability(network.file, shown, progress=False), network)
        scans = [PreparedScan(image, "sagittal", Affine.identity(), "MR") for image in shown.images]
        found = find_points(network, scans, progress=False)
        assert rows["flagged"].tolist() == [bool(each.flagged) for each in found.points]
        counts = [each.count.one_higher + each.count.one_lower for each in found.points]
        np.testing.assert_allclose(rows["miscounted"], counts, atol=1e-9)
        flagged += rows["flagged"].tolist()
        expected = {(False, False): "right", (False, True): "right, but flagged"}
        expected |= {(True, True): "wrong, and flagged", (True, False): "wrong, not flagged"}
        assert rows["outcome"].tolist() == [expected[each] for each in zip(rows["wrong"], rows["flagged"], strict=True)]
    assert 0 < sum(flagged) < len(flagged), "both must occur, or nothing was compared"


def test_an_oracle_pays_one_look_for_each_mistake():
    found = flags.price(WRONG.astype(float), WRONG, PATIENTS)
    assert found["found"].tolist() == pytest.approx([1 / 3, 2 / 3] + [1] * 8)
    assert found["looks"].tolist() == pytest.approx([1, 1, 1, 4 / 3, 5 / 3, 2, 7 / 3, 8 / 3, 3, 10 / 3])
    assert found["false_alarms"].tolist() == pytest.approx([0, 0, 0] + [share / 7 for share in range(1, 8)])
    assert found["flagged"].tolist() == pytest.approx(np.arange(1, 11) / 10)


def test_the_most_doubtful_come_first_and_before_them_what_nobody_knows():
    doubt = np.array([0.1, 0.9, np.nan, 0.5, 0.2, 0.3, 0.0, 0.05, 0.4, 0.6])
    found = flags.price(doubt, WRONG, PATIENTS)
    np.testing.assert_equal(found["limit"].to_numpy(), [np.nan, 0.9, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.0])
    assert found["found"].tolist() == pytest.approx([0, 0, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 2 / 3, 1, 1, 1])
    assert found["looks"].tolist()[:3] == [np.inf, np.inf, 3]


def test_intervals_are_those_of_resampled_patients():
    doubt = np.linspace(1, 0, 10)
    found = flags.price(doubt, WRONG, PATIENTS, bootstrap=400, seed=3)
    random, shares, hits = np.random.default_rng(3), [], []
    for drawn in random.multinomial(5, [0.2] * 5, 400):
        times = np.repeat(drawn, 2)
        hits.append((times * WRONG)[:5].sum() / max(times[:5].sum(), 1))
        if (times * WRONG).sum():
            shares.append((times * WRONG)[:5].sum() / (times * WRONG).sum())
    low, high = np.percentile(shares, [2.5, 97.5])
    assert found.loc[4, ["found_low", "found_high"]].tolist() == pytest.approx([low, high])
    assert found.loc[4, "looks_low"] == pytest.approx(1 / np.percentile(hits, 97.5))
    assert low < found.loc[4, "found"] < high


def test_pictures_of_one_patient_are_not_independent():
    random = np.random.default_rng(0)
    doubt, wrong = np.repeat(random.random(40), 4), np.repeat(random.random(40) < 0.4, 4)
    one_person, own_person = (flags.price(doubt, wrong, of) for of in (np.arange(160) // 4, np.arange(160)))
    width = [(each["found_high"] - each["found_low"])[79] for each in (one_person, own_person)]
    assert width[0] > 1.5 * width[1]


def test_where_everything_is_wrong_nothing_is_stopped_in_vain():
    found = flags.price(np.arange(4.0), np.ones(4, bool), np.arange(4))
    assert found["false_alarms"].isna().all()
    assert (found["looks"] == 1).all()


def test_without_a_mistake_there_is_no_price():
    with pytest.raises(ValueError, match="no answer is wrong"):
        flags.price(pd.Series([0.1, 0.2]), pd.Series([False, False]), pd.Series(["a", "b"]))
