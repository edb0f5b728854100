"""DICOM files: pixels and headers, every step checked, and compressed pixels decoded where a crash can be survived.

`reading` gives one frame as a `Scan` and `slice_header` the headers of a study; `attributes` is what both need.
`pixel_data`, `decoder` and `codestream` give the stored values, `file` opens files and knows their limits, and
`first_elements` reads sizes from thousands of files a minute.
"""

from lumbar.imaging.dicom.file import begins_as_dicom
from lumbar.imaging.dicom.reading import read_dicom

__all__ = ["begins_as_dicom", "read_dicom"]
