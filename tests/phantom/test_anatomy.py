"""Synthetic patients: their numbers, their labels, their reproducibility. Nothing is rendered here."""

import numpy as np
import pytest

from lumbar.landmarks import LEVELS
from lumbar.phantom.anatomy import draw_patient
from lumbar.phantom.variation import TRANSITIONAL_RATES, VERTEBRAE, draw_variation, rate, wear


@pytest.fixture(scope="module")
def patients():
    return [draw_patient(np.random.default_rng(seed)) for seed in range(60)]


@pytest.fixture(scope="module")
def people():
    return [draw_variation(np.random.default_rng(seed)) for seed in range(1500)]


def _pitch(segment):
    return np.degrees(np.arctan2(-segment.axes[2, 1], segment.axes[2, 2]))


def test_the_same_state_gives_the_same_patient():
    first, second = (draw_patient(np.random.default_rng(7)) for _ in range(2))
    assert first.findings == second.findings
    assert np.array_equal(first.rotation, second.rotation)
    assert len(first.solids) == len(second.solids)
    for one, other in zip(first.boxes, second.boxes, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("view", ["sagittal", "coronal"])
def test_levels_run_from_the_head_down(patients, view):
    for patient in patients:
        points = patient.landmarks_mm(view)
        assert tuple(level for level, _ in points) == LEVELS
        heights = [point[2] for point in points.values()]
        assert np.all(np.diff(heights) < -15)


def test_axial_points_are_on_the_patients_own_sides(patients):
    for patient in patients:
        points = patient.landmarks_mm("axial")
        assert set(points) == {(level, side) for level in LEVELS for side in ("left", "right")}
        for level in LEVELS:
            apart = points[level, "left"] - points[level, "right"]
            assert 12 < apart[0] < 32
            assert np.linalg.norm(apart[1:]) < 8


def test_an_unknown_view_is_refused(patients):
    with pytest.raises(ValueError, match="oblique"):
        patients[0].landmarks_mm("oblique")


def test_frames_are_right_handed_and_meet_the_discs(patients):
    for patient in patients:
        frames = [*patient.disc_frames().values(), patient.sagittal_frame(), patient.coronal_frame()]
        for frame in frames:
            axes = np.array(frame[1:])
            assert np.allclose(axes @ axes.T, np.eye(3), atol=1e-9)
            assert np.allclose(np.cross(frame.left, frame.posterior), frame.superior)
            assert frame.left[0] > 0.8
            assert frame.superior[2] > 0.4
        sagittal, coronal = frames[-2:]
        for point in patient.landmarks_mm("sagittal").values():
            assert abs((point - sagittal.centre) @ sagittal.left) < 8
        for point in patient.landmarks_mm("coronal").values():
            assert abs((point - coronal.centre) @ coronal.posterior) < 20


def test_coronal_points_are_the_centres_of_the_disc_frames(patients):
    for patient in patients:
        for level, frame in patient.disc_frames().items():
            assert np.allclose(frame.centre, patient.landmarks_mm("coronal")[level, ""])


def test_lordosis_and_sacral_slope_are_those_of_the_literature(patients):
    lordosis = np.array([_pitch(p.column.discs[-1]) - _pitch(p.column.bodies[5]) for p in patients])
    lordosis += [p.person.disc_wedge[-1] / 2 for p in patients]
    slope = np.array([p.person.sacral_slope for p in patients])
    assert 38 < lordosis.mean() < 50  # supine 46°, 20–81° (Anat Res Int 2014)
    assert 7 < lordosis.std() < 14
    assert 32 < slope.mean() < 39  # 39° (Vaz 2002) to 41 ± 7° (Boulay 2006) standing, a few degrees less lying


def test_heights_and_depths_are_those_of_the_literature(people):
    healthy = [person for person in people if not any("fracture" in finding for finding in person.findings)]
    front, depth = (np.array([getattr(p, name)[-1] for p in healthy]) for name in ("front_height", "depth"))
    assert front.mean() == pytest.approx(30.3, abs=1.0)  # Cook & Baker 2021, L5
    assert depth.mean() == pytest.approx(35.7, abs=1.5)
    young = np.array([p.disc_height[-5:] for p in people if p.age < 30])
    assert np.all(young.mean(axis=0) > 6)
    assert np.all(young.mean(axis=0) < 11)
    assert np.all(np.array([p.disc_height for p in people]) > 1.5)


def test_degeneration_and_findings_occur_as_stated(people):
    decades = {age: [p for p in people if abs(p.age - age) < 8] for age in (30, 50, 70)}
    for age, group in decades.items():
        worn = np.mean([(p.grade[-5:] >= 3).any() for p in group])
        assert worn == pytest.approx(rate("degeneration", age), abs=0.08)
        slipped = np.mean([(p.slip != 0).any() for p in group])
        assert slipped == pytest.approx(rate("slip", age), abs=0.06)
    counts = np.array([p.lumbar_vertebrae for p in people])
    for lumbar, share in TRANSITIONAL_RATES.items():
        assert np.mean(counts == lumbar) == pytest.approx(share, abs=0.02)


def test_findings_name_the_sampled_changes(people):
    discs = [f"{a}/{b}" for a, b in zip(VERTEBRAE, (*VERTEBRAE[1:], "S1"), strict=True)]
    for person in people[:200]:
        for index, name in enumerate(discs):
            assert (f"spondylolisthesis {name}" in person.findings) == (person.slip[index] != 0)
            assert (f"protrusion {name}" in person.findings) == (person.hernia[index] > 0)
            assert (f"Modic change {name}" in person.findings) == (person.modic[index] > 0)
            assert (f"Schmorl's node {name}" in person.findings) == person.schmorl[index].any()


def test_without_anomalies_there_are_no_findings():
    for seed in range(100):
        patient = draw_variation(np.random.default_rng(seed), anomalies=False)
        assert patient.findings == ()
        assert patient.lumbar_vertebrae == 5
        assert not patient.slip.any()


def test_a_worn_person_has_a_collapsed_low_disc_and_whoever_is_not_worn_stays_the_same(people):
    collapsed = []
    for seed, person in enumerate(people[:300]):
        worn = wear(person, np.random.default_rng([seed, 1]))
        (changed,) = np.flatnonzero(worn.disc_height != person.disc_height)
        assert changed >= 8, "one of the two lowest"
        assert worn.grade[changed] == 5
        named = [finding for finding in worn.findings if finding.startswith("collapsed disc")]
        assert named == [f"collapsed disc {'L4/L5' if changed == 8 else 'L5/S1'}"]
        assert set(person.findings) <= set(worn.findings)
        slipped = worn.slip[changed] != person.slip[changed]
        assert slipped <= (f"spondylolisthesis{named[0][-6:]}" in worn.findings)
        collapsed.append(worn.disc_height[changed])
        assert worn.disc_wedge[5:].sum() - person.disc_wedge[5:].sum() == pytest.approx(
            worn.sacral_slope - person.sacral_slope
        ), "the spine above stays as upright as it was"
    assert np.min(collapsed) > 1.2
    assert np.max(collapsed) < 6
    usual, never, always = (draw_patient(np.random.default_rng(3), **way) for way in ({}, {"worn": 0}, {"worn": 1}))
    assert usual.findings == never.findings != always.findings
    assert np.array_equal(usual.boxes[0], never.boxes[0])


@pytest.mark.parametrize("view", ["sagittal", "coronal"])
def test_the_levels_of_worn_people_run_from_the_head_down_too(view):
    for seed in range(60):
        points = draw_patient(np.random.default_rng(seed), worn=1).landmarks_mm(view)
        assert np.all(np.diff([point[2] for point in points.values()]) < -8)
