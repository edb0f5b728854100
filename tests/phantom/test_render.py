"""Images of synthetic patients: reproducible, true to their landmarks, and the same anatomy in every plane."""

import cv2
import numpy as np
import pytest

from lumbar.geometry import Plane
from lumbar.landmarks import VIEWS
from lumbar.phantom.anatomy import MARGIN_INSIDE_MM, draw_patient
from lumbar.phantom.contrast import CONTRASTS, draw_contrast, ideal, like_ct
from lumbar.phantom.render import render
from lumbar.phantom.tissue import Tissue

DISC = (Tissue.ANNULUS, Tissue.FIBROUS, Tissue.NUCLEUS, Tissue.FLUID, Tissue.GAS)


def _plane(frame, right, down, *, size=256, field=300.0):
    """Return the plane of a square image about the centre of a frame."""
    step = field / size
    corner = frame.centre - (right + down) * step * (size - 1) / 2
    return Plane(corner, right, down, step, step)


def _sagittal(patient, **options):
    frame = patient.sagittal_frame()
    return _plane(frame, frame.posterior, -frame.superior, **options)


def test_the_same_state_gives_the_same_bytes_for_any_number_of_threads():
    rendered = []
    threads = cv2.getNumThreads()
    for count in (1, 2, 2):
        cv2.setNumThreads(count)
        rng = np.random.default_rng(3)
        patient, contrast = draw_patient(rng), draw_contrast("T2", rng)
        rendered.append(render(patient, _sagittal(patient), 301, 277, contrast, rng).tobytes())
    cv2.setNumThreads(threads)
    assert rendered[0] == rendered[1] == rendered[2]


@pytest.mark.parametrize("name", CONTRASTS)
@pytest.mark.parametrize("view", VIEWS)
def test_images_are_finite_bright_and_of_the_requested_size(name, view):
    rng = np.random.default_rng(11)
    patient, contrast = draw_patient(rng), draw_contrast(name, rng)
    frame = patient.disc_frames()["L4/L5"]
    right = frame.posterior if view == "sagittal" else frame.left
    down = frame.posterior if view == "axial" else -frame.superior
    image = render(patient, _plane(frame, right, down), 200, 230, contrast, rng)
    assert image.shape == (230, 200)
    assert image.dtype == np.float32
    assert np.isfinite(image).all()
    assert image.min() >= 0
    assert 100 < np.percentile(image, 99) < 3000


def test_an_unknown_contrast_is_refused():
    with pytest.raises(ValueError, match="PD"):
        draw_contrast("PD", np.random.default_rng(0))


def test_sagittal_points_lie_just_inside_the_posterior_margin_of_the_disc():
    signal = dict.fromkeys(DISC, 1.0)
    before, behind = [], []
    for seed in range(25):
        patient = draw_patient(np.random.default_rng(seed))
        for level, frame in patient.disc_frames().items():
            plane = _plane(frame, frame.posterior, -frame.superior, size=240, field=60.0)
            disc = render(patient, plane, 240, 240, ideal(signal), np.random.default_rng(0), thickness=0)
            x, y = plane.to_pixels(patient.landmarks_mm("sagittal")[level, ""])
            row = cv2.GaussianBlur(disc, (1, 5), 0.5)[round(y)]
            edge = int(x + MARGIN_INSIDE_MM / plane.pixel_width)
            before.append(row[edge - 8 : edge - 2].mean())
            behind.append(row[edge + 3 : edge + 9].mean())
    assert np.mean(np.array(before) > 0.8) > 0.97
    assert np.mean(np.array(behind) < 0.2) > 0.97


def test_the_canal_lies_just_behind_the_sagittal_points():
    canal = dict.fromkeys((Tissue.CSF, Tissue.ROOT, Tissue.CORD, Tissue.LIGAMENT, Tissue.EPIDURAL_FAT), 1.0)
    found = []
    for seed in range(25):
        patient = draw_patient(np.random.default_rng(seed))
        plane = _sagittal(patient, size=600)
        image = render(patient, plane, 600, 600, ideal(canal), np.random.default_rng(0), thickness=0)
        for point in patient.landmarks_mm("sagittal").values():
            x, y = np.rint(plane.to_pixels(point)).astype(int)
            found.append(image[y - 1 : y + 2, x + 4 : x + 10].mean())
    assert np.mean(np.array(found) > 0.7) > 0.95


def test_axial_points_lie_beside_the_sac_and_behind_the_disc():
    signal = dict.fromkeys(DISC, 1.0)
    for seed in range(12):
        patient = draw_patient(np.random.default_rng(seed))
        points = patient.landmarks_mm("axial")
        for level in ("L1/L2", "L3/L4"):
            frame = patient.disc_frames()[level]
            plane = _plane(frame, frame.left, frame.posterior, size=240, field=120.0)
            disc, sac = (
                render(patient, plane, 240, 240, ideal(kind), np.random.default_rng(0), thickness=0)
                for kind in (signal, {Tissue.CSF: 1.0, Tissue.ROOT: 1.0, Tissue.CORD: 1.0})
            )
            middle = np.average(np.indices(sac.shape)[1], weights=sac)
            for side, sign in (("left", 1), ("right", -1)):
                x, y = plane.to_pixels(points[level, side])
                assert sign * (x - middle) > 8
                assert disc[round(y) - 9, round(x)] > 0.5
                assert disc[round(y), round(x)] < 0.5


def test_crossing_planes_show_the_same_tissue_where_they_meet():
    values = np.random.default_rng(5).permutation(len(Tissue)) * 30.0
    contrast = ideal({tissue: float(values[tissue]) for tissue in Tissue})
    for seed in (1, 2):
        patient = draw_patient(np.random.default_rng(seed))
        frame = patient.sagittal_frame()
        turn = np.radians(33)
        oblique = np.cos(turn) * frame.posterior + np.sin(turn) * frame.left
        sagittal = _plane(frame, frame.posterior, -frame.superior, size=401)
        crossing = _plane(frame, oblique, -frame.superior, size=401)
        lines = [
            render(patient, plane, 401, 401, contrast, np.random.default_rng(0), thickness=0)[:, 200]
            for plane in (sagittal, crossing)
        ]
        difference = np.abs(lines[0] - lines[1])
        assert np.median(difference) < 2
        assert np.mean(difference > 60) < 0.06


def test_a_thick_slice_mixes_what_lies_beside_it():
    patient = draw_patient(np.random.default_rng(4))
    bone = ideal({Tissue.MARROW: 1.0, Tissue.CORTEX: 1.0})
    frame = patient.disc_frames()["L3/L4"]
    beside = frame._replace(centre=frame.centre + 17.0 * frame.left)
    plane = _plane(beside, frame.posterior, -frame.superior, size=200, field=160.0)
    thin, thick = (render(patient, plane, 200, 200, bone, np.random.default_rng(0), thickness=t) for t in (0.0, 6.0))
    part = (thick > 0.1) & (thick < 0.9)
    assert part.sum() > 1.3 * ((thin > 0.1) & (thin < 0.9)).sum()


def test_fat_is_nulled_by_stir_and_fluid_dark_in_t1():
    rng = np.random.default_rng(0)
    for _ in range(20):
        stir, t1, t2 = (draw_contrast(name, rng).signal for name in ("STIR", "T1", "T2"))
        assert stir[Tissue.FAT] < 0.25 * stir[Tissue.CSF]
        assert t1[Tissue.CSF] < 0.5 * t1[Tissue.FAT]
        assert t2[Tissue.CSF] > 2 * t2[Tissue.MUSCLE]
        assert t2[Tissue.NUCLEUS] > 2 * t2[Tissue.ANNULUS]


def test_like_ct_bone_is_bright_and_air_is_black():
    signal = like_ct().signal
    order = (Tissue.AIR, Tissue.GAS, Tissue.FAT, Tissue.CSF, Tissue.ANNULUS, Tissue.MARROW, Tissue.CORTEX)
    assert signal[Tissue.AIR] == 0
    assert list(signal[list(order)]) == sorted(signal[list(order)])
