"""Volumes, MetaImage (.mha) and NIfTI (.nii, .nii.gz): `header` checks what a file says, `reading` gives its slices."""

from lumbar.imaging.volume.reading import middle_slice, read_volume

__all__ = ["middle_slice", "read_volume"]
