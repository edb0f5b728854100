"""The slices of a series are the planes of one volume, or they are refused as one."""

import numpy as np
import pytest
import SimpleITK as sitk

from lumbar.core.errors import ScanError
from lumbar.geometry import Plane
from lumbar.study.lattice import lattice
from lumbar.study.reading import read_study
from tests.support.phantom_studies import HEIGHT, WIDTH, centred, header, moved, parallel, write_slices

OBLIQUE = centred(np.array([8.0, -20, 40]), np.array([0.3, 1, 0.2]), np.array([0.1, -0.2, -1]), 0.7, 0.9)
"""A sagittal plane turned by some 20° about two axes."""


def stack_of(folder, planes, **options):
    write_slices(folder, planes, header("sagittal"), shuffled=1, **options)
    ((_, stack),) = read_study([folder], progress=False).stacks("sagittal")
    return stack


def test_voxels_of_an_oblique_series_lie_where_its_headers_and_simpleitk_say(tmp_path):
    planes = parallel(OBLIQUE, 7, 4.4)
    found = lattice(stack_of(tmp_path, planes))
    assert found.size == (WIDTH, HEIGHT, 7)
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path))
    volume = sitk.ReadImage(files)
    for column, row, number in ((0, 0, 0), (WIDTH - 1, 5, 6), (20, HEIGHT - 1, 3)):
        place = np.array([column, row, number]) @ found.steps + found.origin
        np.testing.assert_allclose(place, planes[number].to_patient([column, row]), atol=1e-3)
        index = volume.TransformPhysicalPointToContinuousIndex(place)
        np.testing.assert_allclose(index, (column, row, number), atol=1e-3)
        assert volume[column, row, number] == number + 1


def rotated(plane, degrees):
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    row = cos * plane.along_row + sin * plane.along_column
    return Plane(plane.position, row, np.cross(plane.normal, row), plane.pixel_width, plane.pixel_height)


PLANES = parallel(OBLIQUE, 7, 4.4)
IRREGULAR = {
    "a slice is missing": [*PLANES[:2], *PLANES[3:]],
    "a slice lies nearer to the next one": [*PLANES[:3], moved(PLANES[3], 0.5 * OBLIQUE.normal), *PLANES[4:]],
    "each slice is shifted sideways": [moved(plane, n * OBLIQUE.along_row) for n, plane in enumerate(PLANES)],
    "a slice is turned by a third of a degree": [*PLANES[:3], rotated(PLANES[3], 0.33), *PLANES[4:]],
}


@pytest.mark.parametrize("how", IRREGULAR)
def test_slices_that_are_not_one_volume_are_refused(tmp_path, how):
    with pytest.raises(ScanError, match="not one volume"):
        lattice(stack_of(tmp_path, IRREGULAR[how]))


def test_one_slice_takes_its_depth_from_the_header(tmp_path):
    stated = lattice(stack_of(tmp_path / "both", [OBLIQUE], spacing=5.0))
    assert np.linalg.norm(stated.steps[2]) == pytest.approx(5.0)
    thick = lattice(stack_of(tmp_path / "thickness", [OBLIQUE]))
    assert np.linalg.norm(thick.steps[2]) == pytest.approx(4.0)
    with pytest.raises(ScanError, match="unknown thickness"):
        lattice(stack_of(tmp_path / "neither", [OBLIQUE], thickness=None))
