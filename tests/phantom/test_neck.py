"""Synthetic necks: images of a spine in which every level is absent."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pydicom
import pytest

from lumbar import datasets
from lumbar.datasets.preparation import prepare
from lumbar.landmarks import LEVELS, NEIGHBOURS
from lumbar.phantom import PhantomSettings, write_dataset
from lumbar.phantom.contrast import ideal
from lumbar.phantom.neck import VERTEBRAE, draw_neck
from lumbar.phantom.planning import NECK_FIELDS_MM, of_neck
from lumbar.phantom.render import render
from lumbar.phantom.tissue import Tissue

NECKS = PhantomSettings(patients=6, seed=9, necks=0.5, neighbours=True, localiser=True)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("necks") / "set", NECKS, workers=1, progress=False)


def test_a_share_of_the_patients_is_scanned_at_the_neck_where_every_level_is_absent(written):
    table = pd.read_csv(written / "landmarks.csv")
    necks = table[table["findings"].str.contains("neck", na=False)]
    others = table.drop(necks.index)
    assert 0 < necks["patient"].nunique() < NECKS.patients
    assert set(necks["view"]) == {"sagittal"}
    assert set(necks["level"]) == {*LEVELS, *NEIGHBOURS}
    assert necks["absent"].eq(1).all()
    assert necks[["x", "y", "x_mm", "y_mm", "z_mm"]].isna().all(axis=None)
    assert set(others["view"]) == {"sagittal", "coronal", "axial"}
    assert others.loc[others["level"].isin(LEVELS), "absent"].eq(0).all()
    header = pydicom.dcmread(written / necks["image"].iloc[0], stop_before_pixels=True)
    assert (header.BodyPartExamined, header.Modality) == ("CSPINE", "MR")
    assert not (written / necks["patient"].iloc[0] / "localiser").exists()


def test_whoever_is_not_scanned_at_the_neck_is_the_same_person_as_without_necks(written, tmp_path):
    plain = write_dataset(tmp_path / "plain", replace(NECKS, necks=0.0), workers=1, progress=False)
    table = pd.read_csv(written / "landmarks.csv")
    image = table.loc[table["x"].notna(), "image"].iloc[0]
    one, other = (pydicom.dcmread(folder / image).pixel_array for folder in (written, plain))
    np.testing.assert_array_equal(one, other)


def test_a_network_is_told_that_no_level_is_there(written):
    prepared = prepare(datasets.load(written), views=("sagittal",), progress=False)
    none_there = prepared.absent.all(axis=1)
    assert 0 < none_there.sum() < len(none_there)
    assert np.isnan(prepared.points[none_there]).all()


def test_the_vertebrae_lie_in_a_row_with_discs_between_them():
    for seed in range(5):
        neck = draw_neck(np.random.default_rng(seed))
        heights = [part.centre[2] for part in neck.column.bodies]
        assert [part.name for part in neck.column.bodies] == list(VERTEBRAE)
        steps = -np.diff(heights)
        assert ((steps > 12) & (steps < 32)).all(), "mm from one vertebra to the next"
        np.testing.assert_allclose(neck.column.bodies[VERTEBRAE.index("C5")].centre, 0, atol=1e-9)
        for upper, disc, lower in zip(neck.column.bodies, neck.column.discs, neck.column.bodies[1:], strict=False):
            assert lower.centre[2] < disc.centre[2] < upper.centre[2]


def test_the_middle_image_cuts_the_cord_the_airway_and_all_cervical_discs():
    rng = np.random.default_rng(3)
    neck = draw_neck(rng)
    (cut,) = of_neck(neck, rng)
    assert NECK_FIELDS_MM[0] - 5 <= cut.height * cut.plane.pixel_height <= NECK_FIELDS_MM[1] + 5
    for tissue in (Tissue.CORD, Tissue.CSF, Tissue.MARROW):
        image = render(neck, cut.plane, cut.width, cut.height, ideal({tissue: 100.0}), rng, thickness=1.0)
        assert (image > 50).mean() > 0.003, tissue.name
    discs = render(neck, cut.plane, cut.width, cut.height, ideal({Tissue.ANNULUS: 100.0, Tissue.NUCLEUS: 100.0}), rng)
    for disc in neck.column.discs[:5]:
        x, y = np.rint(cut.plane.to_pixels(neck.to_patient(disc.centre))).astype(int)
        assert discs[y - 1 : y + 2, x - 1 : x + 2].max() > 50, disc.name
