"""Prepared pictures keep their points, come out of the cache as they went in, and nothing is dropped silently."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from lumbar import preprocess
from lumbar.geometry import Affine
from lumbar.preprocess import PreprocessSettings
from tests.support.real_mri import ABSENT, REAL_MRI


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.uint8, np.uint16]), hnp.array_shapes(max_dims=2, max_side=40)
    ),
    st.floats(0, 100),
    st.floats(0, 100),
)
def test_percentiles_are_numpys_to_the_last_bit(pixels, low, high):
    pixels = np.clip(np.nan_to_num(pixels), -1e12, 1e12) if pixels.dtype.kind == "f" else pixels
    np.testing.assert_array_equal(preprocess.percentiles(pixels, low, high), np.percentile(pixels, (low, high)))


def test_the_window_ignores_a_few_bright_pixels():
    pixels = np.random.default_rng(0).normal(500, 50, (300, 300)).astype(np.float32)
    identity = Affine.stretch(300, 300)
    plain = preprocess.square(pixels, identity, PreprocessSettings())
    pixels[0, :20] = 1e6
    np.testing.assert_allclose(plain[5:], preprocess.square(pixels, identity, PreprocessSettings())[5:], atol=3)


def test_a_constant_picture_gives_no_nonsense():
    assert np.ptp(preprocess.square(np.full((50, 50), 7.0), Affine.stretch(50, 50), PreprocessSettings())) == 0


@pytest.mark.skipif(not REAL_MRI.is_dir(), reason=ABSENT)
def test_the_public_labels_frame_is_ours():
    """A native picture stretched to 256×256 is the picture the public labels were drawn on."""
    labels = pd.read_csv(REAL_MRI / "labels.csv").drop_duplicates("filename").head(10)
    for row in labels.itertuples():
        native = np.asarray(Image.open(REAL_MRI / "images_native" / row.image_file), np.float32)
        theirs = np.asarray(Image.open(REAL_MRI / "images_256" / row.image_file), float)
        ours = Affine.stretch(native.shape[1], native.shape[0]).image(native).astype(float)
        best = min(
            (np.abs(np.roll(ours, shift, axis)[8:-8, 8:-8] - theirs[8:-8, 8:-8]).mean(), shift)
            for shift in (-1, 0, 1)
            for axis in (0, 1)
        )
        assert best[1] == 0
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.98
