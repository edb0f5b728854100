"""Read one image (DICOM, PNG, JPEG or a slice of a volume) into pixels, spacing and position, without guessing.

`dicom` reads DICOM files, `volume` MetaImage and NIfTI files, `picture` PNG and JPEG files. `folder` finds the images
in folders, `header` reads the size of an image alone, and `identity` finds files that contradict each other.
"""

from __future__ import annotations

from pathlib import Path

from lumbar.core.constants import PICTURES, VOLUMES
from lumbar.core.errors import ScanError
from lumbar.imaging.dicom.reading import read_dicom
from lumbar.imaging.picture import read_picture
from lumbar.imaging.scan import Scan
from lumbar.imaging.volume.reading import holds_labels, read_volume

__all__ = ["Scan", "is_mask", "is_volume", "read"]


def read(path: str | Path, *, frame: int | None = None) -> Scan:
    """Read one image from a file.

    Args:
        path: A DICOM file (of any name), a PNG or JPEG file, or a volume (.mha, .nii, .nii.gz).
        frame: Frame of a multi-frame file, from 0; required if there are several. For a volume it is the sagittal
            slice, from the patient's right to the left; see `lumbar.imaging.volume.reading`.

    Returns:
        The image, with what the file states about it.

    Raises:
        ScanError: If the file cannot be read, or not without guessing. The error says what is wrong, where, and what to
            do.
    """
    path = Path(path)
    reader = read_volume if is_volume(path) else read_picture if path.suffix.lower() in PICTURES else read_dicom
    try:
        if not path.is_file():
            raise ScanError("there is no such file", file=path)
        return reader(path, frame)
    except OSError as error:
        raise ScanError("the file cannot be opened", file=path, found=error.strerror or str(error)) from error


def is_volume(path: str | Path) -> bool:
    """Return whether a file is read as a volume, as its name says."""
    return Path(path).name.lower().endswith(VOLUMES)


def is_mask(path: str | Path) -> bool:
    """Return whether a file is a volume of labels (a mask), in which there is nothing to find.

    Args:
        path: The file.

    Raises:
        ScanError: If it is a volume that cannot be read.
    """
    path = Path(path)
    return is_volume(path) and path.is_file() and holds_labels(path)
