"""Of a volume the mid-sagittal slice is taken, wherever the patient lies in it: the one that a DICOM series gives."""

import numpy as np
import pytest

from lumbar import imaging
from lumbar.geometry import Plane
from lumbar.landmarks import LEVELS
from lumbar.phantom import dicom
from lumbar.phantom.anatomy import draw_patient
from lumbar.phantom.contrast import draw_contrast
from lumbar.phantom.planning import Cut
from lumbar.phantom.recipe import stream
from lumbar.phantom.render import render
from lumbar.prediction import PredictionSettings, predict
from lumbar.study import locate
from lumbar.study.volume import BY_CONFIDENCE, CUT_OFF, NOT_SHOWN
from tests.support import volume_files
from tests.support.phantom_studies import header

SIZE, PIXEL, THICKNESS, SPACING = 256, 1.1, 4.0, 4.4


def turned(vector, axis, degrees):
    """Rotate a vector about a unit axis (Rodrigues' formula)."""
    angle = np.radians(degrees)
    along = axis * (axis @ vector) * (1 - np.cos(angle))
    return vector * np.cos(angle) + np.cross(axis, vector) * np.sin(angle) + along


def write_both(folder, seed, *, aside=0.0, rotated=0.0, leaning=0.0, count=15):
    """Write one acquisition of a synthetic patient as a volume and as a DICOM series.

    Args:
        folder: Folder for both.
        seed: Seed of the patient.
        aside: How far to the left of the middle slice the patient lies, mm.
        rotated: Turn of the slices about the long axis of the patient, degrees.
        leaning: Turn of the slices about the direction from front to back, degrees.
        count: Number of slices, odd.

    Returns:
        The volume, the folder of the series and the points of the five levels, (5, 3) patient mm.
    """
    patient = draw_patient(stream(seed, 1, 0), anomalies=False)
    frame, marked = patient.sagittal_frame(), patient.landmarks_mm("sagittal")
    points = np.array([marked[level, ""] for level in LEVELS])
    left, up = frame.left, frame.superior - (frame.superior @ frame.left) * frame.left
    up = up / np.linalg.norm(up)
    left = turned(left, up, rotated)
    front = np.cross(left, up)
    left, up = turned(left, front, leaning), turned(up, front, leaning)
    row, column = np.cross(up, left), -up
    corner = points.mean(axis=0) - aside * left - PIXEL * SIZE / 2 * (row + column)
    contrast = draw_contrast("T2", np.random.default_rng(seed))
    (folder / "series").mkdir(parents=True)
    slices = []
    for number in range(count):  # from the right to the left, as in `lumbar.imaging.volume.reading`
        plane = Plane(corner + (number - count // 2) * SPACING * left, row, column, PIXEL, PIXEL)
        noise = np.random.default_rng((seed, number))
        shown = render(patient, plane, SIZE, SIZE, contrast, noise, thickness=THICKNESS)
        slices.append(np.clip(np.rint(2 * shown), 0, 4095).astype(np.uint16))
        own = {"SOPInstanceUID": dicom.uid("slice", seed, number), "InstanceNumber": count - number, "EchoTime": 100}
        cut = Cut(plane, SIZE, SIZE, THICKNESS, SPACING, ())
        dicom.write_slice(folder / "series" / f"{number:03d}.dcm", slices[-1], cut, header("sagittal T2", **own))
    steps = np.array([SPACING * left, PIXEL * column, PIXEL * row])
    origin = corner - count // 2 * SPACING * left
    voxels = np.stack(slices).astype(np.int16)
    file = volume_files.write(
        folder / "volume.nii.gz", voxels, origin, steps, order=(1, 2, 0), turned=(True, False, True)
    )
    return file, folder / "series", points


MM = ["x_mm", "y_mm", "z_mm"]
PLACED = {
    "straight": {},
    "20 mm to the left": {"aside": 20.0},
    "20 mm to the right and rotated by 10 degrees": {"aside": -20.0, "rotated": -10.0},
    "leaning by 10 degrees": {"leaning": 10.0},
    "80 mm to the left of a wide volume": {"aside": 80.0, "count": 61},
}


@pytest.mark.parametrize(("seed", "name"), list(enumerate(PLACED, start=11)))
def test_wherever_the_patient_lies_the_slice_is_that_of_the_dicom_series(tmp_path, seed, name):
    volume, series, truth = write_both(tmp_path, seed, **PLACED[name])
    found = predict([volume], PredictionSettings(), progress=False)
    located = locate([series], progress=False)
    points = found.table[MM].to_numpy(float)
    assert np.linalg.norm(points - located.table[MM].to_numpy(float), axis=1).max() < 0.5
    unclear = "does not show the middle" in located.middle.why
    near_the_end = "20 mm" in name  # of 62 mm; the network is confident up to the last slice, so the middle is unsure
    assert list(found.remarks) == [NOT_SHOWN if unclear else CUT_OFF if near_the_end else BY_CONFIDENCE]
    assert not unclear or "leaning" in name, "each slice through a leaning spine shows some of its levels"
    plane = imaging.read(volume, frame=int(found.table["frame"][0])).plane
    across = plane.distance(truth)
    assert abs(across.mean()) < 1.5 * SPACING, "the slice is that of the middle, or beside it"
    assert np.linalg.norm(points - (truth - across[:, None] * plane.normal), axis=1).max() < 5


def test_a_volume_that_ends_beside_the_spine_is_flagged(tmp_path):
    volume, series, _ = write_both(tmp_path, 16, aside=28.0)
    found = predict([volume], PredictionSettings(), progress=False)
    assert list(found.remarks) == [CUT_OFF]
    assert found.table["flagged"].all()
    located = locate([series], progress=False)
    assert located.table["flagged"].all()
    assert "the stack ends beside the middle of the spine" in str(located)
    np.testing.assert_allclose(found.table[MM], located.table[MM], atol=0.5)


def test_a_volume_in_which_nothing_shows_the_middle_gives_the_slice_half_way(tmp_path):
    noise = np.random.default_rng(0).integers(0, 999, (12, 64, 48)).astype(np.int16)
    upright = np.array([[4.0, 0, 0], [0, 0, -4.0], [0, 4.0, 0]])
    file = volume_files.write(tmp_path / "noise.mha", noise, (0, 0, 0), upright)
    found = predict([file], PredictionSettings(), progress=False)
    assert (found.table["frame"] == 6).all()
    assert NOT_SHOWN in found.remarks
    assert found.table["flagged"].all() or found.table["x"].isna().all()
