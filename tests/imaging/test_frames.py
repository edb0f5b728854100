"""The column `frame` keeps the images of one file apart, from the table to the last figure."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lumbar import datasets, landmarks
from lumbar.core.errors import ScanError, TableError
from lumbar.datasets import preparation
from lumbar.datasets.inspection import inspect
from lumbar.datasets.preparation import prepare
from lumbar.evaluation import points_table
from lumbar.figures.contact_sheet import contact_sheet
from lumbar.figures.data import split_overview
from lumbar.landmarks import LEVELS
from lumbar.preprocess import Prepared
from tests.support.volume_files import write

SHAPE, STEPS = (5, 60, 40), np.array([[4.0, 0, 0], [0, 0, -1.0], [0, 0.8, 0]])
ROWS = (10, 20, 30, 40, 50)


def volume(file, frames, seed=0):
    """Write a volume with a bright spot at each point of some slices, and return its rows of a table."""
    rng = np.random.default_rng(seed)
    voxels = np.full(SHAPE, 40, np.int16)
    rows = []
    for frame in frames:
        for level, y in zip(LEVELS, ROWS, strict=True):
            x = int(rng.integers(5, 35))
            voxels[frame, y - 1 : y + 2, x - 1 : x + 2] = 900
            rows.append({"frame": frame, "level": level, "x": float(x), "y": float(y)})
    write(file, voxels, (0, 0, 0), STEPS)
    return pd.DataFrame(rows).assign(
        image=file.name, patient=file.name.split(".")[0], source="here", view="sagittal", contrast="T2", side="",
        width=SHAPE[2], height=SHAPE[1], pixel_width=0.8, pixel_height=1.0,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """Two labelled slices of one volume, one of another, and a PNG file without a frame."""
    tables = [volume(tmp_path / "a.mha", (1, 3)), volume(tmp_path / "b.nii.gz", (2,), seed=1)]
    plain = tables[1].assign(image="c.png", patient="c", pixel_width=np.nan, pixel_height=np.nan, frame=pd.NA)
    picture = np.full(SHAPE[1:], 40, np.uint8)
    for x, y in plain[["x", "y"]].astype(int).to_numpy():
        picture[y - 1 : y + 2, x - 1 : x + 2] = 250
    Image.fromarray(picture).save(tmp_path / "c.png")
    pd.concat([*tables, plain]).to_csv(tmp_path / "landmarks.csv", index=False)
    return tmp_path


def spoil(folder, column, value, rows):
    table = pd.read_csv(folder / "landmarks.csv", dtype=object, keep_default_na=False)
    table.iloc[rows, table.columns.get_loc(column)] = value
    table.to_csv(folder / "landmarks.csv", index=False)


def test_frames_of_one_file_are_separate_images(folder):
    dataset = datasets.load(folder)
    assert landmarks.image_names(dataset.table).nunique() == 4
    assert landmarks.frames(dataset.table)[::5] == [1, 3, 2, None]
    prepared = prepare(dataset, progress=False)
    assert prepared.index["frame"].tolist() == [1, 3, 2, pd.NA]
    for picture, points in zip(prepared.images, prepared.points, strict=True):
        assert all(picture[round(y), round(x)] > 200 for x, y in points)
    assert inspect(folder, progress=False).ok
    assert dict(inspect(folder, progress=False).summary)["pictures"] == "4"


def test_a_table_without_the_column_stays_as_it_is(folder):
    table = datasets.load(folder).table.drop(columns="frame").iloc[15:]
    assert landmarks.image_names(table).equals(table["image"])
    assert landmarks.frames(table) == [None] * 5
    assert "frame" not in landmarks.check(table)


def test_another_frame_is_not_taken_from_the_cache(folder):
    kept = {"cache": folder / "cache", "progress": False}
    before = prepare(datasets.load(folder), **kept).images.copy()
    spoil(folder, "frame", "4", slice(10, 15))
    after = prepare(datasets.load(folder), **kept).images
    assert np.array_equal(before[[0, 1, 3]], after[[0, 1, 3]])
    assert not np.array_equal(before[2], after[2])


def test_the_cache_of_a_table_without_the_column_stays_valid(folder):
    """The cache key of such a data set is the same as before the column existed."""
    table = datasets.load(folder).table.iloc[15:]
    states = []
    for each in (table, table.drop(columns="frame")):
        dataset = datasets.Dataset("plain", folder, each)
        index, *_ = preparation._images(dataset, LEVELS, ("sagittal",))
        states.append(preparation._state(dataset, index))
    assert states[0] == states[1]


def test_a_volume_without_a_frame_is_refused_with_a_remedy(folder):
    spoil(folder, "frame", "", slice(0, 10))
    with pytest.raises(TableError, match="more than once"):
        datasets.load(folder)
    spoil(folder, "image", "b.nii.gz", slice(0, 10))
    found = inspect(folder, progress=False)
    assert "no slice was chosen" in str(found)


@pytest.mark.parametrize("value", ["-1", "left", "1.5"])
def test_an_invalid_frame_is_a_problem_of_its_row(folder, value):
    spoil(folder, "frame", value, slice(15, 20))
    found = inspect(folder, progress=False).problems
    assert {"frame"} <= set(found["column"])
    with pytest.raises(TableError, match="column frame"):
        datasets.load(folder)


def test_a_frame_that_does_not_exist_is_named(folder):
    spoil(folder, "frame", "9", slice(10, 15))
    assert "there is no such slice" in str(inspect(folder, progress=False))
    with pytest.raises(ScanError, match=r"1 of 4[\s\S]*no such slice"):
        prepare(datasets.load(folder), progress=False)


def test_figures_of_frames(folder, tmp_path):
    dataset = datasets.load(folder)
    sheet = np.asarray(Image.open(contact_sheet(dataset, tmp_path / "sheet.png", points=True)).convert("RGB"))
    assert np.ptp(sheet, axis=2).max() > 60, "points are plotted in colour"
    overview = split_overview(dataset.table, pd.Series({"a": "train", "b": "train", "c": "test"}))
    assert "pictures 3, 1" in overview.alt


def test_a_table_of_predictions_states_the_frame(folder):
    prepared = prepare(datasets.load(folder), progress=False)

    class Errors:
        radial_px = radial_mm = np.zeros(prepared.points.shape[:2])

    table = points_table(prepared, prepared.points, Errors)
    assert table.drop_duplicates(["image", "frame"])["frame"].tolist() == [1, 3, 2, pd.NA]
    plain = Prepared(
        prepared.images, prepared.index.drop(columns="frame"), prepared.to_native, prepared.points, prepared.channels
    )
    assert "frame" not in points_table(plain, plain.points, Errors)
