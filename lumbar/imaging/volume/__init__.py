"""Read MetaImage (.mha) and NIfTI (.nii, .nii.gz) volumes: `header` checks the header, `reading` reads slices."""

from lumbar.imaging.volume.reading import read_volume

__all__ = ["read_volume"]
