"""The count of the levels is checked in a localiser, or in a large series of the same study."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pydicom
import pytest

from lumbar import weights
from lumbar.cli.main import main
from lumbar.decoding.doubts import Count
from lumbar.exports import disc_labels
from lumbar.geometry import Plane
from lumbar.inference import ScanPoints
from lumbar.landmarks import LEVELS
from lumbar.phantom import PhantomSettings
from lumbar.phantom.study import write_study
from lumbar.study import LocateSettings, locate
from lumbar.study.overview import MISLED, check_count
from lumbar.study.reading import read_study
from lumbar.study.sagittal import Midsagittal

STUDY = PhantomSettings(seed=61, slices=3, series=("sagittal-t2",), localiser=True, field_of_view=1.0)


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Four studies with a localiser, whose sagittal series shows any part of the spine."""
    folder = tmp_path_factory.mktemp("studies")
    return [write_study(folder, STUDY, number) for number in (1, 2, 3, 4)]


def test_the_levels_are_checked_in_the_localiser_and_lie_where_the_spine_has_them(studies):
    checked = 0
    for study in studies:
        true = pd.read_csv(study / "landmarks.csv").set_index("level").loc[list(LEVELS)]
        found = locate([study], progress=False)
        found_mm, true_mm = (table[["x_mm", "y_mm", "z_mm"]].to_numpy(float) for table in (found.table, true))
        off = np.linalg.norm((found_mm - true_mm)[:, 1:], axis=1)
        assert np.nanmax(off) < 10, "a third of a level: none is counted wrongly"
        checked += found.count_checked
        assert found.count_checked == any("Count checked in series 5 (Localizer)" in note for note in found.notes)
    assert checked >= 3


def test_a_localiser_makes_the_count_surer_and_never_moves_points_on_which_both_agree(studies):
    alone, checked = (
        locate([studies[0]], LocateSettings(check_count=check), progress=False) for check in (False, True)
    )
    assert not alone.count_checked
    assert (alone.table["count_checked_in"] == "").all()
    assert checked.table["count_checked_in"].unique().tolist() == ["series 5 (Localizer)"]
    places = ["sagittal_file", "sagittal_x", "sagittal_y", "x_mm", "y_mm", "z_mm"]
    pd.testing.assert_frame_equal(checked.table[places], alone.table[places])
    doubt = [table[["one_higher", "one_lower"]].sum(axis=1).iloc[0] for table in (checked.table, alone.table)]
    assert doubt[0] < doubt[1]


def test_the_command_says_whether_the_count_was_checked(studies, tmp_path, capsys):
    pictures = tmp_path / "pictures"
    assert main(["locate", str(studies[0]), "--out", str(tmp_path / "a.csv"), "--overlay", str(pictures)]) == 0
    said = capsys.readouterr().out
    assert "left out, a localiser, as its description says; its 3 sagittal slice(s) serve to check the count" in said
    assert "Count checked in series 5 (Localizer)." in said
    assert "not checked" not in said
    assert main(["locate", str(studies[0]), "--no-check-count", "--out", str(tmp_path / "b.csv")]) == 0
    said = capsys.readouterr().out
    assert "the count was not checked from above" in said
    assert "Count checked" not in said
    assert {each.name for each in pictures.iterdir()} == {"levels.png", "count.png"}
    assert pd.read_csv(tmp_path / "a.csv")["count_checked_in"].eq("series 5 (Localizer)").all()


@pytest.mark.parametrize("check", [True, False])
def test_disc_labels_say_whether_the_count_was_checked(studies, tmp_path, check):
    found = locate([studies[0]], LocateSettings(check_count=check), progress=False)
    (written,) = disc_labels.write_series(found, tmp_path).files
    described = json.loads(disc_labels.sidecar_of(written).read_text(encoding="utf-8"))["Description"]
    assert ("the count was not checked from above" in described) == (not check)


def test_a_localiser_has_no_points_and_leaves_the_other_files_as_they_are(tmp_path):
    settings = PhantomSettings(seed=3, series=("sagittal-t2", "coronal-t2"))
    with_it = write_study(tmp_path / "a", replace(settings, localiser=True))
    without = write_study(tmp_path / "b", settings)
    tables = [pd.read_csv(folder / "landmarks.csv").drop(columns="study") for folder in (with_it, without)]
    pd.testing.assert_frame_equal(*tables)
    scout = next(each for each in read_study([with_it], progress=False).series if each.left_out)
    assert [stack.view for stack in scout.overview] == ["sagittal", "coronal", "axial"]
    assert [len(stack.slices) for stack in scout.overview] == [3, 3, 3]
    assert not scout.stacks
    first, pixels = scout.overview[0].slices[0], 224
    assert (first.width, first.height) == (pixels, pixels)
    assert first.plane.pixel_height > 1.2, "coarse: mm"


# -- the weighing, on made-up points ---------------------------------------------------------------------------------
PLANE = Plane(np.zeros(3), np.array([0.0, 1, 0]), np.array([0.0, 0, -1]), 1.0, 1.0)
ROW = np.array([[128.0 + n, 40 + 33.0 * n] for n in range(7)])
"""T12/L1, the five levels and S1/S2, pixels of 1 mm."""

NETWORK = weights.find("phantom")


def slice_with(row, higher=0.01, lower=0.01, *, name="series 2", frame="1.2", absent=None, height=256, **about):
    """A slice with these seven discs; NaN for one that the network does not find."""
    gone = np.isnan(row[1:-1, 0])
    count = Count(higher, lower, higher=row[:-2], lower=row[2:])
    points = ScanPoints(
        LEVELS,
        xy_native=row[1:-1],
        confidence=np.where(gone, np.nan, 0.97),
        probability=np.full(5, 0.97),
        absent=np.where(gone, 0.99, 0.01) if absent is None else np.asarray(absent),
        flagged=about.get("flagged", False),
        count=count,
        doubts=count.doubts,
    )
    stack = SimpleNamespace(
        frame_of_reference=frame,
        normal=np.array([1.0, 0, 0]),
        acquisition="",
        slices=(SimpleNamespace(plane=PLANE, width=256, height=height),),
    )
    return Midsagittal(SimpleNamespace(name=name), stack, 0, points, "", about.get("cut_off", False))


def moved(discs):
    """The row if every level lies so many discs higher; NaN where that disc is not among the seven."""
    row = np.full_like(ROW, np.nan)
    for place in range(len(ROW)):
        if 0 <= place - discs < len(ROW):
            row[place] = ROW[place - discs]
    return row


def test_two_that_agree_are_surer_than_each():
    checked = check_count(slice_with(ROW, 0.2, 0.1), [slice_with(ROW + 2, 0.02, 0.02, name="scout")], NETWORK)
    assert checked.view.name == "scout"
    np.testing.assert_array_equal(checked.points.xy_native, ROW[1:-1])
    # By Bayes: 0.2 × 0.03 (nothing sure fits it, and 0.02 is less) against 0.7 × 0.97 × 0.96.
    both = np.array([0.7 * (1 - MISLED) * 0.96, 0.2 * MISLED, 0.1 * MISLED])
    assert checked.points.count.one_higher == pytest.approx(both[1] / both.sum())
    assert checked.points.count.one_lower == pytest.approx(both[2] / both.sum())
    assert checked.points.doubts == ()
    assert not checked.points.flagged


@pytest.mark.parametrize("discs", [1, -1])
def test_an_unsure_slice_follows_a_sure_larger_view_and_is_flagged(discs):
    """The slice puts every level one disc off where the view is surely right."""
    found = slice_with(moved(-discs), *((0.3, 0.05) if discs > 0 else (0.05, 0.3)))
    checked = check_count(found, [slice_with(ROW, name="scout")], NETWORK)
    known = np.isfinite(checked.points.xy_native).all(axis=1)
    np.testing.assert_allclose(checked.points.xy_native[known], ROW[1:-1][known])
    assert known.sum() >= 4
    assert checked.points.flagged
    back = checked.points.count.lower if discs > 0 else checked.points.count.higher
    np.testing.assert_array_equal(back, found.points.xy_native)
    way = "higher" if discs > 0 else "lower"
    assert all(f"one disc {way} than the slice alone would have it" in remark for remark in checked.remarks)
    assert f"Count checked in scout: the levels lie one disc {way}" in checked.notes[0]


def test_a_sure_slice_is_not_moved_by_a_view_that_is_less_sure():
    found = slice_with(moved(-1), 0.001, 0.001)
    checked = check_count(found, [slice_with(ROW, 0.04, 0.04, name="scout")], NETWORK)
    np.testing.assert_array_equal(checked.points.xy_native, found.points.xy_native)
    assert checked.points.count.one_higher > found.points.count.one_higher, "but it is less sure than before"
    assert checked.points.flagged
    assert all(remark.startswith("scout would count otherwise") for remark in checked.remarks)


@pytest.mark.parametrize(
    ("view", "why"),
    [
        ({"frame": "9.9"}, "it is not known to share the frame of reference of the slice"),
        ({"flagged": True}, "the network is not confident of the levels there"),
        ({"flagged": True, "higher": 0.2}, "the levels may all lie one disc higher"),
    ],
)
def test_a_view_that_cannot_help_is_not_used_and_that_is_said(view, why):
    found = slice_with(ROW, 0.2, 0.1)
    checked = check_count(found, [slice_with(moved(1), name="scout", **view)], NETWORK)
    assert checked.points is found.points
    assert (checked.view, checked.notes) == (None, (f"The count was not checked in scout: {why}.",))


def test_a_view_without_the_sacrum_cannot_count_either():
    row = ROW.copy()
    row[5:] = np.nan
    checked = check_count(slice_with(ROW), [slice_with(row, name="scout")], NETWORK)
    assert checked.notes == ("The count was not checked in scout: it does not show L5/S1, from which one counts.",)


def test_levels_that_fit_no_count_are_left_where_they_are_and_flagged():
    aside = ROW + np.array([60.0, 16.0])
    found = slice_with(ROW)
    checked = check_count(found, [slice_with(aside, name="scout")], NETWORK)
    np.testing.assert_array_equal(checked.points.xy_native, found.points.xy_native)
    assert checked.view is None
    assert checked.points.flagged
    assert checked.remarks == ("the levels do not fit those of scout",) * 5
    assert check_count(found, [], NETWORK).notes == ()


def test_one_level_at_another_place_is_flagged():
    view = ROW.copy()
    view[5, 1] += 22
    checked = check_count(slice_with(ROW), [slice_with(view, name="scout")], NETWORK)
    assert checked.points.flagged
    assert checked.remarks == ("", "", "", "", "scout puts it 22 mm away")


def test_a_second_view_that_counts_otherwise_is_heard():
    views = [slice_with(ROW, name="one"), slice_with(moved(1), 0.02, 0.02, name="other")]
    checked = check_count(slice_with(ROW), views, NETWORK)
    assert checked.view.name == "one"
    assert checked.points.flagged
    assert checked.notes == ("Count checked in one, but other would count otherwise.",)


def test_a_view_that_does_not_fit_does_not_hide_one_that_does():
    views = [slice_with(ROW + 60, 0.0, 0.0, name="aside"), slice_with(ROW, name="scout")]
    assert check_count(slice_with(ROW), views, NETWORK).view.name == "scout"


def test_a_level_not_found_is_carried_over_if_the_slice_must_show_it():
    row = ROW.copy()
    row[[1, 5]] = np.nan  # L1/L2 and L5/S1
    found = slice_with(row, height=200)  # L5/S1 lies at row 205
    checked = check_count(found, [slice_with(ROW, name="scout")], NETWORK)
    np.testing.assert_allclose(checked.points.xy_native[0], ROW[1])
    assert np.isnan(checked.points.confidence[0])
    assert np.isnan(checked.points.xy_native[4]).all()
    assert checked.points.absent[4] > found.points.absent[4]
    assert checked.points.flagged
    assert checked.remarks == ("carried over from scout", "", "", "", "")


def test_a_slice_without_any_level_gets_those_that_it_must_show():
    checked = check_count(slice_with(np.full_like(ROW, np.nan), height=100), [slice_with(ROW, name="scout")], NETWORK)
    np.testing.assert_allclose(checked.points.xy_native[0], ROW[1])
    assert np.isnan(checked.points.xy_native[2:]).all()
    assert checked.points.flagged
    far = slice_with(ROW + 900, name="scout")
    nothing = check_count(slice_with(np.full_like(ROW, np.nan)), [far], NETWORK)
    assert nothing.view is None
    assert nothing.notes == ("scout puts no level into the slice either.",)


def test_an_undecided_absence_is_settled_by_where_the_larger_view_has_the_level():
    row = ROW.copy()
    row[5] = np.nan
    found = slice_with(row, absent=[0.01, 0.01, 0.01, 0.01, 0.7], height=190, flagged=True)
    checked = check_count(found, [slice_with(ROW)], NETWORK)
    assert checked.points.absent[4] == pytest.approx(0.7 / (0.7 + 0.3 * MISLED / (1 - MISLED)))
    assert not checked.points.flagged, "nothing else was in doubt"


def test_a_level_that_both_have_elsewhere_stays_as_undecided_as_it_was():
    view = ROW.copy()
    view[5, 1] += 20
    absent = [0.01, 0.01, 0.01, 0.01, 0.4]
    checked = check_count(slice_with(ROW, absent=absent, flagged=True), [slice_with(view)], NETWORK)
    assert checked.points.absent[4] == pytest.approx(0.4)
    assert checked.points.flagged


def test_the_flag_of_a_slice_that_may_lie_beside_the_spine_stays():
    found = slice_with(ROW, 0.2, 0.1, flagged=True, cut_off=True)
    assert check_count(found, [slice_with(ROW)], NETWORK).points.flagged


def test_a_slice_that_shows_one_disc_is_named_by_the_larger_view():
    row = np.full_like(ROW, np.nan)
    row[3] = ROW[2]  # called L3/L4, and in truth L2/L3
    found = slice_with(row, height=95)
    alone = replace(found, points=replace(found.points, count=None, doubts=()))
    checked = check_count(alone, [slice_with(ROW, name="scout")], NETWORK)
    assert np.flatnonzero(np.isfinite(checked.points.xy_native).all(axis=1)).tolist() == [0, 1]
    np.testing.assert_allclose(checked.points.xy_native[:2], ROW[1:3])
    assert checked.points.flagged


def test_a_network_that_cannot_count_checks_nothing():
    def silent(each):
        return replace(each, points=replace(each.points, count=None, doubts=()))

    checked = check_count(silent(slice_with(ROW)), [silent(slice_with(moved(1), name="scout"))], NETWORK)
    assert checked.view is None
    assert "the network cannot tell how sure it is of a count there" in checked.notes[0]


# -- what is asked ---------------------------------------------------------------------------------------------------
def rewritten(study, target, **attributes):
    """Copy a study; attributes of the localiser's files are replaced."""
    shutil.copytree(study, target)
    for file in (target / "localiser").iterdir():
        dataset = pydicom.dcmread(file)
        for name, value in attributes.items():
            setattr(dataset, name, value)
        dataset.save_as(file)
    return target


def test_without_the_check_no_large_series_is_asked_either(studies, tmp_path):
    plain = rewritten(studies[0], tmp_path / "plain", SeriesDescription="Sagittal T1 whole")
    for file in sorted((plain / "localiser").iterdir())[3:]:
        file.unlink()  # the coronal and axial slices
    assert locate([plain], progress=False).count_checked
    assert not locate([plain], LocateSettings(check_count=False), progress=False).count_checked
    chosen = locate([plain], LocateSettings(sagittal="2"), progress=False)
    assert chosen.count_checked, "a large series that was not chosen is still a larger view"


def test_a_localiser_with_a_frame_of_reference_of_its_own_is_used_if_none_is_shared(studies, tmp_path):
    own = rewritten(studies[0], tmp_path / "own", FrameOfReferenceUID="1.2.3.4")
    assert locate([own], progress=False).count_checked
    refused = locate([own], LocateSettings(common_frame=False), progress=False)
    assert not refused.count_checked
    assert any("not known to share the frame of reference" in note for note in refused.notes)


def test_a_localiser_that_cannot_be_read_is_named(studies, tmp_path):
    broken = rewritten(studies[0], tmp_path / "broken", PixelData=b"\0\0")
    found = locate([broken], progress=False)
    assert not found.count_checked
    assert "The count was not checked in series 5 (Localizer): none of its slices can be read." in found.notes
    assert len(found.refused) == 3
