"""What the scanner does to a picture: coil, shading, noise, blur, ghosts, truncation, bands and borders."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import fft

from lumbar.phantom.contrast import Contrast


def sensitivity(depth: np.ndarray, height: np.ndarray, contrast: Contrast) -> np.ndarray:
    """Gain of the surface coil.

    Args:
        depth: Distance in front of the back's skin, mm, float32 array.
        height: Distance above the coil's middle, mm, the same shape.
        contrast: Its `coil_depth` and `coil_height` are used.

    Returns:
        float32 array of the same shape, about 1 at the spine.
    """
    along = np.exp(-0.5 * (height / np.float32(contrast.coil_height)) ** 2)
    if not contrast.coil_depth:
        return along
    half = np.float32(contrast.coil_depth)
    at_spine = half * half / (half * half + 70.0**2)
    near = half * half / (half * half + np.maximum(depth, 0) ** 2)
    return along * (near * np.float32(0.9 / at_spine) + np.float32(0.1))


def enlarged(field: np.ndarray, step: int, width: int, height: int) -> np.ndarray:
    """A field known on every `step`-th pixel, from the first on, for all pixels: (height, width) float32."""
    matrix = np.array([[1 / step, 0, 0], [0, 1 / step, 0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(field, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def shading(height: int, width: int, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A slow random field about 1, (height, width) float32."""
    coarse = rng.standard_normal((4, 4), dtype=np.float32) * np.float32(strength)
    return np.exp(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


def shifted(picture: np.ndarray, pixels: float) -> np.ndarray:
    """The picture moved to the right by a fraction of pixels; its edge column repeats."""
    height, width = picture.shape
    matrix = np.array([[1, 0, pixels], [0, 1, 0]], dtype=np.float64)
    return cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def sharpened(picture: np.ndarray, amount: float) -> np.ndarray:
    """The picture with its edges raised, as reconstruction filters do: `amount` times what a small blur removes."""
    blurred = cv2.GaussianBlur(picture, (0, 0), 1.1)
    return np.maximum(cv2.addWeighted(picture, 1 + amount, blurred, -amount, 0), 0)


def truncated(picture: np.ndarray, kept: float) -> np.ndarray:
    """The picture without its highest frequencies down the columns, cut off sharply: Gibbs' ringing at edges."""
    spectrum = fft.rfft(picture, axis=0)
    spectrum[int(kept * (len(spectrum) - 1)) + 1 :] = 0
    return np.maximum(fft.irfft(spectrum, n=picture.shape[0], axis=0), 0).astype(np.float32)


def ghosted(picture: np.ndarray, strength: float, shift: float) -> np.ndarray:
    """The picture with faint copies moved along the columns, as breathing or pulsation makes them."""
    step = max(1, int(shift * picture.shape[0]))
    return picture + np.float32(strength) * (np.roll(picture, step, axis=0) + np.roll(picture, -step, axis=0))


def noisy(picture: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """The picture as the magnitude of a complex signal with noise in both channels (Rician).

    The second channel's noise is the first one's moved by half a picture: as good as unrelated, and half the price.
    """
    real = rng.standard_normal(picture.shape, dtype=np.float32)
    real *= np.float32(sigma)
    imaginary = np.roll(real, (picture.shape[0] // 2, picture.shape[1] // 2), axis=(0, 1))
    real += picture
    # Not cv2.magnitude: its last bit depends on the number of threads.
    real *= real
    imaginary *= imaginary
    real += imaginary
    return np.sqrt(real, out=real)


def black_borders(picture: np.ndarray, margins: np.ndarray, warp: float) -> np.ndarray:
    """The picture with black margins whose inner edges may bend.

    Args:
        picture: (height, width) float32.
        margins: Left, right, top and bottom margin, pixels; 0 for none.
        warp: Bend of the edges, as a share of the picture's size.
    """
    height, width = picture.shape
    left, right, top, bottom = margins
    if left > 0 or right > 0:
        bend = warp * width * np.square(np.linspace(-1, 1, height, dtype=np.float32))[:, None]
        column = np.arange(width, dtype=np.float32)
        if left > 0:
            picture = picture * (column >= left + bend)
        if right > 0:
            picture = picture * (column <= width - 1 - right - bend)
    if top > 0:
        picture[: int(top)] = 0
    if bottom > 0:
        picture[height - int(bottom) :] = 0
    return picture
