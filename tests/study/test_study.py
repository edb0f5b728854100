"""Studies are sorted by the positions in their headers, and irregularities are reported."""

import contextlib
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from lumbar import imaging
from lumbar.core.errors import ScanError, StudyError
from lumbar.imaging.dicom.attributes import ROUNDED
from lumbar.imaging.dicom.file import is_deflated
from lumbar.imaging.dicom.slice_header import read_headers
from lumbar.imaging.folder import OTHERS
from lumbar.phantom import dicom
from lumbar.study.reading import read_study
from lumbar.study.series import group_into_series
from tests.support.phantom_studies import (
    FRAME,
    HEIGHT,
    WIDTH,
    centred,
    header,
    moved,
    parallel,
    write_enhanced,
    write_slices,
)

OBLIQUE = centred(np.array([3.0, 20.0, 40.0]), np.array([0.06, 0.99, 0.12]), np.array([0.03, 0.1, -0.99]), 0.7, 1.1)
"""A sagittal slice, tilted, its pixels higher than wide."""

AXIAL = centred(np.array([0.0, 20.0, 40.0]), np.array([1.0, 0.05, 0.0]), np.array([-0.05, 1.0, -0.2]), 0.6, 0.9)


def study(*paths):
    return read_study(paths, progress=False)


def only_stack(*paths):
    (series,) = study(*paths).series
    (stack,) = series.stacks
    return stack


def shown(stack):
    """Return which slices the stack contains, in order, by the value of their pixels."""
    return [int(imaging.read(each.path, frame=each.frame).pixels[0, 0]) for each in stack.slices]


def all_warnings(found):
    several = [*found.warnings]
    for series in found.series:
        several += [*series.warnings, *(text for stack in series.stacks for text in stack.warnings)]
    return several


@pytest.mark.parametrize("step", [4.4, -4.4])
def test_slices_are_sorted_by_position_as_gdcm_sorts_them(tmp_path, step):
    planes = parallel(OBLIQUE, 9, step)
    write_slices(tmp_path, planes, header("t2"), shuffled=3)
    stack = only_stack(tmp_path)
    assert shown(stack) == list(range(1, 10))[:: 1 if step > 0 else -1]
    reader = SimpleITK.ImageSeriesReader()
    names = reader.GetGDCMSeriesFileNames(str(tmp_path), header("t2")["SeriesInstanceUID"])
    assert [str(each.path) for each in stack.slices] == list(names)
    reader.SetFileNames(names)
    volume = reader.Execute()
    assert volume.GetSpacing() == pytest.approx((0.7, 1.1, stack.spacing), abs=1e-3)
    for index in (0, 4, 8):
        for x, y in ((0, 0), (WIDTH - 1, 0), (7, 31)):
            there = volume.TransformIndexToPhysicalPoint((x, y, index))
            assert stack.slices[index].plane.to_patient([x, y]) == pytest.approx(there, abs=0.01)
    assert stack.warnings == ()
    assert stack.view == "sagittal"


def test_frames_of_an_enhanced_file_count_as_slices(tmp_path):
    planes = parallel(OBLIQUE, 6, 4.4)
    order = [3, 0, 5, 1, 4, 2]
    write_enhanced(tmp_path / "enhanced.dcm", [planes[index] for index in order], header("t2"))
    stack = only_stack(tmp_path)
    assert [each.frame for each in stack.slices] == [1, 3, 5, 0, 4, 2]
    for each, plane in zip(stack.slices, planes, strict=True):
        np.testing.assert_allclose(each.plane.position, plane.position, atol=1e-4)
        there = imaging.read(each.path, frame=each.frame)
        np.testing.assert_allclose(there.plane.position, plane.position, atol=1e-4)
    assert stack.spacing == pytest.approx(4.4, abs=1e-3)
    assert stack.thickness == 4


def test_frames_written_by_an_independent_converter_lie_where_the_files_lay(tmp_path):
    legacy = pytest.importorskip("highdicom.legacy", reason="highdicom is not installed")
    files = write_slices(tmp_path / "single", parallel(OBLIQUE, 5, 4.4), header("t2"), shuffled=1)
    datasets = [pydicom.dcmread(file) for file in files]
    for dataset in datasets:
        dataset.PatientBirthDate = dataset.PatientSex = dataset.StudyID = dataset.PatientName = ""
    converted = legacy.LegacyConvertedEnhancedMRImage(
        datasets,
        dicom.uid("converted"),
        7,
        dicom.uid("converted", "instance"),
        1,
        transfer_syntax_uid="1.2.840.10008.1.2.1",
    )
    converted.save_as(tmp_path / "multi.dcm", enforce_file_format=True)
    single, multi = only_stack(tmp_path / "single"), only_stack(tmp_path / "multi.dcm")
    assert len({each.path for each in multi.slices}) == 1
    for one, other in zip(single.slices, multi.slices, strict=True):
        np.testing.assert_allclose(one.plane.position, other.plane.position, atol=1e-4)
        np.testing.assert_allclose(one.plane.normal, other.plane.normal, atol=1e-6)


def test_tilt_is_given_in_degrees_towards_the_patients_sides(tmp_path):
    angle = np.radians(12)
    down = np.array([0, -np.sin(angle), -np.cos(angle)])  # the feet's end of the picture leans to the front
    write_slices(tmp_path, parallel(centred(np.zeros(3), np.array([1.0, 0, 0]), down, 1, 1), 3, 5), header("cor"))
    stack = only_stack(tmp_path)
    whole, parts = stack.tilt
    assert stack.view == "coronal"
    assert whole == pytest.approx(12, abs=1e-6)
    assert parts == pytest.approx((0, 0, -12), abs=1e-6)
    assert "tilted 12.0° (normal 12.0° to the feet)" in str(stack)


TURNED = centred(np.zeros(3), np.array([-0.2, 0.97, 0.0]), np.array([0.0, 0.0, -1.0]), 0.7, 1.1)
ODD = {
    "missing slice": (lambda them: them[:3] + them[4:], {}, r"gaps.* 8\.8 mm after slice 3 \(of 7\)"),
    "slices far apart": (lambda them: parallel(OBLIQUE, 3, 30.0), {}, r"no slice has a neighbour: they lie 30\.0 to"),
    "uneven steps": (
        lambda them: [*them[:4], moved(them[4], 0.6 * OBLIQUE.normal), *them[5:]],
        {"thickness": 3.5},
        r"unevenly spaced: steps from 3\.80 to 5\.00 mm",
    ),
    "overlap": (list, {"thickness": 5.0}, r"overlap by up to 0\.6 mm"),
    "no thickness": (list, {"thickness": None}, "no file states the thickness"),
    "other spacing stated": (list, {"spacing": 4.0}, r"header states a spacing of 4 mm, but the slices lie 4\.4 mm"),
    "repeated slice": (lambda them: [*them, them[2]], {}, r"1 slice\(s\) lie at the position of another"),
    "mixed orientations": (lambda them: [*them, *parallel(TURNED, 2, 4.4)], {}, "slices of 2 orientations"),
    "two planes": (lambda them: [*them, *parallel(AXIAL, 5, 4.4)], {}, "as if two series shared one UID"),
    "no frame of reference": (list, {"FrameOfReferenceUID": ""}, "no point can be mapped"),
    "no series UID": (list, {"SeriesInstanceUID": ""}, "no Series Instance UID"),
}


@pytest.mark.parametrize("name", ODD)
def test_each_irregularity_gives_one_warning(tmp_path, name):
    change, others, expected = ODD[name]
    geometry = {key: value for key, value in others.items() if key.islower()}
    attributes = {key: value for key, value in others.items() if not key.islower()}
    write_slices(tmp_path, change(parallel(OBLIQUE, 8, 4.4)), header("t2", **attributes), shuffled=5, **geometry)
    found = study(tmp_path)
    (warning,) = all_warnings(found)
    assert re.search(expected, warning)
    assert f"warning: {warning}" in str(found)


def test_blocks_along_different_discs_give_no_warning(tmp_path):
    blocks = []
    for tilt in (0.2, 0.0, -0.4):
        block = centred(np.array([0, 20, 100 * tilt]), np.array([1.0, 0, 0]), np.array([0, 1.0, tilt]), 0.6, 0.6)
        blocks += parallel(block, 3, 4.4)
    write_slices(tmp_path, blocks, header("axial"), shuffled=2)
    found = study(tmp_path)
    assert all_warnings(found) == []
    assert [len(stack.slices) for stack in found.series[0].stacks] == [3, 3, 3]


@pytest.mark.parametrize("enhanced", [False, True])
def test_echoes_at_the_same_positions_are_separated(tmp_path, enhanced):
    planes, echoes = [*parallel(OBLIQUE, 5, 4.4)] * 2, [20.0] * 5 + [90.0] * 5
    if enhanced:
        write_enhanced(tmp_path / "enhanced.dcm", planes, header("t2"), echo_times=echoes)
    else:
        # As many scanners do, each slice has a number of its own, which must not take the stacks apart.
        own = [{"EchoTime": echo, "AcquisitionNumber": number} for number, echo in enumerate(echoes)]
        write_slices(tmp_path, planes, header("t2"), own=own, shuffled=4)
    (series,) = study(tmp_path).series
    assert sorted(stack.slices[0].echo_time for stack in series.stacks) == [20, 90]
    assert [len(stack.slices) for stack in series.stacks] == [5, 5]
    assert all(stack.warnings == () for stack in series.stacks)
    assert "EchoTime 90" in str(series.stacks[1]) + str(series.stacks[0])


def test_two_series_with_one_uid_are_separated(tmp_path):
    write_slices(tmp_path / "a", parallel(OBLIQUE, 5, 4.4), header("t2"))
    write_slices(tmp_path / "b", parallel(OBLIQUE, 5, 4.4), header("t2", SeriesDescription="t1", SeriesNumber=2))
    found = study(tmp_path)
    assert [series.identity["description"] for series in found.series] == ["t2", "t1"]
    assert [len(series.stacks[0].slices) for series in found.series] == [5, 5]
    assert all("another series has the same Series Instance UID" in text for text in all_warnings(found))
    assert len(all_warnings(found)) == 2


def test_the_stations_of_a_whole_spine_are_not_repetitions(tmp_path):
    planes = parallel(OBLIQUE, 5, 4.4)
    below = [moved(plane, 250 * OBLIQUE.along_column) for plane in planes]
    write_slices(tmp_path, planes + below, header("t2"), shuffled=8)
    (series,) = study(tmp_path).series
    assert [len(stack.slices) for stack in series.stacks] == [5, 5]
    assert all(stack.warnings == () for stack in series.stacks)


CORONAL = centred(np.array([3.0, 20.0, 40.0]), np.array([1.0, 0, 0]), np.array([0, 0, -1.0]), 1.0, 1.0)
OWN = {"FrameOfReferenceUID": dicom.uid("a frame of reference of its own")}
AXIAL_SERIES = {"SeriesNumber": 4} | OWN
FRAMES = {
    "each its own": ({}, AXIAL, AXIAL_SERIES, ""),
    "none states one": ({"FrameOfReferenceUID": ""}, AXIAL, {"SeriesNumber": 4, "FrameOfReferenceUID": ""}, ""),
    "the axial one states none": ({}, AXIAL, {"SeriesNumber": 4, "FrameOfReferenceUID": ""}, ""),
    "sagittal series side by side": ({}, OBLIQUE, AXIAL_SERIES, ""),
    "a coronal series": ({}, CORONAL, AXIAL_SERIES, ""),
    "20 minutes later": (
        {"AcquisitionDate": "20260102", "AcquisitionTime": "235000"},
        AXIAL,
        AXIAL_SERIES | {"AcquisitionDate": "20260103", "AcquisitionTime": "001000"},
        "",
    ),
    "hours later": (
        {"AcquisitionDate": "20260102", "AcquisitionTime": "0800"},
        AXIAL,
        AXIAL_SERIES | {"AcquisitionDate": "20260102", "AcquisitionTime": "151000"},
        "7 hours passed",
    ),
    "another day": ({"AcquisitionDate": "20260102"}, AXIAL, AXIAL_SERIES | {"AcquisitionDate": "20260105"}, "72 hours"),
    "lying otherwise": ({}, AXIAL, AXIAL_SERIES | {"PatientPosition": "HFP"}, r"lay differently \(HFP, HFS\)"),
    "beside the sagittal plane": ({}, moved(AXIAL, np.array([20.0, 0, 0])), AXIAL_SERIES, "nor do the positions agree"),
    "below the sagittal pictures": ({}, moved(AXIAL, np.array([0, 0, -60.0])), AXIAL_SERIES, "nor do the positions"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_one_frame_of_reference_is_assumed_only_where_the_positions_agree(tmp_path, name):
    sagittal, plane, attributes, why_not = FRAMES[name]
    write_slices(tmp_path / "a", parallel(OBLIQUE, 9, 1.0), header("t2", **sagittal), thickness=1.0)
    write_slices(tmp_path / "b", parallel(plane, 3, 1.0), header("other", **attributes), thickness=1.0)
    found = study(tmp_path)
    first, second = (series.stacks[0].frame_of_reference for series in found.series)
    assert bool(first and first == second) == (not why_not)
    assert re.search(why_not or "is assumed for series 1 .t2., series 4 .other.", found.warnings[0])
    stated = read_study([tmp_path], common_frame=False, progress=False)
    assert stated.warnings == ()
    assert [each.stacks[0].frame_of_reference for each in stated.series] == [
        each.frame_of_reference for each in found.series
    ]


def test_a_frame_of_reference_that_two_series_share_means_something(tmp_path):
    write_slices(tmp_path / "a", parallel(OBLIQUE, 5, 4.4), header("t2"))
    write_slices(tmp_path / "b", parallel(OBLIQUE, 5, 4.4), header("t1", SeriesNumber=2))
    write_slices(tmp_path / "c", parallel(AXIAL, 3, 4.4), header("axial", **AXIAL_SERIES))
    found = study(tmp_path)
    assert found.warnings == ()
    assert found.series[2].stacks[0].frame_of_reference == OWN["FrameOfReferenceUID"]


def torn(count, *names, series=""):
    """Return attributes that differ from slice to slice, as an anonymiser may leave them."""
    own = [{name: dicom.uid("torn", name, series, number) for name in names} for number in range(count)]
    return [each | ({"SeriesNumber": n + 1} if "SeriesNumber" in each else {}) for n, each in enumerate(own)]


TORN = {
    "series": ("SeriesInstanceUID",),
    "frames of reference": ("FrameOfReferenceUID",),
    "both": ("SeriesInstanceUID", "FrameOfReferenceUID"),
    "numbers, too": ("SeriesInstanceUID", "FrameOfReferenceUID", "SeriesNumber"),
}


@pytest.mark.parametrize("name", TORN)
def test_a_series_whose_slices_have_a_uid_each_is_put_together(tmp_path, name):
    planes = parallel(OBLIQUE, 9, 4.4)
    planes = planes[:5] + planes[6:]  # a slice is missing
    write_slices(tmp_path, planes, header("t2"), own=torn(8, *TORN[name]), shuffled=3)
    (series,) = study(tmp_path).series
    (stack,) = series.stacks
    assert shown(stack) == list(range(1, 9))
    assert stack.frame_of_reference
    assert len(stack.warnings) == 1  # the missing slice
    together = ["8 series of one slice each were put together"] * ("SeriesInstanceUID" in TORN[name])
    assert [text.split(":")[0] for text in series.warnings] == together
    assert all(series.matches(each.identity["series"]) for each in stack.slices)


def test_of_several_series_torn_apart_each_gets_its_own_slices(tmp_path):
    for number, (name, echo) in enumerate((("", 10), ("", 90), ("stir", 90)), start=1):
        common = header(name, EchoTime=echo, SeriesNumber="")
        own = torn(6, "SeriesInstanceUID", series=number)
        write_slices(tmp_path / f"{number}", parallel(OBLIQUE, 6, 4.4), common, own=own)
    for series in (found := study(tmp_path).series):
        (stack,) = series.stacks
        assert shown(stack) == [1, 2, 3, 4, 5, 6]
        assert len({each.path.parent for each in stack.slices}) == 1
    assert len(found) == 3


STRANGERS = {
    "irregular positions": ([0, 4.4, 11.0, 13.0], []),
    "far apart": ([0, 30.0, 60.0, 90.0], []),
    "two": ([0, 4.4], []),
    "of several descriptions": ([0, 4.4, 8.8], ["SeriesDescription"]),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_slices_that_do_not_fit_each_other_are_not_put_together(tmp_path, name):
    offsets, others = STRANGERS[name]
    planes = [moved(OBLIQUE, offset * OBLIQUE.normal) for offset in offsets]
    own = torn(len(planes), "SeriesInstanceUID", *others)
    write_slices(tmp_path, planes, header("t2"), own=own)
    assert [series.count for series in study(tmp_path).series] == [1] * len(planes)


def test_a_localiser_torn_apart_is_still_a_localiser(tmp_path):
    planes = [*parallel(OBLIQUE, 3, 10.0), *parallel(CORONAL, 3, 10.0)]
    sizes = {"pixel_width": 1.0, "pixel_height": 1.0}
    planes = [replace(each, **sizes) for each in (*planes, *parallel(AXIAL, 3, 10.0))]
    write_slices(tmp_path, planes, header(""), own=torn(9, "SeriesInstanceUID"))
    (series,) = study(tmp_path).series
    assert "all three planes" in series.left_out


@pytest.mark.parametrize("frame", ["", FRAME])
def test_a_study_without_uids_is_sorted_by_plane_and_echo_and_its_localiser_is_left_out(tmp_path, frame):
    nothing = {"StudyInstanceUID": "", "SeriesInstanceUID": "", "FrameOfReferenceUID": frame, "SeriesNumber": ""}
    sizes = {"pixel_width": 1.2, "pixel_height": 1.2}
    scout = [replace(plane, **sizes) for view in (OBLIQUE, CORONAL, AXIAL) for plane in parallel(view, 2, 10.0)]
    write_slices(tmp_path / "scout", scout, header("", **nothing, EchoTime=5))
    t1, t2 = (moved(OBLIQUE, by * OBLIQUE.normal) for by in (-11.0, -10.5))
    for name, plane, echo in (("t1", t1, 10), ("t2", t2, 90), ("ax", AXIAL, 90)):
        write_slices(tmp_path / name, parallel(plane, 6, 4.4), header("", **nothing, EchoTime=echo))
    found = study(tmp_path)
    used = [series for series in found.series if not series.left_out]
    (left_out,) = (series for series in found.series if series.left_out)
    assert (left_out.count, left_out.left_out) == (6, "a localiser: its slices lie in all three planes")
    assert sorted(str(each.stacks[0])[:18] for each in used) == ["axial, 6 slices of"] + ["sagittal, 6 slices"] * 2
    assert all(shown(series.stacks[0]) in ([1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1]) for series in used)
    assert len({series.stacks[0].frame_of_reference for series in used}) == 1
    assert ("is assumed" in str(found)) == (not frame)


LEFT_OUT = {
    "localiser by its image type": ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "Image Type"),
    "localiser by its description": ({"SeriesDescription": "T2_Localizer_3pl"}, "description"),
    "not a localiser": ({"SeriesDescription": "Sag T2 locked"}, ""),
    "a structured report's modality": ({"Modality": "SEG"}, "modality"),
    "no position": ({"ImagePositionPatient": None}, "do not state where"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_series_of_no_use_are_left_out_with_a_reason(tmp_path, name):
    others, why = LEFT_OUT[name]
    write_slices(tmp_path, parallel(OBLIQUE, 3, 4.4), header("t2", **others))
    (series,) = study(tmp_path).series
    assert why in series.left_out
    assert bool(series.left_out) == bool(why)
    assert bool(series.stacks) != bool(why)
    assert ("left out" in str(study(tmp_path))) == bool(why)


def test_a_series_with_a_rounded_orientation_is_used_and_it_is_said_once(tmp_path):
    """The scalar product of these directions is 1.1e-3: a right angle, rounded to three decimals."""
    rounded = [-0.218, 0.972, -0.087, -0.101, -0.11, -0.989]
    common = header("t2", ImageOrientationPatient=rounded)
    write_slices(tmp_path, parallel(OBLIQUE, 4, 4.4), common)
    found = study(tmp_path)
    assert not found.refused
    assert len(found.series[0].stacks[0].slices) == 4
    assert [text for text in all_warnings(found) if "perpendicular" in text] == [ROUNDED]


def test_a_series_in_all_three_planes_is_a_localiser_and_a_slab_has_no_depth(tmp_path):
    coronal = centred(np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 0, -1.0]), 1.0, 1.0)
    write_slices(tmp_path / "a", [OBLIQUE, coronal, AXIAL], header("first"))
    write_slices(tmp_path / "b", [OBLIQUE], header("myelo", SeriesNumber=2), thickness=50)
    first, slab = study(tmp_path).series
    assert "all three planes" in first.left_out
    assert "50 mm thick" in slab.left_out


def test_a_multi_frame_file_without_positions_is_left_out(tmp_path):
    file = write_enhanced(tmp_path / "enhanced.dcm", parallel(OBLIQUE, 4, 4.4), header("t2"))
    dataset = pydicom.dcmread(file)
    dataset.PerFrameFunctionalGroupsSequence = dataset.PerFrameFunctionalGroupsSequence[:3]
    dataset.ImagePositionPatient = [0, 0, 0]
    dataset.save_as(file)
    (series,) = study(file).series
    assert "do not state where" in series.left_out


def test_copies_count_once_and_contradictions_are_reported(tmp_path):
    planes = parallel(OBLIQUE, 4, 4.4)
    files = write_slices(tmp_path / "a", planes, header("t2"))
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    found = study(tmp_path)
    assert len(found.series[0].stacks[0].slices) == 4
    assert all_warnings(found) == ["4 slice(s) are copies of others and were left out"]
    shutil.rmtree(tmp_path / "copy")
    same = pydicom.dcmread(files[0], stop_before_pixels=True).SOPInstanceUID
    write_slices(tmp_path / "b", planes[2:3], header("t2"), own=[{"SOPInstanceUID": same}])
    contradiction = "slices at different positions share one SOP Instance UID"
    assert any(contradiction in text for text in all_warnings(study(tmp_path)))


def test_several_studies_or_patients_are_not_mixed(tmp_path):
    write_slices(tmp_path / "a", parallel(OBLIQUE, 3, 4.4), header("t2"))
    write_slices(tmp_path / "b", parallel(OBLIQUE, 4, 4.4), header("later", StudyInstanceUID="2.25.7"))
    with pytest.raises(StudyError, match="several studies"):
        study(tmp_path)
    (series,) = read_study([tmp_path], study="2.25.7", progress=False).series
    assert series.count == 4
    with pytest.raises(StudyError, match="no DICOM slice of this study"):
        read_study([tmp_path], study="2.25.8", progress=False)
    write_slices(tmp_path / "c", parallel(OBLIQUE, 3, 4.4), header("t1", PatientID="somebody else"))
    with pytest.raises(StudyError, match="several patients") as error:
        study(tmp_path / "a", tmp_path / "c")
    assert "somebody else" not in str(error.value)


def test_files_that_are_not_slices_do_not_stop_the_rest(tmp_path):
    write_slices(tmp_path, parallel(OBLIQUE, 3, 4.4), header("t2"))
    (tmp_path / "README").write_text("not DICOM")
    shutil.copy(get_testdata_file("reportsi.dcm"), tmp_path / "report")
    (tmp_path / "broken.dcm").write_bytes(b"cut short")
    bad = pydicom.dcmread(tmp_path / "IM0001")
    bad.PixelSpacing, bad.SOPInstanceUID = [0, 1], "2.25.9"
    bad.save_as(tmp_path / "no-spacing.dcm")
    found = study(tmp_path)
    assert found.series[0].count == 3
    assert [str(each) for each in found.unread] == [f"{OTHERS}: README"]
    assert [error.problem for error in found.refused] == [
        "this is not a DICOM file",
        "the pixel spacing is not a pair of positive numbers",
    ]
    with pytest.raises(ScanError, match="not a DICOM file"):
        study(tmp_path / "broken.dcm")
    with pytest.raises(StudyError, match="no such file"):
        study(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError, match="no DICOM file here"):
        study(tmp_path / "empty")
    (tmp_path / "empty" / "scan.nii.gz").touch()
    with pytest.raises(StudyError, match=r"no DICOM file here[\s\S]*which only predict reads: scan.nii.gz"):
        study(tmp_path / "empty")


def test_series_of_real_scanners_are_classified():
    """Two scanners made these files, which pydicom includes."""
    folder = Path(get_testdata_file("DICOMDIR")).parent
    scout, heart = study(folder / "98892001").series
    assert "a localiser, as its Image Type says" in scout.left_out
    (stack,) = heart.stacks
    assert (stack.view, len(stack.slices), stack.spacing, stack.thickness) == ("axial", 5, 2.5, 2.5)
    (brain,) = study(folder / "77654033" / "CT2").series
    assert "202.5 mm after slice 1 (of 4)" in brain.stacks[0].warnings[0]
    (turning,) = study(folder / "98892003" / "MR700").series
    assert "projections" in turning.left_out
    several = read_study(
        [folder / "98892003"], study="1.3.6.1.4.1.5962.1.1.0.0.0.1196533885.18148.0.133", progress=False
    )
    assert [series.left_out for series in several.series] == [
        "a localiser, as its description says",
        "a localiser, as its description says",
    ]


def test_a_header_is_read_without_the_pixels(tmp_path):
    (file,) = write_slices(tmp_path, [OBLIQUE], header("t2", EchoTime=90))
    file.write_bytes(file.read_bytes()[:-100])  # the pixels are cut short
    (found,) = read_headers(file)
    assert (found.width, found.height, found.thickness, found.echo_time) == (WIDTH, HEIGHT, 4, 90)
    with pytest.raises(ScanError):
        imaging.read(file)


def test_a_deflated_header_gives_the_same_values(tmp_path):
    (file,) = write_slices(tmp_path, [OBLIQUE], header("t2"))
    dataset = pydicom.dcmread(file)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    dataset.save_as(tmp_path / "deflated.dcm")
    (one,), (other,) = read_headers(file), read_headers(tmp_path / "deflated.dcm")
    assert one.identity == other.identity
    assert one.frame_of_reference == other.frame_of_reference
    np.testing.assert_array_equal(one.plane.position, other.plane.position)


def test_a_deflated_file_is_recognised_however_long_its_meta_information_is(tmp_path):
    file = Path(get_testdata_file("image_dfl.dcm"))
    assert is_deflated(file)
    dataset = pydicom.dcmread(file)
    dataset.file_meta.FileMetaInformationVersion = bytes(9000)
    dataset.save_as(tmp_path / "long.dcm")
    assert is_deflated(tmp_path / "long.dcm")
    assert not is_deflated(Path(get_testdata_file("MR_small.dcm")))


@settings(max_examples=150)
@given(data=st.data())
def test_a_damaged_header_is_refused_or_read_and_never_crashes(data, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp()
    if not (folder / "whole.dcm").exists():
        write_enhanced(folder / "whole.dcm", parallel(OBLIQUE, 3, 4.4), header("t2"))
    content = bytearray((folder / "whole.dcm").read_bytes()[:2600])
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "damaged.dcm").write_bytes(content)
    with contextlib.suppress(ScanError):
        found = read_headers(folder / "damaged.dcm")
        assert all(each.plane is None or np.isfinite(each.plane.position).all() for each in found)
        group_into_series(found)


def test_a_series_is_chosen_by_number_or_uid(tmp_path):
    write_slices(tmp_path / "a", parallel(OBLIQUE, 3, 4.4), header("t1"))
    write_slices(tmp_path / "b", parallel(OBLIQUE, 4, 4.4), header("t2", SeriesNumber=2))
    found = study(tmp_path)
    assert len(found.stacks("sagittal")) == 2
    for name in ("2", header("t2")["SeriesInstanceUID"]):
        ((series, stack),) = found.stacks("sagittal", [name])
        assert (series.identity["description"], len(stack.slices)) == ("t2", 4)
    with pytest.raises(StudyError, match="no such axial series"):
        found.stacks("axial", ["2"])
