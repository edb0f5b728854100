"""A data set is prepared whole: points on their pixels, whichever way, once, and after a kill from where it stood."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lumbar import datasets
from lumbar.augment import AugmentSettings
from lumbar.batches import Batches
from lumbar.core.errors import DatasetError, ScanError, TableError
from lumbar.datasets import Dataset, inspection, preparation
from lumbar.datasets.preparation import prepare
from lumbar.geometry import Affine
from lumbar.landmarks import LEVELS, NEIGHBOURS
from lumbar.preprocess import PreprocessSettings, concatenate
from tests.support.killed import run_until_killed


def spots(folder: Path, count: int = 3, width: int = 400, height: int = 300) -> Dataset:
    """Pictures with five spots each, as PNG; L5/S1 of the second one is missing."""
    rows = []
    for number in range(count):
        picture = np.full((height, width), 40, np.uint8)
        for position, level in enumerate(LEVELS):
            x, y = 150 + 3 * number + 10 * position, 40 + 50 * position
            cv2.circle(picture, (x, y), 5, 200, -1, cv2.LINE_AA)
            rows.append(
                {"image": f"{number}.png", "patient": f"p{number}", "level": level, "x": float(x), "y": float(y)}
            )
        Image.fromarray(picture).save(folder / f"{number}.png")
    table = pd.DataFrame(rows).assign(
        source="spots",
        view="sagittal",
        contrast="T2",
        side="",
        width=width,
        height=height,
        pixel_width=0.5,
        pixel_height=1.0,
    )
    table.loc[(table["image"] == "1.png") & (table["level"] == "L5/S1"), ["x", "y"]] = np.nan
    return Dataset("spots", folder, table)


@pytest.mark.parametrize("fit", ["stretch", "letterbox"])
def test_points_lie_on_their_spots_and_lead_back(tmp_path, fit):
    dataset = spots(tmp_path)
    prepared = prepare(dataset, PreprocessSettings(resize=fit), progress=False)
    assert (prepared.images.shape, prepared.images.dtype) == ((3, 256, 256), np.uint8)
    assert prepared.channels == LEVELS
    assert np.isnan(prepared.points[1, 4]).all()
    assert np.isnan(prepared.points).sum() == 2
    for picture, points, to_native, name in zip(
        prepared.images, prepared.points, prepared.to_native, prepared.index["image"], strict=True
    ):
        for x, y in points[~np.isnan(points).any(axis=1)]:
            assert picture[round(y), round(x)] > 200
        native = dataset.table.loc[dataset.table["image"] == name, ["x", "y"]].to_numpy()
        np.testing.assert_allclose(Affine(to_native).points(points), native, atol=1e-9)


def with_neighbours(dataset, folder):
    """Write the data set as a table of one's own that also has the neighbouring discs, at (100 + number, 20 or 280)."""
    beside = [
        {"image": f"{number}.png", "level": level, "x": 100.0 + number, "y": y}
        for number in range(3)
        for level, y in zip(NEIGHBOURS, (20.0, 280.0), strict=True)
    ]
    table = pd.concat([dataset.table[["image", "level", "x", "y"]], pd.DataFrame(beside)])
    table.to_csv(folder / "points.csv", index=False)
    return datasets.load(folder)


def test_neighbouring_discs_are_points_only_for_those_who_ask(tmp_path):
    plain = prepare(spots(tmp_path), progress=False)
    dataset = with_neighbours(spots(tmp_path), tmp_path)
    assert set(dataset.table["level"]) == set(LEVELS)
    assert any("T12/L1, S1/S2: 6 point(s) of discs that are no levels" in note for note in dataset.notes)
    unasked = prepare(dataset, progress=False)
    np.testing.assert_allclose(unasked.points, plain.points)
    asked = prepare(dataset, neighbours=True, progress=False)
    assert asked.channels == (*LEVELS, *NEIGHBOURS)
    for part in (asked, asked.without_neighbours()):
        np.testing.assert_allclose(part.points[:, :5], plain.points)
    assert asked.without_neighbours().channels == LEVELS
    native = [Affine(map).points(points) for map, points in zip(asked.to_native, asked.points[:, 5:], strict=True)]
    np.testing.assert_allclose(native, [[(100 + number, 20), (100 + number, 280)] for number in range(3)])


def test_neighbouring_discs_of_an_image_whose_levels_are_wrong_are_not_trusted(tmp_path):
    dataset = spots(tmp_path)
    first = dataset.table["image"] == "0.png"
    dataset.table.loc[first, "y"] = dataset.table.loc[first, "y"].to_numpy()[::-1]
    prepared = prepare(with_neighbours(dataset, tmp_path), neighbours=True, progress=False)
    assert np.isnan(prepared.points).all(axis=(1, 2)).tolist() == [True, False, False]
    assert np.isfinite(prepared.points[1:, 5:]).all()


def own_table(folder, *further):
    """Write a table of one's own with further rows (image, level, x, y, and perhaps more), and return its lines."""
    table = spots(folder).table[["image", "level", "x", "y"]]
    table = pd.concat([table, pd.DataFrame(further)], ignore_index=True)
    table.to_csv(folder / "points.csv", index=False)
    return table


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([("T12/L1", 9999, 20)], "outside the picture"),
        ([("T12/L1", 100, 20), ("T12/L1", 100, 21)], "more than once"),
        ([("S1/S2", "abc", 280)], "is not a number"),
        ([("S1/S2", 100, None)], "both be given"),
    ],
)
def test_neighbouring_discs_keep_the_rules_of_the_table(tmp_path, rows, problem):
    own_table(tmp_path, *({"image": "0.png", "level": level, "x": x, "y": y} for level, x, y in rows))
    with pytest.raises(TableError, match=problem):
        datasets.load(tmp_path)
    found = inspection.inspect(tmp_path, progress=False).problems
    assert found["problem"].str.contains(problem).any()
    assert set(found["row"]) <= set(range(15, 17)), "it names the lines of the file"


def test_an_axial_image_has_no_neighbouring_discs(tmp_path):
    table = own_table(tmp_path, {"image": "0.png", "level": "S1/S2", "x": 100, "y": 100})
    table = table[(table["image"] != "0.png") | (table["level"] == "S1/S2")].assign(view="sagittal", side="")
    table.loc[table["image"] == "0.png", ["view", "side"]] = ["axial", "left"]
    extra = {"image": "0.png", "level": "L5/S1", "x": 90, "y": 100, "view": "axial", "side": "left"}
    pd.concat([table, pd.DataFrame([extra])]).to_csv(tmp_path / "points.csv", index=False)
    with pytest.raises(TableError, match="an axial picture has no point of this disc"):
        datasets.load(tmp_path)


def test_a_neighbouring_disc_in_the_wrong_order_spoils_the_image(tmp_path):
    own_table(tmp_path, {"image": "0.png", "level": "T12/L1", "x": 100, "y": 299})
    dataset = datasets.load(tmp_path)
    assert any("1 picture(s) have levels in the wrong order (0.png)" in note for note in dataset.notes)
    assert np.isnan(prepare(dataset, neighbours=True, progress=False).points[0]).all()
    found = inspection.inspect(tmp_path, progress=False).problems
    assert found["problem"].str.contains("lies above the one").any()


def test_a_placeholder_of_a_neighbouring_disc_is_missing(tmp_path):
    own_table(tmp_path, {"image": "0.png", "level": "T12/L1", "x": -1, "y": -1})
    assert inspection.inspect(tmp_path, progress=False).problems.empty
    assert np.isnan(prepare(datasets.load(tmp_path), neighbours=True, progress=False).points[0, 5]).all()


def test_a_table_of_neighbouring_discs_alone_is_refused(tmp_path):
    spots(tmp_path)
    (tmp_path / "points.csv").write_text("image,level,x,y\n0.png,T12/L1,100,20\n")
    with pytest.raises(DatasetError, match="no point of a level"):
        datasets.load(tmp_path)
    assert "no point of a level" in inspection.inspect(tmp_path, progress=False).refusal


def test_probabilities_of_being_absent_are_not_labels(tmp_path):
    """`predict` writes them; a table of one's own may be made from its."""
    table = own_table(tmp_path)
    table.assign(absent=0.0123).to_csv(tmp_path / "points.csv", index=False)
    dataset = datasets.load(tmp_path)
    assert any("holds probabilities" in note for note in dataset.notes)
    assert prepare(dataset, progress=False).absent is None


def test_of_an_image_in_the_wrong_order_it_is_not_known_what_is_absent(tmp_path):
    table = own_table(tmp_path).assign(absent=0)
    first = table["image"] == "0.png"
    table.loc[first, "y"] = table.loc[first, "y"].to_numpy()[::-1]
    table.loc[first & (table["level"] == "L5/S1"), ["x", "y", "absent"]] = [np.nan, np.nan, 1]
    table.to_csv(tmp_path / "points.csv", index=False)
    assert prepare(datasets.load(tmp_path), progress=False).absent is None


def test_points_known_to_be_absent_are_kept_apart_from_those_not_known(tmp_path):
    dataset = spots(tmp_path)
    assert prepare(dataset, progress=False).absent is None
    table = dataset.table[["image", "level", "x", "y"]].assign(absent="")
    gone = (table["image"] == "2.png") & table["level"].isin(("L4/L5", "L5/S1"))
    table.loc[gone, ["x", "y", "absent"]] = [np.nan, np.nan, "yes"]
    table.to_csv(tmp_path / "points.csv", index=False)
    prepared = prepare(datasets.load(tmp_path), progress=False)
    assert prepared.absent.tolist() == [[False] * 5, [False] * 5, [False, False, False, True, True]]
    assert np.isnan(prepared.points[1, 4]).all(), "of this one nothing is known"
    assert np.isnan(prepared.points[2, 3:]).all()
    assert prepared.select([2, 0]).absent.any(axis=1).tolist() == [True, False]
    joined = concatenate([prepare(spots(tmp_path), progress=False), prepared])
    assert joined.absent.any(axis=1).tolist() == [False] * 5 + [True]
    wild = AugmentSettings(flip=0.5, field_of_view=1.0, rotation=30)
    for keep_outside, augment in itertools.product((True, False), (None, wild)):
        for epoch in range(20):
            batch = Batches(prepared, 3, augment=augment, keep_outside=keep_outside).batch(epoch, 0)[1]
            gone = ((batch[2, 3:] < 0) | (batch[2, 3:] > 1)).any(axis=-1)
            assert gone.all() if keep_outside else np.isnan(batch[2, 3:]).all()
            assert np.isnan(batch[1, 4]).all()


@pytest.mark.parametrize(("word", "problem"), [("perhaps", "'perhaps' breaks the rule"), ("1", "has no x and y")])
def test_a_column_absent_that_makes_no_sense_is_named(tmp_path, word, problem):
    dataset = spots(tmp_path)
    table = dataset.table[["image", "level", "x", "y"]].assign(absent="")
    table.loc[0, "absent"] = word
    table.to_csv(tmp_path / "points.csv", index=False)
    with pytest.raises(TableError, match=problem):
        datasets.load(tmp_path)


def test_millimetres_of_a_prepared_pixel(tmp_path):
    stretched = prepare(spots(tmp_path), PreprocessSettings(resize="stretch"), progress=False)
    np.testing.assert_allclose(stretched.mm_per_pixel[0], [400 * 0.5 / 256, 300 * 1.0 / 256])
    boxed = prepare(spots(tmp_path), PreprocessSettings(resize="letterbox"), progress=False)
    np.testing.assert_allclose(boxed.mm_per_pixel[0], [300 / 256, 300 / 256])


def test_select_keeps_rows_together(tmp_path):
    prepared = prepare(spots(tmp_path), progress=False)
    for chosen in (prepared.select([2, 0]), prepared.select(np.array([True, False, True]))):
        for position, name in enumerate(chosen.index["image"]):
            number = int(name[0])
            np.testing.assert_array_equal(chosen.images[position], prepared.images[number])
            np.testing.assert_array_equal(chosen.points[position], prepared.points[number])


def test_the_cache_gives_the_same_without_reading_again_and_notices_an_exchanged_picture(tmp_path, monkeypatch):
    dataset, cache = spots(tmp_path), tmp_path / "cache"
    plain = prepare(dataset, progress=False)
    first = prepare(dataset, cache=cache, progress=False)
    with monkeypatch.context() as patch:
        patch.setattr(preparation, "_prepared", lambda *_, **__: pytest.fail("a picture was read again"))
        second = prepare(dataset, cache=cache, progress=False)
    for other in (first, second):
        np.testing.assert_array_equal(other.images, plain.images)
        np.testing.assert_array_equal(other.points, plain.points)
    Image.fromarray(np.zeros((300, 400), np.uint8)).save(tmp_path / "0.png")
    assert not prepare(dataset, cache=cache, progress=False).images[0].any()


def test_one_process_or_two_make_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "WORTH_A_PROCESS", 0)
    monkeypatch.setattr(preparation, "CHUNK", 1)
    dataset = spots(tmp_path)
    one, two = (prepare(dataset, workers=workers, progress=False) for workers in (1, 2))
    np.testing.assert_array_equal(one.images, two.images)


@pytest.mark.parametrize("spoil", ["remove", "damage", "resize"])
def test_a_picture_that_cannot_be_prepared_is_named_and_the_others_are_kept(tmp_path, spoil):
    dataset, cache = spots(tmp_path), tmp_path / "cache"
    bad = tmp_path / "1.png"
    whole = bad.read_bytes()
    if spoil == "remove":
        bad.unlink()
    elif spoil == "damage":
        bad.write_bytes(whole[:300])
    else:
        Image.fromarray(np.zeros((10, 10), np.uint8)).save(bad)
    with pytest.raises(ScanError, match=r"1 of 3") as refusal:
        prepare(dataset, cache=cache, progress=False)
    assert refusal.value.file.endswith("1.png")
    (done,) = cache.glob("*/done.npy")
    assert np.load(done).tolist() == [True, False, True]


def test_a_missing_view_is_an_error(tmp_path):
    with pytest.raises(DatasetError, match="axial"):
        prepare(spots(tmp_path), views=("axial",), progress=False)


@pytest.mark.slow
def test_killed_while_preparing_it_goes_on_where_it_stood(tmp_path):
    (tmp_path / "pictures").mkdir()
    dataset = spots(tmp_path / "pictures", count=60, width=1500, height=1500)
    dataset.table.to_pickle(tmp_path / "table.pkl")
    script = (
        "import sys, pandas as pd\nfrom pathlib import Path\n"
        "from lumbar.datasets import Dataset, preparation\nfrom tests.support.killed import kill_after\n"
        "here = Path(sys.argv[1])\ndataset = Dataset('spots', here / 'pictures', pd.read_pickle(here / 'table.pkl'))\n"
        "preparation.NOTED_EVERY = 5\nkill_after(preparation, 17)\n"
        "preparation.prepare(dataset, cache=here / 'cache', progress=False)\n"
    )
    run_until_killed(script, tmp_path)
    (note,) = (tmp_path / "cache").glob("*/done.npy")
    assert np.load(note).sum() == 15, "17 were prepared, and each five are noted"
    prepared = prepare(dataset, cache=tmp_path / "cache", progress=False)
    np.testing.assert_array_equal(prepared.images, prepare(dataset, progress=False).images)


@pytest.mark.parametrize(("fit", "column"), [("letterbox", "pixel_height"), ("stretch", "width")])
def test_a_corrected_table_is_not_answered_from_the_cache(tmp_path, fit, column):
    """The picture goes where the table's size and spacing say; so does the cached one."""
    dataset = spots(tmp_path)
    cached = {"settings": PreprocessSettings(resize=fit), "cache": tmp_path / "cache", "progress": False}
    before = prepare(dataset, **cached).images.copy()
    dataset.table[column] = dataset.table[column] * 2
    if column == "width":
        with pytest.raises(ScanError, match="size differs from the table"):
            prepare(dataset, **cached)
    else:
        assert not np.array_equal(prepare(dataset, **cached).images, before)
