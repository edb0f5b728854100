"""Constants that every part of the package shares: version, levels, views, sides, parts. Imports nothing."""

VERSION = "0.1.0"
"""Version of the package, as pyproject.toml states it."""

LEVELS = ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
"""The five lumbar disc levels, from the head down."""

VIEWS = ("sagittal", "coronal", "axial")
"""The planes a scan may be cut in."""

SIDES = ("left", "right")
"""The PATIENT's sides, for the two subarticular points of an axial slice."""

PARTS = ("train", "validation", "test")
"""The parts of a split."""

PICTURES = {".png", ".jpg", ".jpeg"}
"""Endings of files that are read as pictures; a file that is neither picture nor volume is taken for DICOM."""

VOLUMES = (".mha", ".nii", ".nii.gz")
"""Endings of files that are read as volumes."""

BACKBONES = ("MobileNetV3Small", "EfficientNetV2B0", "EfficientNetV2S")
"""Networks of `keras.applications` that a transfer network may start with."""

DEFAULT_WEIGHTS = "phantom+mr"
"""The released network that answers unless another is chosen."""
