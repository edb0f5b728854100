"""Marking points by hand: what is shown, what is kept, what is written, and what nobody may lose."""

import json
import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import lumbar
from lumbar.annotation.cases import find_cases
from lumbar.annotation.drafts import Draft
from lumbar.annotation.session import Annotation
from lumbar.annotation.slices import BRIGHTEST, ShownSlice, Slice, slices_around
from lumbar.core.constants import HEADLESS, LEVELS
from lumbar.core.errors import DatasetError, LumbarError, OutputError, RunError, ScanError, TableError
from lumbar.datasets.loading import load
from lumbar.landmarks import image_names
from lumbar.storage.locks import exclusive_lock
from tests.support.phantom_studies import centred, header, parallel, write_enhanced, write_slices
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


def test_unsaved_work_comes_back_after_a_new_start(pictures):
    session = lumbar.annotate(table_of(pictures), rater="one")
    session.change(0, {"L3/L4": (1.25, 2.5), "L5/S1": None}, session.marks[0].place, done=True)
    again = lumbar.annotate(table_of(pictures), rater="one")
    assert again.marks[0] == session.marks[0]
    assert again.marks[1:] == session.marks[1:]
    assert "your work on 1 image" in again.notice
    assert lumbar.annotate(table_of(pictures), rater="two").notice == ""
    fresh = lumbar.annotate(table_of(pictures), rater="one", fresh=True)
    assert (fresh.notice, len(fresh.marks[0].points)) == ("", 5)
    assert len(list((Path(os.environ["LUMBAR_HOME"]) / "data" / "annotations").glob("*.json"))) == 1, "set aside"


def test_a_damaged_draft_is_set_aside_not_overwritten(pictures):
    session = lumbar.annotate(table_of(pictures), rater="one")
    session.change(0, {}, session.marks[0].place, done=False)
    finish(session, 1)
    file = Draft.of(session.cases, "one").file
    file.write_text(file.read_text()[:-30])
    again = lumbar.annotate(table_of(pictures), rater="one")
    assert "cannot be read" in again.notice
    finish(again, 0)
    kept = sorted(file.parent.glob("*.json"))
    assert len(kept) == 2
    assert json.loads(file.read_text())["works"]


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
    assert editor.around == [[3, 3]]
    as_browser(editor, [{"points": {"L1/L2": [10, 11]}, "offset": 1, "done": True}])
    place = session.marks[0].place
    assert place.path in (files[2], files[4])
    again = lumbar.annotate(table_of([files[3]]), rater="one")
    assert again.editor.marks[0]["offset"] == 1
    session.save(tmp_path / "corrected")
    copy = load(tmp_path / "corrected")
    assert copy.path(copy.table["image"].iloc[0]).read_bytes() == place.path.read_bytes()


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
