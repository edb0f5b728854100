"""The reader of each public set returns the documented landmark table, and notes what it leaves out."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from lumbar import datasets, landmarks
from lumbar.cli.main import main
from lumbar.core.errors import DatasetError, TableError
from lumbar.datasets import buu, find_reader
from lumbar.datasets.dataset import level_named, read_csv
from tests.datasets.test_datasets import write_kaggle
from tests.support import layouts

WRITERS = {
    "RSNA 2024 Lumbar Spine Degenerative Classification": layouts.rsna,
    "BUU-LSPINE": layouts.buu,
    "COCO keypoints": layouts.coco,
    "a CSV of your own": layouts.own_csv,
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Use a separate home for the caches."""
    monkeypatch.setenv("LUMBAR_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("layout", WRITERS)
def test_check_recognises_the_layout_and_finds_no_problem(layout, tmp_path, capsys):
    folder = WRITERS[layout](tmp_path / "set")
    assert main(["check", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert f"a data set we can read ({layout})" in printed
    assert "Nothing is wrong with it." in printed


@pytest.mark.parametrize("layout", WRITERS)
def test_the_table_keeps_the_schema_and_names_existing_images(layout, tmp_path):
    dataset = datasets.load(WRITERS[layout](tmp_path / "set"))
    assert landmarks.problems(dataset.table).empty
    assert all(dataset.path(image).is_file() for image in dataset.table["image"])


# RSNA 2024


def test_rsna_points_views_and_grades(tmp_path):
    dataset = datasets.load(layouts.rsna(tmp_path))
    table = dataset.table
    assert table.groupby("view").size().to_dict() == {"axial": 20, "sagittal": 10}
    assert table.groupby("view")["contrast"].unique().str[0].to_dict() == {"axial": "T2", "sagittal": "T2/STIR"}
    assert set(table["patient"]) == {"rsna 4003253", "rsna 4646740"}
    assert set(zip(table["width"], table["height"], strict=True)) == {(layouts.COLUMNS, layouts.ROWS)}
    assert set(zip(table["pixel_width"], table["pixel_height"], strict=True)) == {(0.8, 0.5)}
    first = table[(table["view"] == "sagittal") & (table["level"] == "L1/L2")].iloc[0]
    assert (first["x"], first["y"], first["side"]) == (33.25, 26.5, "")
    assert first["image"] == "train_images/4003253/4003254/8.dcm"
    assert first["spinal_canal_stenosis"] == "Normal/Mild"
    assert first["left_neural_foraminal_narrowing"] == ""
    axial = table[table["view"] == "axial"]
    assert axial.groupby("image")["side"].apply(sorted).map(tuple).unique().tolist() == [("left", "right")]
    assert axial.loc[axial["side"] == "left", "x"].eq(40).all()
    assert axial.loc[axial["patient"] == "rsna 4646740", "left_subarticular_stenosis"].eq("Moderate").all()


def test_rsna_notes_what_it_leaves_out_and_that_points_stay_on_their_slice(tmp_path):
    dataset = datasets.load(layouts.rsna(tmp_path))
    left = "Left Neural Foraminal Narrowing 10, Right Neural Foraminal Narrowing 10"
    assert f"20 points of other landmarks are left out ({left})" in dataset.notes
    assert any("4 of 4 sagittal pictures have fewer than five points" in note for note in dataset.notes)
    sagittal = dataset.table[dataset.table["view"] == "sagittal"]
    levels = sagittal.groupby("image")["level"].nunique()
    assert levels.tolist() == [4, 1, 4, 1]


def test_rsna_rows_are_named_by_their_line(tmp_path, capsys):
    file = layouts.rsna(tmp_path) / "train_label_coordinates.csv"
    lines = file.read_text().splitlines()
    assert lines[6].startswith("4003253,4003254,8,Spinal Canal Stenosis,L2/L3,32.25")
    lines[6] = lines[6].replace("32.25", "900")
    file.write_text("\n".join(lines))
    assert main(["check", str(tmp_path)]) == 1
    assert "line 7, train_images/4003253/4003254/8.dcm, column x" in capsys.readouterr().out


def test_rsna_without_its_other_tables_is_still_read(tmp_path):
    folder = layouts.rsna(tmp_path)
    (folder / "train.csv").unlink()
    (folder / "train_series_descriptions.csv").unlink()
    dataset = datasets.load(folder)
    assert len(dataset.table) == 30
    assert dataset.table["contrast"].eq("").all()
    assert "train.csv is not there: grades are unknown" in dataset.notes
    assert "train_series_descriptions.csv is not there: contrasts are unknown" in dataset.notes


def test_rsna_points_that_contradict_their_series_or_each_other_are_left_out_and_counted(tmp_path):
    file = layouts.rsna(tmp_path, studies=(4003253,)) / "train_label_coordinates.csv"
    table = pd.read_csv(file, dtype=str)
    axial = table["condition"].str.contains("Subarticular")
    table.loc[table.index[axial][2:4], "instance_number"] = "1"  # L2/L3 on the slice of L1/L2
    table.loc[0, "series_id"] = "4003256"  # a canal point in the axial series
    table.to_csv(file, index=False)
    dataset = datasets.load(tmp_path)
    assert "1 axial pictures have points of several levels: their 4 points are left out" in dataset.notes
    assert "1 points are left out: their series shows another plane than their condition" in dataset.notes
    assert len(dataset.table) == 15 - 4 - 1


def test_rsna_without_one_landmark_is_an_error(tmp_path):
    file = layouts.rsna(tmp_path) / "train_label_coordinates.csv"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if "Stenosis" not in line))
    with pytest.raises(DatasetError, match="no points of the landmarks") as raised:
        datasets.load(tmp_path)
    assert "Right Neural Foraminal Narrowing 10" in str(raised.value)


def test_rsna_tables_without_images_are_an_error(tmp_path, capsys):
    folder = layouts.rsna(tmp_path / "set", pictures=False)
    with pytest.raises(DatasetError, match="none of the pictures"):
        datasets.load(folder)
    assert main(["check", str(folder)]) == 1
    assert "the picture is not there" in capsys.readouterr().out


def test_rsna_with_some_images_reads_those(tmp_path):
    folder = layouts.rsna(tmp_path)
    shutil.rmtree(folder / "train_images" / "4646740")
    dataset = datasets.load(folder)
    assert set(dataset.table["patient"]) == {"rsna 4003253"}
    assert any("7 of 14 pictures are not there" in note for note in dataset.notes)


def test_a_picture_that_cannot_be_read_is_named(tmp_path, capsys):
    folder = layouts.rsna(tmp_path)
    broken = folder / "train_images" / "4646740" / "4646741" / "8.dcm"
    broken.write_bytes(b"<html>Please sign in</html>")
    with pytest.raises(DatasetError, match=r"1 picture\(s\) cannot be read") as raised:
        datasets.load(folder)
    assert str(broken) in str(raised.value)
    assert main(["check", str(folder)]) == 1
    assert "the picture cannot be read" in capsys.readouterr().out


@pytest.mark.parametrize("study", ["../../../etc", "/etc"])
def test_rsna_ids_that_lead_out_of_the_folder_are_refused(tmp_path, study):
    file = layouts.rsna(tmp_path) / "train_label_coordinates.csv"
    file.write_text(file.read_text().replace("4003253,", f"{study}/../../..,"))
    with pytest.raises(DatasetError, match="outside"):
        datasets.load(tmp_path)


# The improved coordinates of RSNA 2024


@pytest.mark.parametrize("where", ["inside", "beside", "data"])
def test_improved_points_find_the_images(tmp_path, where):
    name = "rsna-2024-lumbar-spine-degenerative-classification"
    pictures = layouts.rsna((tmp_path / "home" / "data" if where == "data" else tmp_path) / name)
    if where == "inside":
        (pictures / "train_label_coordinates.csv").rename(tmp_path / "train_label_coordinates.csv")
        folder = layouts.rsna_improved(pictures, tmp_path)
    else:
        folder = layouts.rsna_improved(tmp_path / "elsewhere" if where == "data" else tmp_path / "set", pictures)
    dataset = datasets.load(folder)
    assert dataset.root == pictures
    assert len(dataset.table) == 30
    first = dataset.table[dataset.table["view"] == "sagittal"].iloc[0]
    assert (first["x"], first["y"]) == pytest.approx((34.25, 26.5))
    assert dataset.table.loc[dataset.table["side"] == "right", "x"].to_numpy() == pytest.approx(23)
    assert "10 points of Spinal Canal Stenosis that are not at the canal are left out" in dataset.notes
    assert main(["check", str(folder)]) == 0


def improved_beside_images(folder):
    """Write the images of RSNA 2024 and the improved table, without the set's own table of points."""
    layouts.rsna_improved(layouts.rsna(folder), folder)
    (folder / "train_label_coordinates.csv").unlink()
    return folder


def place_canal_points(folder, study, instance):
    """Give the points at the canal of one study another instance_number, and write the image of that number."""
    file = folder / "coords_rsna_improved.csv"
    table = pd.read_csv(file, index_col=0, dtype=str)
    canal = (table["condition"] == "Spinal Canal Stenosis") & (table["side"] == "R") & (table["study_id"] == str(study))
    table.loc[canal, "instance_number"] = instance
    table.to_csv(file)
    series = folder / "train_images" / str(study) / str(study + 1)
    layouts.grey_dicom(series / f"{instance or 0}.dcm", layouts.SAGITTAL)


@pytest.mark.parametrize("placeholder", ["1", "-1", ""])
def test_improved_points_of_an_unknown_slice_are_left_out_and_counted(tmp_path, placeholder):
    folder = improved_beside_images(tmp_path)
    place_canal_points(folder, 4003253, placeholder)
    dataset = datasets.load(folder)
    sagittal = dataset.table[dataset.table["view"] == "sagittal"]
    assert set(sagittal["image"]) == {f"train_images/4646740/4646741/{number}.dcm" for number in (8, 9)}
    assert len(dataset.table) == 30 - 5
    assert (
        "5 points of Spinal Canal Stenosis in 1 series are left out: their instance_number is a placeholder "
        f"({placeholder or 'empty'}), and the table does not say on which slice they lie"
    ) in dataset.notes


def test_improved_points_on_the_second_slice_are_read_and_axial_ones_on_the_first(tmp_path):
    folder = improved_beside_images(tmp_path)
    place_canal_points(folder, 4003253, "2")
    table = datasets.load(folder).table
    assert len(table) == 30
    assert table["image"].eq("train_images/4003253/4003254/2.dcm").sum() == 5
    assert table.loc[table["image"].str.endswith("/1.dcm"), "view"].tolist() == ["axial"] * 4


def test_improved_points_are_not_taken_for_the_set_they_are_published_in(tmp_path):
    folder = write_kaggle(tmp_path / "kaggle", [("lsd", "0001.jpg")])
    pictures = layouts.rsna(tmp_path / "rsna-2024-lumbar-spine-degenerative-classification")
    layouts.rsna_improved(folder, pictures)
    both = datasets.load(folder)
    assert set(both.table["source"]) == {"lsd"}
    assert any("coords_rsna_improved.csv beside it" in note for note in both.notes)
    named = datasets.load(folder / "coords_rsna_improved.csv")
    assert set(named.table["source"]) == {"rsna"}


def test_a_folder_with_two_sets_is_ambiguous(tmp_path):
    layouts.rsna_improved(layouts.rsna(tmp_path), tmp_path)
    with pytest.raises(DatasetError, match="more than one data set") as raised:
        datasets.load(tmp_path)
    for table in ("train_label_coordinates.csv", "coords_rsna_improved.csv"):
        assert table in str(raised.value)
        assert len(datasets.load(tmp_path / table).table) == 30


# BUU-LSPINE


@pytest.mark.parametrize("folders", [True, False])
def test_buu_points(tmp_path, folders):
    dataset = datasets.load(layouts.buu(tmp_path, folders=folders))
    assert dataset.table["patient"].value_counts().to_dict() == {"buu 0001": 10, "buu 0002": 10}
    one = dataset.table[dataset.table["patient"] == "buu 0001"].set_index(["view", "level"])[["x", "y"]]
    # L1's lower endplate ends at (20, 14) and (40, 15), L2's upper one at (20, 18) and (40, 19).
    assert one.loc["sagittal", "L1/L2"].tolist() == [40, 17]
    assert one.loc["coronal", "L1/L2"].tolist() == [30, 16.5]
    assert one.loc["sagittal", "L5/S1"].tolist() == [40, 65]
    assert one.loc["coronal", "L5/S1"].isna().all()
    assert one.notna().all(axis=1).sum() == 9


def test_buu_points_of_a_slipped_vertebra_lie_between_the_posterior_ends():
    ends = np.array([[[10, y], [30, y]] for y in range(0, 110, 10)], float)
    ends[2:, :, 0] += 6  # L2 and below lie further back
    points = buu.level_points(ends, "sagittal")
    assert points.tolist() == [[33, 15], [36, 35], [36, 55], [36, 75], [36, 95]]


def test_buu_a_bad_table_of_endplates_is_left_out_and_named(tmp_path):
    folder = layouts.buu(tmp_path)
    (folder / "LA" / "0001-F-037Y1.csv").write_text("1,2,3,4,0\n")
    (folder / "AP" / "0002-F-037Y0.csv").write_text((folder / "AP" / "0002-F-037Y0.csv").read_text().replace("6", "x"))
    dataset = datasets.load(folder)
    assert dataset.table["image"].nunique() == 2
    note = next(note for note in dataset.notes if "cannot be read" in note)
    assert note.startswith("2 tables cannot be read and are left out; the first is AP/0002-F-037Y0.csv")


def test_buu_reversed_endplates_are_counted(tmp_path):
    folder = layouts.buu(tmp_path, patients=1)
    file = folder / "LA" / "0001-F-037Y1.csv"
    lines = [line.split(",") for line in file.read_text().splitlines()]
    file.write_text("\n".join(",".join([*line[2:4], *line[:2], line[4]]) for line in lines))
    assert any(note.startswith("11 endplates in lateral views") for note in datasets.load(folder).notes)


def test_buu_without_one_good_table_is_an_error(tmp_path):
    folder = layouts.buu(tmp_path, patients=1)
    for file in folder.rglob("*.csv"):
        file.write_text("")
    with pytest.raises(DatasetError, match="none of the tables of endplates"):
        datasets.load(folder)


# COCO


def change_coco(folder, change):
    file = folder / "annotations" / "points.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_coco_points_and_those_not_marked(tmp_path):
    dataset = datasets.load(layouts.coco(tmp_path))
    table = dataset.table
    assert table["image"].unique().tolist() == [f"images/patient-{n}.png" for n in (1, 2, 3)]
    assert table.loc[table["x"].isna(), ["image", "level"]].to_numpy().tolist() == [["images/patient-1.png", "L5/S1"]]
    assert tuple(table.iloc[0][["x", "y"]]) == layouts.POINTS["L1/L2"]
    assert any("assumed to be sagittal" in note for note in dataset.notes)
    assert any("patient of its own" in note for note in dataset.notes)


def test_coco_may_state_the_patients_of_some_images(tmp_path):
    folder = layouts.coco(tmp_path, pictures=2)
    change_coco(folder, lambda content: content["images"][0].update(patient="anna"))
    shown = datasets.load(folder).table.drop_duplicates("image")
    assert shown[["patient", "patient_from_file"]].to_numpy().tolist() == [["anna", False], ["images/patient-2", True]]


def test_coco_states_patient_and_view_and_the_file_may_be_named(tmp_path):
    folder = layouts.coco(tmp_path)

    def change(content):
        for image in content["images"]:
            image |= {"patient": 7, "view": "coronal", "contrast": "X-ray", "source": "here"}
        content["categories"][0]["keypoints"] = ["L1-L2", "l2_l3", "L3L4", "L4/L5", "L5 S1"]

    change_coco(folder, change)
    dataset = datasets.load(folder / "annotations" / "points.json")
    first = dataset.table.iloc[0]
    assert tuple(first[["patient", "view", "contrast", "source"]]) == ("7", "coronal", "X-ray", "here")
    assert dataset.table["level"].unique().tolist() == list(landmarks.LEVELS)
    assert dataset.root == folder


@pytest.mark.parametrize("named", [["L4/L5 left", "L4/L5 right"], ["left", "right"]])
def test_coco_axial_points_have_sides(tmp_path, named):
    folder = layouts.coco(tmp_path, pictures=1)

    def change(content):
        content["categories"][0]["keypoints"] = named
        content["annotations"][0]["keypoints"] = [40, 50, 2, 22, 50, 1]
        content["images"][0]["level"] = "L4/L5"

    change_coco(folder, change)
    table = datasets.load(folder).table
    assert table[["view", "level", "side", "x"]].to_numpy().tolist() == [
        ["axial", "L4/L5", "left", 40],
        ["axial", "L4/L5", "right", 22],
    ]


def test_coco_of_both_planes_in_one_category(tmp_path):
    folder = layouts.coco(tmp_path, pictures=3)

    def change(content):
        content["categories"][0]["keypoints"] = [*landmarks.LEVELS, "left", "right"]
        upright, axial, unplaced = content["annotations"]
        upright["keypoints"] += [0, 0, 0] * 2
        axial["keypoints"] = unplaced["keypoints"] = [0, 0, 0] * 5 + [40, 50, 2, 22, 50, 2]
        content["images"][1]["level"] = "l3-l4"

    change_coco(folder, change)
    dataset = datasets.load(folder)
    assert dataset.table.groupby("view").size().to_dict() == {"axial": 2, "sagittal": 5}
    assert dataset.table.loc[dataset.table["view"] == "axial", "level"].eq("L3/L4").all()
    assert "2 axial points are left out: neither keypoint nor image states their level" in dataset.notes


def test_coco_notes_what_it_leaves_out(tmp_path):
    folder = layouts.coco(tmp_path)

    def change(content):
        content["categories"][0]["keypoints"][0] = "T11/T12"
        del content["annotations"][2]

    change_coco(folder, change)
    dataset = datasets.load(folder)
    assert "keypoints that are not named after a level are left out: T11/T12" in dataset.notes
    assert "1 of 3 images have no keypoints and are left out" in dataset.notes
    assert len(dataset.table) == 8


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("images"),
        lambda content: content["annotations"][0].update(keypoints=[1, 2]),
        lambda content: content["annotations"][0].update(keypoints=[1, 2, 2]),
        lambda content: content["annotations"][0].update(image_id=99),
        lambda content: content["annotations"][0].update(keypoints="here"),
        lambda content: content.update(images=3),
        lambda content: content["categories"][0].update(keypoints=["nose", "tail", "a", "b", "c"]),
    ],
)
def test_invalid_coco_is_a_dataset_error(tmp_path, change):
    folder = layouts.coco(tmp_path)
    change_coco(folder, lambda content: content.update(note="images annotations"))
    change_coco(folder, change)
    with pytest.raises(DatasetError):
        datasets.load(folder / "annotations" / "points.json")


def test_coco_names_that_lead_out_are_refused(tmp_path):
    folder = layouts.coco(tmp_path)
    change_coco(folder, lambda content: content["images"][0].update(file_name="../../secret.png"))
    with pytest.raises(DatasetError, match="outside"):
        datasets.load(folder)


def test_coco_annotations_without_a_visible_point_are_counted_and_left_out(tmp_path):
    folder = layouts.coco(tmp_path)
    expected = datasets.load(folder).table

    def change(content):
        empty = {"category_id": 1, "keypoints": [0] * 15, "num_keypoints": 0, "iscrowd": 1}
        content["annotations"].insert(0, empty | {"id": 98, "image_id": 1})
        content["annotations"].append(empty | {"id": 99, "image_id": 2})

    change_coco(folder, change)
    dataset = datasets.load(folder)
    pd.testing.assert_frame_equal(dataset.table, expected)
    assert "2 annotation(s) without a visible point are left out: their picture has another one" in dataset.notes


def test_coco_an_image_with_only_empty_annotations_has_five_missing_points(tmp_path):
    folder = layouts.coco(tmp_path)

    def change(content):
        content["annotations"][1]["keypoints"] = [0] * 15
        content["annotations"].append(content["annotations"][1] | {"id": 99})

    change_coco(folder, change)
    table = datasets.load(folder).table
    assert table.groupby("image")["x"].agg(lambda x: x.isna().sum()).tolist() == [1, 5, 0]
    assert len(table) == 15


def test_coco_points_of_one_image_in_two_annotations_are_put_together(tmp_path):
    folder = layouts.coco(tmp_path)
    expected = datasets.load(folder).table[["image", "level", "x", "y"]]

    def change(content):
        whole = content["annotations"][2]["keypoints"]
        content["annotations"][2]["keypoints"] = whole[:6] + [0] * 9
        content["annotations"].append(content["annotations"][2] | {"id": 99, "keypoints": [0] * 6 + whole[6:]})

    change_coco(folder, change)
    table = datasets.load(folder).table[["image", "level", "x", "y"]]
    pd.testing.assert_frame_equal(table, expected)


def test_coco_two_marked_points_of_one_level_are_still_named(tmp_path, capsys):
    folder = layouts.coco(tmp_path)
    change_coco(folder, lambda content: content["annotations"].append(content["annotations"][1] | {"id": 99}))
    assert main(["check", str(folder)]) == 1
    assert "this point appears in the table more than once: 10 time(s)" in capsys.readouterr().out


@pytest.mark.parametrize("write", [str, float])
def test_coco_identifiers_may_be_text(tmp_path, write):
    folder = layouts.coco(tmp_path)
    expected = datasets.load(folder).table

    def change(content):
        for annotation in content["annotations"]:
            annotation |= {"image_id": write(annotation["image_id"]), "category_id": write(1)}

    change_coco(folder, change)
    pd.testing.assert_frame_equal(datasets.load(folder).table, expected)


@pytest.mark.parametrize("key", ["image_id", "category_id"])
def test_coco_an_identifier_that_the_file_does_not_list_is_named(tmp_path, key):
    folder = layouts.coco(tmp_path)
    change_coco(folder, lambda content: content["annotations"][0].update({key: "seven"}))
    with pytest.raises(DatasetError, match="COCO format") as raised:
        datasets.load(folder)
    assert f"an annotation has the {key} 'seven', which the file does not list" in str(raised.value)


def test_coco_two_images_with_one_identifier_are_refused(tmp_path):
    folder = layouts.coco(tmp_path)
    change_coco(folder, lambda content: content["images"][1].update(id=1))
    with pytest.raises(DatasetError) as raised:
        datasets.load(folder)
    assert "patient-1.png and patient-2.png have the same id" in str(raised.value)


@pytest.mark.parametrize("named", ["", "annotations", "annotations/points.json"])
@pytest.mark.parametrize("path", ["../images/{}", "..\\images\\{}", "../annotations/../images/{}"])
def test_coco_paths_may_count_from_the_annotations_folder(tmp_path, monkeypatch, named, path):
    folder = layouts.coco(tmp_path / "set")
    expected = datasets.load(folder).table

    def change(content):
        for image in content["images"]:
            image["file_name"] = path.format(image["file_name"])

    change_coco(folder, change)
    pd.testing.assert_frame_equal(datasets.load(folder / named).table, expected)
    monkeypatch.chdir(folder / "annotations")
    pd.testing.assert_frame_equal(datasets.load(".").table, expected)


@pytest.mark.parametrize(
    "path", ["../../secret.png", "../images/../../secret.png", "../images/link.png", "{}/secret.png"]
)
@pytest.mark.parametrize("named", ["", "annotations", "annotations/points.json"])
def test_coco_paths_that_leave_the_data_set_are_refused(tmp_path, named, path):
    folder = layouts.coco(tmp_path / "set")
    layouts.grey_picture(tmp_path / "secret.png")
    (folder / "images" / "link.png").symlink_to(tmp_path / "secret.png")
    path = path.format(tmp_path)
    change_coco(folder, lambda content: content["images"][0].update(file_name=path))
    with pytest.raises(DatasetError, match="outside"):
        datasets.load(folder / named)


def test_coco_paths_of_another_folder_than_annotations_may_not_climb(tmp_path):
    folder = layouts.coco(tmp_path / "set")
    change_coco(folder, lambda content: content["images"][0].update(file_name="../images/patient-1.png"))
    (folder / "annotations").rename(folder / "labels")
    with pytest.raises(DatasetError, match="outside"):
        datasets.load(folder / "labels")


# The user's own CSV


def test_own_csv_reads_missing_columns_from_the_images(tmp_path):
    dataset = datasets.load(layouts.own_csv(tmp_path / "mine"))
    pictures = dataset.table.drop_duplicates("image").set_index("image")
    assert pictures.loc["scans/002.dcm", ["width", "height", "view"]].tolist() == [64, 96, "sagittal"]
    assert pictures.loc["scans/002.dcm", "pixel_width"] == 0.8
    assert pictures.loc["scans/001.png", ["width", "height", "source"]].tolist() == [64, 96, "mine"]
    assert np.isnan(pictures.loc["scans/001.png", "pixel_width"])
    assert pictures["patient"].tolist() == ["scans/001", "scans/002"]
    assert pictures["patient_from_file"].all()
    assert any("patient of its own" in note for note in dataset.notes)
    assert any("assumed to be sagittal" in note for note in dataset.notes)


def test_own_csv_keeps_its_own_columns(tmp_path):
    folder = layouts.own_csv(tmp_path, pictures=("a.png",))
    table = pd.read_csv(folder / "points.csv").assign(patient="007", view="coronal", pixel_width=0.5, pixel_height=0.7)
    table.assign(reader="JD").to_csv(folder / "points.csv", index=False)
    dataset = datasets.load(folder)
    assert dataset.notes == ()
    first = dataset.table.iloc[0]
    columns = ["patient", "view", "pixel_width", "pixel_height", "reader"]
    assert first[columns].tolist() == ["007", "coronal", 0.5, 0.7, "JD"]
    assert not dataset.table["patient_from_file"].any()


@pytest.mark.parametrize("layout", [layouts.own_csv, layouts.coco])
def test_the_source_of_the_current_folder_is_its_name(tmp_path, monkeypatch, layout):
    monkeypatch.chdir(layout(tmp_path / "mine"))
    assert set(datasets.load(".").table["source"]) == {"mine"} == set(datasets.load(tmp_path / "mine").table["source"])


def test_own_csv_names_missing_columns_and_gives_an_example(tmp_path):
    folder = layouts.own_csv(tmp_path)
    file = folder / "points.csv"
    file.write_text(file.read_text().replace("image,level,x,y", "image,disc,x,why"))
    with pytest.raises(DatasetError) as raised:
        datasets.load(folder)
    assert raised.value.field == "level, y"
    assert "scans/001.png,L1/L2,131,70" in str(raised.value)


def test_own_csv_of_any_name_and_several_in_one_folder(tmp_path):
    folder = layouts.own_csv(tmp_path)
    shutil.copy(folder / "points.csv", folder / "second reader.csv")
    with pytest.raises(DatasetError, match="more than one table of points"):
        datasets.load(folder)
    assert len(datasets.load(folder / "second reader.csv").table) == 10


def test_own_csv_beside_a_set_of_another_layout_does_not_hide_it(tmp_path):
    folder = write_kaggle(tmp_path, [("lsd", "0001.jpg")])
    layouts.own_csv(folder)
    assert find_reader(folder)[0].layout == "Lumbar Coordinate Pretraining Dataset"
    assert find_reader(folder / "points.csv")[0].layout == "a CSV of your own"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00x", b"image,level\n\x00,\n", b'"image,level', b"a,b\n1,2\n"])
def test_a_csv_that_is_not_a_table_of_points_is_a_dataset_error(tmp_path, content):
    (tmp_path / "points.csv").write_bytes(content)
    with pytest.raises(DatasetError):
        datasets.load(tmp_path)


def test_an_unknown_folder_gives_a_list_of_layouts(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(DatasetError) as raised:
        find_reader(tmp_path)
    for reader in datasets.READERS:
        assert reader.layout in str(raised.value)


def test_check_reports_nothing_else_about_missing_images(tmp_path, capsys):
    folder = layouts.rsna(tmp_path / "set", pictures=False)
    assert main(["check", str(folder)]) == 1
    printed = capsys.readouterr().out
    assert "the picture is not there: 14 time(s)" in printed
    assert "width" not in printed.partition("problem(s)")[2]


def test_own_csv_as_a_spreadsheet_saves_it(tmp_path):
    """Semicolons, decimal commas and Windows-1252 are read, with notes."""
    file = layouts.own_csv(tmp_path) / "points.csv"
    rows = [row.split(",") for row in file.read_text().split()]
    text = "\n".join(";".join([*row, "Größe"]) for row in rows).replace(";33;26;", ";33,5;26;")
    file.write_bytes(text.encode("cp1252"))
    dataset = datasets.load(tmp_path)
    assert dataset.table["x"].iloc[0] == 33.5
    assert "semicolons" in " ".join(dataset.notes)
    assert "Windows-1252" in " ".join(dataset.notes)


def respelt(folder, header=None, **change):
    """Change the header of a written table, and each cell by a function of its column; return its folder."""
    file = folder / "points.csv"
    names, *rows = [line.split(",") for line in file.read_text().split("\n") if line]
    rows = [[change.get(name, str)(cell) for name, cell in zip(names, row, strict=True)] for row in rows]
    file.write_text("\n".join(",".join(row) for row in [header or names, *rows]) + "\n")
    return folder


@pytest.mark.parametrize(
    ("header", "change", "note"),
    [
        (
            ["image", " level", " x", " y "],
            dict.fromkeys(("level", "x", "y"), " {} ".format),
            "blanks around its cells",
        ),
        (["Image", "LEVEL", "X", "Y"], {}, "Image as image, LEVEL as level, X as x, Y as y"),
        (None, {"level": lambda level: level.replace("/", "-")}, "L1-L2 as L1/L2"),
        (None, {"level": lambda level: level.replace("/", "")}, "L5S1 as L5/S1"),
        (None, {"level": lambda level: level.replace("/", "_").lower()}, "l4_l5 as L4/L5"),
        (None, {"level": lambda level: level[:3] + level[-1]}, "L5/1 as L5/S1"),
        (None, {"level": ' "{}"'.format}, None),
        (["image", ' "level"', ' "x"', " y"], {"level": ' "{}"'.format}, None),
        (None, {"x": '"{},0"'.format}, "decimal commas in the column x"),
    ],
)
def test_own_csv_in_other_spelling_is_the_same_table(tmp_path, capsys, header, change, note):
    folder = layouts.own_csv(tmp_path / "set")
    expected = datasets.load(folder)
    dataset = datasets.load(respelt(folder, header, **change))
    pd.testing.assert_frame_equal(dataset.table, expected.table)
    added = [each for each in dataset.notes if each not in expected.notes]
    assert len(added) == (note is not None)
    assert (note or "") in " ".join(added)
    assert main(["check", str(folder)]) == 0
    assert (note or "") in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize("first", ["", "sep=;\n", '"sep=;"\r\n'])
def test_own_csv_in_utf_16_and_with_a_line_that_states_the_separator(tmp_path, encoding, first):
    folder = layouts.own_csv(tmp_path / "set")
    expected = datasets.load(folder)
    file = folder / "points.csv"
    file.write_bytes((first + file.read_text().replace(",", ";")).encode(encoding))
    for place in (folder, file):
        dataset = datasets.load(place)
        pd.testing.assert_frame_equal(dataset.table, expected.table)
    notes = " ".join(dataset.notes)
    assert ("UTF-16" in notes) == encoding.startswith("utf-16")
    assert ("begins with" in notes) == bool(first)


def test_check_counts_the_line_that_states_the_separator(tmp_path, capsys):
    file = layouts.own_csv(tmp_path / "set") / "points.csv"
    file.write_text("sep=,\n" + file.read_text().replace("L2/L3", "L9/L9"))
    assert main(["check", str(file.parent)]) == 1
    assert "line 4, scans/001.png, column level" in capsys.readouterr().out


@pytest.mark.parametrize(("cell", "expected"), [('"120,5"', 120.5), ('"-0,25"', -0.25), ('"1234,5"', 1234.5)])
def test_a_decimal_comma_in_a_table_with_commas_is_read(tmp_path, cell, expected):
    (tmp_path / "a.csv").write_text(f"x,y\n{cell},7\n,8\n")
    table = read_csv(tmp_path / "a.csv", text=(), numbers=("x", "y"))
    assert table["x"].iloc[0] == expected
    assert np.isnan(table["x"].iloc[1])
    assert any("decimal commas in the column x" in note for note in table.attrs["notes"])


def test_a_comma_that_may_separate_thousands_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text('x,y\n"1,234",7\n"120,500",8\n')
    with pytest.raises(DatasetError, match="decimal comma") as raised:
        read_csv(tmp_path / "a.csv", text=(), numbers=("x", "y"))
    assert (raised.value.field, raised.value.found) == ("x", "1,234")


def test_decimal_commas_without_quotes_are_refused_with_the_reason(tmp_path):
    (tmp_path / "a.csv").write_text("image,level,x,y\np1.png,L1/L2,120,5,60,2\n")
    with pytest.raises(DatasetError, match="decimal commas"):
        datasets.load(tmp_path)


def test_words_that_are_not_levels_stay_and_are_named(tmp_path):
    for text in ("L6/S1", "L4/L6", "T11/T12", "L3/5", "L45", "", "disc"):
        assert level_named(text) == ""
    folder = respelt(layouts.own_csv(tmp_path / "set"), level=lambda level: level.replace("L5/S1", "L5/L6"))
    with pytest.raises(TableError, match="L5/L6"):
        datasets.load(folder)


def test_a_named_file_that_is_not_a_table_does_not_stand_for_its_folder(tmp_path):
    layouts.own_csv(tmp_path)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match="not a table of points"):
        datasets.load(tmp_path / "other.csv")
