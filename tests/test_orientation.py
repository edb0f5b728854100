"""An image lies the way in which the network finds most points, and not the way in which it is sure of most."""

import numpy as np
import pytest

from lumbar import orientation, weights
from tests.support.prepared import answered, spots


@pytest.mark.parametrize(
    ("as_it_is", "turned", "seems"),
    [
        ([0.9] * 5, [0.2] * 5, ""),
        ([0.2] * 5, [0.9] * 5, "upside down"),
        ([0.9] * 5, [0.91] * 5, ""),
        ([0.9, 0.9, 0.9, 0.01, 0.01], [1e-5] * 5, ""),
        ([1e-5] * 5, [0.9, 0.9, 0.9, 1e-6, 1e-6], "upside down"),
        ([1e-6] * 5, [1e-3] * 5, ""),
        ([np.nan] * 5, [np.nan] * 5, ""),
    ],
)
def test_an_image_lies_as_its_points_are_found(monkeypatch, as_it_is, turned, seems):
    """What is not found is absent for certain; a network may be as sure of that as of points."""
    part = spots(1)
    part.images[0, :9] = 255  # so that the top of the image is known

    def answer(network, part, engine, progress):
        upside_down = part.images[0, -1, 0] == 255 and part.images[0, -1, -1] == 255 and part.images[0, 0, 0] == 0
        return answered(part.points, turned if upside_down else [1e-6] * 5, 1 - np.array(turned))

    monkeypatch.setattr(orientation, "predict_with_probability", answer)
    found = orientation.detect_orientation(weights.find(), part, np.array([as_it_is]), np.array([True]))
    assert found == [seems]
    assert orientation.detect_orientation(weights.find(), part, np.array([as_it_is]), np.array([False])) == [""]
