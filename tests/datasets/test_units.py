"""Coordinates in another unit are converted if the unit is stated, and named if it is not."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lumbar import datasets
from lumbar.core.constants import LEVELS
from lumbar.core.errors import DatasetError
from lumbar.datasets import units
from lumbar.datasets.inspection import inspect

SPACINGS = (0.7, 0.8, 0.9, 1.0, 1.1)
"""Pixel spacing of each picture, mm; all show a field of view of 280 mm."""

SIZES = [round(280 / spacing) for spacing in SPACINGS]
MM = np.array([(150, 65), (142, 100), (138, 134), (140, 167), (150, 196)], float)
"""The five points in millimetres, 31 to 36 mm apart."""

SCALE = {
    "px": lambda spacing, size: 1 / spacing,
    "relative": lambda spacing, size: 1 / spacing / size,
    "percent": lambda spacing, size: 100 / spacing / size,
    "mm": lambda spacing, size: 1,
}
"""Unit → its length for one millimetre."""

COLUMNS = ["image", "level", "x", "y"]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Use a separate home for the caches."""
    monkeypatch.setenv("LUMBAR_HOME", str(tmp_path / "home"))


def write(folder, unit, layout="csv", **stated):
    """Write pictures of several sizes, and their points in a unit, as CSV or COCO; `stated` is added to each entry."""
    folder.mkdir()
    table = []
    for number, (spacing, size) in enumerate(zip(SPACINGS, SIZES, strict=True)):
        Image.linear_gradient("L").resize((size, size)).save(folder / f"{number}.png")
        points = MM * (1 + 0.01 * number) * SCALE[unit](spacing, size)
        table += [(f"{number}.png", level, *xy) for level, xy in zip(LEVELS, points, strict=True)]
    table = pd.DataFrame(table, columns=COLUMNS)
    if layout == "csv":
        table.assign(**stated).to_csv(folder / "points.csv", index=False)
    else:
        images = [{"id": n, "file_name": f"{n}.png", "width": s, "height": s} for n, s in enumerate(SIZES)]
        keypoints = table.assign(v=2).groupby("image")[["x", "y", "v"]].apply(lambda rows: rows.to_numpy().ravel())
        annotations = [
            {"id": n, "image_id": n, "category_id": 1, "keypoints": each.tolist()} for n, each in enumerate(keypoints)
        ]
        categories = [{"id": 1, "keypoints": list(LEVELS)}]
        content = {"images": images, "annotations": annotations, "categories": categories, **stated}
        (folder / "points.json").write_text(json.dumps(content))
    return folder


def pixels():
    return np.concatenate([MM * (1 + 0.01 * number) / spacing for number, spacing in enumerate(SPACINGS)])


@pytest.mark.parametrize("layout", ["csv", "coco"])
@pytest.mark.parametrize(
    ("unit", "words", "refused"),
    [
        ("px", "", False),
        ("relative", "fractions of the picture", True),
        ("percent", "percent of the picture", True),
        ("mm", "millimetres", False),
    ],
)
def test_check_names_the_unit_that_the_points_look_like(tmp_path, layout, unit, words, refused):
    folder = write(tmp_path / "set", unit, layout)
    found = inspect(folder, progress=False)
    assert found.ok == (unit == "px"), str(found)
    assert found.problems["problem"].str.contains(words).all()
    if refused:
        assert found.problems["image"].tolist() == [f"{number}.png" for number in range(len(SIZES))]
        with pytest.raises(DatasetError, match=words):
            datasets.load(folder)
    else:
        notes = [note for note in datasets.load(folder).notes if "not pixels" in note]
        assert len(notes) == (unit == "mm")
        assert all(words in note for note in notes)


@pytest.mark.parametrize("layout", ["csv", "coco"])
@pytest.mark.parametrize("unit", ["px", "relative", "Percent"])
def test_a_stated_unit_is_converted(tmp_path, layout, unit):
    folder = write(tmp_path / "set", unit.lower(), layout, xy_unit=unit)
    assert inspect(folder, progress=False).ok
    assert datasets.load(folder).table[["x", "y"]].to_numpy() == pytest.approx(pixels(), abs=1e-9)


def test_stated_millimetres_are_converted_with_the_spacing_of_each_picture(tmp_path):
    spacing = np.repeat(SPACINGS, 5)
    folder = write(tmp_path / "set", "mm", xy_unit="mm", pixel_width=spacing, pixel_height=spacing)
    assert inspect(folder, progress=False).ok
    assert datasets.load(folder).table[["x", "y"]].to_numpy() == pytest.approx(pixels(), abs=1e-9)


def test_stated_millimetres_without_a_spacing_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="pixel spacing of their picture is unknown"):
        datasets.load(write(tmp_path / "set", "mm", xy_unit="mm"))


def test_an_unknown_unit_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="not a unit") as raised:
        datasets.load(write(tmp_path / "set", "px", xy_unit="inches"))
    assert raised.value.found == "inches"


def test_stated_pixels_are_not_judged(tmp_path):
    folder = write(tmp_path / "set", "percent", xy_unit="px")
    assert inspect(folder, progress=False).ok
    assert datasets.load(folder).table["x"].max() < 100


def test_one_picture_in_fractions_among_others_in_pixels_is_named(tmp_path):
    folder = write(tmp_path / "set", "px")
    table = pd.read_csv(folder / "points.csv")
    table.loc[table["image"] == "3.png", ["x", "y"]] /= SIZES[3]
    table.to_csv(folder / "points.csv", index=False)
    assert inspect(folder, progress=False).problems["image"].tolist() == ["3.png"]
    with pytest.raises(DatasetError, match="fractions"):
        datasets.load(folder)


@pytest.mark.parametrize("spacing", [0.4, 0.5])
def test_millimetres_are_recognised_by_a_known_spacing_in_one_picture(spacing):
    table = pd.DataFrame({"image": "a.png", "view": "sagittal", "level": LEVELS, "x": MM[:, 0], "y": MM[:, 1]})
    table = table.assign(width=640, height=640, pixel_width=spacing, pixel_height=spacing)
    (found,) = units.suspicions(table)
    assert (found.unit, found.certain) == ("millimetres", False)
    step = np.hypot(*np.diff(MM, axis=0).T).mean()
    assert f"{step * spacing:.0f} mm" in found.evidence
    assert not units.suspicions(table.assign(x=table["x"] / spacing, y=table["y"] / spacing))


@pytest.mark.parametrize("layout", ["csv", "coco"])
@pytest.mark.parametrize("value", [0, -1, -999])
def test_a_placeholder_is_named_and_missing(tmp_path, layout, value):
    folder = write(tmp_path / "set", "px", layout)
    if layout == "csv":
        table = pd.read_csv(folder / "points.csv")
        table.loc[[0, 7], ["x", "y"]] = value
        table.to_csv(folder / "points.csv", index=False)
    else:
        content = json.loads((folder / "points.json").read_text())
        content["annotations"][0]["keypoints"][:2] = content["annotations"][1]["keypoints"][6:8] = [value, value]
        (folder / "points.json").write_text(json.dumps(content))
    problems = inspect(folder, progress=False).problems
    assert problems["row"].tolist() == [0, 7]
    assert problems["problem"].str.contains("not marked").all()
    dataset = datasets.load(folder)
    assert np.flatnonzero(dataset.table["x"].isna()).tolist() == [0, 7]
    assert dataset.table["y"].isna().sum() == 2
    assert any(note.startswith("2 point(s) at (0, 0) or (-1, -1)") for note in dataset.notes)


def test_levels_in_the_corner_of_an_image_that_is_cut_off_are_not_taken_for_percent(tmp_path):
    """Levels above the lower edge of a small field of view lie anywhere, and nothing else marks the others absent."""
    table = pd.read_csv(write(tmp_path / "set", "px") / "points.csv")
    shown = (table["image"] == "0.png") & table["level"].isin(LEVELS[:2])
    gone = (table["image"] == "0.png") & ~shown
    table.loc[shown, ["x", "y"]] = [[30.0, 20.0], [32.0, 55.0]]
    table.loc[gone, ["x", "y"]] = np.nan
    for absent, found in ((gone.astype(int), []), (0, ["percent of the picture"])):
        table.assign(absent=absent).to_csv(tmp_path / "set" / "points.csv", index=False)
        loaded = datasets.load(tmp_path / "set").table
        assert [each.unit for each in units.suspicions(loaded)] == found
