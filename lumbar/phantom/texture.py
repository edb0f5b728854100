"""Grain of the tissues: smooth noise that is a function of the place in the body.

Because it is, neighbouring slices differ as they should and crossing planes show the same grain where they meet.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from scipy import fft

_SIZE = 512


@lru_cache(maxsize=1)
def _tile() -> np.ndarray:
    """(512, 512) float32 noise, mean 0, standard deviation 1, periodic, smooth over about one and a half pixels."""
    white = np.random.default_rng(20).standard_normal((_SIZE, _SIZE), dtype=np.float32)
    passed = np.exp(-2 * (np.pi * 0.9 * fft.fftfreq(_SIZE)) ** 2).astype(np.float32)
    smooth = fft.ifft2(fft.fft2(white) * passed[:, None] * passed).real.astype(np.float32)
    return np.ascontiguousarray((smooth - smooth.mean()) / smooth.std())


def grain(x: np.ndarray, y: np.ndarray, z: np.ndarray, scale: tuple[float, float, float], seed: int) -> np.ndarray:
    """Noise at body places.

    A flat tile is cut askew through the body, such that sagittal, coronal and axial planes all cut across it.

    Args:
        x: mm to the left, float32, shape (h, w).
        y: mm to the back, the same shape.
        z: mm to the head, the same shape.
        scale: Size of the grain along x, y and z, mm.
        seed: Fields with different seeds are unrelated.

    Returns:
        float32 array (h, w), standard deviation about 1.
    """
    shift_u, shift_v = seed * 131 % 509, seed * 197 % 503
    u = y * np.float32(1 / scale[1]) + (x * np.float32(0.6 / scale[0]) + np.float32(shift_u))
    v = z * np.float32(1 / scale[2]) + (x * np.float32(1 / scale[0]) + np.float32(shift_v))
    return cv2.remap(_tile(), u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
