"""Changes of frame are exact and invertible and move images like points; planes agree with the DICOM standard."""

import cv2
import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st

from lumbar.geometry import SIZE, USUAL_DISPLAY, Affine, Plane, nearest_view, upright

sizes = st.integers(2, 2000)
numbers = st.floats(-500, 500)
angles = st.floats(-360, 360)
scales = st.floats(0.1, 10)
maps = st.one_of(
    st.builds(Affine.translation, numbers, numbers),
    st.builds(lambda s, t, x, y: Affine.scaling(s, t, about=(x, y)), scales, scales, numbers, numbers),
    st.builds(lambda a, x, y: Affine.rotation(a, about=(x, y)), angles, numbers, numbers),
    st.builds(Affine.flip_horizontal, sizes),
    st.builds(Affine.stretch, sizes, sizes),
    st.builds(Affine.letterbox, sizes, sizes),
    st.builds(lambda w, h, a, b: Affine.letterbox(w, h, pixel_width=a, pixel_height=b), sizes, sizes, scales, scales),
    st.builds(Affine.unit, sizes, sizes),
)
points = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5).map(np.array)


@given(maps, points)
def test_a_map_and_its_inverse(change, xy):
    np.testing.assert_allclose(change.inverse().points(change.points(xy)), xy, atol=1e-6)
    np.testing.assert_allclose(change.inverse().inverse().matrix, change.matrix, atol=1e-6)


@given(maps, maps, points)
def test_then_is_one_after_the_other(first, second, xy):
    np.testing.assert_allclose(first.then(second).points(xy), second.points(first.points(xy)), atol=1e-6)


@given(maps, points)
def test_differences_ignore_the_shift_and_missing_points_stay_missing(change, xy):
    origin = change.points(np.zeros(2))
    np.testing.assert_allclose(change.vectors(xy), change.points(xy) - origin, atol=1e-6)
    assert np.isnan(change.points([np.nan, np.nan])).all()


@given(sizes, sizes)
def test_stretch_maps_edges_to_edges(width, height):
    edges = Affine.stretch(width, height).points([[-0.5, -0.5], [width - 0.5, height - 0.5]])
    np.testing.assert_allclose(edges, [[-0.5, -0.5], [SIZE - 0.5, SIZE - 0.5]], atol=1e-9)


@given(sizes, sizes, scales, scales)
def test_letterbox_keeps_proportions_and_fits(width, height, pixel_width, pixel_height):
    change = Affine.letterbox(width, height, pixel_width=pixel_width, pixel_height=pixel_height)
    per_mm = change.vectors([[1 / pixel_width, 0], [0, 1 / pixel_height]])
    assert per_mm[0, 0] == pytest.approx(per_mm[1, 1])
    edges = change.points([[-0.5, -0.5], [width - 0.5, height - 0.5]])
    assert edges.min() >= -0.5 - 1e-6
    assert edges.max() <= SIZE - 0.5 + 1e-6
    assert (edges[1] - edges[0]).max() == pytest.approx(SIZE)
    np.testing.assert_allclose(edges.sum(axis=0), SIZE - 1, atol=1e-6)


def test_unit_coordinates_count_from_edge_to_edge():
    np.testing.assert_allclose(
        Affine.unit().points([[-0.5, -0.5], [127.5, 0], [255.5, 255]]), [[0, 0], [0.5, 0.5 / 256], [1, 255.5 / 256]]
    )


def test_a_flip_sends_the_first_pixel_to_the_last():
    np.testing.assert_allclose(Affine.flip_horizontal(10).points([[0, 3], [9, 3]]), [[9, 3], [0, 3]])


def test_rotation_turns_x_towards_y():
    np.testing.assert_allclose(Affine.rotation(90, about=(5, 5)).points([6, 5]), [5, 6], atol=1e-12)


def test_a_map_that_flattens_has_no_inverse():
    with pytest.raises(ValueError, match="no inverse"):
        Affine.scaling(1, 0).inverse()
    with pytest.raises(ValueError, match="finite"):
        Affine([[1, 0, np.nan], [0, 1, 0]])


@settings(max_examples=40)
@given(
    width=st.integers(120, 700),
    height=st.integers(120, 700),
    x=st.floats(0.2, 0.8),
    y=st.floats(0.2, 0.8),
    angle=st.floats(-30, 30),
    resize=st.sampled_from([Affine.stretch, Affine.letterbox]),
)
def test_images_move_with_points(width, height, x, y, angle, resize):
    """The centroid of a Gaussian spot moves with its point, to a tenth of a pixel."""
    xy = np.array([x * (width - 1), y * (height - 1)])
    rows, columns = np.mgrid[:height, :width]
    spread = min(width, height) / 40  # small enough that no edge cuts it off
    picture = np.exp(-((columns - xy[0]) ** 2 + (rows - xy[1]) ** 2) / (2 * spread**2)).astype(np.float32) * 1000
    change = Affine.rotation(angle, about=(width / 2, height / 2)).then(resize(width, height))
    target = change.points(xy)
    moved = change.image(picture).astype(float)
    if (target > 25).all() and (target < SIZE - 25).all():
        rows, columns = np.mgrid[:SIZE, :SIZE]
        centroid = np.array([(moved * columns).sum(), (moved * rows).sum()]) / moved.sum()
        np.testing.assert_allclose(centroid, target, atol=0.1)


def test_shrinking_averages_pixels():
    """A chessboard of single pixels becomes uniform grey, not stripes."""
    board = (np.indices((1024, 1024)).sum(axis=0) % 2 * 200).astype(np.uint8)
    small = Affine.stretch(1024, 1024).image(board)[8:-8, 8:-8]
    assert abs(float(small.mean()) - 100) < 2
    assert small.std() < 5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_an_image_keeps_its_dtype_and_the_identity_changes_nothing(dtype):
    picture = (np.random.default_rng(0).random((SIZE, SIZE)) * 250).astype(dtype)
    moved = Affine.identity().image(picture)
    assert moved.dtype == dtype
    np.testing.assert_array_equal(moved, picture)


unit_quaternions = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: sum(v * v for v in q) > 0.1)


def plane_of(quaternion, position, pixel_width, pixel_height) -> Plane:
    rotation = cv2.Rodrigues(np.array(quaternion[:3]) * quaternion[3] * 3)[0]
    return Plane(np.array(position), rotation[0], rotation[1], pixel_width, pixel_height)


planes = st.builds(plane_of, unit_quaternions, st.tuples(numbers, numbers, numbers), scales, scales)


@given(planes, points)
def test_a_plane_and_its_inverse(plane, xy):
    xyz = plane.to_patient(xy)
    np.testing.assert_allclose(plane.to_pixels(xyz), xy, atol=1e-6)
    np.testing.assert_allclose(plane.distance(xyz), 0, atol=1e-6)
    np.testing.assert_allclose(plane.to_pixels(xyz + 7 * plane.normal), xy, atol=1e-6)
    np.testing.assert_allclose(plane.distance(xyz + 7 * plane.normal), 7, atol=1e-6)


@given(planes, points)
def test_a_plane_agrees_with_an_independent_library(plane, xy):
    image = SimpleITK.Image(4, 4, 1, SimpleITK.sitkUInt8)
    image.SetOrigin(plane.position.tolist())
    image.SetSpacing([plane.pixel_width, plane.pixel_height, 1])
    image.SetDirection(np.stack([plane.along_row, plane.along_column, plane.normal], axis=1).ravel().tolist())
    for point in xy:
        theirs = image.TransformContinuousIndexToPhysicalPoint([*point.tolist(), 0.0])
        np.testing.assert_allclose(plane.to_patient(point), theirs, atol=1e-6)


def test_the_standards_equation():
    """PS3.3 C.7.6.2.1.1: P = S + X·Δi·i + Y·Δj·j; the column index i runs along the first three cosines."""
    plane = Plane([10, 20, 30], [0, 1, 0], [0, 0, -1], pixel_width=0.5, pixel_height=2)
    np.testing.assert_allclose(plane.to_patient([4, 3]), [10, 20 + 4 * 0.5, 30 - 3 * 2])
    np.testing.assert_allclose(plane.normal, [-1, 0, 0])


@pytest.mark.parametrize(
    ("along_row", "along_column", "pixel_width"),
    [([1, 0, 0], [1, 0, 0], 1), ([2, 0, 0], [0, 1, 0], 1), ([1, 0, 0], [0, 1, 0], 0), ([1, 0, np.nan], [0, 1, 0], 1)],
)
def test_an_invalid_plane_is_refused(along_row, along_column, pixel_width):
    with pytest.raises(ValueError, match=r"perpendicular|positive|finite"):
        Plane([0, 0, 0], along_row, along_column, pixel_width, 1)


@pytest.mark.parametrize("view", USUAL_DISPLAY)
@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
@pytest.mark.parametrize("tilt", [0, 25])
def test_upright_displays_an_image_as_usual_however_it_is_stored(view, across, signs, tilt):
    right, down = np.array(USUAL_DISPLAY[view], dtype=float)
    c, s = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    right, down = c * right + s * down, c * down - s * right
    stored = np.array([signs[0] * right, signs[1] * down])
    stored = stored[::-1] if across else stored
    assert nearest_view(stored) == view
    change, width, height = upright(stored, 7, 5)
    assert (width, height) == ((5, 7) if across else (7, 5))
    for direction, along in (((1, 0), right), ((0, 1), down)):
        np.testing.assert_allclose(change.inverse().vectors(direction) @ stored, along, atol=1e-12)
    corners = change.points([(0, 0), (6, 0), (0, 4), (6, 4)])
    assert sorted(map(tuple, corners)) == [(0, 0), (0, height - 1), (width - 1, 0), (width - 1, height - 1)]
    assert change.is_identity == (not across and signs == (1, 1))
