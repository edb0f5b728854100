"""The escape room: its files are odd as stated, its riddles tell right from wrong, and what the package says."""

import numpy as np
import pandas as pd
import pydicom
import pytest

from lumbar import imaging
from lumbar.core.digests import digest_of_file
from lumbar.course.escape_room import EscapeRoom, pictures, verdicts
from lumbar.course.escape_room.odd_files import ROOMS, TRUTH, write_rooms
from lumbar.course.riddles import EMPTY
from lumbar.phantom import PhantomSettings, write_study
from lumbar.phantom.recipe import patient_name

SEED = 17
each_room = pytest.mark.parametrize("room", range(1, ROOMS + 1))


@pytest.fixture(scope="module")
def game(tmp_path_factory):
    return EscapeRoom(tmp_path_factory.mktemp("escape"), SEED)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The study that the files are made from, written again: the sagittal slices from the left to the right."""
    settings = PhantomSettings(seed=SEED, slices=33, series=("sagittal-t2",), anomalies=False, stir_share=0.0)
    study = write_study(tmp_path_factory.mktemp("source"), settings)
    return [pydicom.dcmread(file) for file in sorted((study / "sagittal-t2").iterdir())]


def digests(game):
    return {file: digest_of_file(file) for file in sorted(game.folder.rglob("*")) if file.is_file()}


def test_the_same_seed_gives_the_same_bytes(game, tmp_path):
    again = EscapeRoom(tmp_path, SEED)
    assert list(digests(again).values()) == list(digests(game).values())
    assert [len(game.files(room)) for room in range(1, ROOMS + 1)] == [1, 1, 1, 1, 1, 2, 1, 5, 1, 17]
    assert {path.name for path in game.folder.iterdir()} == {f"room-{n:02d}" for n in range(1, ROOMS + 1)} | {TRUTH}


def test_rooms_that_are_there_are_left_as_they_are(game):
    before = {file: file.stat().st_mtime_ns for file in game.folder.rglob("*")}
    assert write_rooms(game.folder.parent, SEED) == game.folder
    assert {file: file.stat().st_mtime_ns for file in game.folder.rglob("*")} == before


def test_the_right_answers_are_those_of_the_study_behind_the_files(game, source):
    middle = source[16]
    answers = {room: game.riddle(room).answer for room in range(1, ROOMS + 1)}
    assert answers[1] == pytest.approx(middle.Rows * middle.PixelSpacing[0], abs=0.01)
    assert answers[2] == "PhotometricInterpretation"
    assert answers[4] == "head"
    assert answers[5] == "coronal"
    assert answers[6] == pytest.approx(middle.pixel_array[middle.Rows // 2, middle.Columns // 2], abs=2)  # half a slope
    assert answers[7] == round(int(middle.pixel_array[0, 0]) * 2500 / middle.pixel_array.max()) - 1000
    assert answers[8] == patient_name(SEED, 2)
    assert answers[9] == [3, 6, 2, 5, 1, 4, 0]  # 0, 2, 4, 6, 1, 3, 5 from left to right, the other way round
    assert answers[10] == pytest.approx(2 * middle.SpacingBetweenSlices, abs=0.001)


def test_the_window_of_room_3_shows_white_from_the_answer_on(game):
    (file,) = game.files(3)
    dataset = pydicom.dcmread(file)
    shown = pydicom.pixels.apply_windowing(np.arange(4096, dtype=np.uint16), dataset)
    assert int(np.argmax(shown == shown.max())) == pytest.approx(game.riddle(3).answer, abs=1)
    assert (dataset.pixel_array > game.riddle(3).answer).mean() < 0.2, "some of the patient is white, not most of it"


@pytest.mark.parametrize("room", [1, 2, 4, 6, 7])
def test_what_the_reader_makes_of_an_odd_file_is_the_picture_of_the_study(game, source, room):
    """Rows are averaged in room 1, values rounded in room 6, and scaled in room 7."""
    expected = source[16].pixel_array.astype(float)
    scan = imaging.read(game.files(room)[-1])
    found = scan.pixels[::-1] if room == 4 else scan.pixels
    if room == 1:
        expected = (expected[0::2] + expected[1::2])[:, 21:-21] / 2
    if room == 7:
        expected = expected * 2500 / expected.max() - 1000
    np.testing.assert_allclose(found, expected, atol=2)


@pytest.mark.parametrize("room", [1, 4])
def test_an_odd_file_lies_where_the_study_lay(game, source, room):
    """The centre of the picture is the same place in the patient, whichever way its rows are cut or run."""
    (file,) = game.files(room)
    scan, middle = imaging.read(file), source[16]
    corners = [(-0.5, -0.5), (scan.pixels.shape[1] - 0.5, scan.pixels.shape[0] - 0.5)]
    row, column = np.reshape(middle.ImageOrientationPatient, (2, 3)).astype(float)
    height, width = map(float, middle.PixelSpacing)
    x, y = (middle.Columns - 1) / 2 * width, (middle.Rows - 1) / 2 * height
    centre = np.array(middle.ImagePositionPatient, float) + x * row + y * column
    np.testing.assert_allclose(
        np.mean([scan.plane.to_patient(np.array(c)) for c in corners], axis=0), centre, atol=0.01
    )


@each_room
def test_a_stub_a_right_answer_and_each_usual_mistake_are_told_apart(game, room):
    riddle = game.riddle(room)
    assert riddle.feedback(None) == EMPTY
    assert riddle.feedback(riddle.answer) == ""
    assert riddle.mistakes
    for hint, wrong in riddle.mistakes.items():
        assert wrong
        assert {riddle.feedback(answer) for answer in wrong} == {hint}
    for rubbish in ("no idea", object(), [1, 2], float("nan"), -12345, {}):
        assert riddle.feedback(rubbish) == riddle.hint


@pytest.mark.parametrize(
    ("room", "answer"),
    [
        (1, "295"),
        (2, "photometricinterpretation"),
        (2, "Photometric Interpretation"),
        (3, 341),
        (4, " Head"),
        (5, "CORONAL"),
        (7, np.float64(-884)),
        (9, np.array([3, 6, 2, 5, 1, 4, 0])),
        (9, (3, 6, 2, 5, 1, 4, 0)),
        (10, 7.7),
    ],
)
def test_an_answer_counts_in_any_reasonable_form(game, room, answer):
    assert game.riddle(room).feedback(answer) == ""


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 4, 11])
def test_other_patients_make_riddles_just_as_well(seed, tmp_path):
    game = EscapeRoom(tmp_path, seed)
    for room in range(1, ROOMS + 1):
        riddle = game.riddle(room)
        assert riddle.feedback(riddle.answer) == ""
        for hint, wrong in riddle.mistakes.items():
            assert all(riddle.feedback(answer) in (hint, "") for answer in wrong)
    outcomes = game.verdicts()["outcome"].tolist()
    assert outcomes == ["read", "mended", "read", "mended", "read", "read", "read", "refused", "refused", "warned"]


def test_only_the_right_answer_opens_a_door(game, capsys, monkeypatch):
    shown = []
    monkeypatch.setattr("lumbar.course.escape_room.game.display", shown.append)
    game.check(2, None)
    game.check(2, "MONOCHROME1")
    said = capsys.readouterr().out
    assert EMPTY in said
    assert "which attribute has it" in said
    assert "Key" not in said
    assert not shown
    game.check(2, "PhotometricInterpretation")
    said = capsys.readouterr().out
    assert "Key 2 of 10: O\n" in said
    assert (
        'lumbar predict --weights phantom: mended: "stored with black as the highest value (MONOCHROME1); inverted"'
        in said
    )
    assert [figure.alt.count("put right") for figure in shown] == [1]


def test_the_keys_of_all_rooms_open_the_last_door(game, capsys, monkeypatch):
    monkeypatch.setattr("lumbar.course.escape_room.game.display", lambda figure: None)
    for room in range(1, ROOMS + 1):
        game.check(room, game.riddle(room).answer)
    said = capsys.readouterr().out
    keys = [line.rpartition(" ")[2] for line in said.splitlines() if line.startswith("The door opens")]
    for word, answer in (
        ("".join(keys), "correct"),
        (" ".join(keys).lower(), "correct"),
        ("".join([*keys[:-1], "X"]), "9 of the 10 keys are right"),
        ("".join(keys) + "X", "10 of the 10 keys are right"),
        (None, EMPTY),
    ):
        game.open_last_door(word)
        assert answer in capsys.readouterr().out


def test_playing_changes_no_file(game, capsys):
    before = digests(game)
    game.show(9)
    game.show_all()
    game.check(10, 7.7)
    game.verdicts()
    assert digests(game) == before


def test_the_package_reads_mends_warns_and_refuses(game):
    said = game.verdicts()
    outcomes = ["read", "mended", "read", "mended", "read", "read", "read", "refused", "refused", "warned"]
    assert said["outcome"].tolist() == outcomes
    assert said.loc[said["outcome"] != "refused", "off_mm"].max() < 2
    assert said.loc[said["outcome"] == "refused", "off_mm"].isna().all()
    assert (said["words"] == "").tolist() == [outcome == "read" for outcome in outcomes]
    assert "a spacing of 3.85 mm, but the slices lie 7.7 mm apart" in said.loc[10, "words"]
    naive = said.dropna(subset="naive_flagged")
    assert naive.index.tolist() == [1, 2, 3, 4, 5, 7]
    assert naive.index[naive["naive_off_mm"].isna()].tolist() == [4]


def test_shown_upside_down_the_network_finds_no_level_and_the_picture_is_flagged(game):
    (file,) = game.files(4)
    wrong, _ = pictures.picture_pair([file], 4)
    truth = pd.read_csv(game.folder / TRUTH).query("view == 'sagittal'")
    off_mm, flagged = verdicts.naive_answer(file, wrong.pixels, "sagittal", truth)
    assert np.isnan(off_mm)
    assert flagged


def test_a_point_beside_the_slice_counts_within_it(game):
    """In a flat coronal slice the discs lie before and behind it; a perfect answer is 0 mm off all the same."""
    (file,) = game.files(5)
    truth = pd.read_csv(game.folder / TRUTH)
    said = verdicts.verdict([file], 5, truth)
    plane = imaging.read(file).plane
    places = truth.loc[truth["view"] == "coronal", ["x_mm", "y_mm", "z_mm"]].to_numpy()
    assert abs(plane.distance(places)).max() > 2
    assert said.off_mm < 2


@each_room
def test_each_picture_differs_from_the_naive_one_and_says_so(game, room):
    wrong, right = pictures.picture_pair(game.files(room), room)
    assert wrong.seen != right.seen
    same = wrong.pixels.shape == right.pixels.shape and np.array_equal(wrong.pixels, right.pixels)
    assert not same or wrong.aspect != right.aspect or wrong.labels != right.labels
    assert wrong.seen in game.show(room).alt


def test_frames_and_slices_in_the_right_order_go_from_side_to_side(game):
    wrong, right = pictures.picture_pair(game.files(9), 9)
    assert [text for *_, text in wrong.labels] == list("0123456")
    assert [text for *_, text in right.labels] == list("3625140")
