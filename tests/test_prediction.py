"""Points of pictures nobody has marked: the right place in the file and in the patient, nothing skipped silently."""

import json
import threading
import warnings
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image

import lumbar
from lumbar import engines, imaging, inference, weights
from lumbar.cli.main import main
from lumbar.core import paths
from lumbar.core.constants import ROW
from lumbar.core.errors import RunError, ScanError
from lumbar.datasets import load
from lumbar.engines import Network
from lumbar.exports import COUNT_NOT_CHECKED, json_points
from lumbar.geometry import SIZE, Affine
from lumbar.inference import BATCH_SIZE, UNJUDGED, PreparedScan
from lumbar.landmarks import LEVELS
from lumbar.phantom import PhantomSettings, write_dataset
from lumbar.prediction import COLUMNS, PredictionSettings, predict
from lumbar.runs.settings import TrainingSettings
from lumbar.training.job import train
from tests.support import volume_files
from tests.support.noise import noise
from tests.support.prepared import answered, in_turn


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Sagittal and axial pictures of a few patients, and two networks that have hardly seen them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUMBAR_HOME", str(tmp_path_factory.mktemp("home")))
        settings = PhantomSettings(patients=8, seed=2, series=("sagittal-t2", "axial-t2"))
        data = write_dataset(paths.data() / "few", settings, workers=1, progress=False)
        small = {"data": data, "epochs": 1, "width": 2, "depth": 3, "tensorboard": False}
        train(TrainingSettings(**small, views=("sagittal",), name="flat"), progress=False)
        train(TrainingSettings(**small, views=("sagittal", "axial"), name="both"), progress=False)
        yield data


@pytest.fixture
def any_spacing(monkeypatch):
    """A network trained for one epoch puts the levels anywhere; tests of other things overlook that."""
    monkeypatch.setattr(inference, "uneven_gaps", lambda points: ())


@pytest.fixture
def truthful(home, monkeypatch):
    """A network that answers where the table has the points, in place of one that had been trained for long."""
    table = load(home).table
    table = table[table["view"] == "sagittal"]
    by_picture = (points.to_numpy() for _, points in table.groupby("image", sort=True)[["x", "y"]])

    def answer(part):
        true = islice(by_picture, len(part.images))
        points = np.stack([Affine(m).inverse().points(xy) for m, xy in zip(part.to_native, true, strict=True)])
        return answered(points)

    monkeypatch.setattr(inference, "answers", in_turn(answer))
    return table


def test_points_come_back_in_native_pixels_and_patient_millimetres(truthful, home):
    paths = [home / image for image in sorted(truthful["image"].unique())]
    found = predict(paths, PredictionSettings(weights="flat"), progress=False)
    assert found.synthetic
    assert found.refused == ()
    true = truthful.sort_values(["image", "level"], ignore_index=True)
    table = found.table.sort_values(["image", "level"], ignore_index=True)
    np.testing.assert_allclose(table[["x", "y"]], true[["x", "y"]], atol=1e-6)
    for image, points in table.groupby("image"):
        header = pydicom.dcmread(image)
        along_row, along_column = np.array(header.ImageOrientationPatient, float).reshape(2, 3)
        height, width = map(float, header.PixelSpacing)
        by_hand = (
            np.array(header.ImagePositionPatient, float)
            + points[["x"]].to_numpy() * width * along_row
            + points[["y"]].to_numpy() * height * along_column
        )
        np.testing.assert_allclose(points[["x_mm", "y_mm", "z_mm"]], by_hand, atol=1e-4)


def test_a_picture_file_has_the_same_points_but_no_place_in_the_patient(home, tmp_path):
    dicom = home / "phantom-2-0001" / "sagittal-t2" / "001.dcm"
    pixels = imaging.read(dicom).pixels
    Image.fromarray((pixels / pixels.max() * 65535).astype(np.uint16)).save(tmp_path / "a.png")
    one, other = (
        predict([path], PredictionSettings(weights="flat"), progress=False).table for path in (dicom, tmp_path)
    )
    np.testing.assert_allclose(one[["x", "y"]], other[["x", "y"]], atol=0.5)
    assert one[["x_mm", "y_mm", "z_mm"]].notna().all(axis=None)
    assert other[["x_mm", "y_mm", "z_mm"]].isna().all(axis=None)


def test_of_a_volume_the_middle_slice_is_taken_or_the_one_asked_for(home, any_spacing, tmp_path, capsys):
    """Three slices 4 mm apart; only the middle one shows the patient."""
    dicom = home / "phantom-2-0001" / "sagittal-t2" / "001.dcm"
    scan = imaging.read(dicom)
    steps = [-4 * scan.plane.normal, scan.plane.along_column * scan.plane.pixel_height]
    steps = [*steps, scan.plane.along_row * scan.plane.pixel_width]
    voxels = np.stack([scan.pixels * 0 + 7, scan.pixels, scan.pixels * 0 + 7]).astype(np.int16)
    voxels[[0, 2], 0, 0] = 1
    volume = volume_files.write(tmp_path / "spine.nii.gz", voxels, scan.plane.position - steps[0], steps)
    table = predict([dicom], PredictionSettings(weights="flat"), progress=False).table
    found = predict([volume], PredictionSettings(weights="flat"), progress=False)
    assert (found.table["frame"] == 1).all()
    np.testing.assert_allclose(found.table[["x", "y"]], table[["x", "y"]], atol=1.0)
    np.testing.assert_allclose(found.table[["x_mm", "y_mm", "z_mm"]], table[["x_mm", "y_mm", "z_mm"]], atol=1.0)
    assert "middle sagittal slice" in " ".join(found.remarks)
    other = predict([volume], PredictionSettings(weights="flat", frame=2), progress=False)
    assert (other.table["frame"] == 2).all()
    assert not other.remarks
    gone = predict([volume], PredictionSettings(weights="flat", frame=3), progress=False)
    assert "no such slice" in str(gone.refused[0])
    words = ["predict", str(volume), "--weights", "flat", "--out", str(tmp_path / "points.csv")]
    assert main([*words, "--overlay", str(tmp_path / "drawn"), "--json", str(tmp_path / "points.json")]) == 0
    assert main(["report", str(tmp_path / "points.csv"), "--out", str(tmp_path / "page.html")]) == 0
    assert "<image" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert json_points.read(tmp_path / "points.json").pictures[0].frame == 1


def test_axial_pictures_have_sides_and_sagittal_ones_levels(home):
    table = predict([home / "phantom-2-0001"], PredictionSettings(weights="both"), progress=False).table
    assert table.loc[table["view"] == "sagittal", "level"].tolist() == list(LEVELS)
    assert set(table.loc[table["view"] == "axial", "side"]) == {"left", "right"}
    assert len(table) == 5 + 5 * 2


def test_a_plane_the_network_does_not_know_is_refused_and_the_rest_goes_on(home):
    found = predict([home / "phantom-2-0001"], PredictionSettings(weights="flat"), progress=False)
    assert len(found.table) == 5
    assert len(found.refused) == 5
    assert "not trained on this plane" in str(found.refused[0])


def test_a_picture_whose_plane_nobody_says_is_taken_for_sagittal_and_that_is_said(home, tmp_path, capsys):
    noise((300, 300), 60).save(tmp_path / "a.png")
    found = predict([tmp_path / "a.png"], PredictionSettings(weights="both"), progress=False)
    assert found.table["level"].tolist() == list(LEVELS)
    assert found.assumed == (tmp_path / "a.png",)
    told = predict([tmp_path / "a.png"], PredictionSettings(weights="both", view="axial"), progress=False)
    assert told.table["side"].tolist() == ["left", "right"]
    assert told.assumed == ()
    main(["predict", str(tmp_path / "a.png"), "--weights", "both", "--out", str(tmp_path / "points.csv")])
    assert "treated as sagittal" in capsys.readouterr().out


def test_in_python_the_same_table_comes_back_and_what_is_left_out_is_warned_of(home, tmp_path):
    picture = home / "phantom-2-0001" / "sagittal-t2" / "001.dcm"
    (tmp_path / "broken.dcm").write_bytes(b"not a scan")
    with pytest.warns(UserWarning, match="left out"):
        table = lumbar.predict([picture, tmp_path / "broken.dcm"], weights="flat")
    pd.testing.assert_frame_equal(table, lumbar.predict(picture, weights="flat"))
    assert tuple(table) == COLUMNS
    with pytest.raises(ScanError, match="not a DICOM file"):
        lumbar.predict(tmp_path / "broken.dcm", weights="flat")


def test_a_network_nobody_knows_is_named(home):
    with pytest.raises(RunError, match="no such network") as error:
        lumbar.predict(home, weights="wonder")
    assert "phantom" in str(error.value), "it says which there are"


def test_a_folder_is_read_or_accounted_for_and_what_may_be_lost_changes_the_exit_code(home, tmp_path, capsys):
    """Four files of one picture, a mask beside them, a table, and two forms that are not read."""
    dicom, folder = home / "phantom-2-0001" / "sagittal-t2" / "001.dcm", tmp_path / "mixed"
    folder.mkdir()
    scan = imaging.read(dicom)
    (folder / "a.dcm").write_bytes(dicom.read_bytes())
    (folder / "h.IMA").write_bytes(dicom.read_bytes()[132:])
    Image.fromarray((scan.pixels / scan.pixels.max() * 255).astype(np.uint8)).save(folder / "e.jpe", "JPEG")
    steps = [-scan.plane.normal * 4, scan.plane.along_column * scan.plane.pixel_height]
    place = scan.plane.position, [*steps, scan.plane.along_row * scan.plane.pixel_width]
    volume_files.write(folder / "g.nii.gz", scan.pixels[None].astype(np.int16), *place)
    volume_files.write(folder / "g_seg.nii.gz", (scan.pixels[None] > 1e9).astype(np.uint8), *place)
    (folder / "points.csv").touch()
    found = predict([folder], PredictionSettings(weights="flat"), progress=False)
    points = {Path(name).name: rows[["x", "y"]].to_numpy() for name, rows in found.table.groupby("image")}
    assert set(points) == {"a.dcm", "e.jpe", "g.nii.gz", "h.IMA"}
    np.testing.assert_allclose(points["h.IMA"], points["a.dcm"], atol=1e-3)
    np.testing.assert_allclose(points["g.nii.gz"], points["a.dcm"], atol=1.0)
    words = ["predict", str(folder), "--weights", "flat", "--out", str(tmp_path / "points.csv")]
    assert main(words) == 0, "neither a mask nor a table is an image that was lost"
    assert "volumes of labels (masks): g_seg.nii.gz" in capsys.readouterr().err
    for name in ("c.tif", "d.bmp", "f.dcm.gz"):
        (folder / name).write_bytes(b"anything")
    assert main([*words, "--json", str(tmp_path / "points.json")]) == 1
    printed = capsys.readouterr().err
    assert "not read, pictures in an unsupported format: c.tif, d.bmp; save them as PNG" in printed
    assert "not read, compressed files: f.dcm.gz; unpack them" in printed
    left_out = {Path(error.file).name for error in json_points.read(tmp_path / "points.json").refused}
    assert left_out == {"c.tif", "d.bmp", "f.dcm.gz"}
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        lumbar.predict(folder, weights="flat")
    assert [str(each.message).split(":")[0] for each in warned] == [
        "not read, compressed files",
        "not read, pictures in an unsupported format",
    ]


def test_a_mask_that_is_named_is_refused_and_a_folder_without_images_says_what_is_there(home, tmp_path):
    steps = [[4.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]]
    mask = volume_files.write(tmp_path / "mask.mha", np.zeros((3, 20, 20), np.uint8), [0, 0, 0], steps)
    found = predict([mask], PredictionSettings(weights="flat", frame=1), progress=False)
    assert "holds labels" in str(found.refused[0])
    (tmp_path / "a.tif").touch()
    with pytest.raises(ScanError, match="no picture here") as error:
        predict([tmp_path], PredictionSettings(weights="flat"), progress=False)
    assert "a.tif; save them as PNG" in error.value.found
    assert "mask.mha" in error.value.found


def test_a_network_without_heatmaps_judges_nothing_and_that_is_said_once(home, any_spacing, tmp_path, capsys):
    folder = home / "phantom-2-0001" / "sagittal-t2"
    found = predict([folder, home / "phantom-2-0002" / "sagittal-t2"], PredictionSettings(weights="flat"))
    assert not found.judged
    assert found.table["flagged"].isna().all(), "False would mean that the points had been judged"
    words = ["predict", str(folder), "--weights", "flat", "--out", str(tmp_path / "points.csv")]
    words += ["--json", str(tmp_path / "points.json"), "--coco", str(tmp_path / "coco.json")]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert printed.count(UNJUDGED) == 1
    assert "are flagged" not in printed
    assert pd.read_csv(tmp_path / "points.csv")["flagged"].isna().all()
    assert json_points.read(tmp_path / "points.json").table["flagged"].isna().all()
    assert json.loads((tmp_path / "coco.json").read_text())["annotations"][0]["flagged"] is None
    for file in ("points.csv", "points.json"):
        assert main(["report", str(tmp_path / file), "--out", str(tmp_path / "page.html")]) == 0
        assert UNJUDGED in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_network_with_heatmaps_judges_every_picture(truthful, home):
    found = predict([home / sorted(truthful["image"])[0]], PredictionSettings(weights="flat"), progress=False)
    assert found.judged
    assert found.table["flagged"].dtype == bool
    assert not found.table["flagged"].any()


def test_levels_that_lie_unevenly_are_flagged_however_sure_the_network_is(home, monkeypatch, tmp_path, capsys):
    even = np.column_stack([np.full(5, 120.0), [30, 60, 90, 120, 150]])
    uneven = even - [[0, 0], [0, 0], [0, 28], [0, 0], [0, 0]]

    def answer(part):
        return answered(np.stack([even, uneven])[: len(part.images)], 0.99)

    monkeypatch.setattr(inference, "answers", in_turn(answer))
    images = [home / f"phantom-2-000{number}" / "sagittal-t2" / "001.dcm" for number in (1, 2)]
    assert main(["predict", *map(str, images), "--weights", "flat", "--out", str(tmp_path / "points.csv")]) == 0
    table = pd.read_csv(tmp_path / "points.csv")
    assert table["flagged"].tolist() == [False] * 5 + [True] * 5
    printed = capsys.readouterr().out
    assert "1 of them: L2/L3 and L3/L4 lie unusually close together; flagged (001.dcm)" in printed
    assert "L3/L4 and L4/L5 lie unusually far apart; flagged" in printed


@pytest.fixture
def cut_off(home, monkeypatch):
    """A network that answers of each image that its first two levels are absent, and of the second that all are."""

    def answer(part):
        count = len(part.images)
        points = np.tile(np.column_stack([np.full(5, 120.0), [30, 60, 90, 120, 150]]), (count, 1, 1))
        absent = np.tile([0.97, 0.95, 0.02, 0.01, 0.01], (count, 1))
        absent[1:] = 0.99
        return answered(points, 0.99 * (1 - absent), absent)

    monkeypatch.setattr(inference, "answers", in_turn(answer))
    return [home / f"phantom-2-000{number}" / "sagittal-t2" / "001.dcm" for number in (1, 2)]


def test_a_level_that_an_image_does_not_show_has_no_point_in_any_format(cut_off, tmp_path, capsys):
    places = {"--out": "points.csv", "--json": "points.json", "--coco": "coco.json", "--overlay": "drawn"}
    places |= {"--markups": "slicer", "--structured-report": "reports"}
    words = [text for flag, name in places.items() for text in (flag, str(tmp_path / name))]
    assert main(["predict", *map(str, cut_off), "--weights", "flat", *words]) == 1
    printed = capsys.readouterr()
    assert "2 of them do not show every level; what a picture does not show has no point" in printed.out
    assert UNJUDGED not in printed.out
    table = pd.read_csv(tmp_path / "points.csv")
    gone = [True, True, False, False, False] + [True] * 5
    for column in ("x", "y", "x_mm", "y_mm", "z_mm", "confidence"):
        assert table[column].isna().tolist() == gone
    assert (table["absent"] > 0.5).tolist() == gone
    assert not table["flagged"].any(), "the network is sure of what it sees and of what it does not"
    first, second = json.loads((tmp_path / "points.json").read_text())["pictures"]
    assert [point["x"] is None for point in first["points"] + second["points"]] == gone
    assert first["points"][0]["absent"] == pytest.approx(0.97)
    again = json_points.read(tmp_path / "points.json").table
    np.testing.assert_allclose(again[["x", "y", "absent"]], table[["x", "y", "absent"]], atol=1e-3)
    first, second = json.loads((tmp_path / "coco.json").read_text())["annotations"]
    assert first["keypoints"][2::3] == [0, 0, 2, 2, 2]
    assert (second["num_keypoints"], second["score"]) == (0, None)
    (markups,) = (tmp_path / "slicer").iterdir()
    points = json.loads(markups.read_text())["markups"][0]["controlPoints"]
    assert [point["positionStatus"] for point in points] == ["undefined"] * 2 + ["defined"] * 3
    assert points[0]["description"].startswith("not in this image")
    (report,) = (tmp_path / "reports").iterdir()
    assert [name for name in LEVELS if name in pydicom.dcmread(report).to_json()] == list(LEVELS[2:])
    assert printed.err.count("shows none of the levels") == 2
    assert len(list((tmp_path / "drawn").iterdir())) == 2
    for file in ("points.csv", "points.json"):
        assert main(["report", str(tmp_path / file), "--out", str(tmp_path / "page.html")]) == 0
        page = (tmp_path / "page.html").read_text(encoding="utf-8")
        assert page.count("not in the picture") == sum(gone)
        assert "with the points L3/L4, L4/L5, L5/S1;" in page


@pytest.mark.parametrize(("absent", "flagged"), [(0.05, False), (0.3, True), (0.8, True), (0.95, False)])
def test_an_image_is_flagged_where_it_is_not_clear_whether_a_level_is_in_it(home, monkeypatch, absent, flagged):
    def answer(part):
        points = np.column_stack([np.full(5, 120.0), [30, 60, 90, 120, 150]])[None]
        return answered(points, 0.99, [absent, 0.01, 0.01, 0.01, 0.01])

    monkeypatch.setattr(inference, "answers", in_turn(answer))
    found = predict([home / "phantom-2-0001" / "sagittal-t2" / "001.dcm"], PredictionSettings(weights="flat"))
    assert found.table["flagged"].tolist() == [flagged] * 5


def numbered(count):
    """Yield scans, each shifted by its number, so that the place of its points tells which one it is."""
    for number in range(count):
        shift = Affine(np.array([[1.0, 0, number], [0, 1, 0]])).inverse()
        yield PreparedScan(np.zeros((SIZE, SIZE), np.uint8), "sagittal", shift, "MR")


def test_the_network_answers_while_the_next_scans_are_read(home, monkeypatch):
    begun, read_on = threading.Event(), threading.Event()

    def scans():
        for number, scan in enumerate(numbered(3 * BATCH_SIZE + 1)):
            if number == BATCH_SIZE:
                assert begun.wait(60), "nothing was asked although a portion had been read"
                read_on.set()
            yield scan

    def answer(images):
        begun.set()
        assert read_on.wait(60), "nothing is read while the network answers"
        return np.zeros((len(images), 5, 2))

    network = Network(answer, count=5, has_heatmaps=False, may_be_absent=False, points=())
    monkeypatch.setattr(engines, "start", lambda file, engine: network)
    found = inference.find_points(weights.find("flat"), scans(), progress=False)
    assert [each.xy_native[0, 0] for each in found.points] == [number - 0.5 for number in range(3 * BATCH_SIZE + 1)]
    assert len(found.prepared.images) == 3 * BATCH_SIZE + 1


def test_where_the_network_fails_not_all_scans_are_read(home, monkeypatch):
    def scans():
        for scan in numbered(100 * BATCH_SIZE):
            read.append(scan)
            yield scan

    read = []
    diverged = Network(
        lambda images: np.full((len(images), 5, 2), np.nan), count=5, has_heatmaps=False, may_be_absent=False, points=()
    )
    monkeypatch.setattr(engines, "start", lambda file, engine: diverged)
    with pytest.raises(RunError, match="not a number"):
        inference.find_points(weights.find("flat"), scans(), progress=False)
    assert len(read) <= 3 * BATCH_SIZE


def test_points_stay_with_their_files_over_batches_and_refused_files(home, tmp_path, monkeypatch):
    (source,) = (home / "phantom-2-0001" / "sagittal-t2").iterdir()
    names = [f"{number:02d}.dcm" for number in range(2 * BATCH_SIZE + 3)]
    damaged = {"03.dcm", names[BATCH_SIZE], names[-2]}
    for number, name in enumerate(names):
        header = pydicom.dcmread(source)
        header.Rows, header.Columns = 200 + number, header.Columns  # the place of the middle tells the file
        header.PixelData = np.resize(pydicom.dcmread(source).pixel_array, (header.Rows, header.Columns)).tobytes()
        header.save_as(tmp_path / name)
        if name in damaged:
            (tmp_path / name).write_bytes(b"no scan")

    def answer(part):
        return answered(np.full((len(part.images), len(part.channels), 2), 127.5))

    monkeypatch.setattr(inference, "answers", in_turn(answer))
    found = predict([tmp_path / name for name in names], PredictionSettings(weights="flat"), progress=False)
    assert {Path(error.file).name for error in found.refused} == damaged
    for image, points in found.table.groupby("image"):
        middle = (200 + int(Path(image).stem) - 1) / 2
        np.testing.assert_allclose(points["y"], middle)
    assert found.table["image"].nunique() == len(names) - len(damaged)


def test_no_header_is_read_twice_unless_there_is_a_series(truthful, home, monkeypatch):
    monkeypatch.setattr("lumbar.study.marking.read_headers", None)
    images = [home / image for image in sorted(truthful["image"].unique())]
    assert len(predict(images, PredictionSettings(weights="flat"), progress=False).pictures) == len(images) > 3


STEP = np.array([2.0, 30.0])
ROW_OF_SEVEN = np.array([120.0, 20.0]) + STEP * np.arange(7)[:, None]


@pytest.fixture
def counting(home, monkeypatch):
    """A network that knows the discs next to the levels, whose count is calibrated; what it answers can be set."""
    answers = {"miscounted": [0.02, 0.03], "neighbours": ROW_OF_SEVEN[[0, 6]]}

    def answer(part):
        found = answered(np.tile(ROW_OF_SEVEN[1:6], (len(part.images), 1, 1)), 0.99, 0.01, answers["miscounted"])
        return found._replace(neighbours=np.tile(answers["neighbours"], (len(part.images), 1, 1)))

    monkeypatch.setattr(inference, "answers", in_turn(answer))
    known = replace(weights.find("flat"), count_slope=1.0, count_offset=0.0)
    monkeypatch.setattr(weights, "find", lambda name, engine: known)
    return answers


@pytest.mark.parametrize(
    ("miscounted", "doubt"),
    [
        ([0.02, 0.03], ""),
        ([0.3, 0.01], "the levels may all lie one disc higher; flagged"),
        ([0.01, 0.2], "the levels may all lie one disc lower; flagged"),
        ([0.2, 0.2], "the levels may all lie one disc higher or lower; flagged"),
    ],
)
def test_a_count_that_may_be_one_off_is_flagged_with_what_the_points_would_be(
    home, counting, miscounted, doubt, tmp_path, capsys
):
    counting["miscounted"] = miscounted
    scan = home / "phantom-2-0001" / "sagittal-t2" / "001.dcm"
    words = ["predict", scan, "--out", tmp_path / "points.csv", "--json", tmp_path / "points.json"]
    assert main(list(map(str, words))) == 0
    printed = capsys.readouterr().out
    assert COUNT_NOT_CHECKED in printed
    assert [line for line in printed.splitlines() if "one disc" in line] == (
        [f"1 of them: {doubt} (001.dcm)"] if doubt else []
    )
    table = pd.read_csv(tmp_path / "points.csv")
    assert table["flagged"].tolist() == [bool(doubt)] * 5
    np.testing.assert_allclose(table[["one_higher", "one_lower"]], np.tile(miscounted, (5, 1)), atol=1e-3)
    # Each disc's place is that of the level next to it.
    for lower_row, upper_row in ((["x_higher", "y_higher"], ["x", "y"]), (["x", "y"], ["x_lower", "y_lower"])):
        np.testing.assert_allclose(table[lower_row].to_numpy()[1:], table[upper_row].to_numpy()[:-1], atol=1e-3)
    (picture,) = json.loads((tmp_path / "points.json").read_text())["pictures"]
    assert picture["count"] == pytest.approx(dict(zip(("one_higher", "one_lower"), miscounted, strict=True)), abs=1e-3)
    again = json_points.read(tmp_path / "points.json").table
    columns = list(json_points.LATER)
    np.testing.assert_allclose(again[columns], table[columns], atol=1e-3)
    for file in ("points.csv", "points.json"):
        assert main(["report", str(tmp_path / file), "--out", str(tmp_path / "page.html")]) == 0
        page = (tmp_path / "page.html").read_text(encoding="utf-8")
        assert f"one disc higher {miscounted[0]:.0%}, one disc lower {miscounted[1]:.0%}." in page
        assert page.count('class="neighbour"') == 2
        assert all(f">{name}</text>" in page for name in ROW)


def test_where_the_network_knows_no_disc_the_other_count_has_no_point(home, counting):
    counting["neighbours"] = np.array([[np.nan, np.nan], ROW_OF_SEVEN[6]])
    table = predict([home / "phantom-2-0001" / "sagittal-t2" / "001.dcm"], progress=False).table
    assert table["x_higher"].isna().tolist() == [True, False, False, False, False]
    assert table["x_lower"].notna().all()


def test_a_network_whose_count_was_not_calibrated_states_no_probability_of_it(truthful, home):
    table = predict([home / sorted(truthful["image"])[0]], PredictionSettings(weights="flat"), progress=False).table
    assert table[["one_higher", "one_lower", "x_higher", "y_lower"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("modality", "kind"), [("CT", "CT"), ("DX", "X-ray"), ("CR", "X-ray"), ("MR", ""), ("OT", ""), (None, "")]
)
def test_a_kind_of_imaging_that_the_network_was_not_trained_on_is_refused_or_flagged(
    truthful, home, tmp_path, modality, kind
):
    """However sure the network is; what does not state its kind, such as a secondary capture, is judged as before."""
    dataset = pydicom.dcmread(home / sorted(truthful["image"])[0])
    dataset.Modality = modality
    dataset.save_as(tmp_path / "a.dcm")
    if kind:
        refused = predict([tmp_path / "a.dcm"], PredictionSettings(weights="flat"), progress=False)
        assert len(refused.table) == 0
        (error,) = refused.refused
        assert (error.found, error.expected) == (modality, "MR")
        assert "--any-modality" in error.remedy
    settings = PredictionSettings(weights="flat", any_modality=bool(kind))
    found = predict([tmp_path / "a.dcm"], settings, progress=False)
    assert found.table["flagged"].tolist() == [bool(kind)] * 5
    expected = [f"{kind}, and the network was trained on MR only; flagged"] if kind else []
    assert [remark for remark in found.remarks if "trained on" in remark] == expected


def test_the_command_writes_table_and_pictures_and_tells_what_it_left_out(home, tmp_path, capsys):
    (tmp_path / "broken.dcm").write_bytes(b"not a scan")
    picture = home / "phantom-2-0001" / "sagittal-t2" / "001.dcm"
    words = ["predict", picture, tmp_path / "broken.dcm", "--weights", "flat", "--out", tmp_path / "points.csv"]
    code = main(list(map(str, [*words, "--overlay", tmp_path / "drawn"])))
    printed = capsys.readouterr()
    assert code == 1
    assert "left out: this is not a DICOM file" in printed.err
    assert "Not for diagnosis" in printed.out
    assert len(pd.read_csv(tmp_path / "points.csv")) == 5
    (drawn,) = (tmp_path / "drawn").iterdir()
    assert np.asarray(Image.open(drawn)).std() > 10
