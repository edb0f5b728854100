"""Read DICOM files. Every step is checked, and compressed pixels are decoded in a child process that may crash.

`reading` returns one frame as a `Scan`, and `slice_header` reads the headers of a study; both use `attributes`.
`pixel_data`, `codestream` and `decoder` read the stored pixel values. `file` opens files within limits of size, and
`first_elements` reads the few elements that state an image's size from thousands of files per minute.
"""

from lumbar.imaging.dicom.file import begins_as_dicom
from lumbar.imaging.dicom.reading import read_dicom

__all__ = ["begins_as_dicom", "read_dicom"]
