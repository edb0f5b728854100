"""Pictures of a set too large for memory: they stay in their files, and are read when somebody asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

HELD = 2**29
"""Bytes of pictures up to which a choice of them is copied into memory; 8,192 pictures of 256×256."""


class Stored:
    """Some pictures of one or several memory-mapped arrays, in any order, for whoever reads one or a few at a time.

    Indexing gives ordinary arrays, as does `np.asarray`, which takes all of them into memory.

    Args:
        arrays: Each uint8 (…, 256, 256).
        array: (N,) which array a picture lies in.
        place: (N,) its place there.
    """

    def __init__(self, arrays: Sequence[np.ndarray], array: np.ndarray, place: np.ndarray):
        self.arrays, self.array, self.place = tuple(arrays), array, place
        self.shape, self.dtype, self.ndim = (len(place), *arrays[0].shape[1:]), arrays[0].dtype, arrays[0].ndim

    def __len__(self) -> int:
        return len(self.place)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self._picture(position) for position in range(len(self)))

    def __getitem__(self, index: Any) -> np.ndarray:
        first, *rest = index if isinstance(index, tuple) else (index,)
        if first is Ellipsis or first is None:
            return np.asarray(self)[index]
        positions = np.arange(len(self))[first]
        found = self._picture(positions) if positions.ndim == 0 else self._read(positions)
        return found[(*[slice(None)] * positions.ndim, *rest)] if rest else found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("stored pictures cannot become an array without a copy")
        return self._read(np.arange(len(self))).astype(dtype or self.dtype, copy=False)

    def _picture(self, position: int) -> np.ndarray:
        return self.arrays[self.array[position]][self.place[position]]

    def _read(self, positions: np.ndarray) -> np.ndarray:
        read = np.empty((*positions.shape, *self.shape[1:]), self.dtype)
        for where in np.ndindex(positions.shape):
            read[where] = self._picture(positions[where])
        return read


def chosen(images: np.ndarray | Stored, positions: np.ndarray) -> np.ndarray | Stored:
    """Some of the pictures: a copy if they are few or in memory already, else where to find them.

    Args:
        images: (N, 256, 256).
        positions: (M,) which ones.
    """
    size = len(positions) * int(np.prod(images.shape[1:])) * images.dtype.itemsize
    if size <= HELD or not isinstance(images, np.memmap | Stored):
        return images[positions]
    one = joined([images])
    return Stored(one.arrays, one.array[positions], one.place[positions])


def joined(several: Sequence[np.ndarray | Stored]) -> np.ndarray | Stored:
    """Pictures of several arrays, one after the other; a copy only if all of them are in memory already."""
    if not any(isinstance(images, np.memmap | Stored) for images in several):
        return np.concatenate(several)
    arrays, array, place = [], [], []
    for images in several:
        stored = isinstance(images, Stored)
        array.append((images.array if stored else np.zeros(len(images), np.intp)) + len(arrays))
        place.append(images.place if stored else np.arange(len(images)))
        arrays.extend(images.arrays if stored else [images])
    return Stored(arrays, np.concatenate(array), np.concatenate(place))
