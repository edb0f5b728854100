"""Every file of a folder is read or accounted for."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from lumbar.imaging.folder import BROKEN, CLOSED, HIDDEN, LABELS, LINKS, NO_SLICES, OTHERS, list_images
from lumbar.phantom.anatomy import draw_patient
from tests.support import volume_files
from tests.support.dicom_files import dicom

STEPS = [[4.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]]


def kinds(listing) -> dict[str, list[str]]:
    return {each.kind: [file.name for file in each.files] for each in listing.unread}


def scan_and_mask(folder, **options):
    """A volume of noise, as a scan has it, and one of six labels of the same shape beside it."""
    noise = np.random.default_rng(0).integers(0, 900, (12, 40, 30)).astype(np.int16)
    labels = np.zeros_like(noise)
    for label in range(6):
        labels[3:10, 6 * label : 6 * label + 5, 5:20] = label + 1
    volume_files.write(folder / "scan.nii.gz", noise, [0, 0, 0], STEPS, **options)
    volume_files.write(folder / "mask.nii.gz", labels, [0, 0, 0], STEPS, **options)


def test_every_file_is_taken_or_accounted_for(tmp_path):
    for name in ("b.dcm", "IM0001", "c.PNG", "d.jpe", "landmarks.csv", ".hidden.png", "e.tif", "f.bmp", "g.nrrd"):
        (tmp_path / name).touch()
    dicom(tmp_path / "IM.0002")
    dicom(tmp_path / "h.IMA")
    (tmp_path / "h.IMA").write_bytes((tmp_path / "h.IMA").read_bytes()[132:])
    with gzip.open(tmp_path / "b.dcm.gz", "wb"):
        pass
    scan_and_mask(tmp_path / "volumes")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "link").symlink_to(tmp_path / "volumes", target_is_directory=True)
    found = list_images([tmp_path, tmp_path / "b.dcm"])
    assert [file.name for file in found.images] == [
        *("IM.0002", "IM0001", "b.dcm", "c.PNG", "d.jpe", "h.IMA", "scan.nii.gz")
    ]
    assert kinds(found) == {
        "pictures in an unsupported format": ["e.tif", "f.bmp"],
        "volumes in an unsupported format": ["g.nrrd"],
        "compressed files": ["b.dcm.gz"],
        BROKEN: ["gone.png"],
        LINKS: ["link"],
        HIDDEN: [".hidden.png"],
        OTHERS: ["landmarks.csv"],
        LABELS: ["mask.nii.gz"],
    }
    there = sum(len(names) for _, _, names in os.walk(tmp_path)) + 1  # and the link to a folder
    assert len(found.images) + sum(len(each.files) for each in found.unread) == there
    remedies = {each.kind: each.remedy for each in found.unread}
    assert not any(remedies[kind] for kind in (HIDDEN, OTHERS, LABELS)), "they hold no image"
    assert sum(map(bool, remedies.values())) == 5


def test_of_a_dicom_study_pictures_and_volumes_are_accounted_for(tmp_path):
    dicom(tmp_path / "IM0001")
    for name in ("b.dcm", "README", "drawn.png", "scan.nii.gz", "e.tif"):
        (tmp_path / name).touch()
    found = list_images([tmp_path], dicom_only=True)
    assert [file.name for file in found.images] == ["IM0001", "b.dcm"]
    assert kinds(found) == {
        "pictures in an unsupported format": ["e.tif"],
        OTHERS: ["README"],
        NO_SLICES: ["drawn.png", "scan.nii.gz"],
    }
    assert list_images([tmp_path / "drawn.png"], dicom_only=True).images == (tmp_path / "drawn.png",)


def test_who_names_a_file_means_it(tmp_path):
    (tmp_path / "landmarks.csv").touch()
    found = list_images([tmp_path / "landmarks.csv"])
    assert (found.images, found.unread) == ((tmp_path / "landmarks.csv",), ())


def test_a_kind_is_one_line_however_many_files_it_has(tmp_path):
    for number in range(5):
        (tmp_path / f"{number}.tif").touch()
    (unread,) = list_images([tmp_path]).unread
    assert str(unread) == "pictures in an unsupported format: 0.tif, 1.tif, 2.tif and 2 more; save them as PNG"


def test_a_folder_that_cannot_be_opened_is_named(tmp_path, monkeypatch):
    (tmp_path / "shut").mkdir()
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "shut":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert kinds(list_images([tmp_path])) == {CLOSED: ["shut"]}


@pytest.mark.parametrize("order", [(2, 1, 0), (0, 1, 2), (1, 2, 0)])
def test_a_mask_is_known_in_any_order_of_axes(tmp_path, order):
    scan_and_mask(tmp_path, order=order)
    found = list_images([tmp_path])
    assert [file.name for file in found.images] == ["scan.nii.gz"]
    assert kinds(found) == {LABELS: ["mask.nii.gz"]}


def test_masks_of_a_whole_spine_and_of_single_voxels_are_known(tmp_path):
    shape, origin, steps = volume_files.block_of(
        patient := draw_patient(np.random.default_rng(5), anomalies=False), (4.0, 2.0, 2.0)
    )
    mask = volume_files.spider_mask(patient, shape, origin, steps)
    assert len(np.unique(mask)) > 10
    volume_files.write(tmp_path / "mask.mha", mask, origin, steps)
    single = np.zeros(shape, np.float32)
    single[4, ::20, 30] = np.arange(len(single[4, ::20, 30]))
    volume_files.write(tmp_path / "discs.nii.gz", single, origin, steps)
    assert kinds(list_images([tmp_path])) == {LABELS: ["discs.nii.gz", "mask.mha"]}


def test_a_scan_with_few_values_or_with_empty_margins_is_no_mask(tmp_path):
    random = np.random.default_rng(0)
    few = random.integers(0, 40, (3, 40, 30)).astype(np.uint8)
    framed = np.zeros((9, 200, 200), np.int16)
    framed[4, 80:120, 80:120] = random.integers(0, 900, (40, 40))
    for name, voxels in (("few.mha", few), ("framed.mha", framed)):
        volume_files.write(tmp_path / name, voxels, [0, 0, 0], STEPS)
    assert list_images([tmp_path]).unread == ()
