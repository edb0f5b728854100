"""VerSe in its own layout: the levels are midway between the centroids, whatever the order of the axes."""

import json

import numpy as np
import pytest

from lumbar import datasets, imaging, landmarks
from lumbar.core.errors import DatasetError
from lumbar.datasets import verse
from lumbar.datasets.inspection import inspect
from lumbar.datasets.preparation import prepare
from lumbar.landmarks import LEVELS
from tests.support.volume_files import write

SHAPE, STEPS, ORIGIN = (7, 60, 40), np.array([[3.0, 0, 0], [0, 0, -2.0], [0, 1.5, 0]]), (-9.0, -30.0, 100.0)
CENTRES = {
    label: np.array([2.4 + 0.3 * order, 4.0 + 9 * order, 18.5 - order]) for order, label in enumerate(range(19, 25))
}
"""Label → [slice, row, column] of its centroid; T12 to L5."""

ORDERS = {"PIR": ((2, 1, 0), (True, False, False)), "RAS": ((0, 2, 1), (True, True, True)),
          "LPS": ((0, 2, 1), (False, True, False)), "ASL": ((2, 1, 0), (False, True, True))}  # fmt: skip
"""Directions of a file's axes → their order, and which of slice, row, column run against them."""


def centroids(direction, centres=CENTRES):
    """Return the JSON of a volume whose axes have these directions."""
    order, turned = ORDERS[direction]
    entries = [{"direction": list(direction)}]
    for label, centre in centres.items():
        counted = [SHAPE[axis] - 1 - centre[axis] if turned[axis] else centre[axis] for axis in order]
        entries.append({"label": label, **dict(zip("XYZ", np.round(counted, 3).tolist(), strict=True))})
    return json.dumps(entries)


def add(root, scan, content, *, of="PIR", raw="rawdata", derived="derivatives", name="seg-subreg_ctd"):
    """Write one scan with its centroid file."""
    order, turned = ORDERS[of]
    subject = scan.split("_")[0]
    voxels = np.random.default_rng(len(scan)).integers(-1000, 2000, SHAPE).astype(np.int16)
    write(root / raw / subject / f"{scan}_ct.nii.gz", voxels, ORIGIN, STEPS, order, turned)
    (root / derived / subject).mkdir(parents=True, exist_ok=True)
    (root / derived / subject / f"{scan}_{name}.json").write_text(content)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LUMBAR_HOME", str(tmp_path / "home"))


@pytest.fixture
def published(tmp_path):
    root = tmp_path / "verse"
    train, test = root / "dataset-verse19training", root / "dataset-verse20test"
    for part, subject, direction in ((train, "verse004", "PIR"), (train, "verse005", "RAS"), (test, "verse500", "LPS")):
        add(part, f"sub-{subject}", centroids(direction), of=direction)
    add(test, "sub-verse500_split-verse501", centroids("ASL"), of="ASL")
    return root


def test_the_levels_lie_between_the_centroids(published):
    table = datasets.load(published).table
    assert landmarks.problems(table).empty
    assert table["image"].nunique() == 4
    centres = np.array([CENTRES[label] for label in range(20, 25)])
    for image, rows in table.groupby("image"):
        assert rows["level"].tolist() == list(LEVELS)
        expected = (centres[1:] + centres[:-1]) / 2
        np.testing.assert_allclose(rows[["x", "y"]].iloc[:4], expected[:, [2, 1]], atol=1e-3)
        assert rows[["x", "y"]].iloc[4].isna().all(), "the sacrum is not marked"
        assert rows["frame"].unique().tolist() == [round(float(np.median(expected[:, 0])))]
        scan = imaging.read(published / image, frame=int(rows["frame"].iloc[0]))
        where = np.array(ORIGIN) + expected @ STEPS
        found = scan.plane.to_patient(rows[["x", "y"]].iloc[:4].to_numpy())
        np.testing.assert_allclose(found[:, 1:], where[:, 1:], atol=2e-3)


def test_the_table_states_the_landmark(published):
    dataset = datasets.load(published)
    assert dataset.table["landmark"].eq("middle between vertebrae").all()
    assert any("not on their posterior margin" in note for note in dataset.notes)
    assert sorted(dataset.table["patient"].unique()) == ["sub-verse004", "sub-verse005", "sub-verse500"]
    assert dataset.table["contrast"].eq("CT").all()
    assert inspect(published, progress=False).ok, str(inspect(published, progress=False))
    assert prepare(dataset, progress=False).images.shape[0] == 4


def test_all_in_one_folder(tmp_path):
    add(tmp_path, "sub-verse010", centroids("PIR"), raw=".", derived=".", name="seg-vb_ctd")
    for file in (tmp_path / "sub-verse010").iterdir():
        file.rename(tmp_path / file.name)
    assert datasets.load(tmp_path).table["image"].unique().tolist() == ["sub-verse010_ct.nii.gz"]


def test_a_missing_vertebra_is_two_missing_levels(tmp_path):
    fewer = {label: centre for label, centre in CENTRES.items() if label != 22}
    text = centroids("PIR", fewer)[:-1] + ', {"label": 22, "X": NaN, "Y": NaN, "Z": NaN}]'
    add(tmp_path, "sub-verse010", text)
    missing = datasets.load(tmp_path).table["x"].isna()
    assert missing.tolist() == [False, True, True, False, True]


def test_volumes_without_a_lumbar_level_are_counted(tmp_path):
    add(tmp_path, "sub-verse010", centroids("PIR"))
    add(tmp_path, "sub-verse011", centroids("PIR", {19: CENTRES[19], 20: CENTRES[20]}))
    dataset = datasets.load(tmp_path)
    assert dataset.table["image"].nunique() == 1
    assert any("1 volume(s) without any lumbar level" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "damaged"),
        ("{}", "damaged"),
        ("[]", "damaged"),
        ("[" * 100_000, "damaged"),
        ('[{"label": 20, "X": 1, "Y": 1, "Z": 1}]', "damaged"),
        ('[{"direction": ["P", "I", "A"]}]', "damaged"),
        ('[{"direction": ["P", "I"]}]', "damaged"),
        ('[{"direction": ["P", "I", "R"]}, {"label": 20, "X": "far", "Y": 1, "Z": 1}]', "damaged"),
        ('[{"direction": ["P", "I", "R"]}, {"label": 20, "X": 1, "Y": 1}]', "damaged"),
        (centroids("PIR")[:-1] + ', {"label": 20, "X": 1, "Y": 1, "Z": 1}]', "twice"),
        (centroids("PIR", {20: np.array([3, 61, 3]), 21: CENTRES[21]}), "outside of the volume"),
    ],
)
def test_centroids_that_cannot_be_trusted_are_refused(tmp_path, content, words):
    add(tmp_path, "sub-verse010", content)
    with pytest.raises(DatasetError, match=words) as raised:
        datasets.load(tmp_path)
    assert "sub-verse010" in raised.value.file


def test_centroids_without_their_volumes_are_an_error(published):
    for file in published.rglob("*_ct.nii.gz"):
        file.unlink()
    with pytest.raises(DatasetError, match=r"none of the volumes[\s\S]*sub-verse004_ct.nii.gz"):
        datasets.load(published)


def test_centroids_count_voxel_centres_from_zero(tmp_path):
    """The first voxel's centre is 0 in either direction, so that of the last voxel is the number of voxels minus 1."""
    shape = (5, 9, 7)
    for letter, axis, number in (("L", 0, 4), ("R", 0, 0), ("I", 1, 8), ("S", 1, 0), ("P", 2, 6), ("A", 2, 0)):
        others = [each for each in "LIP" if verse._AXES[each][0] != axis]
        assert verse._in_grid(np.array([number, 0, 0]), (letter, *others), shape)[axis] == shape[axis] - 1
