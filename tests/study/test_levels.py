"""The axial slice that shows a point of the patient is found exactly, and never guessed."""

import numpy as np
import pytest
import SimpleITK
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lumbar.imaging.dicom.slice_header import SliceHeader
from lumbar.landmarks import LEVELS
from lumbar.phantom.anatomy import draw_patient
from lumbar.study.levels import find_axial_slice, spine_directions
from lumbar.study.reading import read_study
from lumbar.study.stacks import group_into_stacks
from tests.support.phantom_studies import (
    FRAME,
    HEIGHT,
    WIDTH,
    centred,
    header,
    moved,
    parallel,
    write_enhanced,
    write_slices,
)

PATIENT = draw_patient(np.random.default_rng(12))
POINTS = np.array(list(PATIENT.landmarks_mm("sagittal").values()))
STEP = 4.4


def blocks(count=3, step=STEP, off=0.0):
    """Return parallel slices along each disc, the middle one `off` mm above it; pixels are twice as high as wide."""
    groups = []
    for level in PATIENT.disc_frames().values():
        middle = centred(level.centre + off * level.superior, level.left, level.posterior, 2.0, 4.0)
        groups.append(parallel(moved(middle, -(count // 2) * step * middle.normal), count, step))
    return groups


def axial(*paths):
    return [stack for _, stack in read_study(paths, progress=False).stacks("axial")]


def places(stacks, points=POINTS, reference=FRAME):
    directions = spine_directions(points)
    return [find_axial_slice(point, along, reference, stacks) for point, along in zip(points, directions, strict=True)]


@pytest.mark.parametrize("how", ["files", "reversed", "frames"])
def test_each_landmark_is_found_in_the_slice_along_its_disc_to_a_tenth_of_a_millimetre(tmp_path, how):
    groups = blocks(step=-STEP if how == "reversed" else STEP, off=0.7)
    if how == "frames":
        for number, planes in enumerate(groups):
            write_enhanced(tmp_path / f"{number}.dcm", planes, header("axial"))
    else:
        write_slices(tmp_path, [plane for planes in groups for plane in planes], header("axial"), shuffled=6)
    for level, point, place in zip(LEVELS, POINTS, places(axial(tmp_path)), strict=True):
        middle = groups[LEVELS.index(level)][1]
        np.testing.assert_allclose(place.slice.plane.position, middle.position, atol=1e-4)
        found = place.slice.plane.to_patient([place.x, place.y])
        # The projection of the point onto the slice lies as far away as stated, along the normal of the slice.
        assert np.linalg.norm(found - point) == pytest.approx(place.distance_mm, abs=1e-6)
        assert abs(middle.distance(point)) == pytest.approx(place.distance_mm, abs=1e-3)
        if how != "frames":
            image = SimpleITK.ReadImage(str(place.slice.path))
            x, y, _ = image.TransformPhysicalPointToContinuousIndex(point)
            assert abs(x - place.x) * 2.0 < 0.1
            assert abs(y - place.y) * 4.0 < 0.1
        assert place.remark == ""
        assert place.angle_degrees < 30


def test_a_point_between_slices_gets_a_remark_and_one_beyond_them_gets_no_slice(tmp_path):
    planes = [group[1] for group in blocks()]
    write_slices(tmp_path, planes, header("axial"), thickness=2.0, spacing=5.0)
    (stack, *_), disc = axial(tmp_path), PATIENT.disc_frames()["L1/L2"]
    assert stack.reach == pytest.approx(2 + 3 / 2)
    for away, remark in ((0.9, ""), (1.8, "ends 0.8 mm short"), (3.4, "ends 2.4 mm short")):
        place = find_axial_slice(disc.centre + away * disc.superior, disc.superior, FRAME, [stack])
        assert place.distance_mm == pytest.approx(away, abs=0.01)
        assert remark in place.remark
        assert bool(remark) == bool(place.remark)
    place = find_axial_slice(disc.centre + 3.7 * disc.superior, disc.superior, FRAME, [stack])
    assert place.slice is None
    assert np.isnan([place.x, place.y, place.distance_mm, place.angle_degrees]).all()
    assert place.remark == "no axial slice within 3.5 mm; the nearest lies 3.7 mm away"


@pytest.mark.parametrize("stated", [None, 40.0])
def test_a_gap_between_slices_does_not_extend_their_reach(tmp_path, stated):
    (plane, *_) = [group[1] for group in blocks()]
    write_slices(tmp_path, [plane, parallel(plane, 2, 40.0)[1]], header("axial"), thickness=4.0, spacing=stated)
    (stack,) = axial(tmp_path)
    assert stack.reach == 4.0
    place = find_axial_slice(plane.to_patient([20, 20]) + 10 * plane.normal, plane.normal, FRAME, [stack])
    assert "no axial slice" in place.remark


def test_a_missing_slice_is_not_replaced_by_another(tmp_path):
    groups = blocks()
    kept = [plane for level, planes in zip(LEVELS, groups, strict=True) if level != "L3/L4" for plane in planes]
    write_slices(tmp_path, kept, header("axial"))
    found = dict(zip(LEVELS, places(axial(tmp_path)), strict=True))
    assert [level for level, place in found.items() if place.slice is None] == ["L3/L4"]
    assert "no axial slice within 4.2 mm; the nearest lies" in found["L3/L4"].remark


def test_points_are_mapped_only_within_a_frame_of_reference(tmp_path):
    planes = [group[1] for group in blocks()]
    write_slices(tmp_path / "a", planes, header("axial", FrameOfReferenceUID="2.25.5"))
    write_slices(tmp_path / "b", planes, header("unknown", FrameOfReferenceUID="", SeriesNumber=2))
    for place in places(axial(tmp_path)):
        assert place.slice is None
        assert "another frame of reference" in place.remark
    assert all("not known" in place.remark for place in places(axial(tmp_path), reference=""))
    assert all("no axial slices" in place.remark for place in places([]))
    write_slices(tmp_path / "c", planes, header("same", SeriesNumber=3))
    found = places(axial(tmp_path))
    assert {place.slice.identity["description"] for place in found} == {"same"}


def test_a_point_outside_the_images_is_not_forced_into_one(tmp_path):
    planes = [group[1] for group in blocks()]
    write_slices(tmp_path, planes, header("axial"))
    beside = POINTS + np.array([WIDTH * 2.0, 0, 0])
    assert {place.remark for place in places(axial(tmp_path), beside)} == {
        "the point lies outside the pictures of all axial slices"
    }


def test_of_series_with_the_same_slices_the_first_is_used(tmp_path):
    planes = [group[1] for group in blocks()]
    for number, name in enumerate(("t1", "t2"), start=1):
        write_slices(tmp_path / name, planes, header(name, SeriesNumber=number))
    one, other = ([stack for _, stack in read_study([tmp_path], progress=False).stacks("axial", [n])] for n in "12")
    for first, second, name in ((one, other, "t1"), (other, one, "t2")):
        assert {place.slice.identity["description"] for place in places([*first, *second])} == {name}


def test_a_slice_along_the_disc_is_preferred_to_a_nearer_one_that_crosses_it(tmp_path):
    disc = PATIENT.disc_frames()["L5/S1"]
    along = centred(POINTS[4] + 1.5 * disc.superior, disc.left, disc.posterior, 2.0, 4.0)
    straight = centred(POINTS[4], np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), 2.0, 4.0)
    write_slices(tmp_path, [straight, along], header("axial"))
    place = find_axial_slice(POINTS[4], disc.superior, FRAME, axial(tmp_path))
    assert place.distance_mm == pytest.approx(1.5, abs=1e-3)
    assert place.angle_degrees < 0.1
    across = find_axial_slice(POINTS[4], straight.normal, FRAME, axial(tmp_path))
    assert across.distance_mm == pytest.approx(0, abs=1e-3)


def test_the_tilt_of_the_discs_is_estimated_as_well_as_the_docstring_says():
    off = []
    for seed in range(60):
        patient = draw_patient(np.random.default_rng(seed))
        directions = spine_directions(np.array(list(patient.landmarks_mm("sagittal").values())))
        true = np.array([frame.superior for frame in patient.disc_frames().values()])
        off.append(np.degrees(np.arccos(np.abs(np.sum(directions * true, axis=1)))))
    off = np.array(off)
    assert off[:, :4].mean() < 4.5
    assert off[:, 4].mean() < 11


small = st.floats(-0.6, 0.6)


@settings(max_examples=60)
@given(
    row=st.tuples(st.just(1.0), small, small),
    column=st.tuples(small, st.just(1.0), small),
    pixel=st.tuples(st.floats(0.2, 3), st.floats(0.2, 3)),
    step=st.floats(0.5, 9).flatmap(lambda value: st.sampled_from((value, -value))),
    place=st.tuples(st.floats(0, WIDTH - 1), st.floats(0, HEIGHT - 1), st.floats(-0.4, 0.4)),
    index=st.integers(0, 6),
    order=st.permutations(range(7)),
)
def test_a_point_is_found_in_the_slice_in_which_it_lies(row, column, pixel, step, place, index, order):
    row, column = np.array(row), np.array(column)
    assume(abs(row @ column) < 0.9 * np.linalg.norm(row) * np.linalg.norm(column))
    planes = parallel(centred(np.array([5.0, -10, 20]), row, column, *pixel), 7, step)
    assume(abs(planes[0].normal[2]) > 0.75)
    slices = [
        SliceHeader(None, number, WIDTH, HEIGHT, plane, abs(step), None, FRAME, {}, (), {}, None)
        for number, plane in enumerate(planes)
    ]
    (stack,) = group_into_stacks([slices[number] for number in order])
    x, y, along = place
    point = planes[index].to_patient([x, y]) + along * step * planes[index].normal
    found = find_axial_slice(point, planes[0].normal, FRAME, [stack])
    assert found.slice.frame == index
    assert (found.x, found.y) == pytest.approx((x, y), abs=1e-3)
    assert found.distance_mm == pytest.approx(abs(along * step), abs=1e-3)
    assert found.angle_degrees == pytest.approx(0, abs=0.01)
