"""Disc labels lie where the table of points says, for our reader, nibabel and SimpleITK; and nobody's work is lost."""

import json
import shutil
import sys

import nibabel
import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk

from lumbar import datasets, imaging
from lumbar.cli.main import main
from lumbar.core.errors import OutputError, SettingsError
from lumbar.datasets.disc_labels import find
from lumbar.datasets.volumes import Pair
from lumbar.exports import disc_labels
from lumbar.imaging.volume.reading import read_grid
from lumbar.landmarks import LEVELS
from lumbar.phantom.recipe import PhantomSettings
from lumbar.phantom.study import write_study
from lumbar.prediction import COLUMNS, Picture, Predictions
from lumbar.study import locate
from tests.support.turned_studies import WAYS, store_turned
from tests.support.volume_files import write

MM = ["x_mm", "y_mm", "z_mm"]
SHAPE, FRAME = (9, 80, 50), 4
STEPS = np.array([[3.3, 0, 0], [0, 0, -0.9], [0, 1.1, 0]])
XY = np.array([[30.4, 10.49], [28.6, 22.51], [26.0, 35.2], [25.2, 48.7], [-0.3, 79.4]])
"""Points between voxels; the last lies in the outermost half voxel of both axes."""
NAME = "Grün^Ada"


def turned_by(degrees):
    """Steps turned about two axes of the patient."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    about_x = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    about_z = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return STEPS @ about_x @ about_z


def volume(file, *, code="LPS", steps=STEPS):
    """Write a volume whose axes increase in these directions of the patient (before it is turned)."""
    own = {"L": (0, False), "R": (0, True), "I": (1, False), "S": (1, True), "P": (2, False), "A": (2, True)}
    order = [own[letter][0] for letter in code]
    turned = [next(own[letter][1] for letter in code if own[letter][0] == axis) for axis in range(3)]
    signal = np.random.default_rng(0).integers(0, 900, SHAPE).astype(np.int16)
    return write(file, signal, (-13.0, 20.0, 410.0), steps, order, turned)


def answer(*files, xy=XY, flagged=False):
    """The points of volumes, as `predict` returns them."""
    rows, pictures = [], []
    for file in files:
        scan = imaging.read(file, frame=FRAME)
        for level, point in zip(LEVELS, xy, strict=True):
            row = {"image": str(file), "view": "sagittal", "level": level, "side": "", "frame": FRAME}
            row |= dict(zip(("x", "y"), point, strict=True)) | dict(zip(MM, scan.plane.to_patient(point), strict=True))
            there = np.isfinite(point).all()
            rows.append(row | {"confidence": 0.9 if there else np.nan, "absent": 0.01 if there else 0.97})
            rows[-1]["flagged"] = flagged
        pictures.append(Picture(str(file), "sagittal", SHAPE[2], SHAPE[1], frame=FRAME))
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"frame": "Int64"})
    return Predictions(table, (), tuple(pictures), "phantom+mr", False)


def assert_agree(labels, points):
    """Each reader finds each label at most half a voxel from its point along each axis, patient mm."""
    image, itk = nibabel.load(labels), sitk.ReadImage(str(labels))
    voxels = np.asanyarray(image.dataobj)
    assert sorted(voxels[voxels > 0]) == [21 + LEVELS.index(level) for level in points["level"]]
    for level, point in zip(points["level"], points[MM].to_numpy(float), strict=True):
        ((i, j, k),) = np.argwhere(voxels == 21 + LEVELS.index(level)).tolist()
        assert itk[i, j, k] == voxels[i, j, k]
        places = {
            "nibabel": (image.affine @ [i, j, k, 1])[:3] * [-1, -1, 1],
            "SimpleITK": np.array(itk.TransformIndexToPhysicalPoint((i, j, k))),
        }
        for reader, place in places.items():
            away = np.linalg.solve(image.affine[:3, :3] * [[-1], [-1], [1]], place - point)
            assert np.abs(away).max() < 0.501, (reader, level, away)
    ours = find(Pair(labels, labels))
    plane = read_grid(labels).plane(ours.frame)
    in_ours = plane.to_patient(np.array(ours.points)[[LEVELS.index(level) for level in points["level"]]])
    across = in_ours - points[MM].to_numpy(float)
    sizes = read_grid(labels).steps
    assert np.abs(across @ np.linalg.inv(sizes)).max() < 0.501


GRIDS = {
    **{code: {"code": code} for code in ("RAS", "LPI", "LPS", "PIR", "SAR", "ILA")},
    **{
        f"{code}, oblique": {"code": code, "steps": turned_by(degrees)} for code, degrees in (("RAS", 14), ("AIL", -25))
    },
}


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".mha"])
@pytest.mark.parametrize("grid", GRIDS)
def test_labels_are_where_the_points_are(tmp_path, grid, ending):
    file = volume(tmp_path / f"sub-01_T2w{ending}", **GRIDS[grid])
    before = file.read_bytes(), file.stat().st_mtime_ns
    found = answer(file)
    written = disc_labels.write(found, tmp_path / "labels")
    assert written.skipped == ()
    (labels,) = written.files
    assert labels == tmp_path / "labels" / "sub-01_T2w_label-discs_dlabel.nii.gz"
    assert sorted(each.name for each in labels.parent.iterdir()) == [
        "sub-01_T2w_label-discs_dlabel.json",
        "sub-01_T2w_label-discs_dlabel.nii.gz",
    ]
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before, "the volume is untouched"
    assert_agree(labels, found.table)
    scan, marked = sitk.ReadImage(str(file)), sitk.ReadImage(str(labels))
    assert marked.GetSize() == scan.GetSize()
    np.testing.assert_allclose(marked.GetDirection(), scan.GetDirection(), atol=1e-6)
    np.testing.assert_allclose(marked.GetSpacing(), scan.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(marked.GetOrigin(), scan.GetOrigin(), atol=1e-3)


def changed(file, tmp_path, kind=nibabel.Nifti1Image, **fields):
    """Write a NIfTI volume again with another header."""
    image = nibabel.load(file)
    header = kind.header_class(endianness=fields.pop("endianness", "<"))
    again = kind(np.asanyarray(image.dataobj), image.affine, header)
    again.set_sform(image.affine, code=fields.pop("sform_code", 1))
    again.set_qform(fields.pop("qform", image.affine), code=fields.pop("qform_code", 1))
    for name, value in fields.items():
        again.header[name] = value
    again.to_filename(tmp_path / "again.nii.gz")
    return tmp_path / "again.nii.gz"


MOVED = np.array([[0.0, 0, 0, 25], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
HEADERS = {
    "big-endian": {"endianness": ">"},
    "NIfTI-2": {"kind": nibabel.Nifti2Image},
    "NIfTI-2, big-endian": {"kind": nibabel.Nifti2Image, "endianness": ">"},
    "sform alone": {"qform_code": 0},
    "qform alone": {"sform_code": 0},
    "aligned": {"sform_code": 2, "qform_code": 2},
    "units unknown": {"xyzt_units": 0},
}


@pytest.mark.parametrize("how", HEADERS)
def test_the_header_keeps_byte_order_and_forms(tmp_path, how):
    file = changed(volume(tmp_path / "v.nii.gz", code="PIR", steps=turned_by(9)), tmp_path, **HEADERS[how])
    found = answer(file)
    (labels,) = disc_labels.write(found, tmp_path / "labels").files
    assert_agree(labels, found.table)
    old, new = nibabel.load(file), nibabel.load(labels)
    assert type(new) is nibabel.Nifti1Image
    assert new.header.endianness == old.header.endianness
    assert new.shape == old.shape
    np.testing.assert_allclose(new.affine, old.affine, atol=1e-4)
    for form in ("qform", "sform"):
        (old_map, old_code), (new_map, new_code) = (
            getattr(each.header, f"get_{form}")(coded=True) for each in (old, new)
        )
        assert new_code == old_code
        np.testing.assert_allclose(new_map if new_code else 0, old_map if old_code else 0, atol=1e-4)


def test_where_the_two_forms_differ_each_program_sees_the_labels_on_the_scan(tmp_path):
    file = volume(tmp_path / "v.nii.gz", code="PIR")
    file = changed(file, tmp_path, sform_code=2, qform=nibabel.load(file).affine + MOVED)
    (labels,) = disc_labels.write(answer(file), tmp_path / "labels").files
    for place in ((0, 0, 0), (5, 40, 3)):
        here, there = (sitk.ReadImage(str(each)).TransformIndexToPhysicalPoint(place) for each in (file, labels))
        np.testing.assert_allclose(here, there, atol=1e-4)
    np.testing.assert_array_equal(nibabel.load(labels).affine, nibabel.load(file).affine)


def test_a_fourth_axis_of_one_element_is_left_out(tmp_path):
    image = nibabel.load(volume(tmp_path / "v.nii.gz", code="RAS"))
    image = nibabel.Nifti1Image(np.asanyarray(image.dataobj)[..., None], image.affine)
    image.to_filename(tmp_path / "four.nii.gz")
    found = answer(tmp_path / "four.nii.gz")
    (labels,) = disc_labels.write(found, tmp_path / "labels").files
    assert nibabel.load(labels).shape == image.shape[:3]
    assert_agree(labels, found.table)


def test_texts_and_extensions_of_the_header_are_not_copied(tmp_path):
    image = nibabel.load(volume(tmp_path / "v.nii.gz"))
    again = nibabel.Nifti1Image(np.asanyarray(image.dataobj), image.affine)
    again.header["descrip"], again.header["db_name"], again.header["aux_file"] = (b"Ada Gruen",) * 3
    again.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"Ada Gruen"))
    again.to_filename(tmp_path / "named.nii")
    assert b"Ada Gruen" in (tmp_path / "named.nii").read_bytes()
    (labels,) = disc_labels.write(answer(tmp_path / "named.nii"), tmp_path / "labels").files
    header = nibabel.load(labels).header
    assert b"Ada" not in header.binaryblock
    assert len(header.extensions) == 0


def test_a_level_without_a_point_gets_no_label_and_a_flag_is_in_the_json_file(tmp_path):
    file = volume(tmp_path / "scan.nii.gz")
    xy = XY.copy()
    xy[0] = np.nan
    found = answer(file, xy=xy, flagged=True)
    (labels,) = disc_labels.write(found, tmp_path / "labels").files
    assert_agree(labels, found.table.iloc[1:])
    held = json.loads((tmp_path / "labels" / "scan_label-discs_dlabel.json").read_text())
    assert set(held) == {"Description", "SpatialReference", "Manual", "GeneratedBy", "lumbar"}, "and no Sources"
    assert "Flagged: check the labels" in held["Description"]
    assert "Not for diagnosis." in held["Description"]
    assert (held["SpatialReference"], held["Manual"]) == ("orig", False)
    assert held["lumbar"]["flagged"] is True
    assert held["lumbar"]["levels"]["L1/L2"] == {"label": None, "voxel": None, "confidence": None, "absent": 0.97}
    lowest = held["lumbar"]["levels"]["L5/S1"]
    assert lowest["label"] == np.asanyarray(nibabel.load(labels).dataobj)[tuple(lowest["voxel"])] == 25


def test_points_that_nothing_judged_are_said_to_be_so(tmp_path):
    found = answer(volume(tmp_path / "scan.nii.gz"))
    found.table["flagged"] = pd.array([None] * len(found.table), dtype="boolean")
    disc_labels.write(found, tmp_path)
    held = json.loads((tmp_path / "scan_label-discs_dlabel.json").read_text())
    assert held["lumbar"]["flagged"] is None
    assert "Not judged" in held["Description"]


@pytest.mark.parametrize(
    ("points", "says"),
    [
        ([[20, 10], [20, 20], [20, 30.2], [20, 29.8], [20, 50]], "two levels lie in the same voxel"),
        ([[np.nan, np.nan]] * 5, "shows none of the levels"),
        ([[20, -0.6], [49.6, 20], [-9, 30], [20, 80], [400, 50]], "shows none of the levels"),
    ],
)
def test_points_that_cannot_be_labels(tmp_path, points, says):
    written = disc_labels.write(answer(volume(tmp_path / "scan.nii.gz"), xy=np.array(points)), tmp_path / "labels")
    assert written.files == ()
    assert says in str(written.skipped[0])
    assert not (tmp_path / "labels").exists()


def test_what_someone_has_made_or_corrected_is_kept(tmp_path):
    found = answer(volume(tmp_path / "scan.nii.gz"))

    def files():
        return {file.name: file.read_bytes() for file in tmp_path.glob("scan_label*")}

    (labels,) = disc_labels.write(found, tmp_path).files
    sidecar, first = tmp_path / "scan_label-discs_dlabel.json", files()
    moved = XY + np.array([[0, 1]] * 4 + [[0, -3]])
    assert disc_labels.write(answer(tmp_path / "scan.nii.gz", xy=moved), tmp_path).skipped == (), "ours is replaced"
    assert files().keys() == first.keys()
    assert files() != first

    held = json.loads(sidecar.read_text())
    held["GeneratedBy"].append({"Name": "Manual"})
    corrected = nibabel.load(labels)
    voxels = np.roll(np.asanyarray(corrected.dataobj), 1, axis=1)
    for change in ("named as corrected", "corrected", "without a JSON file", "JSON file alone", "damaged"):
        disc_labels.write(found, tmp_path)
        if change == "named as corrected":
            sidecar.write_text(json.dumps(held))
        elif change == "corrected":
            nibabel.Nifti1Image(voxels, corrected.affine).to_filename(labels)
        elif change == "without a JSON file":
            sidecar.unlink()
        elif change == "JSON file alone":
            labels.unlink()
            sidecar.write_text("{}")
        else:
            labels.write_bytes(labels.read_bytes()[:60])
        before = files()
        written = disc_labels.write(found, tmp_path)
        assert "that this package has not written" in str(written.skipped[0]), change
        assert files() == before, change
        for file in before:
            (tmp_path / file).unlink()


def test_in_a_bids_data_set_labels_lie_as_the_toolbox_and_our_reader_expect(tmp_path, monkeypatch):
    monkeypatch.setenv("LUMBAR_HOME", str(tmp_path / "home"))
    root = tmp_path / "set"
    files = [volume(root / f"sub-{n}" / "anat" / f"sub-{n}_T2w.nii.gz", code="RPI") for n in (1, 2)]
    (root / "dataset_description.json").write_text("{}")
    found = answer(*files, xy=np.array([*XY[:-1].round(), [30, 70]]))
    written = disc_labels.write(found, root / "derivatives" / "labels")
    assert [file.relative_to(root).as_posix() for file in written.files] == [
        f"derivatives/labels/sub-{n}/anat/sub-{n}_T2w_label-discs_dlabel.nii.gz" for n in (1, 2)
    ]
    held = json.loads((written.files[0].parent / "sub-1_T2w_label-discs_dlabel.json").read_text())
    assert held["Sources"] == ["bids::sub-1/anat/sub-1_T2w.nii.gz"]
    read = datasets.load(root)
    np.testing.assert_allclose(read.table[["x", "y"]], found.table[["x", "y"]])
    assert (read.table["frame"] == FRAME).all()
    assert any("2 of 2 label files hold answers" in note for note in read.notes)


def test_volumes_of_one_name_do_not_replace_each_other(tmp_path):
    files = [volume(tmp_path / folder / "t2.nii.gz") for folder in "ab"]
    written = disc_labels.write(answer(*files), tmp_path / "labels")
    assert len(written.files) == 1
    assert written.skipped[0].file == str(files[1])
    assert "another volume of the same name" in str(written.skipped[0])


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    found = answer(volume(tmp_path / "scan.nii.gz"))
    with pytest.raises(OutputError, match="cannot be written"):
        disc_labels.write(found, tmp_path / "scan.nii.gz" / "labels")


# -- series ------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    """The sagittal series of a synthetic patient, who has a name."""
    folder = write_study(tmp_path_factory.mktemp("study"), PhantomSettings(seed=23, slices=9, series=("sagittal-t2",)))
    for file in (folder / "sagittal-t2").glob("*.dcm"):
        header = pydicom.dcmread(file)
        header.SpecificCharacterSet, header.PatientName = "ISO_IR 192", NAME
        header.save_as(file)
    return folder / "sagittal-t2"


@pytest.mark.parametrize("way", ["as scanned", *WAYS])
def test_the_labels_of_a_series_lie_on_its_voxels(tmp_path, patient, way):
    series = tmp_path / "sag T2"
    if way == "as scanned":
        shutil.copytree(patient, series)
    else:
        for number, file in enumerate(sorted(patient.glob("*.dcm"))):
            store_turned(file, series / f"{number:03d}.dcm", way)
    before = {file: file.read_bytes() for file in series.iterdir()}
    found = locate([series], progress=False)
    written = disc_labels.write_series(found, tmp_path / "labels")
    assert written.skipped == ()
    (labels,) = written.files
    assert labels.name == "sag T2_label-discs_dlabel.nii.gz"
    assert {file: file.read_bytes() for file in series.iterdir()} == before
    assert_agree(labels, found.table)
    held = json.loads(labels.with_name("sag T2_label-discs_dlabel.json").read_text())
    assert (held["lumbar"]["network"], held["lumbar"]["flagged"]) == ("phantom+mr", bool(found.table["flagged"].any()))

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(series)))
    scan, marked = reader.Execute(), sitk.ReadImage(str(labels))
    assert scan.GetSize() == marked.GetSize()
    for level, row in enumerate(found.table.itertuples()):
        voxel = held["lumbar"]["levels"][row.level]["voxel"]
        assert marked[voxel] == 21 + level
        point = row.x_mm, row.y_mm, row.z_mm
        in_scan = scan.TransformPhysicalPointToContinuousIndex(point)
        in_labels = marked.TransformPhysicalPointToContinuousIndex(point)
        np.testing.assert_allclose(in_scan, in_labels, atol=0.01)
        assert np.abs(np.subtract(in_scan, voxel)).max() < 0.51


def test_the_command_writes_the_labels_of_a_series_and_names_nobody(tmp_path, patient, capsys):
    words = ["locate", patient, "--out", tmp_path / "levels.csv", "--disc-labels", tmp_path / "labels"]
    assert main(list(map(str, words))) == 0
    assert "The disc labels: " in capsys.readouterr().out
    labels = tmp_path / "labels" / "sagittal-t2_label-discs_dlabel.nii.gz"
    for content in (nibabel.load(labels).to_bytes(), labels.with_suffix("").with_suffix(".json").read_bytes()):
        assert not any(name.encode() in content for name in NAME.split("^"))


def test_a_series_that_is_not_one_volume_gives_no_labels(tmp_path, patient, capsys):
    files = sorted(patient.glob("*.dcm"))
    uneven = tmp_path / "uneven"
    uneven.mkdir()
    for number, file in enumerate(files):
        if number not in (1, 2):
            shutil.copy(file, uneven)
    words = ["locate", uneven, "--out", tmp_path / "levels.csv", "--disc-labels", tmp_path / "labels"]
    assert main(list(map(str, words))) == 1
    assert "unevenly spaced" in capsys.readouterr().err
    assert (tmp_path / "levels.csv").exists()
    assert not (tmp_path / "labels").exists()


@pytest.mark.parametrize("stated", [True, False])
def test_one_slice_is_a_volume_if_its_thickness_is_known(tmp_path, patient, stated):
    files = sorted(patient.glob("*.dcm"))
    header = pydicom.dcmread(files[len(files) // 2])
    if not stated:
        del header.SliceThickness, header.SpacingBetweenSlices
    header.save_as(tmp_path / "middle.dcm")
    found = locate([tmp_path / "middle.dcm"], progress=False)
    written = disc_labels.write_series(found, tmp_path)
    if stated:
        (labels,) = written.files
        assert labels.name == "middle_label-discs_dlabel.nii.gz"
        assert nibabel.load(labels).shape == (header.Columns, header.Rows, 1)
        assert_agree(labels, found.table.dropna(subset="x_mm"))
    else:
        assert "one slice of unknown thickness" in str(written.skipped[0])


@pytest.mark.parametrize("verb", ["predict", "locate"])
def test_without_nibabel_the_command_says_so_before_it_begins(tmp_path, patient, monkeypatch, capsys, verb):
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(SettingsError, match="nibabel"):
        disc_labels.check_installed()
    words = [verb, patient, "--out", tmp_path / "points.csv", "--disc-labels", tmp_path / "labels"]
    assert main(list(map(str, words))) == 1
    assert "extra nifti" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
