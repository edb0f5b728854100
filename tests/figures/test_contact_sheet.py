"""The contact sheet shows the images and landmarks of data sets and folders; with nothing to show it is an error."""

import numpy as np
import pytest
from PIL import Image

from lumbar import datasets
from lumbar.core.errors import DatasetError
from lumbar.figures.contact_sheet import contact_sheet
from lumbar.phantom.study import PhantomSettings, write_dataset
from tests.support.noise import noise


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    out = tmp_path_factory.mktemp("sheet") / "set"
    return write_dataset(out, PhantomSettings(patients=2), workers=1, progress=False)


def pixels(file):
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_the_sheet_shows_the_synthetic_pictures(phantoms, tmp_path):
    sheet = pixels(contact_sheet(phantoms, tmp_path / "new" / "sheet.png", count=4))
    assert sheet.std() > 30
    assert (sheet.max(axis=2) == sheet.min(axis=2)).all()  # grey: no points were asked for


def test_points_are_marked_in_colour(phantoms, tmp_path):
    sheet = pixels(contact_sheet(datasets.load(phantoms), tmp_path / "sheet.png", count=4, points=True))
    assert (sheet.max(axis=2) - sheet.min(axis=2) > 60).sum() > 40


@pytest.mark.parametrize("view", ["coronal", "axial"])
def test_other_views_can_be_shown(phantoms, tmp_path, view):
    assert contact_sheet(phantoms, tmp_path / "sheet.png", view=view).is_file()


def test_a_folder_of_images_is_shown_beside(phantoms, tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    noise((300, 400), 60).save(real / "a.png")
    alone = pixels(contact_sheet(phantoms, tmp_path / "alone.png", count=4))
    both = pixels(contact_sheet(phantoms, tmp_path / "both.png", beside=real, count=4))
    assert both.shape[1] > 1.8 * alone.shape[1]
    assert both[:, both.shape[1] // 2 :].std() > 30


def test_nothing_to_show_is_an_error(phantoms, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no picture"):
        contact_sheet(phantoms, tmp_path / "sheet.png", beside=tmp_path / "empty")
    assert not (tmp_path / "sheet.png").exists()


def test_the_same_data_give_the_same_bytes(phantoms, tmp_path):
    first = contact_sheet(phantoms, tmp_path / "first.png", count=2, points=True).read_bytes()
    assert contact_sheet(phantoms, tmp_path / "second.png", count=2, points=True).read_bytes() == first
