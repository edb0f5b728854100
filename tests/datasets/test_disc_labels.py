"""Disc labels of the Spinal Cord Toolbox and TotalSpineSeg are found where these programs write them."""

import numpy as np
import pytest

from lumbar import datasets, imaging, landmarks
from lumbar.core.errors import DatasetError
from lumbar.datasets.inspection import inspect
from lumbar.datasets.preparation import prepare
from tests.support.volume_files import write

SHAPE, ORIGIN = (9, 80, 50), (-20.0, -40.0, 500.0)
VOXELS = {
    20: (4, 3, 30),
    21: (4, 12, 28),
    22: (4, 25, 26),
    23: (5, 38, 25),
    24: (4, 50, 26),
    25: (3, 60, 30),
    26: (3, 66, 33),
}
"""Label → [slice, row, column]; 20 is T12/L1, and 26 is any label that a program adds below."""
TILT = np.radians(20)
STEPS = np.array([[3.0, 0, 0], [0, 0, -0.9], [0, 1.1, 0]]) @ np.array(
    [[1, 0, 0], [0, np.cos(TILT), -np.sin(TILT)], [0, np.sin(TILT), np.cos(TILT)]]
)
PLACES = {
    "bids": ("sub-01/anat/sub-01_T2w.nii.gz", "derivatives/labels/sub-01/anat/sub-01_T2w_label-discs_dlabel.nii.gz"),
    "bids, session": (
        "sub-01/ses-A/anat/sub-01_ses-A_acq-sag_T1w.nii.gz",
        "derivatives/labels/sub-01/ses-A/anat/sub-01_ses-A_acq-sag_T1w_label-discs_desc-warp_dlabel.nii.gz",
    ),
    "bids, older": ("sub-1/anat/sub-1_T2w.nii.gz", "derivatives/labels/sub-1/anat/sub-1_T2w_labels-disc-manual.nii.gz"),
    "one folder": ("scan.nii.gz", "scan_labels-disc.nii.gz"),
    "folders of patients": ("sub-01/sub-01_T2w.nii.gz", "sub-01/sub-01_T2w_labels-disc-manual.nii.gz"),
    "sct_deepseg to 7.1": ("t2.nii.gz", "t2_step1_levels.nii.gz"),
    "sct_deepseg from 7.2": ("t2.nii.gz", "t2_totalspineseg_discs.nii.gz"),
    "sct_deepseg from 7.2, a volume that is not compressed": ("t2.nii", "t2_totalspineseg_discs.nii.gz"),
    "sct_deepseg from 7.2, BIDS": ("sub-1/anat/sub-1_T2w.nii.gz", "sub-1/anat/sub-1_T2w_totalspineseg_discs.nii.gz"),
    "sct_deepseg from 7.2, BIDS, session": (
        "sub-1/ses-2/anat/sub-1_ses-2_T2w.nii.gz",
        "sub-1/ses-2/anat/sub-1_ses-2_T2w_totalspineseg_discs.nii.gz",
    ),
    "TotalSpineSeg": ("scan.nii.gz", "step1_levels/scan.nii.gz"),
    "TotalSpineSeg in a folder": ("sub-01_T2w.nii.gz", "out/step1_levels/sub-01_T2w.nii.gz"),
    "TotalSpineSeg, BIDS": ("sub-01/anat/sub-01_T2w.nii.gz", "out/step1_levels/sub-01_T2w.nii.gz"),
    "TotalSpineSeg --iso": ("input/scan_0000.nii.gz", "step1_levels/scan.nii.gz"),
    "unpacked": ("scan.nii", "scan_label-disc_dlabel.nii"),
}  # fmt: skip


def add(root, image, labels, voxels=VOXELS, *, order=(0, 2, 1), turned=(False, True, False), kind=np.uint8, **changes):
    """Write a volume and its label file."""
    marked = np.zeros(SHAPE, kind)
    for value, place in voxels.items():
        marked[place] = value
    signal = np.random.default_rng(0).integers(0, 900, SHAPE).astype(np.int16)
    write(root / image, signal, ORIGIN, STEPS, order, turned)
    write(root / labels, marked, changes.get("origin", ORIGIN), changes.get("steps", STEPS), order, turned)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LUMBAR_HOME", str(tmp_path / "home"))


@pytest.fixture
def root(tmp_path):
    (tmp_path / "study").mkdir()
    return tmp_path / "study"


@pytest.mark.parametrize("where", list(PLACES))
def test_labels_are_found_with_their_volume(root, where):
    image, labels = PLACES[where]
    add(root, image, labels)
    table = datasets.load(root).table
    assert landmarks.problems(table).empty
    assert table["image"].unique().tolist() == [image]
    assert table[["x", "y"]].to_numpy().tolist() == [[VOXELS[disc][2], VOXELS[disc][1]] for disc in range(21, 26)]
    assert table["frame"].unique().tolist() == [4]
    assert table["landmark"].eq("posterior disc margin").all()


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize(
    "order", [((2, 1, 0), (True, True, True)), ((0, 2, 1), (False, True, False)), ((1, 0, 2), (False,) * 3)]
)
def test_the_points_lie_where_the_labelled_voxels_lie(root, kind, order):
    """The volume is oblique and its axes are in any order; points are compared in patient coordinates."""
    add(root, "scan.nii.gz", "scan_label-discs_dlabel.nii.gz", order=order[0], turned=order[1], kind=kind)
    rows = datasets.load(root).table
    scan = imaging.read(root / "scan.nii.gz", frame=int(rows["frame"].iloc[0]))
    found = scan.plane.to_patient(rows[["x", "y"]].to_numpy())
    true = np.array(ORIGIN) + np.array([VOXELS[disc] for disc in range(21, 26)]) @ STEPS
    off = (found - true) @ scan.plane.normal
    assert abs(off).max() == pytest.approx(3.0), "labels beside the slice are projected onto it"
    np.testing.assert_allclose(found, true + off[:, None] * scan.plane.normal, atol=1e-3)


def test_patients_and_contrasts_come_from_the_names(root):
    for subject, contrast in (("01", "T1w"), ("01", "T2w"), ("02", "T2star")):
        name = f"sub-{subject}_{contrast}"
        labels = f"derivatives/labels/sub-{subject}/anat/{name}_label-discs_dlabel.nii.gz"
        add(root, f"sub-{subject}/anat/{name}.nii.gz", labels)
    table = datasets.load(root).table.drop_duplicates("image")
    assert table["patient"].tolist() == ["sub-01", "sub-01", "sub-02"]
    assert table["contrast"].tolist() == ["T1", "T2", ""]
    assert table["source"].eq("study").all()
    assert inspect(root, progress=False).ok, str(inspect(root, progress=False))
    assert prepare(datasets.load(root), progress=False).images.shape[0] == 3


@pytest.mark.parametrize(
    ("images", "patients"),
    [
        (("p1/t1", "p1/t2", "p2/t1", "p2/t2", "p3/only"), ["p1", "p1", "p2", "p2", "p3"]),
        (("p1/a", "p1/b", "p2/c"), ["a", "b", "c"]),
        (("p1/sub-01_T2w", "p2/sub-01_T2w", "p2/sub-02_T2w"), ["sub-01", "sub-01", "sub-02"]),
    ],
    ids=["equal names in several folders", "names of their own", "BIDS"],
)
def test_files_of_equal_names_in_folders_of_patients_are_not_one_patient(root, images, patients):
    for image in images:
        add(root, f"{image}.nii.gz", f"{image}_label-discs_dlabel.nii.gz")
    table = datasets.load(root).table.drop_duplicates("image")
    assert table["patient"].tolist() == patients
    assert table["patient_from_file"].all()


def test_missing_labels_are_missing_points(root):
    add(root, "scan.nii.gz", "scan_step1_levels.nii.gz", {disc: VOXELS[disc] for disc in (21, 24)})
    assert datasets.load(root).table["x"].isna().tolist() == [False, True, True, False, True]


def test_volumes_without_a_lumbar_label_are_counted(root):
    add(root, "a.nii.gz", "a_labels-disc.nii.gz")
    add(root, "b.nii.gz", "b_labels-disc.nii.gz", {3: (4, 5, 6)})
    dataset = datasets.load(root)
    assert dataset.table["image"].unique().tolist() == ["a.nii.gz"]
    assert any("without any lumbar level" in note for note in dataset.notes)


@pytest.mark.parametrize("change", [{"origin": (-18.0, -40.0, 500.0)}, {"steps": STEPS * 1.1}])
def test_labels_on_another_grid_are_an_error(root, change):
    add(root, "scan.nii.gz", "scan_labels-disc.nii.gz", **change)
    with pytest.raises(DatasetError, match="another grid"):
        datasets.load(root)


def test_a_segmentation_is_not_a_point(root):
    add(root, "scan.nii.gz", "scan_labels-disc.nii.gz", {22: (4, slice(20, 40), slice(10, 30))})
    with pytest.raises(DatasetError, match=r"not a point[\s\S]*label 22"):
        datasets.load(root)


def test_a_label_of_a_few_voxels_is_at_their_centre(root):
    add(root, "scan.nii.gz", "scan_labels-disc.nii.gz", VOXELS | {22: (4, slice(24, 27), slice(25, 28))})
    assert datasets.load(root).table[["x", "y"]].iloc[1].tolist() == [26, 25]


def test_two_label_files_for_one_volume_are_an_error(root):
    add(root, "scan.nii.gz", "scan_labels-disc-manual.nii.gz")
    add(root, "scan.nii.gz", "scan_step1_levels.nii.gz")
    with pytest.raises(DatasetError, match=r"two files[\s\S]*manual[\s\S]*step1_levels"):
        datasets.load(root)


def test_labels_without_their_volume_are_counted(root):
    add(root, "a.nii.gz", "a_labels-disc.nii.gz")
    add(root, "b.nii.gz", "b_labels-disc.nii.gz")
    (root / "b.nii.gz").unlink()
    assert any(note.startswith("1 of 2 volumes are not there") for note in datasets.load(root).notes)
    (root / "a.nii.gz").unlink()
    with pytest.raises(DatasetError, match=r"none of the volumes[\s\S]*a.nii.gz"):
        datasets.load(root)


def test_the_folder_may_be_the_current_one(root, monkeypatch):
    add(root, *PLACES["TotalSpineSeg"])
    monkeypatch.chdir(root)
    table = datasets.load(".").table
    assert table["image"].iloc[0] == "scan.nii.gz"
    assert table["source"].iloc[0] == "study"
