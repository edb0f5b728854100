"""Lazy images behave as the array that they stand for, and only small selections are copied into memory."""

import numpy as np
import pytest

from lumbar.storage import lazy_images


@pytest.fixture
def images(tmp_path, monkeypatch):
    """Two arrays of images, each in a file, and all of them in memory; no selection is small enough to be copied."""
    monkeypatch.setattr(lazy_images, "COPY_LIMIT", 0)
    rng = np.random.default_rng(0)
    arrays = []
    for name, count in (("one", 5), ("two", 3)):
        np.save(tmp_path / f"{name}.npy", rng.integers(0, 256, (count, 4, 4), dtype=np.uint8))
        arrays.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    return arrays, np.concatenate(arrays)


@pytest.mark.parametrize(
    "index",
    [
        *(2, -1, np.int64(3), slice(1, 5), slice(None, None, -2), [3, 0, 0], np.array([True, False] * 3)),
        *(
            (slice(0, 3), slice(None), slice(None, None, -1)),
            (1, 2),
            (slice(None, 4), ..., None),
            (..., 0),
            np.array([], int),
        ),
    ],
    ids=str,
)
def test_indexing_gives_what_the_array_gives(images, index):
    arrays, together = images
    order = np.array([7, 2, 0, 5, 4, 6])
    of_two_files = lazy_images.select(lazy_images.concatenate(arrays), order)
    assert isinstance(of_two_files, lazy_images.LazyImages)
    np.testing.assert_array_equal(of_two_files[index], together[order][index])


def test_a_selection_of_a_selection_and_its_concatenation(images):
    arrays, together = images
    some = lazy_images.select(lazy_images.select(arrays[0], np.array([4, 1, 3])), np.array([2, 0]))
    again = lazy_images.concatenate([arrays[1], some, together[:2]])
    expected = np.concatenate([together[5:], together[[3, 4]], together[:2]])
    np.testing.assert_array_equal(np.asarray(again), expected)
    assert (len(again), again.shape, again.dtype) == (7, expected.shape, expected.dtype)
    for image, true in zip(again, expected, strict=True):
        np.testing.assert_array_equal(image, true)


def test_small_selections_and_arrays_in_memory_are_copied(images, monkeypatch):
    arrays, together = images
    assert type(lazy_images.select(together, np.array([1]))) is np.ndarray
    monkeypatch.setattr(lazy_images, "COPY_LIMIT", 32)
    assert type(lazy_images.select(arrays[0], np.array([1, 2]))) is not lazy_images.LazyImages
    assert type(lazy_images.select(arrays[0], np.array([1, 2, 3]))) is lazy_images.LazyImages
