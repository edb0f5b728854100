#!/usr/bin/env bash
# pydicom: bits beyond Bits Stored are ignored in native and RLE pixels, but kept in JPEG 2000 and JPEG-LS ones.
#
# The bits of a pixel above Bits Stored mean nothing (PS3.5, 8.1.1), and older devices draw an overlay there. With such
# an image pixel_array returns the signal from a native or an RLE file. From a lossless JPEG 2000 or JPEG-LS file of the
# same pixels, whose codestream holds all 16 bits, it returns the signal with the overlay, and values of up to 65535
# where Bits Stored states 12.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet --disable-pip-version-check \
  pydicom==3.0.2 numpy==2.4.6 pylibjpeg==2.1.0 pylibjpeg-openjpeg==2.6.0 pylibjpeg-rle==2.2.0 pyjpegls==1.5.1 2>/dev/null
cd "$work"
env/bin/python - <<'PY'
import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, MRImageStorage, RLELossless

print(f"pydicom {pydicom.__version__}")
signal = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32)
drawn = signal.copy()
drawn[4:8, 4:28] |= 0xF000


def image():
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, MRImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset = FileDataset("image.dcm", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, "1.2.3"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 32, 32, 1
    dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME2", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelData = drawn.tobytes()
    return dataset


for name, syntax, kept in (
    ("native", None, False),
    ("RLE", RLELossless, False),
    ("JPEG 2000", JPEG2000Lossless, True),
    ("JPEG-LS", JPEGLSLossless, True),
):
    dataset = image()
    if syntax:
        dataset.compress(syntax, generate_instance_uid=False)
    dataset.BitsStored, dataset.HighBit = 12, 11
    pixels = dataset.pixel_array
    print(f"{name}: Bits Stored 12, largest value {pixels.max()}")
    assert np.array_equal(pixels, drawn if kept else signal), "the behaviour has changed"
PY
