"""Constants shared by the whole package: version, levels, views, sides, parts. This module imports nothing."""

VERSION = "0.1.0"
"""Version of the package, the same as in pyproject.toml."""

LEVELS = ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
"""The five lumbar disc levels, from superior to inferior."""

NEIGHBOURS = ("T12/L1", "S1/S2")
"""The disc above the five levels, and the remains of the one below them. No answer names them; a network may know them
to count the levels by."""

ROW = (NEIGHBOURS[0], *LEVELS, NEIGHBOURS[1])
"""The discs from T12/L1 to S1/S2, from superior to inferior."""

VIEWS = ("sagittal", "coronal", "axial")
"""Anatomical planes of an image."""

TOWARDS = (("left", "right"), ("back", "front"), ("head", "feet"))
"""For x, y and z in patient mm (LPS): where they grow, and where they fall."""

SIDES = ("left", "right")
"""The PATIENT's sides: names of the two subarticular points of an axial image."""

PARTS = ("train", "validation", "test")
"""Parts of a split."""

PICTURES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif"}
"""Endings of PNG and JPEG files; a file with neither these endings nor those of a volume is read as DICOM."""

VOLUMES = (".mha", ".nii", ".nii.gz")
"""Endings of volume files: MetaImage and NIfTI."""

OTHER_VOLUMES = (".nrrd", ".nhdr", ".mhd", ".mgz", ".mgh", ".mnc", ".hdr", ".img", ".img.gz")
"""Endings of volumes that only other programs read: NRRD, MetaImage in two files, FreeSurfer, MINC, Analyze."""

BACKBONES = ("MobileNetV3Small", "EfficientNetV2B0", "EfficientNetV2S", "EfficientNetLite0")
"""Networks that may be the backbone of a transfer network: those of `keras.applications`, and the one of
`lumbar.backbones`, whose weights come with a package."""

RESIZE = ("stretch", "letterbox")
"""How an image becomes square, see `lumbar.preprocess.PreprocessSettings`."""

ENGINES = ("onnx", "keras")
"""What can run a trained network, see `lumbar.engines`; the first one does unless another is chosen."""

HEADLESS = "LUMBAR_HEADLESS"
"""Environment variable that is set where notebooks are executed without a browser; static pictures then stand in the
place of what a person could move."""

DEFAULT_WEIGHTS = "phantom+mr"
"""Name of the released network that is used unless another is chosen."""
