"""Effects of the scanner on an image: coil, shading, noise, sharpening, ghosts, truncation and borders."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import fft

from lumbar.phantom.contrast import Contrast


def sensitivity(depth: np.ndarray, height: np.ndarray, contrast: Contrast) -> np.ndarray:
    """Return the gain of the surface coil.

    Args:
        depth: Distance in front of the skin of the back, mm, float32 array.
        height: Distance above the middle of the coil, mm, same shape.
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
    """Interpolate a field that is known on every `step`-th pixel, from the first on.

    Args:
        field: float32 array, its values `step` pixels apart.
        step: Distance of the known pixels.
        width: Columns of the result.
        height: Rows of the result.

    Returns:
        float32 array (height, width).
    """
    matrix = np.array([[1 / step, 0, 0], [0, 1 / step, 0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(field, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def shading(height: int, width: int, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Sample a smooth bias field.

    Args:
        height: Rows.
        width: Columns.
        strength: Standard deviation of its logarithm at the 4 × 4 points between which it is interpolated.
        rng: Source of random numbers.

    Returns:
        float32 array (height, width), about 1.
    """
    coarse = rng.standard_normal((4, 4), dtype=np.float32) * np.float32(strength)
    return np.exp(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


def shifted(image: np.ndarray, pixels: float) -> np.ndarray:
    """Return the image moved to the right; its edge column is repeated.

    Args:
        image: float32, shape (height, width).
        pixels: Distance, pixels; need not be whole.
    """
    height, width = image.shape
    matrix = np.array([[1, 0, pixels], [0, 1, 0]], dtype=np.float64)
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def sharpened(image: np.ndarray, amount: float) -> np.ndarray:
    """Return the image with enhanced edges (unsharp masking), as reconstruction filters produce them.

    Args:
        image: float32, shape (height, width).
        amount: How often the part that a small blur removes is added.
    """
    blurred = cv2.GaussianBlur(image, (0, 0), 1.1)
    return np.maximum(cv2.addWeighted(image, 1 + amount, blurred, -amount, 0), 0)


def truncated(image: np.ndarray, kept: float) -> np.ndarray:
    """Return the image without its highest frequencies along the columns: a sharp cut-off gives Gibbs ringing.

    Args:
        image: float32, shape (height, width).
        kept: Share of the frequencies to keep, 0 to 1.
    """
    spectrum = fft.rfft(image, axis=0)
    spectrum[int(kept * (len(spectrum) - 1)) + 1 :] = 0
    return np.maximum(fft.irfft(spectrum, n=image.shape[0], axis=0), 0).astype(np.float32)


def ghosted(image: np.ndarray, strength: float, shift: float) -> np.ndarray:
    """Return the image with faint copies moved along the columns, as breathing or pulsation produce them.

    Args:
        image: float32, shape (height, width).
        strength: Strength of each copy, relative to the image.
        shift: Distance of the copies, as a share of the height.
    """
    step = max(1, int(shift * image.shape[0]))
    return image + np.float32(strength) * (np.roll(image, step, axis=0) + np.roll(image, -step, axis=0))


def noisy(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Return the image as the magnitude of a complex signal with noise in both channels (Rician noise).

    The noise of the second channel is that of the first, moved by half an image. The two are practically independent at
    each pixel, and this halves the cost.

    Args:
        image: float32, shape (height, width).
        sigma: Standard deviation of the noise in each channel.
        rng: Source of random numbers.
    """
    real = rng.standard_normal(image.shape, dtype=np.float32)
    real *= np.float32(sigma)
    imaginary = np.roll(real, (image.shape[0] // 2, image.shape[1] // 2), axis=(0, 1))
    real += image
    # Not cv2.magnitude: its last bit depends on the number of threads.
    real *= real
    imaginary *= imaginary
    real += imaginary
    return np.sqrt(real, out=real)


def black_borders(image: np.ndarray, margins: np.ndarray, warp: float) -> np.ndarray:
    """Return the image with black margins; the inner edges of the side margins may bend.

    Args:
        image: float32, shape (height, width).
        margins: Left, right, top and bottom margin, pixels; 0 for none.
        warp: Bend of the side edges, as a share of the width.
    """
    height, width = image.shape
    left, right, top, bottom = margins
    if left > 0 or right > 0:
        bend = warp * width * np.square(np.linspace(-1, 1, height, dtype=np.float32))[:, None]
        column = np.arange(width, dtype=np.float32)
        if left > 0:
            image = image * (column >= left + bend)
        if right > 0:
            image = image * (column <= width - 1 - right - bend)
    if top > 0:
        image[: int(top)] = 0
    if bottom > 0:
        image[height - int(bottom) :] = 0
    return image
