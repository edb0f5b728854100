"""The patch lies where it should, and the map shows what it does there."""

import numpy as np
import pytest

from lumbar.experiments import occlusion as module
from lumbar.experiments.occlusion import occlude, occlusion
from lumbar.geometry import SIZE
from tests.support.prepared import answered, spots


@pytest.mark.parametrize(
    ("x", "y", "size", "columns", "rows"),
    [
        (100.5, 60.5, 32, (85, 117), (45, 77)),
        (100, 60, 5, (98, 103), (58, 63)),
        (-0.5, 255.5, 16, (0, 8), (248, 256)),
        (-40, 10, 16, (0, 0), (2, 18)),
    ],
)
def test_the_square_is_centred_and_cut_off_at_the_edges(x, y, size, columns, rows):
    image = np.full((SIZE, SIZE), 7, np.uint8)
    expected = image.copy()
    expected[slice(*rows), slice(*columns)] = 200
    np.testing.assert_array_equal(occlude(image, x, y, size, 200), expected)
    assert (image == 7).all(), "the image itself stays as it is"


def test_a_point_moves_and_loses_where_it_is_covered(monkeypatch):
    part = spots(3)

    def answer(network, asked, progress):
        """A network that finds a bright spot where it is, with 0.9, and guesses 12 px aside where it is dark."""
        x, y = np.rint(asked.points).astype(int).transpose(2, 0, 1)
        dark = np.stack([image[y[n], x[n]] < 128 for n, image in enumerate(asked.images)])
        return answered(asked.points + np.where(dark, 12.0, 0.0)[..., None] * [1, 0], np.where(dark, 0.2, 0.9))

    monkeypatch.setattr(module, "predict_with_probability", answer)
    found = occlusion("network", part, 1, size=24, step=16, grey=0)
    np.testing.assert_allclose(found.x, np.arange(16) * 16 + 7.5)
    np.testing.assert_allclose(found.y, found.x)
    away = np.abs(np.stack(np.meshgrid(found.x, found.y), axis=-1)[:, :, None] - np.rint(part.points[1])).max(axis=-1)
    covered = away < 12
    assert covered.any(axis=(0, 1)).all()
    np.testing.assert_allclose(found.moved, np.where(covered, 12.0, 0.0))
    np.testing.assert_allclose(found.lost, np.where(covered, 0.7, 0.0), atol=1e-12)
    place, lost = found.hottest(2)
    assert lost == pytest.approx(0.7)
    assert np.abs(place - part.points[1, 2]).max() < 13
