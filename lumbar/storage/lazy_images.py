"""Images of a data set too large for memory: they stay in their files and are read when they are indexed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

COPY_LIMIT = 2**29
"""Largest selection of images, in bytes, that `select` copies into memory: 8,192 images of 256×256 pixels."""


class LazyImages:
    """Images of one or several memory-mapped arrays, in any order, read one or a few at a time.

    Indexing returns ordinary arrays. So does `np.asarray`, which reads all images into memory.

    Args:
        arrays: The memory-mapped arrays, each uint8 (…, 256, 256).
        array_index: (N,) index of the array that contains each image.
        row: (N,) index of each image in its array.
    """

    def __init__(self, arrays: Sequence[np.ndarray], array_index: np.ndarray, row: np.ndarray):
        self.arrays, self.array_index, self.row = tuple(arrays), array_index, row
        self.shape, self.dtype, self.ndim = (len(row), *arrays[0].shape[1:]), arrays[0].dtype, arrays[0].ndim

    def __len__(self) -> int:
        return len(self.row)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self._image(position) for position in range(len(self)))

    def __getitem__(self, index: Any) -> np.ndarray:
        first, *rest = index if isinstance(index, tuple) else (index,)
        if first is Ellipsis or first is None:
            return np.asarray(self)[index]
        positions = np.arange(len(self))[first]
        found = self._image(positions) if positions.ndim == 0 else self._read(positions)
        return found[(*[slice(None)] * positions.ndim, *rest)] if rest else found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("images on disk cannot become an array without a copy")
        return self._read(np.arange(len(self))).astype(dtype or self.dtype, copy=False)

    def _image(self, position: int) -> np.ndarray:
        return self.arrays[self.array_index[position]][self.row[position]]

    def _read(self, positions: np.ndarray) -> np.ndarray:
        images = np.empty((*positions.shape, *self.shape[1:]), self.dtype)
        for where in np.ndindex(positions.shape):
            images[where] = self._image(positions[where])
        return images


def select(images: np.ndarray | LazyImages, positions: np.ndarray) -> np.ndarray | LazyImages:
    """Return some of the images: a copy in memory, or `LazyImages` if they are on disk and larger than `COPY_LIMIT`.

    Args:
        images: (N, 256, 256).
        positions: (M,) indices of the images to return.

    Returns:
        (M, 256, 256).
    """
    size = len(positions) * int(np.prod(images.shape[1:])) * images.dtype.itemsize
    if size <= COPY_LIMIT or not isinstance(images, np.memmap | LazyImages):
        return images[positions]
    lazy = concatenate([images])
    return LazyImages(lazy.arrays, lazy.array_index[positions], lazy.row[positions])


def concatenate(several: Sequence[np.ndarray | LazyImages]) -> np.ndarray | LazyImages:
    """Return the images of several arrays in one sequence; a copy is made only if all of them are in memory.

    Args:
        several: Arrays, each (N, 256, 256).

    Returns:
        (sum of all N, 256, 256).
    """
    if not any(isinstance(images, np.memmap | LazyImages) for images in several):
        return np.concatenate(several)
    arrays, array_index, row = [], [], []
    for images in several:
        lazy = isinstance(images, LazyImages)
        array_index.append((images.array_index if lazy else np.zeros(len(images), np.intp)) + len(arrays))
        row.append(images.row if lazy else np.arange(len(images)))
        arrays.extend(images.arrays if lazy else [images])
    return LazyImages(arrays, np.concatenate(array_index), np.concatenate(row))
