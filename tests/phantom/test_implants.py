"""Metal implants: holes where the discs are, the same patient otherwise, and nothing without the setting."""

import numpy as np
import pandas as pd
import pydicom
import pytest

from lumbar import imaging
from lumbar.landmarks import LEVELS
from lumbar.phantom import PhantomSettings, write_study
from lumbar.phantom.anatomy import draw_patient
from lumbar.phantom.implants import FUSED, draw_implants, with_holes
from lumbar.phantom.recipe import stream

SERIES = ("sagittal-t1", "sagittal-t2")


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """The same patient without and with implants."""
    out = tmp_path_factory.mktemp("implants")
    return [write_study(out / f"{share:g}", PhantomSettings(series=SERIES, implants=share)) for share in (0.0, 1.0)]


@pytest.mark.parametrize("series", SERIES)
def test_the_image_is_the_same_but_for_dark_holes_with_bright_rims_near_the_fused_discs(studies, series):
    plain, metal = (pydicom.dcmread(study / series / "001.dcm").pixel_array.astype(float) for study in studies)
    changed = np.abs(metal - plain) > 0.02 * plain.max()
    assert 0.005 < changed.mean() < 0.15
    darker = changed & (metal < 0.2 * plain)
    brighter = changed & (metal > plain)
    assert darker.sum() > 50
    assert brighter.sum() > 20
    patient = draw_patient(stream(7, 1, 0))
    rng = stream(7, 1, 0, 1)
    rng.random()
    implants = draw_implants(patient, rng)
    plane = imaging.read(studies[1] / series / "001.dcm").plane
    centres = [plane.to_pixels(hole.centre) for hole in implants.holes]
    rows, columns = np.nonzero(changed)
    away = np.min([np.hypot(columns - x, rows - y) for x, y in centres], axis=0)
    assert away.max() * min(plane.pixel_width, plane.pixel_height) < 30


def test_the_points_stay_and_the_table_says_what_was_fused(studies):
    plain, metal = (pd.read_csv(study / "landmarks.csv") for study in studies)
    pd.testing.assert_frame_equal(plain.drop(columns=["findings", "study"]), metal.drop(columns=["findings", "study"]))
    assert not plain["findings"].fillna("").str.contains("cages").any()
    assert metal["findings"].str.contains("fusion cages").all()


def test_a_share_of_the_patients_has_two_neighbouring_discs_fused():
    patient = draw_patient(np.random.default_rng(0))
    for seed in range(20):
        implants = draw_implants(patient, np.random.default_rng(seed))
        first = LEVELS.index(implants.levels[0])
        assert implants.levels == LEVELS[first : first + FUSED]
        assert len(implants.holes) == 2 * FUSED


def test_a_plane_that_the_holes_do_not_reach_stays_as_it_is():
    patient = draw_patient(np.random.default_rng(0))
    implants = draw_implants(patient, np.random.default_rng(0))
    plane = imaging.scan.Plane((60.0, -100.0, 100.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0), 1.0, 1.0)
    image = np.random.default_rng(0).random((50, 40), dtype=np.float32)
    assert np.array_equal(with_holes(image, plane, implants), image)
