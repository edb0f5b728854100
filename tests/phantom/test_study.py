"""The written studies: valid DICOM, points that agree with the headers, the same bytes for any number of processes."""

import filecmp
import json
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK

from lumbar import datasets
from lumbar.core.errors import DatasetError, SettingsError
from lumbar.datasets import inspection
from lumbar.landmarks import LEVELS, NEIGHBOURS
from lumbar.phantom import planning, series, study
from lumbar.phantom.anatomy import draw_patient
from lumbar.phantom.recipe import VERSION
from lumbar.phantom.study import PhantomSettings, write_dataset, write_study
from tests.support.killed import run_until_killed

SMALL = PhantomSettings(patients=3, seed=11)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("phantom") / "set", SMALL, workers=1, progress=False)


@pytest.fixture(scope="module")
def table(written) -> pd.DataFrame:
    return datasets.load(written).table


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_each_patient_has_the_default_study(table):
    pictures = table.drop_duplicates("image")
    assert table["patient"].nunique() == 3
    for _, study_pictures in pictures.groupby("patient"):
        counts = study_pictures["series"].value_counts().to_dict()
        assert counts == {"Sagittal T1": 1, "Sagittal T2/STIR": 1, "Coronal T2": 1, "Axial T2": 5}
    axial = table[table["view"] == "axial"]
    assert set(axial["side"]) == {"left", "right"}
    assert sorted(axial.groupby("image")["level"].first().value_counts()) == [3] * 5


def test_an_independent_reader_projects_the_landmarks_onto_the_tables_pixels(written, table):
    errors = []
    for image, points in table.dropna(subset=["x"]).groupby("image"):
        picture = SimpleITK.ReadImage(str(written / image))
        for row in points.itertuples():
            place = picture.TransformPhysicalPointToContinuousIndex((row.x_mm, row.y_mm, row.z_mm))
            errors.append(np.hypot(place[0] - row.x, place[1] - row.y))
    assert len(errors) > 60
    assert max(errors) < 0.01


def test_the_table_agrees_with_the_headers(written, table):
    for row in table.drop_duplicates("image").itertuples():
        header = pydicom.dcmread(written / row.image)
        assert (header.Columns, header.Rows) == (row.width, row.height)
        assert [float(value) for value in header.PixelSpacing] == [row.pixel_height, row.pixel_width]
        assert header.PatientID == row.patient
        assert header.SeriesDescription == row.series
        assert (header.StudyInstanceUID, header.InstanceNumber) == (row.study, row.instance)
        assert header.pixel_array.max() < 2**header.BitsStored
        assert header.pixel_array.std() > 10


def test_identifiers_are_valid_and_unique(written):
    headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in sorted(written.rglob("*.dcm"))]
    assert len({header.SOPInstanceUID for header in headers}) == len(headers) == 24
    assert len({header.SeriesInstanceUID for header in headers}) == 12
    assert len({header.StudyInstanceUID for header in headers}) == 3
    for header in headers:
        for name in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
            assert header[name].value.is_valid
            assert header[name].value.startswith("2.25.")
        numbers = [*header.ImagePositionPatient, *header.ImageOrientationPatient, *header.PixelSpacing]
        assert all(len(str(number)) <= 16 for number in numbers)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian's dicom3tools) is not installed")
def test_a_validator_of_dicom_finds_no_error(written):
    for file in sorted(written.rglob("*.dcm")):
        run = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, check=False)
        errors = [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("Error")]
        assert errors == []
        assert "MRImage" in run.stderr + run.stdout


def test_any_number_of_processes_writes_the_same_bytes(written, tmp_path):
    again = write_dataset(tmp_path / "set", SMALL, workers=2, progress=False)
    assert files_below(again) == files_below(written)


def test_the_first_patients_of_a_larger_set_are_those_of_a_smaller(written, tmp_path):
    one = write_study(tmp_path, PhantomSettings(patients=99, seed=11), 2)
    assert files_below(one) == files_below(written / "phantom-11-0002")


def test_another_seed_gives_other_patients(written, tmp_path):
    other = write_study(tmp_path, PhantomSettings(seed=12, series=("coronal-t2",)))
    here = written / "phantom-11-0001" / "coronal-t2" / "001.dcm"
    assert not filecmp.cmp(other / "coronal-t2" / "001.dcm", here, shallow=False)


def test_an_interrupted_call_is_resumed(written, tmp_path, monkeypatch):
    out, real = tmp_path / "set", study.write_study

    def stops_at_the_second(folder, settings, number):
        if number == 2:
            (folder / ".phantom-11-0002.1.tmp").mkdir()
            raise KeyboardInterrupt
        return real(folder, settings, number)

    monkeypatch.setattr(study, "write_study", stops_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        write_dataset(out, SMALL, workers=1, progress=False)
    assert not (out / "landmarks.csv").exists()
    first = (out / "phantom-11-0001" / "landmarks.csv").stat().st_mtime_ns
    monkeypatch.setattr(study, "write_study", real)
    write_dataset(out, SMALL, workers=1, progress=False)
    assert files_below(out) == files_below(written)
    assert (out / "phantom-11-0001" / "landmarks.csv").stat().st_mtime_ns == first


def test_a_finished_set_is_returned_at_once(written, monkeypatch):
    monkeypatch.setattr(study, "write_study", None)
    assert write_dataset(written, SMALL, progress=False) == written


def test_a_lost_patient_is_written_again(written, tmp_path):
    out = shutil.copytree(written, tmp_path / "set")
    shutil.rmtree(out / "phantom-11-0003")
    write_dataset(out, SMALL, workers=1, progress=False)
    assert files_below(out) == files_below(written)


def test_other_settings_in_the_same_folder_are_refused(written):
    before = files_below(written)
    with pytest.raises(DatasetError, match="other settings"):
        write_dataset(written, PhantomSettings(patients=4, seed=11), progress=False)
    assert files_below(written) == before


def test_a_folder_with_something_else_in_it_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DatasetError, match="not empty"):
        write_dataset(tmp_path, SMALL, progress=False)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_recipe_holds_the_settings(written):
    recipe = json.loads((written / "phantom.json").read_text())
    assert recipe["settings"]["patients"] == 3
    assert recipe["settings"]["seed"] == 11


def test_the_neighbouring_discs_are_listed_on_request_and_nothing_else_changes(tmp_path):
    views = ("sagittal-t1", "coronal-t2", "axial-t2")
    plain, more = (
        write_study(tmp_path / name, PhantomSettings(series=views, neighbours=asked))
        for name, asked in (("plain", False), ("more", True))
    )
    known, table = (pd.read_csv(folder / "landmarks.csv").drop(columns="study") for folder in (plain, more))
    apart = table["level"].isin(NEIGHBOURS)
    pd.testing.assert_frame_equal(table[~apart].reset_index(drop=True), known)
    assert table[apart].groupby("view")["level"].apply(tuple).to_dict() == {
        "coronal": NEIGHBOURS,
        "sagittal": NEIGHBOURS,
    }
    for _, rows in table[table["view"] != "axial"].groupby("view"):
        down = rows.set_index("level")["y"].reindex(["T12/L1", *LEVELS, "S1/S2"])
        assert (down.diff().dropna() > 5).all(), "they go on in the row of the levels"
    pixels = [pydicom.dcmread(folder / "sagittal-t1" / "001.dcm").pixel_array for folder in (plain, more)]
    np.testing.assert_array_equal(*pixels)


def test_any_field_of_view_shows_a_part_of_the_spine_and_says_what_is_absent(tmp_path):
    settings = PhantomSettings(
        patients=6, seed=4, series=("sagittal-t2", "coronal-t2"), neighbours=True, field_of_view=1.0
    )
    folder = write_dataset(tmp_path / "any", settings, workers=1, progress=False)
    table = pd.read_csv(folder / "landmarks.csv")
    assert (table["absent"].eq(1) == table["x"].isna()).all()
    down = {level: order for order, level in enumerate(("T12/L1", *LEVELS, "S1/S2"))}
    heights = []
    for _, rows in table.groupby("image"):
        rows = rows.sort_values("level", key=lambda names: names.map(down))
        seen = rows["absent"].eq(0).to_numpy()
        assert np.diff(np.flatnonzero(seen)).max(initial=1) == 1, "the levels that are seen follow each other"
        heights.append((rows["height"] * rows["pixel_height"]).iloc[0])
        header = pydicom.dcmread(folder / rows["image"].iloc[0])
        assert (header.Rows, header.Columns) == (rows["height"].iloc[0], rows["width"].iloc[0])
    assert 0.1 < table["absent"].mean() < 0.6
    assert max(heights) / min(heights) > 2
    assert "absent" not in set(inspection.inspect(folder, progress=False).problems["column"])


def test_a_share_of_series_keeps_the_usual_field_of_view(tmp_path):
    made = [
        write_dataset(
            tmp_path / f"{share}",
            PhantomSettings(patients=8, seed=4, series=("sagittal-t2",), field_of_view=share),
            workers=1,
            progress=False,
        )
        for share in (0.0, 0.5)
    ]
    usual, half = (pd.read_csv(folder / "landmarks.csv").drop_duplicates("image") for folder in made)
    same = usual["pixel_height"].to_numpy() * usual["height"].to_numpy() > 225
    assert same.all()
    assert "absent" not in usual
    changed = (half["pixel_height"] * half["height"] < 225) | (half["pixel_height"] * half["height"] > 345)
    assert 0 < changed.sum() < 8


def test_a_set_begun_before_the_neighbours_were_a_setting_is_gone_on_with(tmp_path):
    begun = tmp_path / "set"
    begun.mkdir()
    earlier = {"patients": 1, "seed": 7, "series": ["coronal-t2"], "slices": 1, "anomalies": True}
    earlier = {"version": VERSION, "settings": earlier | {"stir_share": 0.2, "random_contrast": 0.0}}
    (begun / "phantom.json").write_text(json.dumps(earlier))
    write_dataset(begun, PhantomSettings(patients=1, series=("coronal-t2",)), progress=False)
    assert len(pd.read_csv(begun / "landmarks.csv")) == 5
    with pytest.raises(DatasetError, match="other settings"):
        write_dataset(begun, PhantomSettings(patients=1, series=("coronal-t2",), neighbours=True), progress=False)


def test_slices_lie_side_by_side_around_the_middle_one(tmp_path):
    folder = write_study(tmp_path, PhantomSettings(slices=5, series=("sagittal-t2",)))
    headers = [pydicom.dcmread(file) for file in sorted((folder / "sagittal-t2").glob("*.dcm"))]
    normal = np.cross(headers[0].ImageOrientationPatient[:3], headers[0].ImageOrientationPatient[3:])
    depths = [np.dot(header.ImagePositionPatient, normal) for header in headers]
    assert np.diff(depths) == pytest.approx([headers[0].SpacingBetweenSlices] * 4, abs=1e-3)
    table = pd.read_csv(folder / "landmarks.csv")
    assert set(table["image"]) == {"sagittal-t2/003.dcm"}


def test_an_even_number_of_slices_is_refused():
    with pytest.raises(SettingsError, match="odd"):
        PhantomSettings(slices=4)


@pytest.mark.parametrize("names", [(), ("sagittal-t1", "sagittal-t1")])
def test_each_series_may_be_named_once(names):
    with pytest.raises(SettingsError, match="once"):
        PhantomSettings(series=names)


def test_a_point_outside_the_image_is_missing_not_clamped():
    patient = draw_patient(np.random.default_rng(3))
    cut = planning.sagittal(patient, np.random.default_rng(3))[0]
    low = planning.Cut(cut.plane, cut.width, 40, cut.thickness, cut.spacing, cut.levels)
    rows = pd.DataFrame(series.points(low, "sagittal", patient))
    assert rows["x"].isna().sum() >= 4
    assert (rows["x"].isna() == rows["y"].isna()).all()
    assert rows["x_mm"].notna().all()
    assert (rows["y"].dropna() <= 39.5).all()


def test_every_axial_slice_is_recognised_as_axial():
    for seed in range(150):
        patient = draw_patient(np.random.default_rng(seed))
        for cut in planning.axial(patient, np.random.default_rng(seed)):
            assert abs(cut.plane.normal[2]) > np.cos(np.radians(45))


@pytest.mark.slow
def test_points_in_prepared_images_are_distributed_like_the_public_labels():
    """Means and spread over patients of the points in the 256 frame, as measured in the public label file."""
    points = []
    for seed in range(300):
        patient = draw_patient(np.random.default_rng(seed))
        cut = planning.sagittal(patient, np.random.default_rng(seed))[0]
        xy = cut.plane.to_pixels(np.array(list(patient.landmarks_mm("sagittal").values())))
        points.append((xy + 0.5) * 256 / (cut.width, cut.height) - 0.5)
    points = np.array(points)
    assert points[..., 0].mean(axis=0) == pytest.approx([133, 127, 123, 123, 129], abs=4)
    assert points[..., 1].mean(axis=0) == pytest.approx([73, 103, 133, 163, 188], abs=5)
    assert (points[:, 4, 0] - points[:, 0, 0]).std() == pytest.approx(9.6, abs=2)
    assert np.ptp(points[..., 1], axis=1).std() == pytest.approx(10.5, abs=2)
    assert points.mean(axis=1).std(axis=0) == pytest.approx([16, 11], abs=2)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_writer_leaves_nothing_half_written(tmp_path):
    out, settings = tmp_path / "set", PhantomSettings(patients=12, series=("sagittal-t2",))
    run_until_killed(
        "from lumbar.phantom import PhantomSettings, study\nfrom tests.support.killed import kill_after\n"
        f"kill_after(study, 3)\nstudy.write_dataset({str(out)!r}, {settings!r}, workers=2)\n"
    )
    assert not (out / "landmarks.csv").exists()
    write_dataset(out, settings, workers=1, progress=False)
    whole = write_dataset(tmp_path / "whole", settings, workers=1, progress=False)
    written = {name: content for name, content in files_below(out).items() if ".tmp/" not in name}
    assert written == files_below(whole)
