"""`check` finds each error, names its row, and says whether a folder can be used."""

import shutil

import pandas as pd
import pytest

from lumbar.datasets.inspection import inspect
from lumbar.phantom.study import PhantomSettings, write_dataset
from tests.datasets.test_datasets import write_kaggle
from tests.support.noise import noise

PICTURES = [("lsd", "0001.jpg"), ("spider", "1_t1.jpg"), ("spider", "1_t2.jpg"), ("tseg", "case_0000.jpg")]


@pytest.fixture
def public(tmp_path):
    return write_kaggle(tmp_path / "public", PICTURES)


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    out = tmp_path_factory.mktemp("phantoms") / "set"
    return write_dataset(out, PhantomSettings(patients=2), workers=1, progress=False)


def spoil(folder, change):
    """Change the table of a data set by a function of the DataFrame."""
    file = next(folder.glob("*.csv"))
    change(pd.read_csv(file, dtype=object, keep_default_na=False)).to_csv(file, index=False)


def problems(folder):
    found = inspect(folder, progress=False)
    assert not found.refusal
    return found.problems


def test_nothing_is_wrong_with_synthetic_patients(phantoms):
    found = inspect(phantoms, progress=False)
    assert found.ok, str(found)
    assert "Nothing is wrong" in str(found)


def test_the_page_lists_the_contents(public):
    page = str(inspect(public, progress=False))
    for words in ("pictures", "patients", "lsd 1, spider 2, tseg 1", "sagittal 4", "CT 1, T1 1, T2 2", "L1/L2 4"):
        assert words in page


def test_a_missing_picture_is_named_once(public):
    (public / "data" / "processed_lsd_jpgs" / "0001.jpg").unlink()
    found = inspect(public, progress=False)
    assert not found.ok
    assert found.problems[["row", "image"]].to_numpy().tolist() == [[0, "data/processed_lsd_jpgs/0001.jpg"]]
    assert "4, 3 of them can be opened" in str(found)
    assert "line 2, data/processed_lsd_jpgs/0001.jpg" in str(found)


def test_a_file_that_is_not_an_image_is_named(public):
    (public / "data" / "processed_spider_jpgs" / "1_t1.jpg").write_bytes(b"<html>Please sign in</html>")
    found = problems(public)
    assert found["row"].tolist() == [5]
    assert "cannot be read" in found["problem"].iloc[0]


def test_a_truncated_image_is_named(public):
    file = public / "data" / "processed_spider_jpgs" / "1_t1.jpg"
    noise((256, 256), 50).save(file)
    file.write_bytes(file.read_bytes()[:3000])
    assert problems(public)["row"].tolist() == [5]


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("level", "L6/S1", "L6/S1"),
        ("level", "L1/L2", "more than once"),
        ("x", "300", "outside the picture"),
        ("x", "", "both be missing"),
        ("y", "north", "north"),
        ("y", "12", "above the one it should lie below"),
    ],
)
def test_an_error_in_one_cell_is_found_in_its_row(public, column, value, words):
    def change(table):
        table.loc[2, column] = value
        return table

    spoil(public, change)
    found = problems(public)
    hits = found[found["problem"].str.contains(words, regex=False)]
    assert 2 in hits["row"].tolist()
    assert hits["image"].str.endswith("0001.jpg").all()


def test_a_picture_upside_down_is_found(public):
    def turn(table):
        rows = table["filename"] == "case_0000.jpg"
        table.loc[rows, "y"] = 255 - table.loc[rows, "y"].astype(int)
        return table

    spoil(public, turn)
    assert problems(public)["row"].tolist() == [15, 16, 17, 18]


def test_an_image_of_another_size_than_in_the_table_is_found(phantoms, tmp_path):
    copy = shutil.copytree(phantoms, tmp_path / "copy")
    spoil(copy, lambda table: table.assign(width="1000"))
    found = problems(copy)
    assert set(found["problem"]) == {"the picture's width differs from the table"}
    assert len(found) == 16


def test_a_thousand_errors_give_one_short_page(tmp_path):
    pictures = [("lsd", f"{number:04d}.jpg") for number in range(300)]
    page = str(inspect(write_kaggle(tmp_path, pictures, present=[]), progress=False))
    assert "300 time(s)" in page
    assert len(page.splitlines()) < 30


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_a_folder_that_is_not_a_data_set_is_refused_with_the_reason(tmp_path, name):
    found = inspect(tmp_path / name, progress=False)
    assert not found.ok
    assert "not a data set we can read" in str(found)
    assert found.refusal


def test_a_table_without_rows_is_an_error(tmp_path):
    (tmp_path / "coords_pretrain.csv").write_text("filename,source,x,y,level,relative_x,relative_y\n")
    assert not inspect(tmp_path, progress=False).ok


def test_a_spacing_and_a_view_that_differ_from_the_files_are_found(phantoms, tmp_path):
    folder = tmp_path / "set"
    shutil.copytree(phantoms, folder)

    def change(table):
        first, other = table["image"].unique()[:2]
        table.loc[table["image"] == first, "pixel_width"] = "2.5"
        table.loc[table["image"] == other, "view"] = "coronal"
        return table

    spoil(folder, change)
    assert problems(folder)["problem"].tolist() == [
        "the picture's pixel_width differs from the table",
        "the picture's view differs from the table",
    ]
