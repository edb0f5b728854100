"""Readers return the same table for every layout, lose nothing silently, and trust no file name."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lumbar import datasets, landmarks
from lumbar.core.errors import DatasetError, TableError
from lumbar.datasets import kaggle
from lumbar.datasets.dataset import inside
from lumbar.geometry import Affine
from lumbar.phantom.study import PhantomSettings, write_dataset, write_study
from tests.support import real_mri

LEVEL_ROWS = list(zip(landmarks.LEVELS, (131, 128, 124, 125, 130), (70, 100, 131, 160, 186), strict=True))


def write_kaggle(folder, pictures, *, size=(256, 256), present=None):
    """Write the layout of the public set with gradient images; `pictures` is [(source, filename), …]."""
    rows = [
        (filename, source, x, y, level, x / 256, y / 256)
        for source, filename in pictures
        for level, x, y in reversed(LEVEL_ROWS)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    columns = ["filename", "source", "x", "y", "level", "relative_x", "relative_y"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "coords_pretrain.csv", index=False)
    for source, filename in pictures if present is None else present:
        target = folder / "data" / f"processed_{source}_jpgs" / filename
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.linear_gradient("L").resize(size).save(target)
    return folder


@pytest.fixture
def public(tmp_path):
    pictures = [("lsd", "0001.jpg"), ("spider", "1_t1.jpg"), ("spider", "1_t2.jpg"), ("osf", "ID02.jpg")]
    return write_kaggle(tmp_path / "public", [*pictures, ("tseg", "case_0000.jpg")])


def test_the_kaggle_layout_gives_a_landmark_table(public):
    dataset = datasets.load(public)
    assert landmarks.problems(dataset.table).empty
    assert len(dataset.table) == 25
    assert dataset.table["view"].eq("sagittal").all()
    assert dataset.table["pixel_width"].isna().all()
    assert all(dataset.path(image).is_file() for image in dataset.table["image"])
    first = dataset.table.iloc[0]
    assert (first["level"], first["x"], first["y"], first["width"]) == ("L5/S1", 130, 186, 256)


def test_contrasts_come_from_the_source_or_the_file_name(public):
    table = datasets.load(public).table.drop_duplicates("image")
    contrasts = dict(zip(table["image"].str.split("/").str[-1], table["contrast"], strict=True))
    assert contrasts == {
        "0001.jpg": "T2", "1_t1.jpg": "T1", "1_t2.jpg": "T2", "ID02.jpg": "T1", "case_0000.jpg": "CT"
    }  # fmt: skip


def test_two_contrasts_of_one_person_are_one_patient_and_numbers_of_two_sources_are_not(public):
    table = datasets.load(public).table
    assert table["patient"].nunique() == 4
    assert table.groupby("patient")["source"].nunique().max() == 1


@pytest.mark.parametrize(
    ("source", "filename", "expected"),
    [
        ("spider", "12_t2.jpg", ("spider 12", "T2")),
        ("spider", "12_t1.jpg", ("spider 12", "T1")),
        ("spider", "12_t2_SPACE.jpg", ("spider 12", "T2")),
        ("spider", "12.jpg", ("spider 12", "T2")),
        ("lsd", "0012.jpg", ("lsd 0012", "T2")),
        ("osf", "ID12.jpg", ("osf ID12", "T1")),
        ("elsewhere", "a_t1.jpg", ("elsewhere a_t1", "")),
    ],
)
def test_the_patient_of_an_image(source, filename, expected):
    assert kaggle.identity(source, filename) == expected


def test_missing_images_are_counted_in_the_notes(tmp_path):
    pictures = [("lsd", "0001.jpg"), ("lsd", "0002.jpg"), ("tseg", "case_0000.jpg")]
    dataset = datasets.load(write_kaggle(tmp_path, pictures, present=pictures[:1]))
    assert set(dataset.table["image"]) == {"data/processed_lsd_jpgs/0001.jpg"}
    note = next(note for note in dataset.notes if "not there" in note)
    assert note == "2 of 3 pictures are not there (lsd 1, tseg 1): their 10 points are left out"


def test_a_data_set_without_any_image_is_an_error(tmp_path):
    with pytest.raises(DatasetError, match="none of the pictures"):
        datasets.load(write_kaggle(tmp_path, [("lsd", "0001.jpg")], present=[]))


def test_points_of_an_image_of_another_size_are_rescaled(tmp_path):
    dataset = datasets.load(write_kaggle(tmp_path, [("lsd", "0001.jpg")], size=(320, 512)))
    table = dataset.table
    assert set(zip(table["width"], table["height"], strict=True)) == {(320, 512)}
    back = Affine.stretch(320, 512).points(table[["x", "y"]])
    assert back == pytest.approx(np.array([(x, y) for _, x, y in reversed(LEVEL_ROWS)]))
    assert any("not 256×256" in note for note in dataset.notes)


def test_the_table_itself_may_be_named(public):
    assert datasets.load(public / "coords_pretrain.csv").root == public


def test_a_folder_of_unknown_layout_gives_the_known_ones(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(DatasetError) as raised:
        datasets.load(tmp_path)
    assert "landmarks.csv" in str(raised.value)
    assert "coords_pretrain.csv" in str(raised.value)
    assert "holiday.jpg" in str(raised.value)


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(DatasetError, match="no such folder"):
        datasets.load(tmp_path / "nowhere")


@pytest.mark.parametrize("content", ["", "filename,source\n1.jpg,lsd\n", '"unclosed', "a,b\n1,2,3\n4\n"])
def test_an_invalid_table_is_a_dataset_error(tmp_path, content):
    (tmp_path / "coords_pretrain.csv").write_text(content)
    with pytest.raises(DatasetError):
        datasets.load(tmp_path)


@pytest.mark.filterwarnings("default")
def test_a_row_with_too_many_cells_is_an_error_even_if_warnings_are_not(public):
    with (public / "coords_pretrain.csv").open("a") as table:
        table.write("0001.jpg,lsd,125,160,L4/L5,0.5,0.6,surplus\n")
    with pytest.raises(DatasetError, match="cannot be read"):
        datasets.load(public)


def test_bytes_that_are_not_text_are_a_dataset_error(tmp_path):
    (tmp_path / "coords_pretrain.csv").write_bytes(b"\xff\xfe\x00filename\x00,")
    with pytest.raises(DatasetError):
        datasets.load(tmp_path)


def test_a_coordinate_that_is_not_a_number_is_named_with_its_row(public):
    table = (public / "coords_pretrain.csv").read_text().replace("0001.jpg,lsd,125,160", "0001.jpg,lsd,about 125,160")
    (public / "coords_pretrain.csv").write_text(table)
    with pytest.raises(TableError, match=r"row 1, column x"):
        datasets.load(public)


def test_an_empty_coordinate_is_a_missing_point(public):
    table = (public / "coords_pretrain.csv").read_text().replace("0001.jpg,lsd,125,160", "0001.jpg,lsd,,")
    (public / "coords_pretrain.csv").write_text(table)
    assert datasets.load(public).table[["x", "y"]].isna().sum().tolist() == [1, 1]


@pytest.mark.parametrize("image", ["../secret.png", "a/../../secret.png", "/etc/passwd", "C:\\x.png", "..\\x.png", ""])
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path, image):
    with pytest.raises(DatasetError, match="outside"):
        inside(tmp_path, image)


@given(st.text())
def test_no_name_leads_out_of_the_folder(tmp_path_factory, image):
    root = tmp_path_factory.getbasetemp()
    try:
        path = inside(root, image)
    except DatasetError:
        return
    assert root in path.parents


def test_a_table_whose_source_climbs_out_is_refused(public):
    table = (public / "coords_pretrain.csv").read_text().replace(",lsd,", ",/../../../x,")
    (public / "coords_pretrain.csv").write_text(table)
    with pytest.raises(DatasetError, match="outside"):
        datasets.load(public)


def test_a_phantom_folder_keeps_its_further_columns(tmp_path):
    out = write_dataset(tmp_path / "set", PhantomSettings(patients=2), workers=1, progress=False)
    dataset = datasets.load(out)
    assert {"x_mm", "lumbar_vertebrae", "findings", "instance"} <= set(dataset.table.columns)
    assert any("synthetic patients" in note and "seed 7" in note for note in dataset.notes)
    assert dataset.table["side"].value_counts().to_dict() == {"": 30, "left": 10, "right": 10}


def test_one_patients_folder_is_a_data_set_of_its_own(tmp_path):
    folder = write_study(tmp_path, PhantomSettings(slices=3))
    assert datasets.load(folder).table["image"].nunique() == 8


def test_a_users_table_with_the_same_columns_is_read(tmp_path):
    Image.new("L", (300, 200)).save(tmp_path / "scan.png")
    rows = [
        {"image": "scan.png", "patient": "007", "source": "here", "view": "sagittal", "contrast": "", "level": level,
         "side": "", "x": x, "y": y, "width": 300, "height": 200, "pixel_width": "", "pixel_height": ""}
        for level, x, y in LEVEL_ROWS
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "landmarks.csv", index=False)
    table = datasets.load(tmp_path).table
    assert table["patient"].eq("007").all()
    assert table["contrast"].eq("").all()


@pytest.mark.skipif(not real_mri.REAL_MRI.is_dir(), reason=real_mri.ABSENT)
def test_the_real_public_table_is_read(tmp_path):
    dataset = datasets.load(real_mri.write_kaggle_layout(tmp_path / "public", count=6))
    assert dataset.table["image"].nunique() == 6
    assert dataset.table["patient"].nunique() == 6
    assert any("1046 of 1052 pictures are not there" in note for note in dataset.notes)


def test_loading_does_not_alter_the_folder(public):
    before = {file: file.read_bytes() for file in public.rglob("*") if file.is_file()}
    datasets.load(public)
    assert {file: file.read_bytes() for file in public.rglob("*") if file.is_file()} == before
