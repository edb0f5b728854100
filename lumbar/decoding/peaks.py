"""Peaks of maps: where each lies to a fraction of a pixel, and how much of the map lies around it.

The functions use nothing but the Python array API standard: NumPy runs them, and ndonnx makes an ONNX graph of them.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

REACH = 3
"""How far around a peak the map counts towards its position, pixels of the map."""

MOST = 5
"""Peaks of each map that are considered."""


class Peaks(NamedTuple):
    """The peaks of N images with K maps each, from the highest down.

    Args:
        place: (N, K, `MOST`, 2), x and y in pixels of the frame.
        mass: (N, K, `MOST`), the sum of the map around each; 0 where a map has fewer peaks.
        near: (N, K, `MOST`), the share of it that is near the place.
    """

    place: Any
    mass: Any
    near: Any


def find(maps: Any, size: int, near: float) -> Peaks:
    """Find the highest peaks of maps.

    Args:
        maps: float32 or float64 (N, K, h, w), not negative; all sides but N are known. Where the peaks are is asked in
            this precision, and everything about them computed in float64.
        size: Width and height of the frame that places are given in, in its pixels; pixel centres are whole numbers.
        near: The distance that counts as near, pixels of the frame.
    """
    xp = maps.__array_namespace__()
    count, height, width = maps.shape[1:]
    pixel_x, pixel_y = size / width, size / height
    flat = (-1, count, height * width)
    near_rows, near_columns = _windows(maps, 2)
    around = xp.matmul(xp.matmul(near_rows, maps), near_columns)
    highest = around >= _largest(_largest(around, 2, axis=2), 2, axis=3)
    left = xp.reshape(xp.where(highest, around, -1.0), flat)
    # The centre of mass of the window around each pixel.
    rows, columns = _windows(maps, REACH)
    x = xp.astype(xp.asarray((np.arange(width)[:, None] + 0.5) * pixel_x - 0.5), maps.dtype)
    y = xp.astype(xp.asarray((np.arange(height) + 0.5) * pixel_y - 0.5), maps.dtype)
    along_rows = xp.matmul(maps, columns)
    masses = xp.maximum(xp.matmul(rows, along_rows), 1e-12)
    xs = xp.reshape(xp.matmul(rows, xp.matmul(maps, x * columns)) / masses, flat)
    ys = xp.reshape(xp.matmul(rows * y, along_rows) / masses, flat)
    values = xp.reshape(maps, flat)
    # The windows of the peaks; pixels beyond the edge are empty.
    margins = _margins(_margins(maps, REACH, 0.0, axis=2), REACH, 0.0, axis=3)
    pitch = width + 2 * REACH
    margins = xp.reshape(margins, (-1, count, (height + 2 * REACH) * pitch))
    off_y, off_x = (each.ravel() for each in np.indices((2 * REACH + 1,) * 2))
    window = xp.asarray(off_y * pitch + off_x)
    found = []
    for _ in range(MOST):
        top = xp.max(left, axis=2, keepdims=True)
        here = xp.argmax(xp.where(left == top, values, -1.0), axis=2, keepdims=True)
        row = here // width
        column = here - row * width
        weights = xp.astype(xp.take_along_axis(margins, row * pitch + column + window, axis=2), xp.float64)
        mass = xp.maximum(xp.sum(weights, axis=2, keepdims=True), 1e-12)
        at_x, at_y = (
            xp.astype(line + xp.asarray(off - REACH), xp.float64) * pixel + (pixel - 1) / 2
            for line, off, pixel in ((column, off_x, pixel_x), (row, off_y, pixel_y))
        )
        place_x, place_y = (xp.sum(weights * at, axis=2, keepdims=True) / mass for at in (at_x, at_y))
        # The edge is a pixel wide: with a sharp one the last digit of a position could decide on half of a probability.
        inside = xp.clip(near + 0.5 - xp.sqrt((at_x - place_x) ** 2 + (at_y - place_y) ** 2), 0.0, 1.0)
        share = xp.sum(weights * inside, axis=2, keepdims=True) / mass
        found.append((xp.concat([place_x, place_y], axis=2), xp.where(top >= 0, mass, 0.0), share))
        # A sharp peak lies whole in the windows of several pixels: it is one peak, not several of a part of its weight.
        to_x, to_y = xs - xp.astype(place_x, maps.dtype), ys - xp.astype(place_y, maps.dtype)
        left = xp.where(to_x * to_x + to_y * to_y < (2 * pixel_x) ** 2, -1.0, left)
    place, mass, share = zip(*found, strict=True)
    return Peaks(xp.stack(place, axis=2), xp.concat(mass, axis=2), xp.concat(share, axis=2))


def _windows(maps: Any, reach: int) -> list[Any]:
    """Return matrices of 0 and 1, (h, h) and (w, w), that add up the pixels within reach of each one.

    The first is multiplied from the left and adds along columns, the second from the right and along rows.
    """
    xp = maps.__array_namespace__()
    away = (abs(np.subtract.outer(np.arange(length), np.arange(length))) for length in maps.shape[2:])
    return [xp.astype(xp.asarray((each <= reach).astype(np.float64)), maps.dtype) for each in away]


def _largest(maps: Any, reach: int, *, axis: int) -> Any:
    """Return the largest value around each pixel along one axis."""
    xp = maps.__array_namespace__()
    whole, length = _margins(maps, reach, -1.0, axis=axis), maps.shape[axis]
    parts = (_part(whole, step, step + length, axis=axis) for step in range(2 * reach + 1))
    return functools.reduce(xp.maximum, parts)


def _part(maps: Any, begin: int, end: int, *, axis: int) -> Any:
    return maps[..., begin:end] if axis == 3 else maps[..., begin:end, :]


def _margins(maps: Any, reach: int, value: float, *, axis: int) -> Any:
    """Put margins with a value before and after maps along one axis."""
    xp = maps.__array_namespace__()
    margin = xp.full_like(_part(maps, 0, reach, axis=axis), value)
    return xp.concat([margin, maps, margin], axis=axis)
