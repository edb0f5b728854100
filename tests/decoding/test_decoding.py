"""Maps are read out to a fraction of a pixel; the levels are read together; a confidence means something."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbar import decoding
from lumbar.core.constants import VIEWS
from lumbar.decoding import peaks, points, rows
from lumbar.decoding.doubts import undecided, uneven_gaps
from lumbar.landmarks import LEVELS, NEIGHBOURS, channels
from lumbar.phantom import planning
from lumbar.phantom.anatomy import draw_patient
from lumbar.phantom.recipe import stream

GRID = np.arange(64) * 4 + 1.5  # where the 256 frame has the centres of a map's pixels
COLUMN = np.array([(125, 60), (118, 90), (114, 120), (115, 150), (122, 177)], float)


def spots(*places: tuple[float, float, float]) -> np.ndarray:
    """A map with Gaussian spots at (x, y), pixels of the 256 frame, each with its share of the chance."""
    found = np.full((64, 64), 1e-7)
    for x, y, share in places:
        spot = np.exp(-0.5 * (((GRID - x) / 4) ** 2 + ((GRID[:, None] - y) / 4) ** 2))
        found += share * spot / spot.sum()
    return found / found.sum()


def decode(maps, view, channels, **options):
    """Decode one image, whose maps are (h, w, K)."""
    maps, views = np.moveaxis(maps, -1, 0)[np.newaxis], np.array([VIEWS.index(view)])
    return decoding.Decoded(*(each[0] for each in decoding.decode(maps, views, channels, **options)))


@given(x=st.floats(20, 235), y=st.floats(20, 235))
def test_a_single_spot_is_read_to_a_tenth_of_a_pixel(x, y):
    points, confidence, *_ = decode(spots((x, y, 1.0))[..., None], "axial", ("left",))
    np.testing.assert_allclose(points[0], (x, y), atol=0.1)
    assert 0.4 < confidence[0] < 0.8, "a spot of 4 pixels has a little over half of its chance within 5"


def test_a_peak_of_one_pixel_is_one_peak():
    """Its windows in neighbouring pixels hold just as much; taken for several peaks it would be unsure of itself."""
    maps = np.zeros((64, 64, 5))
    for level, (x, y) in enumerate(COLUMN.round(-1).astype(int)):
        maps[y // 4, x // 4, level] = 1
    points, confidence, *_ = decode(maps, "sagittal", LEVELS)
    np.testing.assert_allclose(points, COLUMN, atol=8)
    np.testing.assert_allclose(confidence, 1, atol=1e-6)


def test_a_confidence_does_not_hang_on_the_last_digit():
    near, far = np.zeros((64, 64)), np.zeros((64, 64))
    near[30, 30], near[30, 33] = 0.58334, 0.41666  # the mean is a hair within 5 pixels of the left one
    far[30, 30], far[30, 33] = 0.58333, 0.41667  # and here a hair beyond
    sure = [decode(each[..., None], "axial", ("left",)).probability[0] for each in (near, far)]
    assert abs(sure[0] - sure[1]) < 1e-3


def test_the_levels_together_settle_what_single_maps_leave_open():
    step = np.diff(COLUMN, axis=0)
    below = np.vstack([COLUMN[1:], COLUMN[-1:] + step[-1:]])
    # Each map prefers the level below its own by a little, but for the first, which is sure of its place.
    maps = [spots((*right, 0.4), (*wrong, 0.6)) for right, wrong in zip(COLUMN, below, strict=True)]
    maps[0] = spots((*COLUMN[0], 1.0))
    points, *_ = decode(np.stack(maps, axis=-1), "sagittal", LEVELS)
    np.testing.assert_allclose(points, COLUMN, atol=0.3)
    alone = np.array([decode(each[..., None], "axial", ("left",))[0][0] for each in maps])
    np.testing.assert_allclose(alone[1:], below[1:], atol=0.3)


def test_a_column_that_might_as_well_be_one_level_off_is_unsure():
    step = np.diff(COLUMN, axis=0)
    below = np.vstack([COLUMN[1:], COLUMN[-1:] + step[-1:]])
    sure = np.stack([spots((*place, 1.0)) for place in COLUMN], axis=-1)
    torn = np.stack([spots((*a, 0.5), (*b, 0.5)) for a, b in zip(COLUMN, below, strict=True)], axis=-1)
    _, confident, *_ = decode(sure, "sagittal", LEVELS)
    _, doubtful, *_ = decode(torn, "sagittal", LEVELS)
    assert (doubtful < 0.9 * confident).all()


def levels_steps(view):
    """The usual steps between the five levels, and their spreads."""
    return (np.array(numbers)[1:-1] for numbers in rows.STEPS[view])


def test_the_best_combination_is_the_one_that_a_search_by_hand_finds():
    rng = np.random.default_rng(3)
    maps = np.stack([spots(*((*rng.uniform(60, 200, 2), share) for share in (0.5, 0.3, 0.2))) for _ in LEVELS], -1)
    found = peaks.find(np.moveaxis(maps, -1, 0)[np.newaxis], 256, 5.0)
    found = [(place[mass > 0], mass[mass > 0]) for place, mass in zip(found.place[0], found.mass[0], strict=True)]
    means, spreads = levels_steps("sagittal")

    def score(choice):
        places = [place[number] for (place, _), number in zip(found, choice, strict=True)]
        chance = sum(np.log(mass[number]) for (_, mass), number in zip(found, choice, strict=True))
        steps = (np.diff(places, axis=0) - means) / spreads
        return chance - 0.5 * np.minimum((steps**2).sum(1), 100).sum()

    best = max(itertools.product(*(range(len(mass)) for _, mass in found)), key=score)
    read, *_ = decode(maps, "sagittal", LEVELS)
    np.testing.assert_allclose(read, [place[number] for (place, _), number in zip(found, best, strict=True)])


@pytest.mark.parametrize("seed", range(4))
def test_rows_with_absent_discs_are_weighed_as_if_each_were_tried(seed, monkeypatch):
    """All rows of three discs, each at one of its peaks or absent, at three scales, one by one."""
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(rows, "SCALES", np.array([0.5, 1.0, 1.6]))
    place, mass = np.zeros((3, peaks.MOST, 2)), np.zeros((3, peaks.MOST))
    for order in range(3):
        place[order, :2] = rng.uniform((60, 60 + 60 * order), (200, 120 + 60 * order), (2, 2))
        mass[order, :2] = rng.uniform(0.1, 0.5, 2)
    gone, (means, spreads) = rng.uniform(0.05, 0.6, 3), (each[:2] for each in levels_steps("sagittal"))

    def chance(states, scale):
        """The score of one row at one scale; state 2 is absent."""
        total = -0.5 * (np.log(scale) / rows.SCALE_SPREAD) ** 2
        total += sum(
            np.log(np.append(masses[:2], absent)[s]) for masses, absent, s in zip(mass, gone, states, strict=True)
        )
        places = [None if s == 2 else each[s] for each, s in zip(place, states, strict=True)]
        seen = [order for order in range(3) if places[order] is not None]
        for order, (mean, spread) in enumerate(zip(means * scale, spreads * scale, strict=True)):
            above, below = places[order], places[order + 1]
            if above is not None and below is not None:
                total += -0.5 * min((((below - above - mean) / spread) ** 2).sum(), 100)
            elif above is not None and order == max(seen):
                total += rows._log_outside(above + mean, spread)
            elif below is not None and order + 1 == min(seen):
                total += rows._log_outside(below - mean, spread)
        return total + (rows.BROKEN_ROW if seen == [0, 2] else 0)

    every = [(*states, scale) for states in itertools.product(range(3), repeat=3) for scale in range(3)]
    every = [row for row in every if set(row[:3]) != {2}]
    scores = np.array([chance(row[:3], rows.SCALES[row[3]]) for row in every])
    weights = np.exp(scores - scores.max())
    found = peaks.Peaks(place[np.newaxis], mass[np.newaxis], mass[np.newaxis])
    row = rows.Row(*(each[0] for each in rows.weigh(found, *(each[np.newaxis] for each in (gone, means, spreads)))))
    np.testing.assert_allclose(row.shares[:, 2:], 0, err_msg="a map with two peaks has no third")
    shares = np.column_stack([row.shares[:, :2], row.absent])
    none = 1 - sum(weights) / (sum(weights) + nothing(gone, means, spreads) / np.exp(scores.max()))
    for order in range(3):
        expected = np.bincount([each[order] for each in every], weights / weights.sum(), 3) * (1 - none)
        np.testing.assert_allclose(shares[order], np.add(expected, [0, 0, none]), atol=1e-9)
    best = every[int(scores.argmax())]
    assert [b for b, state in zip(row.best, best, strict=False) if state < 2] == [s for s in best[:3] if s < 2]


def nothing(gone, means, spreads):
    """The weight of a row without discs: a perfect row of the usual scale has the same, but for what the maps say."""
    sizes = -0.5 * (np.log(rows.SCALES) / rows.SCALE_SPREAD) ** 2
    off = [(((1 - 1 / scale) * means / spreads) ** 2).sum(-1) for scale in rows.SCALES]
    return np.prod(gone) * sum(
        np.exp(size - 0.5 * np.minimum(each, 100).sum()) for size, each in zip(sizes, off, strict=True)
    )


def test_the_neighbouring_discs_settle_a_count_that_the_levels_leave_open():
    """Each level may as well be one disc lower; only S1/S2 tells where the sacrum is."""
    step = np.diff(COLUMN, axis=0)
    seven = np.vstack([COLUMN[0] - step[0], COLUMN, COLUMN[-1] + step[-1], COLUMN[-1] + 2 * step[-1]])
    torn = [spots((*here, 0.3), (*below, 0.7)) for here, below in itertools.pairwise(seven[1:-1])]
    points, *_ = decode(np.stack(torn, axis=-1), "sagittal", LEVELS)
    np.testing.assert_allclose(points, seven[2:-1], atol=0.5, err_msg="alone they are one disc too low")
    names = (*LEVELS, *NEIGHBOURS)
    sacrum = spots((*seven[6], 0.999), (*seven[7], 0.001))
    maps = np.stack([*torn, spots((*seven[0], 0.5), (*seven[1], 0.5)), sacrum], axis=-1)
    found = decode(maps, "sagittal", names)
    np.testing.assert_allclose(found.points[:5], COLUMN, atol=0.5)
    np.testing.assert_allclose(found.points[5:], seven[[0, 6]], atol=0.5)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.45])
@pytest.mark.parametrize(("way", "sign"), [(0, -1), (1, 1)])
def test_the_probability_of_another_count_is_the_share_of_each_map_and_not_their_product(share, way, sign):
    """All maps answer one question, which disc is which: five doubts of a tenth are a doubt of a tenth."""
    step = np.diff(COLUMN, axis=0)
    seven = np.vstack([COLUMN[0] - step[0], COLUMN, COLUMN[-1] + step[-1]])
    moved = seven[1 + sign : 6 + sign]
    maps = np.stack([spots((*a, 1 - share), (*b, share)) for a, b in zip(COLUMN, moved, strict=True)], axis=-1)
    miscounted = decode(maps, "sagittal", LEVELS).miscounted
    assert miscounted[way] == pytest.approx(share, rel=0.01)
    assert miscounted[1 - way] < 1e-3


def test_where_nothing_is_counted_no_other_count_has_a_probability():
    sure = np.stack([spots((*place, 1.0)) for place in COLUMN], axis=-1)
    assert (decode(sure, "sagittal", LEVELS).miscounted < 1e-6).all()
    assert np.isnan(decode(sure[..., :1], "axial", ("left",)).miscounted).all()
    assert np.isnan(answer(COLUMN, (0.999,) * 5).miscounted).all(), "all levels are absent"


def test_maps_without_anything_are_of_absent_points():
    found = decode(np.zeros((64, 64, 5)), "sagittal", LEVELS, may_be_absent=True)
    assert (found.absent > 0.99).all()
    assert np.isfinite(found.points).all()


def test_a_peak_at_the_edge_of_a_coronal_image_is_decoded_without_a_warning():
    """Warnings are errors here."""
    places = np.column_stack([[128, 128, 128, 128, 252], 30 + 30 * np.arange(5)])
    maps = np.stack([0.9 * spots((*place, 1.0)) for place in places], axis=-1)
    assert np.isfinite(decode(maps, "coronal", LEVELS, may_be_absent=True).points).all()


def answer(places, absent=(0.02,) * 5):
    """Decode maps of a network that can answer "absent": a spot at each place, and the probability of being absent."""
    maps = [spots((*place, 1.0)) * (1 - gone) for place, gone in zip(places, absent, strict=True)]
    return decode(np.stack(maps, axis=-1), "sagittal", LEVELS, may_be_absent=True)


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.0, 1.3, 1.7])
def test_a_spine_of_any_scale_is_read_whole(scale):
    places = 128 + (COLUMN - COLUMN.mean(axis=0)) * scale
    points, probability, absent, _ = answer(places)
    np.testing.assert_allclose(points, places, atol=0.3)
    assert (absent < 0.01).all(), "the steps lead to where the levels are"
    assert (probability > 0.4).all(), "a spot of 4 pixels has a little over half of its chance within 5"


@pytest.mark.parametrize(("up", "gone"), [(100.0, [0, 1]), (-115.0, [3, 4]), (-400.0, [0, 1, 2, 3, 4])])
def test_levels_that_the_image_cuts_off_are_absent(up, gone):
    places = COLUMN - [0, up]
    inside = [order for order in range(5) if order not in gone]
    shown = np.where(np.isin(range(5), gone)[:, None], [[128.0, 128.0]], places)
    absent = np.where(np.isin(range(5), gone), 0.9, 0.05)
    points, _, found, _ = answer(shown, absent)
    assert (found[gone] > 0.8).all()
    assert (found[inside] < 0.1).all()
    np.testing.assert_allclose(points[inside], places[inside], atol=0.3)


def test_a_level_is_not_absent_where_the_usual_step_leads_into_the_image():
    """Alone, the map of L5/S1 would leave it open; the step from L4/L5 leads to the very place of its spot."""
    _, _, absent, _ = answer(COLUMN, (0.02, 0.02, 0.02, 0.02, 0.7))
    assert absent[4] == pytest.approx(1 - points.CONTRADICTED), "and the contradiction is not hidden"
    low = np.add(COLUMN, [0, 77])  # L5/S1 would be at 254, just above the edge
    _, _, at_the_edge, _ = answer(low, (0.02, 0.02, 0.02, 0.02, 0.7))
    assert absent[4] < at_the_edge[4] < 0.9


def test_no_level_is_absent_between_others_unless_the_network_is_very_sure():
    for gone, expected in ((0.9, False), (1 - 1e-12, True)):
        _, _, absent, _ = answer(COLUMN, (0.02, 0.02, gone, 0.02, 0.02))
        assert (absent[2] > 0.5) == expected
        assert (absent[[0, 1, 3, 4]] < 0.5).all()


@pytest.mark.parametrize("sure", [1e-6, 1e-8, 1e-9, 1e-12])
@pytest.mark.parametrize("level", range(5))
def test_one_map_that_is_sure_of_nothing_does_not_silently_erase_the_others(level, sure):
    gone = np.full(5, 0.02)
    gone[level] = 1 - sure
    _, _, absent, _ = answer(COLUMN, gone)
    others = np.delete(absent, level)
    assert (others < 0.5).all() or undecided(absent).any()


def test_with_nothing_absent_and_the_usual_scale_the_answer_is_that_of_the_other_networks():
    torn = [spots((*place, 0.6), (*np.add(place, [3, 31]), 0.4)) for place in COLUMN]
    maps = np.stack(torn, axis=-1)
    usual = decode(maps, "sagittal", LEVELS)
    found = decode(maps, "sagittal", LEVELS, may_be_absent=True)
    np.testing.assert_allclose(found.points, usual.points, atol=1e-9)
    np.testing.assert_allclose(found.absent, 0, atol=1e-6)
    assert np.isnan(usual.absent).all()


def test_a_side_of_an_axial_image_may_be_absent_too():
    maps = np.zeros((64, 64, 7))
    maps[..., :5] = spots((128, 128, 1.0))[..., None]
    maps[..., 5], maps[..., 6] = 0.97 * spots((90, 130, 1.0)), 0.2 * spots((170, 130, 1.0))
    found = decode(maps, "axial", channels(("sagittal", "axial")), may_be_absent=True)
    np.testing.assert_allclose(found.absent[5:], [0.03, 0.8], atol=1e-6)
    assert found.probability[6] < 0.2


@pytest.mark.parametrize("view", rows.STEPS)
def test_the_usual_steps_are_those_of_the_synthetic_patients(view):
    steps = []
    for number in range(60):
        patient, rng = draw_patient(stream(3, number, 0)), stream(3, number, 1)
        cut = getattr(planning, view)(patient, rng)[0]
        above, below = patient.neighbours_mm(view).values()
        native = np.array([cut.plane.to_pixels(p) for p in (above, *patient.landmarks_mm(view).values(), below)])
        steps.append(np.diff((native + 0.5) / (cut.width, cut.height) * 256 - 0.5, axis=0))
    means, spreads = map(np.array, rows.STEPS[view])
    np.testing.assert_allclose(means, np.mean(steps, axis=0), atol=2.0)
    np.testing.assert_allclose(spreads, 1.5 * np.std(steps, axis=0), rtol=0.35, atol=0.5)


@pytest.mark.parametrize(
    ("heights", "found"),
    [
        ([30, 60, 90, 120, 145], ()),
        ([30, 60, 90, 120, 120], ("L4/L5 and L5/S1 lie unusually close together",)),
        ([30, 60, 120, 150, 180], ("L2/L3 and L3/L4 lie unusually far apart",)),
        (
            [30, 34, 64, 94, 150],
            ("L1/L2 and L2/L3 lie unusually close together", "L4/L5 and L5/S1 lie unusually far apart"),
        ),
        (
            [50, 50, 50, 50, 50],
            tuple(f"{a} and {b} lie unusually close together" for a, b in itertools.pairwise(LEVELS)),
        ),
    ],
)
def test_two_levels_on_one_disc_and_a_disc_passed_over_are_found(heights, found):
    points = np.column_stack([np.linspace(120, 130, 5) if len(set(heights)) > 1 else np.full(5, 120.0), heights])
    assert uneven_gaps(points) == found
    assert uneven_gaps(points * 3.7 + 11) == found, "whatever the unit"


@pytest.mark.parametrize("view", rows.STEPS)
def test_the_spines_of_synthetic_patients_are_even(view):
    for number in range(60):
        points = np.array(list(draw_patient(stream(3, number, 0)).landmarks_mm(view).values()))
        assert uneven_gaps(points) == ()


def test_axial_sides_are_read_one_by_one():
    maps = np.zeros((64, 64, 7))
    maps[..., :5] = spots((128, 128, 1.0))[..., None]
    maps[..., 5], maps[..., 6] = spots((150, 100, 1.0)), spots((106, 100, 1.0))
    points, *_ = decode(maps, "axial", channels(("sagittal", "axial")))
    np.testing.assert_allclose(points[5:], [(150, 100), (106, 100)], atol=0.1)
