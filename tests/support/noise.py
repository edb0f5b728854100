"""A picture of noise that is the same in each run; Pillow's own `effect_noise` cannot be seeded."""

import numpy as np
from PIL import Image


def noise(size: tuple[int, int], spread: float) -> Image.Image:
    """Return a grey picture of (width, height), with a mean of 128 and a standard deviation before clipping."""
    pixels = np.random.default_rng(0).normal(128, spread, size[::-1])
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
