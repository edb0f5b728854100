"""Texture of the tissues: smooth noise that is a function of the position in the body.

So neighbouring slices differ as they should, and crossing planes show the same texture where they meet.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from scipy import fft

_SIZE = 512


@lru_cache(maxsize=1)
def _tile() -> np.ndarray:
    """Return periodic noise, float32, (512, 512), mean 0, standard deviation 1, smooth over about 1.5 pixels."""
    white = np.random.default_rng(20).standard_normal((_SIZE, _SIZE), dtype=np.float32)
    passed = np.exp(-2 * (np.pi * 0.9 * fft.fftfreq(_SIZE)) ** 2).astype(np.float32)
    smooth = fft.ifft2(fft.fft2(white) * passed[:, None] * passed).real.astype(np.float32)
    return np.ascontiguousarray((smooth - smooth.mean()) / smooth.std())


def grain(x: np.ndarray, y: np.ndarray, z: np.ndarray, scale: tuple[float, float, float], seed: int) -> np.ndarray:
    """Return noise at positions in the body: a flat tile, extended through the body along the diagonal of x, y and z.

    Sagittal, coronal and axial planes cut that diagonal at the same angle, so none of them shows its direction much.

    Args:
        x: Body mm to the left, float32, shape (h, w).
        y: Body mm to the back, same shape.
        z: Body mm to the head, same shape.
        scale: Size of the grain along x, y and z, mm.
        seed: Different seeds give unrelated noise.

    Returns:
        float32 array (h, w), standard deviation about 1.
    """
    x, y, z = (axis * np.float32(1 / size) for axis, size in zip((x, y, z), scale, strict=True))
    across = (x - y) * np.float32(0.7071) + np.float32(seed * 131 % 509)
    x += y
    x *= np.float32(0.4082)
    x += z * np.float32(-0.8165) + np.float32(seed * 197 % 503)
    return cv2.remap(_tile(), across, x, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def even_grain(x: np.ndarray, y: np.ndarray, z: np.ndarray, scale: tuple[float, float, float], seed: int) -> np.ndarray:
    """Return noise without a visible direction, from two tiles along two diagonals, at twice the cost of `grain`.

    Args:
        x: Body mm to the left, float32, shape (h, w).
        y: Body mm to the back, same shape.
        z: Body mm to the head, same shape.
        scale: Size of the grain along x, y and z, mm.
        seed: Different seeds give unrelated noise.

    Returns:
        float32 array (h, w), standard deviation about 1.
    """
    noise = grain(x, y, z, scale, seed)
    noise += grain(-x, y, z, scale, seed + 1)
    noise *= np.float32(0.7071)
    return noise
