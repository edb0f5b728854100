"""Marking points by hand: what is shown, what is kept, what is written, and what nobody may lose."""

import os
import re
import shutil
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image

import lumbar
import lumbar.annotation
from lumbar.annotation.cases import Case, find_cases
from lumbar.annotation.drafts import Drafts
from lumbar.annotation.session import Annotation
from lumbar.annotation.slices import BRIGHTEST, ShownSlice, Slice, slices_around
from lumbar.core.constants import HEADLESS, LEVELS
from lumbar.core.errors import DatasetError, LumbarError, OutputError, RunError, ScanError, SettingsError, TableError
from lumbar.datasets.loading import load
from lumbar.landmarks import image_names
from lumbar.storage.locks import exclusive_lock
from tests.support.phantom_studies import HEIGHT, WIDTH, centred, header, parallel, write_enhanced, write_slices
from tests.support.volume_files import write as write_volume

COLUMN = [(40.0, 20.0 + 25 * order) for order in range(5)]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own, and somebody who watches."""
    monkeypatch.setenv("LUMBAR_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(HEADLESS, raising=False)


@pytest.fixture
def pictures(tmp_path) -> list[Path]:
    """Four pictures of noise."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    chance = np.random.default_rng(0)
    files = [folder / f"{number}.png" for number in range(4)]
    for file in files:
        Image.fromarray(chance.integers(0, 255, (150, 90), dtype=np.uint8)).save(file)
    return files


def table_of(files: list[Path], **columns) -> pd.DataFrame:
    """Points as a network answers: the further a file is down the list, the surer."""
    rows = [
        {"image": str(file), "view": "sagittal", "level": level, "side": "", "x": x, "y": y, "frame": pd.NA}
        | {"confidence": 0.5 + number / 10, "flagged": number == 2, "absent": 0.0}
        for number, file in enumerate(files)
        for level, (x, y) in zip(LEVELS, COLUMN, strict=True)
    ]
    return pd.DataFrame(rows).assign(x_mm=np.nan, y_mm=np.nan, z_mm=np.nan, **columns)


def finish(session: Annotation, position: int, points=None) -> None:
    """Declare an image done, with other points if they are given."""
    marks = session.marks[position]
    session.change(position, marks.points if points is None else points, marks.place, done=True)


# -- what there is to annotate ----------------------------------------------------------------------------------------
def test_what_is_flagged_comes_first_and_then_what_is_least_sure(pictures):
    cases, refused = find_cases(table_of(pictures))
    assert [each.path.name for each in cases] == ["2.png", "0.png", "1.png", "3.png"]
    assert cases[0].known["L5/S1"] == COLUMN[4]
    assert not refused


def test_a_csv_and_a_json_file_of_points_lead_to_the_same_cases(tmp_path, few_patients):
    from lumbar.exports import json_points
    from lumbar.prediction import predict

    found = predict(sorted(few_patients.glob("*/sagittal-t2/*.dcm"))[:2], progress=False)
    found.table.to_csv(tmp_path / "points.csv", index=False)
    json_points.write(found, tmp_path / "points.json")
    one, other = (find_cases(tmp_path / f"points.{kind}")[0] for kind in ("csv", "json"))
    for first, second in zip(one, other, strict=True):
        assert first.image == second.image
        assert first.flagged == second.flagged
        for points in ("known", "higher", "lower"):
            here, there = getattr(first, points), getattr(second, points)
            assert here.keys() == there.keys()
            np.testing.assert_allclose(list(here.values()), list(there.values()), atol=1e-3)


def test_paths_of_a_table_may_start_in_its_folder(pictures, tmp_path, monkeypatch):
    table_of([Path("pictures") / file.name for file in pictures]).to_csv(tmp_path / "points.csv", index=False)
    monkeypatch.chdir("/")
    assert len(find_cases(tmp_path / "points.csv")[0]) == 4


def test_pictures_that_are_gone_are_named_and_the_others_stay(pictures):
    pictures[1].unlink()
    with pytest.warns(
        UserWarning, match=r"(?s)the image of these points is gone.*1\.png.*what to do: put the image back"
    ):
        session = lumbar.annotate(table_of(pictures))
    assert len(session.cases) == 3


def test_a_table_whose_pictures_are_all_gone_is_refused(pictures):
    table = table_of(pictures)
    shutil.rmtree(pictures[0].parent)
    with pytest.raises(ScanError, match="the image of these points is gone"):
        lumbar.annotate(table)


def test_a_level_that_is_known_to_be_absent_is_no_point(pictures):
    table = table_of(pictures[:1])
    table.loc[4, ["x", "y", "absent"]] = [np.nan, np.nan, 0.9]
    table.loc[3, ["x", "y"]] = np.nan
    known = find_cases(table)[0][0].known
    assert known["L5/S1"] is None
    assert "L4/L5" not in known


def test_a_folder_of_images_starts_without_points_and_a_data_set_with_its_own(pictures, few_patients):
    cases, _ = find_cases(pictures[0].parent)
    assert len(cases) == 4
    assert not any(case.known for case in cases)
    cases, _ = find_cases(few_patients)
    assert len(cases) == 16
    assert all(len(case.known) == 5 and case.patient for case in cases)


def test_what_is_no_table_of_points_is_refused(tmp_path):
    with pytest.raises(TableError, match="this is not a table of points"):
        lumbar.annotate(pd.DataFrame({"image": ["a.png"]}))
    with pytest.raises(ScanError, match="there is no image to annotate"):
        lumbar.annotate([])
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match="not a table of points"):
        lumbar.annotate(tmp_path / "other.csv")


def test_an_axial_image_needs_a_level(pictures, tmp_path):
    sides = table_of(pictures[:1]).iloc[:2].assign(view="axial", level="L3/L4", side=["left", "right"])
    case = find_cases(sides)[0][0]
    assert (case.names, case.level) == (("left", "right"), "L3/L4")
    plane = centred(np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), 1.0, 1.0)
    write_slices(tmp_path / "axial", [plane], header("axial"))
    with pytest.raises(ScanError, match="an axial image does not tell its level"):
        lumbar.annotate(tmp_path / "axial")


def test_a_quality_control_chooses_what_is_annotated(pictures, tmp_path):
    judged = ["pass", "fail", "unsure", ""]
    rows = [f"{file},{quality},\n" for file, quality in zip(pictures, judged, strict=True)]
    (tmp_path / "quality.csv").write_text("image,quality,note\n" + "".join(rows))
    session = lumbar.annotate(table_of(pictures), quality=tmp_path / "quality.csv")
    assert {case.path.name for case in session.cases} == {"1.png", "2.png"}
    (tmp_path / "qc_fail.yml").write_text("FILES_LABEL:\n    - 3.png\n")
    session = lumbar.annotate(table_of(pictures), quality=tmp_path / "qc_fail.yml")
    assert [case.path.name for case in session.cases] == ["3.png"]
    (tmp_path / "quality.csv").write_text(f"image,quality,note\n{pictures[0]},pass,\n")
    with pytest.raises(ScanError, match="none of the images failed"):
        lumbar.annotate(table_of(pictures), quality=tmp_path / "quality.csv")


# -- what is shown ----------------------------------------------------------------------------------------------------
def sagittal(count: int):
    first = centred(np.array([-10.0, 0, 0]), np.array([0, 1.0, 0]), np.array([0, 0, -1.0]), 1.0, 1.0)
    return parallel(first, count, -4.0)


def test_a_slice_is_shown_upright_and_its_points_come_back(tmp_path):
    upside_down = centred(np.zeros(3), np.array([0, -1.0, 0]), np.array([0, 0, 1.0]), 0.8, 0.5)
    file = write_slices(tmp_path / "series", [upside_down], header("turned"))[0]
    shown = ShownSlice.read(Slice(file, None))
    assert shown.pixels.dtype == np.uint16
    height, width = shown.pixels.shape
    np.testing.assert_allclose(shown.to_shown.points([0, 0]), [width - 1, height - 1])
    assert (shown.pixel_width, shown.pixel_height) == (0.8, 0.5)
    points = np.array(COLUMN)
    np.testing.assert_allclose(shown.to_shown.inverse().points(shown.to_shown.points(points)), points, atol=1e-9)


def bright_pixel(folder: Path, plane) -> Path:
    """A DICOM slice that is dark but for column 10, row 3."""
    file = write_slices(folder, [plane], header("bright"))[0]
    dataset = pydicom.dcmread(file)
    pixels = np.zeros(dataset.pixel_array.shape, np.uint16)
    pixels[3, 10] = 100
    dataset.PixelData = pixels.tobytes()
    dataset.save_as(file)
    return file


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ((0, 1, 0), (0, 0, -1)),
        ((0, -1, 0), (0, 0, 1)),
        ((0, -1, 0), (0, 0, -1)),
        ((0, 0, -1), (0, 1, 0)),
    ],
    ids=["upright", "half a turn", "mirrored", "quarter turn"],
)
def test_a_turned_slice_is_shown_upright_and_what_is_marked_on_it_is_saved_in_native_pixels(tmp_path, row, column):
    plane = centred(np.zeros(3), np.array(row, float), np.array(column, float), 0.8, 0.5)
    file = bright_pixel(tmp_path / "series", plane)
    shown = ShownSlice.read(Slice(file, None))
    y, x = np.argwhere(shown.pixels == BRIGHTEST)[0]
    np.testing.assert_allclose(shown.to_shown.points([10, 3]), [x, y])
    place = plane.to_patient(np.array([10.0, 3.0]))
    further_back = shown.to_shown.points(plane.to_pixels(place + np.array([0, 1, 0]))) - [x, y]
    assert further_back[0] > 0, "the patient's back is on the right"
    quarter = row[1] == 0
    assert (shown.pixel_width, shown.pixel_height) == ((0.5, 0.8) if quarter else (0.8, 0.5))
    session = lumbar.annotate(table_of([file]).assign(x=10.0, y=3.0 + np.arange(5)), rater="one")
    finish(session, 0)
    session.save(tmp_path / "corrected")
    saved = pd.read_csv(tmp_path / "corrected" / "points.csv")
    assert saved.loc[0, ["x", "y", "width", "height"]].tolist() == [10, 3, WIDTH, HEIGHT]
    assert saved.loc[0, ["pixel_width", "pixel_height"]].tolist() == [0.8, 0.5]
    assert set(saved["patient"]) == {"phantom-1-0001"}


def test_sixteen_bits_hold_what_the_file_holds(pictures):
    shown = ShownSlice.read(Slice(pictures[0], None))
    stored = np.asarray(Image.open(pictures[0]), float)
    step = (shown.high - shown.low) / BRIGHTEST
    np.testing.assert_allclose(shown.low + shown.pixels * step, stored, atol=step)


def test_the_slices_of_a_series_are_found_in_their_order_whatever_their_names(tmp_path):
    files = write_slices(tmp_path / "series", sagittal(7), header("t2"), shuffled=3)
    around, own = slices_around(Slice(files[2], None))
    shown = [each.path for each in around]
    assert shown in (files, files[::-1])
    assert shown[own] == files[2]


def test_the_frames_of_one_file_are_its_slices(tmp_path):
    file = write_enhanced(tmp_path / "enhanced.dcm", sagittal(5), header("t2"))
    case = find_cases(file)[0][0]
    assert case.frame == 2
    around, own = slices_around(case.place)
    assert (len(around), own) == (5, 2)
    volume = write_volume(
        tmp_path / "scan.nii.gz", np.random.default_rng(0).random((6, 20, 20)), np.zeros(3), np.eye(3)
    )
    case = find_cases(volume)[0][0]
    assert slices_around(case.place) == ([Slice(volume, frame) for frame in range(6)], 3)


def test_a_picture_has_no_slices_around_it(pictures):
    assert slices_around(Slice(pictures[0], None)) == ([Slice(pictures[0], None)], 0)


# -- what is kept -----------------------------------------------------------------------------------------------------
def test_the_table_says_who_and_when_and_what_was_there_before(pictures):
    session = lumbar.annotate(table_of(pictures[:1]), rater="a reader")
    points = dict(session.marks[0].points) | {"L1/L2": (41.5, 22.0), "L5/S1": None}
    del points["L2/L3"]
    session.change(0, points, session.marks[0].place, done=False)
    rows = session.table.set_index("level")
    assert set(rows["rater"]) == {"a reader"}
    assert rows.loc["L1/L2", ["x", "y", "x_before", "y_before"]].tolist() == [41.5, 22.0, 40.0, 20.0]
    assert rows.loc["L2/L3", ["x", "y"]].isna().all()
    assert rows["absent"].tolist() == [False, False, False, False, True]
    assert (rows["marked_at"] != "").tolist() == [True, False, False, False, True]
    finish(session, 0)
    assert (session.table["marked_at"] != "").tolist() == [True, False, True, True, True]


def test_unsaved_work_comes_back_after_a_new_start_whatever_is_opened_with_it(pictures):
    session = lumbar.annotate(table_of(pictures), rater="one")
    session.change(0, {"L3/L4": (1.25, 2.5), "L5/S1": None}, session.marks[0].place, done=True)
    again = lumbar.annotate(table_of(pictures), rater="one")
    assert again.marks == session.marks
    assert "your work on 1 image" in again.notice
    alone = lumbar.annotate(table_of([session.cases[0].path]), rater="one")
    assert alone.marks == session.marks[:1]
    assert lumbar.annotate(table_of(pictures), rater="two").notice == ""
    fresh = lumbar.annotate(table_of(pictures), rater="one", fresh=True)
    assert (fresh.notice, len(fresh.marks[0].points)) == ("", 5)
    assert len(drafts()) == 1, "set aside"


def drafts() -> list[Path]:
    return sorted((Path(os.environ["LUMBAR_HOME"]) / "data" / "annotations").glob("*.json"))


def test_two_sessions_on_different_images_keep_both_works(pictures):
    one, other = (lumbar.annotate(table_of(pictures), rater="one") for _ in range(2))
    finish(one, 0)
    finish(other, 1)
    assert [each.done for each in lumbar.annotate(table_of(pictures), rater="one").marks] == [True, True, False, False]


@pytest.mark.parametrize("spoil", [lambda text: text[:-30], lambda text: text.replace("[", "{")])
def test_a_damaged_draft_is_set_aside_not_overwritten(pictures, spoil):
    session = lumbar.annotate(table_of(pictures), rater="one")
    finish(session, 0)
    file = Drafts.of(session.cases, "one").files[0]
    file.write_text(spoil(file.read_text()))
    damaged = file.read_text()
    again = lumbar.annotate(table_of(pictures), rater="one")
    assert "was set aside" in again.notice
    finish(again, 0)
    assert len(drafts()) == 2
    assert damaged in [each.read_text() for each in drafts()]
    assert lumbar.annotate(table_of(pictures), rater="one").marks[0].done


def test_work_on_an_image_that_has_changed_is_neither_restored_nor_saved(pictures, tmp_path):
    session = lumbar.annotate(table_of(pictures), rater="one")
    finish(session, 0)
    finish(session, 1)
    Image.fromarray(np.zeros((40, 60), np.uint8)).save(session.cases[0].path)
    saved = session.save(tmp_path / "corrected")
    assert saved.images == 1
    assert "has changed since" in str(saved)
    again = lumbar.annotate(table_of(pictures), rater="one")
    assert "the image has changed since" in again.notice
    assert not again.marks[0].times


# -- what is written --------------------------------------------------------------------------------------------------
def test_a_saved_folder_is_a_data_set_with_the_points_that_were_marked(pictures, tmp_path):
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in pictures}
    session = lumbar.annotate(table_of(pictures), rater="one")
    finish(session, 0, {name: (x + 1, y) for name, (x, y) in session.marks[0].points.items()})
    finish(session, 1, dict(session.marks[1].points) | {"L5/S1": None})
    saved = session.save(tmp_path / "corrected")
    assert (saved.images, saved.points, saved.moved, saved.unfinished) == (2, 9, 5, 2)
    dataset = load(tmp_path / "corrected")
    assert not dataset.notes
    there = dataset.table
    marked = session.table[session.table["done"]]
    np.testing.assert_allclose(there[["x", "y"]], marked[["x", "y"]])
    assert there["absent"].tolist() == [False] * 9 + [True]
    assert pd.to_numeric(there["moved_px"]).dropna().tolist() == [1.0] * 5 + [0.0] * 4
    for copy, original in zip(there["image"].unique(), marked["image"].unique(), strict=True):
        assert dataset.path(copy).read_bytes() == Path(original).read_bytes()
    assert before == {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in pictures}


def test_frames_of_one_volume_stay_apart(tmp_path):
    volume = write_volume(
        tmp_path / "scan.nii.gz", np.random.default_rng(0).random((6, 150, 150)), np.zeros(3), np.eye(3)
    )
    table = pd.concat([table_of([volume], frame=frame) for frame in (2, 3)], ignore_index=True)
    session = lumbar.annotate(table, rater="one")
    finish(session, 0)
    finish(session, 1)
    session.save(tmp_path / "corrected")
    there = load(tmp_path / "corrected").table
    assert there["frame"].tolist() == [2] * 5 + [3] * 5
    assert image_names(there).nunique() == 2
    assert len(set(there["patient"])) == 1


def test_saving_again_updates_the_folder_and_keeps_the_table_as_it_was(pictures, tmp_path):
    folder = tmp_path / "corrected"
    session = lumbar.annotate(table_of(pictures), rater="one")
    finish(session, 0)
    finish(session, 1)
    session.save(folder)
    first = (folder / "points.csv").read_text()
    finish(session, 0, {"L1/L2": (3.0, 4.0)})
    finish(session, 2)
    session.save(folder)
    there = load(folder).table
    assert there["image"].nunique() == 3
    assert (there["x"] == 3.0).sum() == 1
    assert [file.read_text() for file in (folder / "previous").iterdir()] == [first]


def test_two_raters_do_not_overwrite_each_other(pictures, tmp_path):
    folder = tmp_path / "corrected"
    for rater, positions in (("one", (0, 1)), ("two", (2,))):
        session = lumbar.annotate(table_of(pictures), rater=rater)
        for position in positions:
            finish(session, position)
        session.save(folder)
    assert sorted(load(folder).table["rater"].unique()) == ["one", "two"]
    finish(session, 0)
    before = (folder / "points.csv").read_bytes()
    with pytest.raises(OutputError, match=r"(?s)another rater has marked.*1 image\(s\) marked by one.*replace=True"):
        session.save(folder)
    assert (folder / "points.csv").read_bytes() == before
    session.save(folder, replace=True)
    assert (load(folder).table["rater"] == "two").sum() == 10


def test_an_original_that_is_gone_does_not_keep_the_others_from_being_saved(pictures, tmp_path):
    session = lumbar.annotate(table_of(pictures), rater="one")
    finish(session, 0)
    finish(session, 1)
    session.cases[0].path.unlink()
    saved = session.save(tmp_path / "corrected")
    assert saved.images == 1
    assert str(session.cases[0].path) in str(saved)
    session.cases[1].path.unlink()
    with pytest.raises(LumbarError, match="the image cannot be read"):
        session.save(tmp_path / "again")
    assert session.marks[0].done


def test_points_are_not_hidden_behind_the_table_of_another_data_set(few_patients, tmp_path):
    folder = tmp_path / "set"
    shutil.copytree(few_patients, folder)
    session = lumbar.annotate(folder, rater="one")
    finish(session, 0)
    with pytest.raises(OutputError, match="the folder holds another data set"):
        session.save(folder)
    assert not (folder / "points.csv").exists()


def test_one_image_under_two_names_is_annotated_once(pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(pictures[0].parent)
    both = pd.concat([table_of([Path(pictures[0].name)]), table_of([pictures[0]])], ignore_index=True)
    with pytest.warns(UserWarning, match="the same image as"):
        session = lumbar.annotate(both, rater="one")
    assert len(session.cases) == 1
    copy = tmp_path / "a copy.png"
    shutil.copyfile(pictures[0], copy)
    session = lumbar.annotate(table_of([pictures[0], copy]), rater="one")
    finish(session, 0)
    finish(session, 1)
    with pytest.raises(OutputError, match="the same image is in the session more than once"):
        session.save(tmp_path / "corrected")


def test_a_session_does_not_depend_on_the_current_folder(pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(pictures[0].parent)
    session = lumbar.annotate([file.name for file in pictures], rater="one")
    finish(session, 0, {"L1/L2": (1.0, 2.0)})
    monkeypatch.chdir(tmp_path)
    assert session.save(tmp_path / "corrected").points == 1
    (tmp_path / "pictures" / "pictures").mkdir()
    shutil.copyfile(pictures[1], tmp_path / "pictures" / "pictures" / "0.png")
    table_of([Path("pictures/0.png")]).to_csv(tmp_path / "pictures" / "points.csv", index=False)
    with pytest.raises(ScanError, match="leads to two images"):
        lumbar.annotate(tmp_path / "pictures" / "points.csv")


@pytest.mark.parametrize("rater", ["", "  ", "=1+1", "a\rb", "-x"])
def test_a_name_that_a_table_could_not_hold_is_refused(pictures, rater):
    with pytest.raises(SettingsError, match="name of a rater"):
        lumbar.annotate(pictures, rater=rater)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"level": "L9"}, "level"), ({"view": "frontal"}, "view"), ({"level": "L1/L2"}, "level")],
    ids=["unknown level", "unknown plane", "one point twice"],
)
def test_rows_that_would_be_lost_are_refused(pictures, change, field):
    with pytest.raises(TableError, match=f"cannot be used\n  field: {field}"):
        lumbar.annotate(table_of(pictures[:1]).assign(**change))


def test_a_missing_patient_is_no_patient_of_that_name(pictures, tmp_path):
    session = lumbar.annotate(table_of(pictures[:2], patient=np.nan), rater="one")
    finish(session, 0)
    finish(session, 1)
    session.save(tmp_path / "corrected")
    assert len(set(load(tmp_path / "corrected").table["patient"])) == 2


def test_pictures_of_one_person_may_share_a_patient(pictures, tmp_path):
    session = lumbar.annotate(table_of(pictures[:3], patient=[*[""] * 10, *["known"] * 5]), rater="one")
    for position in range(3):
        finish(session, position)
    session.save(tmp_path / "corrected", patient=lambda file: " ada " if file in pictures[:2] else "bob")
    assert sorted(set(load(tmp_path / "corrected").table["patient"])) == ["ada", "known"]
    for nobody in (None, "", "=1+1"):
        with pytest.raises(SettingsError, match="name of a patient"):
            session.save(tmp_path / "again", patient=lambda file, name=nobody: name)
    assert not (tmp_path / "again").exists()


def test_a_folder_in_use_or_closed_or_without_anything_done_loses_no_point(pictures, tmp_path):
    session = lumbar.annotate(table_of(pictures), rater="one")
    with pytest.raises(OutputError, match="no image is finished"):
        session.save(tmp_path / "corrected")
    finish(session, 0)
    with exclusive_lock(tmp_path / "corrected"), pytest.raises(RunError, match="another process is at work"):
        session.save(tmp_path / "corrected")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"(?s)cannot be written.*what to do"):
        session.save(tmp_path / "file" / "corrected")
    assert session.marks[0].done
    assert session.save(tmp_path / "corrected").images == 1


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="an administrator may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_named(pictures, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    session = lumbar.annotate(table_of(pictures), rater="one")
    finish(session, 0)
    with pytest.raises(OutputError, match="what to do: choose another folder"):
        session.save(closed / "corrected")


# -- the widget -------------------------------------------------------------------------------------------------------
def as_browser(editor, marks: list[dict]) -> None:
    """Send a change as the browser does."""
    editor.set_state({"marks": marks, "revision": editor.revision + 1})


def test_a_change_in_the_browser_is_kept_and_acknowledged(pictures):
    session = lumbar.annotate(table_of(pictures), rater="one")
    editor = session.editor
    marks = [dict(each) for each in editor.marks]
    marks[1] = {"points": {"L1/L2": [3.5, 4], "L5/S1": "absent"}, "offset": 0, "done": True}
    as_browser(editor, marks)
    assert editor.acknowledged == editor.revision == 1
    assert session.marks[1].points == {"L1/L2": (3.5, 4), "L5/S1": None}
    assert session.marks[1].done
    assert not session.marks[0].times, "the others are untouched"


@pytest.mark.parametrize(
    "points",
    [
        {"L1/L2": [95, 4]},
        {"L1/L2": [3, float("nan")]},
        {"L1/L2": [3, None]},
        {"L1/L2": "here"},
        {"L1/L2": [1, 2, 3]},
        {"L9": [1, 2]},
    ],
    ids=["outside", "nan", "null", "text", "three numbers", "unknown point"],
)
def test_what_the_browser_cannot_mean_is_refused_and_the_other_images_are_kept(pictures, points):
    session = lumbar.annotate(table_of(pictures), rater="one")
    marks = [dict(each) for each in session.editor.marks]
    marks[0] = {"points": points, "offset": 0, "done": True}
    marks[1] = {"points": {"L1/L2": [3, 4]}, "offset": 7, "done": True}
    marks[2] = {"points": {"L1/L2": [3, 4]}, "offset": 0, "done": True}
    as_browser(session.editor, marks)
    assert session.editor.notice.count("was not kept") == 2
    assert session.editor.acknowledged == 0, "the browser says so, and offers its points as a file"
    assert [each.done for each in session.marks] == [False, False, True, False]
    assert len(session.table)
    assert lumbar.annotate(table_of(pictures), rater="one").marks[2].points == {"L1/L2": (3.0, 4.0)}


def test_points_on_an_image_that_is_gone_are_not_acknowledged(pictures):
    session = lumbar.annotate(table_of(pictures), rater="one")
    editor = session.editor
    session.shown(session.cases[0].place)
    session.cases[0].path.unlink()
    marks = [dict(each) for each in editor.marks]
    marks[0] = {"points": {"L1/L2": [1, 2]}, "offset": 0, "done": False}
    as_browser(editor, marks)
    assert "was not kept: the image cannot be read" in editor.notice
    assert editor.acknowledged == 0, "the browser says so, and offers its points as a file"


def test_a_draft_that_cannot_be_written_is_reported_and_loses_no_point(pictures, tmp_path):
    (tmp_path / "home").write_text("no folder")
    session = lumbar.annotate(table_of(pictures), rater="one")
    marks = [dict(each) for each in session.editor.marks]
    marks[0] = {"points": {"L1/L2": [1, 2]}, "offset": 0, "done": False}
    as_browser(session.editor, marks)
    assert "cannot be written" in session.editor.notice
    assert session.editor.acknowledged == 1
    assert session.marks[0].points == {"L1/L2": (1, 2)}


@pytest.fixture
def sent(monkeypatch):
    """What an editor sends to the browser."""
    from lumbar.annotation.editor import PointEditor

    messages = []
    monkeypatch.setattr(PointEditor, "send", lambda self, content, buffers=(): messages.append((content, buffers)))
    return messages


def test_a_slice_that_the_browser_asks_for_is_sent_with_its_pixels(pictures, sent):
    session = lumbar.annotate(table_of(pictures))
    session.editor._handle_custom_msg({"kind": "slice", "case": 1, "offset": 0}, [])
    (message, (pixels,)), shown = sent[0], session.shown(session.cases[1].place)
    assert (message["width"], message["height"]) == (90, 150)
    np.testing.assert_array_equal(np.frombuffer(pixels, "<u2").reshape(150, 90), shown.pixels)


def test_one_unreadable_picture_among_several_is_named_and_the_others_are_shown(pictures, sent):
    pictures[1].write_bytes(pictures[1].read_bytes()[:200])
    session = lumbar.annotate(table_of(pictures))
    damaged = next(at for at, case in enumerate(session.cases) if case.path == pictures[1])
    for position in range(4):
        session.editor._handle_custom_msg({"kind": "slice", "case": position, "offset": 0}, [])
    assert [message["kind"] for message, _ in sent] == ["problem" if at == damaged else "slice" for at in range(4)]
    assert "1.png" in sent[damaged][0]["text"]
    assert "3 grey pictures" in session.figure().alt


def test_points_move_to_the_slice_on_which_they_are_placed(tmp_path, sent):
    files = write_slices(tmp_path / "series", sagittal(7), header("t2"), shuffled=5)
    session = lumbar.annotate(table_of([files[3]]), rater="one")
    editor = session.editor
    assert editor.around == [None], "a folder is not searched before somebody wants to leaf through it"
    editor._handle_custom_msg({"kind": "around", "case": 0}, [])
    (around,) = editor.around
    assert around["own"] == 3
    assert [path for path, _ in around["slices"]] in (
        [str(file) for file in files],
        [str(file) for file in files[::-1]],
    )
    as_browser(editor, [{"points": {"L1/L2": [10, 11]}, "offset": 1, "done": True}])
    place = session.marks[0].place
    assert place.path in (files[2], files[4])
    again = lumbar.annotate(table_of([files[3]]), rater="one")
    assert again.editor.marks[0]["offset"] == 1
    session.save(tmp_path / "corrected")
    copy = load(tmp_path / "corrected")
    assert copy.path(copy.table["image"].iloc[0]).read_bytes() == place.path.read_bytes()


def test_nothing_of_what_is_known_reaches_the_browser_unless_it_may(pictures):
    open_, blind = (lumbar.annotate(table_of(pictures), start=way, ghosts=way).editor for way in (True, False))
    assert open_.cases[0]["ghosts"]["known"]
    assert len(open_.marks[0]["points"]) == 5
    assert not blind.cases[0]["ghosts"]
    assert not blind.cases[0]["confidence"]
    assert not blind.marks[0]["points"]


def test_what_may_name_the_patient_is_not_stored_and_can_be_annotated_all_the_same(tmp_path, monkeypatch):
    plane = centred(np.zeros(3), np.array([0, 1.0, 0]), np.array([0, 0, -1.0]), 1.0, 1.0)
    file = bright_pixel(tmp_path / "series", plane)
    dataset = pydicom.dcmread(file)
    dataset.BurnedInAnnotation = "YES"
    dataset.save_as(file)
    session = lumbar.annotate(table_of([file]))
    with pytest.raises(ScanError, match="none of the images can be shown"):
        session.figure()
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw, metadata: shown.append(data))
    session._ipython_display_()
    assert "image/png" not in shown[0]
    assert "application/vnd.jupyter.widget-view+json" in shown[0]


def test_masks_and_damaged_volumes_do_not_stop_the_others(tmp_path, sent):
    folder = tmp_path / "volumes"
    folder.mkdir()
    for name in ("one", "other"):
        write_volume(folder / f"{name}.nii.gz", np.random.default_rng(0).random((6, 20, 20)), np.zeros(3), np.eye(3))
    (folder / "other.nii.gz").write_bytes((folder / "one.nii.gz").read_bytes()[:300])
    cases = [Case(str(file), file, 3, "sagittal", LEVELS) for file in sorted(folder.iterdir())]
    session = Annotation(cases, rater="one")
    session.editor._handle_custom_msg({"kind": "slice", "case": 1, "offset": 0}, [])
    assert sent[0][0]["kind"] == "problem"
    session.editor._handle_custom_msg({"kind": "slice", "case": 0, "offset": 0}, [])
    assert sent[1][0]["kind"] == "slice"
    mask = write_volume(folder / "mask.nii.gz", np.zeros((6, 20, 20), np.uint8), np.zeros(3), np.eye(3))
    with pytest.raises(ScanError, match="mask"):
        lumbar.annotate([mask])


def test_an_output_always_has_a_static_picture(pictures, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw, metadata: shown.append((data, metadata)))
    session = lumbar.annotate(table_of(pictures))
    session._ipython_display_()
    monkeypatch.setenv(HEADLESS, "1")
    lumbar.annotate(table_of(pictures))._ipython_display_()
    (live, _), (headless, metadata) = shown
    view = "application/vnd.jupyter.widget-view+json"
    assert {view, "image/png"} <= set(live)
    assert "image/png" in headless
    assert view not in headless
    assert "L1/L2" in metadata["image/png"]["alt"]


def test_without_the_extra_it_says_what_to_install(pictures, monkeypatch):
    monkeypatch.setattr("lumbar.core.extras.find_spec", lambda name: None)
    with pytest.raises(LumbarError, match="the extra course"):
        lumbar.annotate(table_of(pictures))


def test_the_file_that_the_browser_saves_when_nobody_answers_opens_again(pictures, tmp_path):
    source = (Path(lumbar.annotation.__file__).parent / "editor.js").read_text(encoding="utf-8")
    (header,) = re.findall(r'"(image,frame,[\w,]+)"', source)
    rows = [f'"{pictures[0]}",,sagittal,L1/L2,,3.5,4,0,,,,,', f'"{pictures[0]}",,sagittal,L5/S1,,,,1,,,,,']
    assert len({line.count(",") for line in (header, *rows)}) == 1
    (tmp_path / "points.csv").write_text("\n".join([header, *rows, ""]))
    session = lumbar.annotate(tmp_path / "points.csv")
    assert session.marks[0].points == {"L1/L2": (3.5, 4.0), "L5/S1": None}
