"""The networks that come with the package: their files, their model cards, and what the cards promise."""

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

import lumbar
from lumbar import datasets, imaging, metrics, weights
from lumbar.datasets.preparation import prepare
from lumbar.geometry import SIZE, Affine
from lumbar.inference import PreparedScan, find_points, predict_points
from lumbar.landmarks import LEVELS
from lumbar.phantom import PhantomSettings, write_dataset
from lumbar.weights import registry
from tests.support.real_mri import ABSENT, REAL_MRI, write_kaggle_layout

NAMES = ("phantom", "phantom+mr")


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    """Synthetic patients of a seed on which no released network was trained."""
    folder = tmp_path_factory.mktemp("patients") / "unseen"
    return write_dataset(folder, PhantomSettings(patients=10, seed=4242), workers=1, progress=False)


def wrapped_as_dicom(pixels: np.ndarray, path):
    """Write an 8-bit grey image as a DICOM file without any geometry, like a secondary capture."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    file.Modality, file.PhotometricInterpretation, file.SamplesPerPixel = "MR", "MONOCHROME2", 1
    file.Rows, file.Columns = pixels.shape
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 8, 8, 7, 0
    file.PixelData = pixels.tobytes()
    file.save_as(path, enforce_file_format=True)
    return path


def three_forms(pixels: np.ndarray, folder):
    picture = Image.fromarray(pixels)
    picture.save(folder / "a.png")
    picture.save(folder / "a.jpg", quality=92)
    return folder / "a.png", folder / "a.jpg", wrapped_as_dicom(pixels, folder / "a.dcm")


def assert_same_points(forms, name):
    tables = [lumbar.predict(path, weights=name, view="sagittal") for path in forms]
    assert all(table["level"].tolist() == list(LEVELS) for table in tables)
    for other in tables[1:]:
        np.testing.assert_allclose(tables[0][["x", "y"]], other[["x", "y"]], atol=0.5)


def test_both_are_there_with_their_cards():
    assert set(weights.released()) >= set(NAMES)
    assert weights.DEFAULT in NAMES
    for name in NAMES:
        card = (registry.HERE / f"{name}.md").read_text(encoding="utf-8")
        for word in ("licence", "diagnosis", "python -m lumbar", "95 %", "minutes"):
            assert word in card, f"the card of {name} does not mention {word}"
        assert (registry.HERE / f"{name}.keras").stat().st_size < 3e6
    assert weights.find("phantom").synthetic
    assert not weights.find("phantom+mr").synthetic
    assert {weights.find(name).modalities for name in NAMES} == {("MR",)}


@pytest.mark.parametrize("name", NAMES)
def test_they_find_the_points_of_synthetic_patients_they_never_saw(name, patients):
    known = weights.find(name)
    prepared = prepare(datasets.load(patients), views=known.views, progress=False)
    points = predict_points(known.file, prepared, progress=False)
    views = prepared.index["view"].tolist()
    errors = metrics.errors(prepared.points, points, prepared.mm_per_pixel, views, prepared.channels)
    for view in known.views:
        numbers = metrics.summary(
            errors.only(prepared.index["view"].to_numpy() == view), prepared.index["patient"].tolist(), bootstrap=0
        )
        assert numbers["mae_px"] < 1.5, view
        assert numbers["pck_5px"] > 0.95, view


@pytest.mark.parametrize("name", NAMES)
def test_a_synthetic_picture_has_the_same_points_as_png_jpeg_and_dicom(name, patients, tmp_path):
    pixels = imaging.read(patients / "phantom-4242-0001" / "sagittal-t2" / "001.dcm").pixels.astype(float)
    pixels = np.clip(pixels / np.percentile(pixels, 99.5) * 255, 0, 255).astype(np.uint8)
    assert_same_points(three_forms(pixels, tmp_path), name)


@pytest.mark.skipif(not REAL_MRI.is_dir(), reason=ABSENT)
@pytest.mark.parametrize("name", NAMES)
def test_a_real_picture_has_the_same_points_as_png_jpeg_and_dicom(name, tmp_path):
    image = pd.read_csv(REAL_MRI / "labels.csv")["image_file"].iloc[0]
    pixels = np.asarray(Image.open(REAL_MRI / "images_native" / image).convert("L"))
    assert_same_points(three_forms(pixels, tmp_path), name)


@pytest.mark.skipif(not REAL_MRI.is_dir(), reason=ABSENT)
def test_the_network_trained_on_synthetic_patients_alone_finds_the_points_of_real_ones(tmp_path):
    known = weights.find("phantom")
    prepared = prepare(datasets.load(write_kaggle_layout(tmp_path / "real", count=40)), views=known.views)
    points = predict_points(known.file, prepared, progress=False)
    radial = np.linalg.norm(points - prepared.points, axis=-1)
    assert np.nanmean(radial[np.isfinite(radial)] <= 5) > 0.85


@pytest.mark.parametrize("name", NAMES)
def test_of_a_neck_every_level_is_absent_or_the_image_is_flagged(name, tmp_path):
    settings = PhantomSettings(patients=15, seed=4243, series=("sagittal-t1", "sagittal-t2"), necks=1.0)
    necks = write_dataset(tmp_path / "necks", settings, workers=1, progress=False)
    found = lumbar.predict(necks, weights=name).groupby("image")
    answered, flagged = found["x"].count() > 0, found["flagged"].first()
    assert answered.mean() <= 0.1
    assert not (answered & ~flagged).any()


def strip_of(image: np.ndarray, points: np.ndarray, upper: float, lower: float):
    """Cut an image between two heights, counted in levels from L1/L2 (0) to L5/S1 (4), and stretch it to the square."""
    step = np.diff(points[:, 1]).mean()
    top, bottom = np.clip(points[0, 1] + np.array([upper, lower]) * step, 0, SIZE)
    change = Affine.translation(0, -top).then(Affine.stretch(SIZE, bottom - top))
    return change.image(image), change.points(points)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("upper", "lower"), [(-1.0, 2.5), (2.5, 5.5)])
def test_a_narrow_strip_is_not_called_empty(name, patients, upper, lower):
    """A network that had not seen strips in training called nine of ten levels in them absent."""
    prepared = prepare(datasets.load(patients), views=weights.find(name).views, progress=False)
    sagittal = prepared.select(prepared.index["view"].eq("sagittal").to_numpy())
    levels = [sagittal.channels.index(level) for level in LEVELS]
    strips = [strip_of(*each, upper, lower) for each in zip(sagittal.images, sagittal.points[:, levels], strict=True)]
    as_it_is = Affine(np.eye(2, 3))
    found = find_points(weights.find(name), [PreparedScan(image, "sagittal", as_it_is, "") for image, _ in strips])
    points, true = np.array([each.xy_native for each in found.points]), np.array([xy for _, xy in strips])
    shown = (true[..., 1] > 5) & (true[..., 1] < SIZE - 5)
    assert np.isnan(points[shown]).any(axis=-1).mean() < 0.25
    gap = np.linalg.norm(np.diff(true, axis=1), axis=-1).mean(axis=1)
    off = (np.linalg.norm(points - true, axis=-1) > gap[:, None] / 2).any(axis=1)
    assert (off & ~np.array([each.flagged for each in found.points])).mean() <= 0.1


def test_noise_is_flagged_and_a_patient_is_not(patients, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (300, 300), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    noisy = lumbar.predict(tmp_path / "noise.png")
    assert noisy["flagged"].all() or noisy["x"].isna().all(), "every level is absent: there is no point to mistrust"
    table = lumbar.predict(patients)
    sagittal = table[table["view"] == "sagittal"].drop_duplicates("image")
    assert sagittal["flagged"].mean() < 0.4
    assert pydicom.dcmread(sagittal["image"].iloc[0]).Modality == "MR"
