"""Find the five lumbar disc levels in medical images with convolutional networks, and learn how it is done."""

__version__ = "0.1.0"
