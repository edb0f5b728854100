"""The whole chain with a released network: from the folder of a study to the levels and their axial slices."""

import itertools
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image
from pydicom.uid import generate_uid

from lumbar import imaging, inference, weights
from lumbar.cli.main import main
from lumbar.core.errors import LumbarError, RunError, ScanError, StudyError
from lumbar.exports import json_points
from lumbar.geometry import Plane
from lumbar.inference import UNJUDGED, ScanPoints
from lumbar.landmarks import LEVELS
from lumbar.phantom import PhantomSettings, dicom
from lumbar.phantom.study import write_study
from lumbar.prediction import predict
from lumbar.study import LocateSettings, locate, midline, sagittal
from lumbar.study.frames import ASSUMED
from lumbar.study.locating import COLUMNS
from lumbar.study.marking import NOT_MIDDLE
from lumbar.study.plausibility import find_doubts
from lumbar.study.reading import read_study
from lumbar.study.sagittal import Midsagittal
from tests.support.phantom_studies import write_enhanced
from tests.support.prepared import answered, in_turn
from tests.support.turned_studies import WAYS, store_turned

PHANTOM = PhantomSettings(seed=5150, slices=11, series=("sagittal-t2", "axial-t2"))


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    """A synthetic patient's folder; the two outermost sagittal slices of one side are missing."""
    folder = write_study(tmp_path_factory.mktemp("study"), PHANTOM)
    for number in (1, 2):
        (folder / "sagittal-t2" / f"{number:03d}.dcm").unlink()
    return folder


@pytest.fixture(scope="module")
def truth(patient):
    table = pd.read_csv(patient / "landmarks.csv")
    return table[table["view"] == "sagittal"].set_index("level").loc[list(LEVELS)]


@pytest.fixture(scope="module")
def located(patient):
    return locate([patient], progress=False)


def millimetres(table):
    return table[["x_mm", "y_mm", "z_mm"]].to_numpy(float)


def test_the_levels_are_found_in_the_patient_and_in_their_axial_slices(located, truth):
    table = located.table
    assert tuple(table) == COLUMNS
    assert table["level"].tolist() == list(LEVELS)
    assert np.linalg.norm(millimetres(table) - millimetres(truth), axis=1).max() < 5
    assert [file[-7:] for file in table["axial_file"]] == [f"{number:03d}.dcm" for number in range(1, 6)]
    assert not table["flagged"].any()
    assert (table["distance_mm"] < 3).all()
    assert located.refused == ()
    for row in table.itertuples():
        for name in ("sagittal", "axial"):
            file, frame, x, y = (getattr(row, f"{name}_{key}") for key in ("file", "frame", "x", "y"))
            scan = imaging.read(file, frame=frame)
            away = scan.plane.to_patient([x, y]) - millimetres(table)[row.Index]
            allowed = 1e-6 if name == "sagittal" else row.distance_mm + 1e-6
            assert np.linalg.norm(away) <= allowed


def test_the_middle_slice_is_found_though_it_is_not_in_the_middle_of_the_series(located, patient):
    assert located.middle.slice.path.name == "006.dcm"
    assert "confident of the points" in located.middle.why
    plain = locate([patient], LocateSettings(middle="geometry"), progress=False)
    assert plain.middle.slice.path.name == "007.dcm"
    assert plain.middle.why == "the slice nearest to the midpoint of the outermost slices"


@pytest.mark.parametrize("how", ["on its side, mirrored", "frames"])
def test_however_the_slices_are_stored_the_levels_lie_at_the_same_place(located, patient, tmp_path, how):
    shutil.copytree(patient / "axial-t2", tmp_path / "axial-t2")
    files = sorted((patient / "sagittal-t2").glob("*.dcm"))
    if how in WAYS:
        for number, file in enumerate(reversed(files)):
            store_turned(file, tmp_path / "sagittal-t2" / f"{number}", how)
    else:
        headers = [pydicom.dcmread(file) for file in files]
        names = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SeriesDescription")
        common = {name: headers[0].get(name) for name in names}
        order = np.random.default_rng(1).permutation(len(files))
        planes = [imaging.read(files[index]).plane for index in order]
        pixels = np.stack([headers[index].pixel_array for index in order])
        write_enhanced(tmp_path / "many", planes, common, thickness=headers[0].SliceThickness, pixels=pixels)
    found = locate([tmp_path], progress=False)
    np.testing.assert_allclose(millimetres(found.table), millimetres(located.table), atol=0.1)
    np.testing.assert_allclose(found.table[["axial_x", "axial_y"]], located.table[["axial_x", "axial_y"]], atol=0.1)
    row = found.table.iloc[0]
    scan = imaging.read(row["sagittal_file"], frame=row["sagittal_frame"])
    there = scan.plane.to_patient([row["sagittal_x"], row["sagittal_y"]])
    np.testing.assert_allclose(there, millimetres(found.table)[0], atol=1e-6)


def test_the_command_writes_table_and_figure_and_prints_the_levels(patient, located, tmp_path, capsys):
    (tmp_path / "broken.dcm").write_bytes(b"no scan")
    words = [
        "locate",
        patient,
        tmp_path / "broken.dcm",
        "--out",
        tmp_path / "levels.csv",
        "--overlay",
        tmp_path / "overlay",
    ]
    code = main(list(map(str, words)))
    printed = capsys.readouterr()
    assert code == 1
    assert "left out: this is not a DICOM file" in printed.err
    assert "Mid-sagittal: slice" in printed.out
    assert "5 levels, 5 of them in an axial slice" in printed.out
    assert "Not for diagnosis" in printed.out
    written = pd.read_csv(tmp_path / "levels.csv")
    np.testing.assert_allclose(millimetres(written), millimetres(located.table), atol=1e-3)
    picture = Image.open(tmp_path / "overlay" / "levels.png")
    assert np.asarray(picture).std() > 20
    assert "L5/S1" in picture.text["Description"]


def test_a_study_of_another_kind_of_imaging_is_refused_or_flagged(patient, tmp_path, capsys):
    for file in (patient / "sagittal-t2").glob("*.dcm"):
        dataset = pydicom.dcmread(file)
        dataset.Modality = "CT"
        dataset.save_as(tmp_path / file.name)
    assert main(["locate", str(tmp_path), "--out", str(tmp_path / "levels.csv")]) == 1
    assert "not trained on this kind of imaging" in capsys.readouterr().err
    assert not (tmp_path / "levels.csv").exists()
    assert main(["locate", str(tmp_path), "--out", str(tmp_path / "levels.csv"), "--any-modality"]) == 0
    assert pd.read_csv(tmp_path / "levels.csv")["flagged"].all()
    assert "CT, and the network was trained on MR only; flagged" in capsys.readouterr().out
    shutil.copytree(patient / "sagittal-t2", tmp_path / "mr")
    found = locate([tmp_path / "mr", tmp_path], progress=False)
    assert "mr" in str(found.middle.slice.path), "of a study with both, the known kind is used"


def test_the_levels_come_with_what_they_would_be_if_the_count_were_one_off(patient, located, monkeypatch):
    network = weights.find()
    known = replace(network, count_slope=1.0, count_offset=0.0)
    monkeypatch.setattr(weights, "find", lambda name, engine: known)
    found = locate([patient], progress=False)
    table = found.table
    assert table["one_higher"].between(0, 1).all()
    assert f"Count as found {1 - table['one_higher'][0] - table['one_lower'][0]:.0%}" in str(found)
    lower = table[["x_mm_lower", "y_mm_lower", "z_mm_lower"]].to_numpy(float)
    np.testing.assert_allclose(lower[:-1], millimetres(table)[1:], atol=1e-6)
    higher = table[["x_mm_higher", "y_mm_higher", "z_mm_higher"]].to_numpy(float)
    np.testing.assert_allclose(higher[1:], millimetres(table)[:-1], atol=1e-6)


def test_predict_says_which_slice_of_a_series_is_the_middle_one(patient, located, tmp_path, capsys):
    words = ["predict", patient, "--out", tmp_path / "points.csv", "--json", tmp_path / "points.json"]
    assert main(list(map(str, words))) == 0
    printed = capsys.readouterr().out
    assert f"1 of them: the mid-sagittal slice, {located.middle.number + 1} of 9 of series 2 (006.dcm)" in printed
    assert "8 of them: not the mid-sagittal slice of its series" in printed
    assert "python -m lumbar locate" in printed
    pictures = json_points.read(tmp_path / "points.json").pictures
    (middle,) = (each for each in pictures if any("the mid-sagittal slice, " in text for text in each.warnings))
    assert middle.image == str(located.middle.slice.path)
    assert all(NOT_MIDDLE not in each.warnings for each in pictures if each.view == "axial")


def test_predict_names_the_middle_of_each_study_in_a_folder(patient, located, tmp_path):
    """The same slices twice, as two studies."""
    for file in (patient / "sagittal-t2").glob("*.dcm"):
        for study in ("one", "two"):
            header = pydicom.dcmread(file)
            for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
                setattr(header, keyword, generate_uid(entropy_srcs=[study, header[keyword].value]))
            header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
            (tmp_path / study).mkdir(exist_ok=True)
            header.save_as(tmp_path / study / file.name)
    found = predict([tmp_path], progress=False)
    middles = [each for each in found.pictures if any("the mid-sagittal slice, " in text for text in each.warnings)]
    name = located.middle.slice.path.name
    assert [each.image for each in middles] == [str(tmp_path / study / name) for study in ("one", "two")]


def test_the_command_can_list_the_series_without_a_network(patient, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("lumbar.study.locate", None)
    assert main(["locate", str(patient), "--series-only"]) == 0
    printed = capsys.readouterr().out
    assert "sagittal, 9 slices of" in printed
    assert printed.count("axial, 1 slice of") == 5


def test_a_series_torn_apart_is_located_as_a_whole_and_a_single_slice_claims_no_middle(located, patient, tmp_path):
    for file in patient.rglob("*.dcm"):
        dataset = pydicom.dcmread(file)
        dataset.SeriesInstanceUID = dicom.uid("a series of its own", file.parent.name, file.name)
        (tmp_path / file.parent.name).mkdir(exist_ok=True)
        dataset.save_as(tmp_path / file.parent.name / file.name)
    found = locate([tmp_path], progress=False)
    np.testing.assert_allclose(millimetres(found.table), millimetres(located.table), atol=1e-9)
    np.testing.assert_allclose(found.table[["axial_x", "axial_y"]], located.table[["axial_x", "axial_y"]], atol=1e-9)
    assert not found.table["flagged"].any()
    assert "Mid-sagittal: slice 4 of 9" in str(found)
    assert "9 series of one slice each were put together" in str(found)
    single = locate([tmp_path / "sagittal-t2" / "004.dcm"], progress=False)
    assert "Sagittal: slice 1 of 1" in str(single)
    assert "Mid-sagittal" not in str(single)
    assert single.table["flagged"].all()
    assert all("nothing shows whether it is the middle one" in remark for remark in single.table["remark"])


def test_without_axial_slices_the_levels_are_found_and_a_remark_says_so(patient, tmp_path, capsys):
    from lumbar.figures.levels import levels

    found = locate([patient / "sagittal-t2"], progress=False)
    assert set(found.table["remark"]) == {"the study has no axial slices"}
    assert found.table["axial_frame"].isna().all()
    assert "no axial slice shows L1/L2" in levels(found.table).alt


def test_what_cannot_be_done_is_refused(patient, tmp_path):
    with pytest.raises(StudyError, match="no sagittal series"):
        locate([patient / "axial-t2"], progress=False)
    with pytest.raises(StudyError, match="no such sagittal series"):
        locate([patient], LocateSettings(sagittal="77"), progress=False)
    with pytest.raises(RunError, match="no such network"):
        locate([patient], LocateSettings(weights="wonder"), progress=False)
    file = pydicom.dcmread(patient / "sagittal-t2" / "006.dcm")
    file.PixelData = file.PixelData[:100]
    file.save_as(tmp_path / "cut.dcm")
    with pytest.raises(ScanError):
        locate([tmp_path / "cut.dcm"], progress=False)


def test_why_sagittal_files_were_refused_is_said_where_no_sagittal_series_is_left(patient, tmp_path):
    shutil.copytree(patient, tmp_path / "study")
    for file in (tmp_path / "study" / "sagittal-t2").glob("*.dcm"):
        dataset = pydicom.dcmread(file)
        dataset.PixelSpacing = [0, 1]
        dataset.save_as(file)
    for paths in ([tmp_path / "study"], [tmp_path / "study" / "sagittal-t2"]):
        with pytest.raises(LumbarError) as caught:
            locate(paths, progress=False)
        assert "9 file(s) left out, because the pixel spacing is not a pair of positive numbers" in caught.value.found
        assert "003.dcm, PixelSpacing" in caught.value.found
        assert "whole study" not in str(caught.value)


def with_own_frames(patient, target, **attributes):
    """Copy a study as de-identification leaves it: each series has a frame of reference of its own.

    Args:
        patient: Folder of the study.
        target: Folder to write.
        attributes: Name of a series' folder → attributes to change there.
    """
    for file in patient.rglob("*.dcm"):
        series = file.parent.name
        dataset = pydicom.dcmread(file)
        dataset.FrameOfReferenceUID = dicom.uid("a frame of reference of its own", series)
        dataset.update(attributes.get(series.replace("-", "_"), {}))
        (target / series).mkdir(parents=True, exist_ok=True)
        dataset.save_as(target / series / file.name)
    return target


def test_series_with_frames_of_reference_of_their_own_are_mapped_exactly_and_flagged(located, patient, truth, tmp_path):
    found = locate([with_own_frames(patient, tmp_path / "study")], progress=False)
    numbers = ["x_mm", "y_mm", "z_mm", "axial_x", "axial_y", "distance_mm", "angle_degrees"]
    assert np.abs(found.table[numbers] - located.table[numbers]).to_numpy(float).max() < 1e-9
    assert np.linalg.norm(millimetres(found.table) - millimetres(truth), axis=1).max() < 5
    for row, true in zip(found.table.itertuples(), millimetres(truth), strict=True):
        plane = imaging.read(row.axial_file).plane
        there, projected = plane.to_patient([row.axial_x, row.axial_y]), plane.to_patient(plane.to_pixels(true))
        assert np.linalg.norm(there - projected) < 5
        assert ASSUMED in row.remark
        assert row.flagged
    assert "one frame of reference is assumed for series 2 (Sagittal T2/STIR), series 4 (Axial T2)" in str(found)


def test_a_switch_refuses_to_assume_a_frame_of_reference(patient, tmp_path, capsys):
    folder = with_own_frames(patient, tmp_path / "study")
    assert main(["locate", str(folder), "--series-only"]) == 0
    assert "one frame of reference is assumed" in capsys.readouterr().out
    words = ["locate", str(folder), "--no-common-frame", "--middle", "geometry", "--out", str(tmp_path / "levels.csv")]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "is assumed" not in printed
    assert "No point is mapped to series 4 (Axial T2)" in printed
    written = pd.read_csv(tmp_path / "levels.csv")
    assert written["axial_file"].isna().all()
    assert not written["flagged"].any()


def as_another_series(folder, target, **attributes):
    """Copy the series in a folder as another series of the same study."""
    target.mkdir()
    for file in folder.glob("*.dcm"):
        dataset = pydicom.dcmread(file)
        dataset.update(attributes)
        dataset.SeriesInstanceUID, dataset.SOPInstanceUID = dicom.uid(target), dicom.uid(target, file.name)
        dataset.save_as(target / file.name)


@pytest.mark.parametrize(
    ("attributes", "chosen", "said"),
    [
        ({"EchoTime": "300", "FrameOfReferenceUID": "2.25.3"}, "series 2", "its frame of reference differs"),
        ({"EchoTime": "300"}, "series 9", "lie 0.0 to 0.0 mm from these"),
        ({"EchoTime": "9"}, "series 2", "lie 0.0 to 0.0 mm from these"),
    ],
    ids=["another frame of reference", "longer echo", "shorter echo"],
)
def test_of_several_sagittal_series_the_most_useful_is_chosen(patient, tmp_path, attributes, chosen, said):
    as_another_series(patient / "sagittal-t2", tmp_path / "other", SeriesNumber=9, **attributes)
    found = locate([patient, tmp_path / "other"], LocateSettings(middle="geometry"), progress=False)
    assert found.middle.name.startswith(chosen)
    assert any(said in note for note in found.notes)
    assert (found.table["axial_file"] != "").all()


# -- the middle of the slices by confidence --------------------------------------------------------------------------
def confidences(offsets, middle, width=18.0):
    odds = 4 - (np.abs(offsets - middle) / width) ** 2 * 4
    return np.repeat(1 / (1 + np.exp(-odds)), 5).reshape(len(offsets), 5)


def test_the_middle_is_where_the_confidence_falls_off_to_both_sides():
    offsets = 4.4 * np.arange(11)
    for middle in (14.0, 22.0, 30.5):
        assert midline.middle_by_confidence(offsets, confidences(offsets, middle)) == pytest.approx(middle, abs=0.3)


@pytest.mark.parametrize(
    "confidence",
    [
        np.full((11, 5), np.nan),
        np.full((11, 5), 0.9),
        confidences(4.4 * np.arange(11), 22) * 0.4,
        1 - confidences(4.4 * np.arange(11), 22),
    ],
    ids=["unknown", "sure of all", "sure of none", "surer outside"],
)
def test_a_confidence_that_does_not_show_the_middle_is_not_used(confidence):
    assert midline.middle_by_confidence(4.4 * np.arange(11), confidence) is None


def stack_of(offsets, middle, monkeypatch):
    """A stack whose slices the network is confident of within 14 mm of the middle; also which slices were read."""
    odds = np.where(np.abs(offsets - middle) <= 14, 3.0, 0.5 - 0.01 * np.abs(offsets - middle))
    probability = 1 / (1 + np.exp(-odds))

    def find_points(network, scans, progress):
        alike = [[np.full(5, probability[each])] * 2 for each in scans]
        return SimpleNamespace(
            points=[ScanPoints(LEVELS, np.zeros((5, 2)), *each, np.full(5, np.nan), False) for each in alike]
        )

    monkeypatch.setattr(sagittal, "find_points", find_points)
    asked = []

    def read(numbers):
        asked.append(list(numbers))
        return {number: number for number in numbers}

    return read, asked


@pytest.mark.parametrize(
    ("count", "spacing", "aside", "cut_off"),
    [
        (11, 4.4, 0.0, False),
        (11, 4.4, -4.4, False),
        (15, 4.4, 16.0, False),
        (15, 4.4, 20.0, True),
        (15, 4.4, -20.0, True),
        (15, 4.4, 26.4, True),
        (61, 4.4, 80.0, False),
        (200, 1.0, -60.0, False),
    ],
)
def test_a_spine_to_one_side_is_found(count, spacing, aside, cut_off, monkeypatch):
    offsets = spacing * np.arange(count)
    true = offsets[-1] / 2 + aside
    read, asked = stack_of(offsets, true, monkeypatch)
    (middle,) = sagittal.choose_middles([offsets], [read], None)
    assert middle.shown
    assert abs(offsets[middle.number] - true) <= max(spacing, 2.0) + 0.1
    assert (middle.cut_off, middle.points.flagged) == (cut_off, cut_off)
    numbers = list(itertools.chain.from_iterable(asked))
    assert len(numbers) == len(set(numbers)) <= 75, "each slice is read once, and few of many"
    (plain,) = sagittal.choose_middles([offsets], [read], None, by_confidence=False)
    assert abs(offsets[plain.number] - offsets[-1] / 2) <= 1
    assert not plain.shown


def test_slices_that_are_surely_without_a_spine_do_not_count_as_sure_of_it(monkeypatch):
    """A stack that ends above L5/S1, and a network that is as sure of what is absent as of its points."""
    offsets = 4.4 * np.arange(11)
    read, _ = stack_of(offsets, offsets[-1] / 2 + 4.4, monkeypatch)
    known = sagittal.find_points

    def find_points(network, scans, progress):
        points = known(network, scans, progress).points
        return SimpleNamespace(points=[replace(each, **absence(each.probability)) for each in points])

    def absence(probability):
        shown = np.array([1, 1, 1, 1, 0])
        return {"probability": probability * shown, "absent": 1 - (probability > 0.9) * shown * 0.98}

    monkeypatch.setattr(sagittal, "find_points", find_points)
    (middle,) = sagittal.choose_middles([offsets], [read], None)
    assert middle.shown
    assert middle.number == 6


@pytest.mark.parametrize("count", [9, 15])
def test_a_spine_in_the_middle_is_searched_as_in_the_first_release(count, monkeypatch):
    """No slice beyond the usual ones is needed, and the symmetry of the confidence decides."""
    offsets = 4.4 * np.arange(count)
    read, asked = stack_of(offsets, offsets[-1] / 2 + 3.0, monkeypatch)
    (middle,) = sagittal.choose_middles([offsets], [read], None)
    assert middle.number == count // 2 + 1
    assert len(asked) == 1


# -- plausibility of the points --------------------------------------------------------------------------------------
def middle_with(points, reference="2.25.1", name="a", flagged=False):
    class Named:
        acquisition = ""
        frame_of_reference = reference
        normal = np.array([1.0, 0, 0])

        slices = (SimpleNamespace(plane=SimpleNamespace(to_patient=lambda _: points)),)

    found = ScanPoints(LEVELS, np.zeros((5, 2)), np.ones(5), np.ones(5), np.full(5, np.nan), flagged)
    return Midsagittal(SimpleNamespace(name=name), Named(), 0, found, "")


SPINE = np.array([[0, 0, 60], [0, -3, 27], [0, -2, -5], [0, 4, -36], [0, 15, -62]], dtype=float)


def test_plausible_points_raise_no_doubts():
    found, notes = find_doubts(middle_with(SPINE), [middle_with(SPINE + np.array([4.0, 1, 1]), name="b")])
    assert found == [[], [], [], [], []]
    assert notes == ["The points of b lie 1.4 to 1.4 mm from these."]


def test_levels_too_close_or_upside_down_raise_doubts():
    bent = SPINE.copy()
    bent[2] = bent[1] - np.array([0, 0, 5.0])
    found, _ = find_doubts(middle_with(bent), [])
    assert found[2] == ["L3/L4 lies 5 mm from L2/L3, which is not plausible"]
    found, _ = find_doubts(middle_with(SPINE[::-1]), [])
    assert all("lies above" in each[0] for each in found[1:])


def test_contradictions_between_series_are_reported():
    found, notes = find_doubts(middle_with(SPINE), [middle_with(SPINE - np.array([0, 0, 32.0]), name="series 1")])
    assert all(each == ["series 1 puts it 32 mm away"] for each in found)
    _, notes = find_doubts(middle_with(SPINE), [middle_with(SPINE, reference="2.25.2", name="series 1")])
    assert "cannot be compared" in notes[0]
    found, notes = find_doubts(middle_with(SPINE), [middle_with(SPINE + 99, name="series 1", flagged=True)])
    assert found == [[], [], [], [], []]
    assert "the network is not confident of them" in notes[0]


def test_a_network_without_confidence_judges_no_level_and_that_is_said(patient, monkeypatch):
    levels = np.stack([np.full(5, 120.0), 60 + 30.0 * np.arange(5)], axis=-1)

    def answer(part):
        points = np.full((len(part.images), len(part.channels), 2), 128.0)
        points[:, :5] = levels
        return answered(points, np.nan)

    monkeypatch.setattr(inference, "answers", in_turn(answer))
    found = locate([patient], progress=False)
    assert found.table["flagged"].isna().all()
    assert found.notes.count(UNJUDGED) == 1
    assert "FLAGGED" not in str(found)
    levels[2:, 1] -= 29.0  # only L3/L4 is too near to the level above it
    found = locate([patient], progress=False)
    assert found.table["flagged"].all(), "spacing is judged"
    assert found.table["remark"].str.contains("not plausible").tolist() == [False, False, True, False, False]
    assert "L2/L3 and L3/L4 lie unusually close together; flagged." in found.notes
    assert found.notes.count(UNJUDGED) == 1


def test_a_level_that_the_sagittal_slice_does_not_show_is_absent(patient, monkeypatch, tmp_path, capsys):
    levels = np.stack([np.full(5, 120.0), 60 + 30.0 * np.arange(5)], axis=-1)

    def answer(part):
        points = np.full((len(part.images), len(part.channels), 2), 128.0)
        points[:, :5] = levels
        absent = np.full(points.shape[:2], 0.01)
        absent[:, 4] = 0.99
        return answered(points, np.where(absent > 0.5, 0.01, 0.98), absent)

    monkeypatch.setattr(inference, "answers", in_turn(answer))
    words = ["locate", patient, "--out", tmp_path / "levels.csv", "--overlay", tmp_path / "overlay"]
    assert main(list(map(str, words))) == 0
    printed = capsys.readouterr().out
    assert "L5/S1: absent" in printed
    assert "4 levels, " in printed
    assert "nan" not in printed
    table = pd.read_csv(tmp_path / "levels.csv")
    assert table[["x_mm", "sagittal_x", "axial_x", "confidence"]].isna().all(axis=1).tolist() == [False] * 4 + [True]
    assert table["axial_file"].isna()[4]
    assert table["angle_degrees"].notna().tolist() == table["axial_file"].notna().tolist()
    assert table["absent"].round(2).tolist() == [0.01] * 4 + [0.99]
    described = Image.open(tmp_path / "overlay" / "levels.png").text["Description"]
    assert "the points of L1/L2, L2/L3, L3/L4 and L4/L5 from the head down" in described


def test_header_and_study_agree_on_the_plane(patient):
    """The plane of a slice is the same, read with or without its pixels."""
    for series in read_study([patient], progress=False).series:
        for stack in series.stacks:
            one, other = stack.slices[0].plane, imaging.read(stack.slices[0].path).plane
            assert isinstance(one, Plane)
            np.testing.assert_array_equal(one.position, other.position)
            np.testing.assert_array_equal(one.normal, other.normal)
