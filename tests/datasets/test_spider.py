"""SPIDER in its own layout, with masks sampled from synthetic patients, whose true points are known."""

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from lumbar import datasets, imaging, landmarks
from lumbar.core import paths
from lumbar.core.errors import DatasetError
from lumbar.datasets import spider, volumes
from lumbar.datasets.disc_margin import posterior_margin
from lumbar.datasets.inspection import inspect
from lumbar.datasets.preparation import prepare
from lumbar.landmarks import LEVELS, MARGIN_INSIDE_MM
from lumbar.phantom.anatomy import draw_patient
from tests.support.volume_files import CANAL, block_of, spider_mask, write

VOLUMES = {
    # name: (seed of the patient, steps in mm, order of the file's axes, those that run backwards)
    "1_t1": (3, (4.4, 1.0, 1.0), (2, 1, 0), (False, False, False)),
    "1_t2": (3, (4.0, 1.0, 0.8), (2, 1, 0), (True, False, False)),
    "2_t2": (8, (4.0, 0.9, 0.9), (0, 2, 1), (False, True, True)),
    "2_t2_SPACE": (8, (2.0, 1.2, 1.2), (1, 0, 2), (True, True, False)),
}
GRADINGS = {
    "Patient": [1, 1, 2, 2], "IVD label": [1, 5, 2, 7], "Modic": [0, 1, 2, 0], "UP endplate": [0, 1, 0, 0],
    "LOW endplate": [0, 0, 1, 0], "Spondylolisthesis": [0, 0, 1, 0], "Disc herniation": [1, 0, 0, 0],
    "Disc narrowing": [1, 0, 0, 0], "Disc bulging": [1, 1, 0, 0], "Pfirrman grade": [4, 2, 3, 1],
}  # fmt: skip


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The set as it is unpacked, and the synthetic patients that it was made from."""
    root = tmp_path_factory.mktemp("spider") / "10159290"
    patients = {}
    for name, (seed, steps_mm, order, turned) in VOLUMES.items():
        patient = patients[name] = draw_patient(np.random.default_rng(seed), anomalies=False)
        shape, origin, steps = block_of(patient, steps_mm)
        mask = spider_mask(patient, shape, origin, steps)
        signal = np.random.default_rng(seed).normal(20, 5, shape) + 900 * (mask == CANAL) + 300 * (mask > CANAL)
        write(root / "masks" / f"{name}.mha", mask, origin, steps, order, turned)
        write(root / "images" / f"{name}.mha", signal.clip(0).astype(np.int16), origin, steps, order, turned)
    columns = {"num_vertebrae": 7, "num_discs": 7, "sex": "F", "subset": "training", "PixelSpacing": "[0.625, 0.625]"}
    overview = pd.DataFrame({"new_file_name": list(VOLUMES)}).assign(**columns)
    overview.to_csv(root / "overview.csv", index=False)
    pd.DataFrame(GRADINGS).to_csv(root / "radiological_gradings.csv", index=False)
    return root, patients


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LUMBAR_HOME", str(tmp_path / "home"))


def copied(published, tmp_path, names=("1_t1", "1_t2")):
    """Copy a small set that a test may change."""
    for folder in ("images", "masks"):
        (tmp_path / "set" / folder).mkdir(parents=True)
        for name in names:
            (tmp_path / "set" / folder / f"{name}.mha").write_bytes(
                (published[0] / folder / f"{name}.mha").read_bytes()
            )
    return tmp_path / "set"


def edited(root, name, change):
    """Change the labels of a mask on the same grid."""
    file = root / "masks" / f"{name}.mha"
    image = sitk.ReadImage(str(file))
    labels = sitk.GetArrayFromImage(image)
    change(labels)
    other = sitk.GetImageFromArray(labels)
    other.CopyInformation(image)
    sitk.WriteImage(other, str(file), True)


def test_the_points_are_those_of_the_patients(published):
    root, patients = published
    table = datasets.load(root).table
    errors = []
    for image, rows in table.groupby("image"):
        patient = patients[image.split("/")[1].removesuffix(".mha")]
        scan = imaging.read(root / image, frame=rows["frame"].iloc[0])
        true = np.array([patient.landmarks_mm("sagittal")[level, ""] for level in rows["level"]])
        found = scan.plane.to_patient(rows[["x", "y"]].to_numpy())
        off = (found - true) @ scan.plane.normal
        thickness = VOLUMES[image.split("/")[1].removesuffix(".mha")][1][0]
        assert abs(off.mean()) < thickness / 2 + 1, "the slice is the one in the middle"
        errors.append(np.linalg.norm(found - true - off[:, None] * scan.plane.normal, axis=1))
    errors = np.array(errors)
    assert errors.mean() < 0.6
    assert errors.max() < 1.2


def test_the_table_of_the_published_layout(published):
    root, _ = published
    dataset = datasets.load(root)
    table = dataset.table
    assert landmarks.problems(table).empty
    assert len(table) == 20
    assert table["x"].notna().all()
    first = table.drop_duplicates("image").set_index("image")
    assert first["patient"].tolist() == ["spider 1", "spider 1", "spider 2", "spider 2"]
    assert first["contrast"].tolist() == ["T1", "T2", "T2", "T2"]
    assert first.loc["images/1_t2.mha", ["width", "height", "pixel_width"]].tolist() == pytest.approx([162, 230, 0.8])
    assert table["landmark"].eq("posterior disc margin").all()
    assert any("computed from the masks" in note for note in dataset.notes)
    assert inspect(root, progress=False).ok, str(inspect(root, progress=False))
    prepared = prepare(dataset, progress=False)
    assert prepared.images.shape == (4, 256, 256)


def test_the_columns_of_the_other_tables_are_added(published):
    table = datasets.load(published[0]).table.set_index(["image", "level"])
    assert table.loc[("images/1_t1.mha", "L5/S1"), ["Pfirrman grade", "Disc herniation"]].tolist() == [4, 1]
    assert table.loc[("images/1_t2.mha", "L1/L2"), "Pfirrman grade"] == 2
    assert table.loc[("images/2_t2_SPACE.mha", "L4/L5"), "Spondylolisthesis"] == 1
    assert table["Pfirrman grade"].notna().sum() == 6
    assert table.loc[("images/2_t2.mha", "L1/L2"), ["num_vertebrae", "subset"]].tolist() == [7, "training"]


def test_the_other_tables_are_optional(published, tmp_path):
    root = copied(published, tmp_path)
    assert "subset" not in datasets.load(root).table
    pd.DataFrame(GRADINGS)[["Patient", "IVD label", "Modic"]].iloc[[0, 0, 1]].to_csv(
        root / "radiological_gradings.csv", index=False
    )
    dataset = datasets.load(root)
    assert any("1 row(s) too many" in note for note in dataset.notes)
    assert len(dataset.table) == 10


def test_points_are_cached_outside_the_set_and_only_changed_volumes_are_read_again(published, tmp_path, monkeypatch):
    root = copied(published, tmp_path)
    before = {file: file.stat().st_mtime_ns for file in root.rglob("*")}
    first = datasets.load(root).table
    assert {file: file.stat().st_mtime_ns for file in root.rglob("*")} == before
    assert list(paths.cache().glob("spider-*.json"))
    seen = []
    monkeypatch.setattr(spider, "find", lambda pair, find=spider.find: seen.append(pair.labels.name) or find(pair))
    pd.testing.assert_frame_equal(datasets.load(root).table, first)
    assert seen == []
    edited(root, "1_t2", lambda labels: labels.__setitem__(labels == 203, 0))
    table = datasets.load(root).table
    assert seen == ["1_t2.mha"]
    assert table[table["x"].isna()][["image", "level"]].to_numpy().tolist() == [["images/1_t2.mha", "L3/L4"]]
    monkeypatch.setattr(spider, "VERSION", spider.VERSION + 1)
    datasets.load(root)
    assert len(seen) == 3


def test_a_damaged_cache_is_replaced(published, tmp_path):
    root = copied(published, tmp_path, ("1_t1",))
    first = datasets.load(root).table
    (kept,) = paths.cache().glob("spider-*.json")
    kept.write_text("{")
    pd.testing.assert_frame_equal(datasets.load(root).table, first)


@pytest.mark.parametrize("labels_left", ["no canal", "no discs", "specks"])
def test_missing_labels_are_missing_points(published, tmp_path, labels_left):
    def change(labels):
        if labels_left == "no canal":
            labels[labels == CANAL] = 0
        elif labels_left == "no discs":
            labels[labels > CANAL] = 0
        else:
            labels[labels == 201] = 0
            labels.reshape(-1)[:5] = 201

    root = copied(published, tmp_path, ("1_t2",))
    edited(root, "1_t2", change)
    table = datasets.load(root).table
    assert table["x"].isna().sum() == (1 if labels_left == "specks" else 5)
    assert table["frame"].between(0, 8).all()


def test_a_mask_on_another_grid_is_an_error_and_the_others_are_cached(published, tmp_path):
    root = copied(published, tmp_path, ("1_t1", "1_t2", "2_t2"))
    (root / "masks" / "1_t2.mha").write_bytes((root / "masks" / "2_t2.mha").read_bytes())
    (root / "masks" / "1_t1.mha").write_bytes(b"ObjectType = Image\n")
    with pytest.raises(DatasetError, match=r"2 of 3 volumes[\s\S]*1_t1.mha"):
        datasets.load(root)
    with pytest.raises(DatasetError, match="another grid"):
        spider.find(volumes.Pair(root / "images" / "1_t2.mha", root / "masks" / "1_t2.mha"))
    (kept,) = paths.cache().glob("spider-*.json")
    assert "2_t2.mha" in kept.read_text()
    assert inspect(root, progress=False).refusal


def test_volumes_without_masks_and_masks_without_volumes_are_counted(published, tmp_path):
    root = copied(published, tmp_path, ("1_t1", "1_t2", "2_t2"))
    (root / "images" / "1_t1.mha").unlink()
    (root / "masks" / "2_t2.mha").unlink()
    dataset = datasets.load(root)
    assert dataset.table["image"].unique().tolist() == ["images/1_t2.mha"]
    assert any(note.startswith("1 of 2 volumes are not there") for note in dataset.notes)
    assert any(note.startswith("1 image(s) without a mask") for note in dataset.notes)
    (root / "images" / "1_t2.mha").unlink()
    with pytest.raises(DatasetError, match=r"none of the volumes[\s\S]*1_t1.mha"):
        datasets.load(root)


def test_archives_unpacked_into_folders_of_their_own_names(published, tmp_path):
    root = copied(published, tmp_path, ("1_t2",))
    for folder in ("images", "masks"):
        (root / folder).rename(root / "moved")
        (root / folder).mkdir()
        (root / "moved").rename(root / folder / folder)
    assert datasets.load(root).table["image"].iloc[0] == "images/images/1_t2.mha"


def test_many_volumes_are_read_in_parallel(published, tmp_path, monkeypatch):
    root = copied(published, tmp_path)
    alone = datasets.load(root).table
    monkeypatch.setattr(volumes, "WORTH_A_PROCESS", 0)
    monkeypatch.setenv("LUMBAR_HOME", str(tmp_path / "other"))
    pd.testing.assert_frame_equal(datasets.load(root).table, alone)


@settings(max_examples=60)
@given(
    st.floats(-40, 40), st.floats(5, 14), st.floats(22, 42), st.floats(0.4, 1.2), st.floats(0.4, 1.2), st.floats(-1, 1)
)
def test_the_margin_of_a_plain_disc(degrees, height, length, pixel_width, pixel_height, shift):
    """A rotated bar in a known position: the point is at its end near the canal, at half its height."""
    along = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    across = np.array([-along[1], along[0]])
    centre = np.array([40.0 + shift, 50.0 - shift])
    rows, columns = np.indices((round(100 / pixel_height), round(100 / pixel_width)))
    from_centre = np.stack([columns * pixel_width, rows * pixel_height], axis=-1) - centre
    disc = (abs(from_centre @ along) < length / 2) & (abs(from_centre @ across) < height / 2)
    canal = (from_centre @ along > length / 2 + 1) & (from_centre @ along < length / 2 + 15)
    found = posterior_margin(disc, canal, pixel_width, pixel_height) * [pixel_width, pixel_height]
    expected = centre + (length / 2 - MARGIN_INSIDE_MM) * along
    assert np.linalg.norm(found - expected) < 0.75
    mirrored = posterior_margin(disc[:, ::-1], canal[:, ::-1], pixel_width, pixel_height)
    assert (disc.shape[1] - 1 - mirrored[0]) * pixel_width == pytest.approx(found[0], abs=0.3)


def test_the_margin_agrees_with_the_landmarks_of_many_synthetic_patients():
    """Compare with the points of the phantom, which follow the public labels, in the mid-sagittal plane."""
    errors = []
    for seed in range(20, 28):
        patient = draw_patient(np.random.default_rng(seed))
        frame = patient.sagittal_frame()
        steps = np.array([4 * frame.left, -0.8 * frame.superior, 0.7 * frame.posterior])
        middle = np.mean(list(patient.landmarks_mm("sagittal").values()), axis=0)
        origin = middle - ((middle - frame.centre) @ frame.left) * frame.left - np.array([0, 130, 90]) @ steps
        labels = spider_mask(patient, (1, 260, 180), origin, steps)[0]
        for disc, level in zip(spider.DISCS, LEVELS, strict=True):
            x, y = posterior_margin(labels == disc, labels == CANAL, 0.7, 0.8)
            off = origin + np.array([0, y, x]) @ steps - patient.landmarks_mm("sagittal")[level, ""]
            errors.append(np.linalg.norm(off - (off @ frame.left) * frame.left))
    errors = np.array(errors).reshape(-1, 5)
    assert np.median(errors) < 0.4
    assert errors[:, :4].max() < 1.2
    assert (errors[:, 4] < 1.2).mean() > 0.7, "a wedge-shaped last disc may be covered before it reaches the canal"
