"""Volumes for tests: written by SimpleITK in any order of axes, and sampled from synthetic patients."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from lumbar.phantom.anatomy import Patient
from lumbar.phantom.tissue import Tissue
from lumbar.phantom.tube import Tube

CANAL, FIRST_DISC, FIRST_VERTEBRA = 100, 201, 1


def write(path: Path, voxels: np.ndarray, origin, steps, order=(2, 1, 0), turned=(False, False, False)) -> Path:
    """Write voxels [slice, row, column] with the file's axes in another order and direction.

    Args:
        path: .mha, .nii or .nii.gz; compressed where the format can.
        voxels: Three dimensions.
        origin: Centre of voxel [0, 0, 0], mm, LPS.
        steps: To the next slice, row and column, mm, LPS, (3, 3).
        order: Which of slice, row, column each axis of the file is, the fastest first.
        turned: Which of slice, row, column run backwards in the file.
    """
    steps, origin = np.array(steps, float), np.array(origin, float)
    for axis, backwards in enumerate(turned):
        if backwards:
            origin = origin + (voxels.shape[axis] - 1) * steps[axis]
            steps[axis] *= -1
            voxels = np.flip(voxels, axis)
    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels.transpose(order[::-1])))
    lengths = np.linalg.norm(steps, axis=1)
    image.SetOrigin(origin.tolist())
    image.SetSpacing(lengths[list(order)].tolist())
    image.SetDirection((steps / lengths[:, None])[list(order)].T.ravel().tolist())
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path), useCompression=True)
    return path


def places(shape, origin, steps) -> np.ndarray:
    """Patient mm of all voxels, (slices, rows, columns, 3)."""
    return np.stack(np.indices(shape), axis=-1) @ np.asarray(steps) + origin


def block_of(patient: Patient, steps_mm=(4.0, 1.0, 0.8), extent_mm=(36.0, 230.0, 130.0)):
    """A block of voxels about the lumbar spine, a little askew: (shape, origin, steps)."""
    frame = patient.sagittal_frame()
    directions = np.array([frame.left, -frame.superior, frame.posterior])
    shape = tuple(round(length / step) for length, step in zip(extent_mm, steps_mm, strict=True))
    steps = directions * np.array(steps_mm)[:, None]
    middle = np.mean(list(patient.landmarks_mm("sagittal").values()), axis=0) + 3.0 * frame.left
    return shape, middle - np.array(shape) / 2 @ steps, steps


def spider_mask(patient: Patient, shape, origin, steps) -> np.ndarray:
    """What SPIDER's people would have labelled, uint8: canal, discs over it, vertebrae over both."""
    body = patient.to_body(places(shape, origin, steps)).astype(np.float32)
    labels = np.zeros(shape, np.uint8)

    def paint(solid, label):
        local = (body - np.float32(solid.centre)) @ np.float32(solid.axes).T
        labels[solid.form.distance(*np.moveaxis(local, -1, 0)) < 0] = label

    tubes = (solid for solid in patient.solids if isinstance(solid.form, Tube))
    paint(next(tube for tube in tubes if [coat.tissue for coat in tube.coats] == [Tissue.EPIDURAL_FAT]), CANAL)
    for first, parts in ((FIRST_DISC, patient.column.discs), (FIRST_VERTEBRA, patient.column.bodies)):
        for count, part in enumerate(parts[:-8:-1]):
            paint(part, first + count)
    paint(patient.column.sacrum[0], 0)
    return labels
