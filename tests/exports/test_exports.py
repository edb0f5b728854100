"""Exports of points: other readers find them in the same places, and no file reveals who the patient is."""

import base64
import io
import itertools
import json
import math
import re
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace

import highdicom
import jsonschema
import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pycocotools.coco import COCO
from pydicom.sr.codedict import codes

from lumbar.cli.main import main
from lumbar.core.errors import SettingsError, TableError
from lumbar.exports import coco, json_points, markups, structured_report
from lumbar.exports.measurement_group import NOT_JUDGED
from lumbar.landmarks import LEVELS
from lumbar.phantom import PhantomSettings, write_dataset
from lumbar.prediction import COLUMNS, Picture, Predictions, PredictionSettings, by_picture, predict
from lumbar.reports import write as write_page
from tests.support.noise import noise

NAME, PATIENT_ID, BIRTH_DATE = "Secret^Jane", "SECRET-17", "19600229"
MM = ["x_mm", "y_mm", "z_mm"]

# The part of Slicer's published schema (markups-schema-v1.0.3.json) for the properties that the export writes.
SLICER = {
    "type": "object",
    "required": ["@schema", "markups"],
    "properties": {
        "@schema": {"type": "string", "pattern": r"markups-schema-v1\.[0-9]+\.[0-9]+\.json#*$"},
        "markups": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["type"],
                "properties": {
                    "type": {"enum": ["Fiducial", "Line", "Angle", "Curve", "ClosedCurve", "Plane", "ROI"]},
                    "name": {"type": "string"},
                    "coordinateSystem": {"enum": ["LPS", "RAS"]},
                    "coordinateUnits": {"enum": ["mm", "um"]},
                    "controlPoints": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "id": {"type": "string"},
                                "label": {"type": "string"},
                                "description": {"type": "string"},
                                "position": {
                                    "type": "array",
                                    "items": {"type": "number"},
                                    "minItems": 3,
                                    "maxItems": 3,
                                },
                                "positionStatus": {"enum": ["undefined", "preview", "defined"]},
                            },
                        },
                    },
                    "display": {
                        "type": "object",
                        "properties": {
                            "visibility": {"type": "boolean"},
                            "pointLabelsVisibility": {"type": "boolean"},
                        },
                    },
                },
            },
        },
    },
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two sagittal and some axial images of a named patient, files of the same name in two folders, and a PNG."""
    made = tmp_path_factory.mktemp("made")
    settings = PhantomSettings(patients=1, seed=31, series=("sagittal-t1", "sagittal-t2", "axial-t2"))
    (patient,) = (write_dataset(made / "set", settings, workers=1, progress=False)).glob("phantom-*/")
    study = tmp_path_factory.mktemp("study")
    for series, folder in (("sagittal-t1", "a"), ("sagittal-t2", "b"), ("axial-t2", "c")):
        (study / folder).mkdir()
        for file in sorted((patient / series).glob("*.dcm")):
            header = pydicom.dcmread(file)
            header.PatientName, header.PatientID, header.PatientBirthDate = NAME, PATIENT_ID, BIRTH_DATE
            header.save_as(study / folder / file.name)
    noise((300, 240), 60).save(study / "noise.png")
    return study


@pytest.fixture(scope="module")
def found(study):
    return predict([study], PredictionSettings(weights="phantom"), progress=False)


def strict(file):
    """Return the content of a file of standard JSON, which has no NaN."""

    def refuse(word):
        raise AssertionError(f"{word} is not valid JSON")

    return json.loads(file.read_text(encoding="utf-8"), parse_constant=refuse)


def test_json_contains_all_details(found, study, tmp_path):
    held = strict(json_points.write(found, tmp_path / "new" / "points.json"))
    assert held["network"] == {"name": "phantom", "synthetic_patients_only": True}
    assert any("synthetic" in notice for notice in held["notices"])
    assert "Not for diagnosis." in held["notices"]
    assert [each["image"] for each in held["pictures"]] == found.table["image"].unique().tolist()
    by_image = {each["image"]: each for each in held["pictures"]}
    header = pydicom.dcmread(study / "a" / "001.dcm")
    sagittal = by_image[str(study / "a" / "001.dcm")]
    assert (sagittal["width"], sagittal["height"]) == (header.Columns, header.Rows)
    assert [sagittal["pixel_height"], sagittal["pixel_width"]] == list(header.PixelSpacing)
    assert [point["level"] for point in sagittal["points"]] == list(LEVELS)
    noise = by_image[str(study / "noise.png")]
    assert (noise["view_assumed"], noise["flagged"], noise["pixel_width"]) == (True, True, None)
    assert noise["points"][0]["x_mm"] is None
    axial = by_image[str(study / "c" / "001.dcm")]
    assert [(point["level"], point["side"]) for point in axial["points"]] == [(None, "left"), (None, "right")]


def test_json_is_read_as_it_was_written(found, tmp_path):
    again = json_points.read(json_points.write(found, tmp_path / "points.json"))
    pd.testing.assert_frame_equal(again.table, found.table, check_dtype=False, atol=6e-5)
    assert (again.pictures, again.network, again.synthetic) == (found.pictures, found.network, found.synthetic)


def test_json_of_the_first_release_which_knew_no_absent_levels_is_read(found, tmp_path):
    file = json_points.write(found, tmp_path / "points.json")
    held = json.loads(file.read_text())
    for picture in held["pictures"]:
        del picture["count"]
        for point in picture["points"]:
            for name in ("absent", "x_higher", "y_higher", "x_lower", "y_lower"):
                del point[name]
    file.write_text(json.dumps(held))
    again = json_points.read(file).table
    assert again[list(json_points.LATER)].isna().all(axis=None)
    np.testing.assert_allclose(again["x"], found.table["x"], atol=6e-5)


numbers = st.one_of(st.just(math.nan), st.floats(-1e4, 1e4).map(lambda value: round(value, 4)))


@settings(max_examples=50)
@given(values=st.lists(numbers, min_size=13, max_size=13), flagged=st.booleans(), image=st.text(min_size=1))
def test_any_point_is_read_as_it_was_written(tmp_path_factory, values, flagged, image):
    row = dict(zip((*json_points.NUMBERS, *json_points.LATER), values, strict=True))
    row |= {"image": image, "view": "sagittal", "level": "L3/L4", "side": "", "flagged": flagged}
    table = pd.DataFrame([row], columns=list(COLUMNS)).astype({"frame": "Int64"})
    held = json_points.content(Predictions(table, (), (Picture(image, "sagittal", 9, 9),), "n", False))
    json.dumps(held, allow_nan=False)
    file = tmp_path_factory.getbasetemp() / "any.json"
    file.write_text(json.dumps(held), encoding="utf-8")
    pd.testing.assert_frame_equal(json_points.read(file).table, table, check_dtype=False)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "lumbar points", "version": 99}', "[" * 100_000])
def test_other_json_is_an_error(text, tmp_path):
    file = tmp_path / "points.json"
    file.write_text(text)
    with pytest.raises(TableError, match="not a file of points"):
        json_points.read(file)


def test_markups_follow_slicers_schema_and_are_where_itk_places_the_pixels(found, study, tmp_path):
    written = markups.write(found, tmp_path / "markups")
    named = {image: tmp_path / "markups" / f"{name}.mrk.json" for name, image, _ in by_picture(found.table)}
    assert [error.file for error in written.skipped] == [str(study / "noise.png")]
    in_noise = found.table.loc[found.table["image"] == str(study / "noise.png"), "x"]
    why = "shows none of the levels" if in_noise.isna().all() else "does not give the position"
    assert why in str(written.skipped[0])
    assert sorted(written.files) == sorted((tmp_path / "markups").iterdir()), "no temporary file is left"
    assert len(written.files) == len(found.pictures) - 1
    for _, image, points in by_picture(found.table[found.table["image"] != str(study / "noise.png")]):
        held = strict(named[image])
        jsonschema.validate(held, SLICER)
        (markup,) = held["markups"]
        assert (markup["type"], markup["coordinateSystem"], markup["coordinateUnits"]) == ("Fiducial", "LPS", "mm")
        expected_labels = points["level"].where(points["level"] != "", points["side"]).tolist()
        assert [point["label"] for point in markup["controlPoints"]] == expected_labels
        volume = sitk.ReadImage(image)
        for point, row in zip(markup["controlPoints"], points.to_dict("records"), strict=True):
            place = volume.TransformContinuousIndexToPhysicalPoint((row["x"], row["y"], 0.0))
            np.testing.assert_allclose(point["position"], place, atol=1e-3)
            assert f"confidence {row['confidence']:.2f}" in point["description"]
            assert "Not for diagnosis" in point["description"]


def test_coco_reads_its_keypoints(found, tmp_path, capsys):
    read = COCO(str(coco.write(found, tmp_path / "coco.json")))
    (category,) = read.loadCats(read.getCatIds())
    assert category["keypoints"] == [*LEVELS, "left", "right"]
    assert [[category["keypoints"][end - 1] for end in bone] for bone in category["skeleton"]] == [
        [upper, lower] for upper, lower in itertools.pairwise(LEVELS)
    ]
    for picture, (_, image, points) in zip(found.pictures, by_picture(found.table), strict=True):
        (held,) = [each for each in read.dataset["images"] if each["file_name"] == image]
        assert (held["width"], held["height"]) == (picture.width, picture.height)
        (annotation,) = read.loadAnns(read.getAnnIds(imgIds=held["id"]))
        keypoints = np.reshape(annotation["keypoints"], (-1, 3))
        present = keypoints[:, 2] == 2
        points = points.dropna(subset=["x"])  # nothing is marked in noise
        assert annotation["num_keypoints"] == present.sum() == len(points)
        assert (keypoints[~present] == 0).all()
        np.testing.assert_allclose(keypoints[present, :2], points[["x", "y"]], atol=6e-5)
        if points.empty:
            continue
        x, y, width, height = annotation["bbox"]
        assert (x, y) == pytest.approx(points[["x", "y"]].min().tolist(), abs=1e-3)
        assert (x + width, y + height) == pytest.approx(points[["x", "y"]].max().tolist(), abs=1e-3)


def test_coco_has_relative_paths_of_images_below_its_folder(found, study):
    held = coco.content(found, study)
    assert held["images"][0]["file_name"] == "a/001.dcm"
    assert coco.content(found, study / "a")["images"][-1]["file_name"] == str(study / "noise.png")


def test_points_that_the_network_could_not_judge_are_marked_so(found, tmp_path):
    table = found.table.assign(flagged=None, confidence=math.nan).astype({"flagged": "boolean"})
    unjudged = replace(found, table=table)
    markup = strict(markups.write(unjudged, tmp_path / "slicer").files[0])["markups"][0]
    assert "not judged: check it" in markup["controlPoints"][0]["description"]
    assert coco.content(unjudged, tmp_path)["annotations"][0]["flagged"] is None
    (report, *_) = structured_report.write(unjudged, tmp_path / "reports").files
    assert NOT_JUDGED in {item.value for item in pydicom.dcmread(report).iterall() if item.keyword == "TextValue"}


@pytest.fixture(scope="module")
def reports(found, tmp_path_factory):
    return structured_report.write(found, tmp_path_factory.mktemp("reports"))


def of(item, keyword, code):
    """Return the children of a content item that have a concept name."""
    return [
        child
        for child in item.ContentSequence
        if child.ValueType == keyword and child.ConceptNameCodeSequence[0].CodeValue == code.value
    ]


def test_structured_reports_have_the_points_in_the_image_and_in_the_patient(reports, found, study):
    assert [error.file for error in reports.skipped] == [str(study / "noise.png")]
    placed = found.table[found.table["image"] != str(study / "noise.png")]
    for file, (_, image, points) in zip(reports.files, by_picture(placed), strict=True):
        report, source = pydicom.dcmread(file), pydicom.dcmread(image)
        assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
        (measurements,) = of(report, "CONTAINER", codes.DCM.ImagingMeasurements)
        groups = of(measurements, "CONTAINER", codes.DCM.MeasurementGroup)
        for group, row in zip(groups, points.to_dict("records"), strict=True):
            assert group.ContentTemplateSequence[0].TemplateIdentifier == "1410"
            (region,) = of(group, "SCOORD", codes.DCM.ImageRegion)
            assert region.GraphicType == "POINT"
            # A report measures pixels from the corner of the image, PS3.3, C.18.6.1.1.
            np.testing.assert_allclose(np.subtract(region.GraphicData, 0.5), [row["x"], row["y"]], atol=1e-4)
            (selected,) = region.ContentSequence
            assert selected.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
            (place,) = of(group, "SCOORD3D", codes.DCM.RepresentativePoint)
            assert place.ReferencedFrameOfReferenceUID == source.FrameOfReferenceUID
            np.testing.assert_allclose(place.GraphicData, [row[axis] for axis in MM], atol=1e-4)
            (certainty,) = of(group, "NUM", codes.DCM.CertaintyOfFinding)
            measured = float(certainty.MeasuredValueSequence[0].NumericValue)
            assert measured == pytest.approx(100 * row["confidence"], abs=0.006)


def test_structured_reports_name_discs_by_their_codes(reports):
    """The codes are those of PS3.16, CID 7604."""
    expected = dict(zip(LEVELS, ("80064006", "67459009", "62551000", "84020006", "715056000"), strict=True))
    read = highdicom.sr.srread(reports.files[0])
    groups = read.content.get_planar_roi_measurement_groups()
    named = {group.tracking_identifier: group.finding_type for group in groups}
    assert {level: finding.value for level, finding in named.items()} == expected
    assert {finding.scheme_designator for finding in named.values()} == {"SCT"}
    for group in groups:
        assert [site.value for site in group.finding_sites] == [group.finding_type]
        assert group.roi.graphic_type.value == "POINT"
    axial = highdicom.sr.srread(reports.files[-1]).content.get_planar_roi_measurement_groups()
    assert [group.finding_sites[0].laterality for group in axial] == [codes.SCT.Left, codes.SCT.Right]


def test_structured_reports_name_the_patient_and_the_observer(reports, found):
    for file in reports.files:
        report = highdicom.sr.srread(file)
        assert report.SOPClassUID == pydicom.uid.Comprehensive3DSRStorage
        assert (report.PatientName, report.PatientID, report.PatientBirthDate) == (NAME, PATIENT_ID, BIRTH_DATE)
        assert (report.CompletionFlag, report.PreliminaryFlag) == ("PARTIAL", "PRELIMINARY")
        assert report.VerificationFlag == "UNVERIFIED"
        assert "not for diagnosis" in report.SeriesDescription
        (observer,) = report.content.get_observer_contexts(observer_type=codes.DCM.Device)
        assert observer.observer_identifying_attributes.name == "lumbar"
        (first, *_) = report.content.get_planar_roi_measurement_groups()
        texts = {
            item.ConceptNameCodeSequence[0].CodeMeaning: item.TextValue
            for item in first[0].ContentSequence
            if item.ValueType == "TEXT"
        }
        assert texts["Algorithm Name"] == "phantom"
        ((study, *_, instance, _),) = report.get_evidence()
        assert study == report.StudyInstanceUID
        assert instance in {
            pydicom.dcmread(image).SOPInstanceUID for image in found.table["image"].unique() if image.endswith("dcm")
        }
    assert len({pydicom.dcmread(file).SOPInstanceUID for file in reports.files}) == len(reports.files)
    assert len({pydicom.dcmread(file).SeriesInstanceUID for file in reports.files}) == 1, "it is one study"


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian: dicom3tools) is not installed")
def test_structured_reports_satisfy_an_independent_validator(reports):
    for file in reports.files:
        result = subprocess.run(["dciodvfy", file], capture_output=True, text=True, check=False)
        assert "Comprehensive3DSR" in result.stderr + result.stdout
        assert "Error" not in result.stderr + result.stdout


@pytest.mark.skipif(shutil.which("dsrdump") is None, reason="dsrdump (Debian: dcmtk) is not installed")
def test_structured_reports_are_read_by_another_toolkit(reports, found):
    dump = subprocess.run(["dsrdump", reports.files[0]], capture_output=True, text=True, check=True).stdout
    points = re.findall(r"SCOORD:.*\(POINT,([\d.]+)/([\d.]+)\)", dump)
    np.testing.assert_allclose(np.array(points, float) - 0.5, found.table[["x", "y"]].head(5), atol=1e-3)


def test_an_incomplete_header_gives_a_report_or_an_error_without_the_name(found, study, tmp_path):
    table = found.table[found.table["image"] == str(study / "a" / "001.dcm")]
    header = pydicom.dcmread(study / "a" / "001.dcm")

    def written(name, **changed):
        with warnings.catch_warnings(action="ignore"):
            header.update(changed)
            header.save_as(tmp_path / f"{name}.dcm")
        points = Predictions(table.assign(image=str(tmp_path / f"{name}.dcm")), (), (), "phantom", True)
        return structured_report.write(points, tmp_path / name)

    for keyword in ("PatientBirthDate", "StudyID", "StudyTime", "AccessionNumber", "FrameOfReferenceUID", "Modality"):
        delattr(header, keyword)
    (file,) = written("little", PatientName="Secret").files  # without a caret; highdicom quotes the name in a warning
    (measurements,) = of(pydicom.dcmread(file), "CONTAINER", codes.DCM.ImagingMeasurements)
    assert not of(measurements.ContentSequence[0], "SCOORD3D", codes.DCM.RepresentativePoint)
    (error,) = written("refused", PatientSex="Secretive").skipped
    assert "cannot take" in error.problem
    assert "Secret" not in str(error)
    assert not list((tmp_path / "refused").iterdir())
    del header.StudyInstanceUID
    (error,) = written("nowhere", SOPInstanceUID="1.2.nonsense").skipped
    assert error.field == "StudyInstanceUID, SOPInstanceUID"


def readable(content):
    """Return what can be read in a file; compressed pixels are left out, since they spell any short word by chance."""

    def embedded(match):
        return readable(base64.b64decode(match[1]))

    if content.startswith((b"\x89PNG", b"\xff\xd8")):
        with Image.open(io.BytesIO(content)) as image:
            image.load()  # text may stand behind the pixels
            return f"{image.info} {dict(image.getexif())}"
    return re.sub("data:image/[a-z]+;base64,([A-Za-z0-9+/=]+)", embedded, content.decode())


def test_a_name_is_seen_in_text_and_beside_pixels_and_not_in_pixels():
    def written(kind, image, **options):
        image.save(buffer := io.BytesIO(), kind, **options)
        return buffer.getvalue()

    picture = noise((600, 600), 80)
    text, exif = PngInfo(), Image.Exif()
    text.add_text("Comment", "Jane")
    exif[0x010E] = "Jane"
    named = [
        written("png", picture, pnginfo=text),
        written("jpeg", picture, exif=exif),
        written("jpeg", picture, comment=b"Jane"),
    ]
    for content in ("Jäne Jane".encode(), *named):
        assert "Jane" in readable(content)
    for content in named:
        page = b'<img src="data:image/png;base64,' + base64.b64encode(content) + b'">'
        assert "Jane" in readable(page)
    plain = written("png", picture)
    page = readable(b"<p>Nobody</p><img src='data:image/png;base64," + base64.b64encode(plain) + b"'>")
    assert "Nobody" in page
    assert len(readable(plain)) < 100 > len(page)


def test_no_other_output_contains_the_patients_name(found, study, tmp_path, capsys):
    words = [
        "predict",
        study,
        "--weights",
        "phantom",
        "--out",
        tmp_path / "points.csv",
        "--overlay",
        tmp_path / "overlay",
    ]
    words += ["--json", tmp_path / "points.json", "--coco", tmp_path / "coco.json", "--markups", tmp_path / "markups"]
    words += ["--disc-labels", tmp_path / "labels"]
    main([str(word) for word in [*words, "--structured-report", tmp_path / "reports"]])
    write_page(tmp_path / "points.json", tmp_path / "page.html")
    printed = capsys.readouterr()
    names = [*NAME.split("^"), PATIENT_ID, BIRTH_DATE]
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) > 20
    for file in files:
        assert not any(name.lower() in file.name.lower() for name in names)
        if file.parent.name != "reports":
            content = readable(file.read_bytes()).lower()
            assert not any(name.lower() in content for name in names), file
    assert not any(name.lower() in (printed.out + printed.err).lower() for name in names)


def test_the_command_names_skipped_files_and_distinguishes_files_of_the_same_name(study, tmp_path, capsys):
    (tmp_path / "broken.dcm").write_bytes(b"not a scan")
    words = [
        "predict",
        study / "a",
        study / "b",
        study / "a",
        "--weights",
        "phantom",
        "--out",
        tmp_path / "out" / "points.csv",
    ]
    words += ["--markups", tmp_path / "markups", "--structured-report", tmp_path / "reports"]
    assert main(list(map(str, words))) == 0
    assert len(pd.read_csv(tmp_path / "out" / "points.csv")) == 10, "a file that is given twice counts once"
    for folder, ending in (("markups", ".mrk.json"), ("reports", ".dcm")):
        assert sorted(file.name for file in (tmp_path / folder).iterdir()) == [f"000{n}_001{ending}" for n in (1, 2)]
    words = ["predict", study / "noise.png", tmp_path / "broken.dcm", "--weights", "phantom"]
    words += ["--out", tmp_path / "p.csv", "--json", tmp_path / "p.json", "--markups", tmp_path / "none"]
    assert main(list(map(str, words))) == 1
    printed = capsys.readouterr().err
    assert "skipped: no markups" in printed
    assert "left out: this is not a DICOM file" in printed
    (left_out,) = strict(tmp_path / "p.json")["left_out"]
    assert left_out["problem"] == "this is not a DICOM file"


def test_a_missing_highdicom_is_an_error_before_the_prediction(study, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(SettingsError, match="highdicom"):
        structured_report.check_installed()
    words = ["predict", study, "--out", tmp_path / "points.csv", "--structured-report", tmp_path / "reports"]
    assert main(list(map(str, words))) == 1
    assert "extra dicom-sr" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
