"""Read the stored values from the Pixel Data of a DICOM file, native or compressed, after checking the header."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import pixel_array
from pydicom.uid import UID, AllTransferSyntaxes, RLELossless

from lumbar.core.errors import ScanError
from lumbar.imaging.dicom import codestream, decoder
from lumbar.imaging.dicom.file import whole_number
from lumbar.imaging.scan import EXTRA_BITS

_ITEM = b"\xfe\xff\x00\xe0"  # compressed Pixel Data begins with the tag of its first item
_FEWEST_ROWS = 32  # a smaller image has too few rows to compare
_COMPARED_PIXELS = 2**16  # from the middle; more would not change the result
_UNLIKE = 3.0  # ratio of the differences from row to row
_END_OF_IMAGE = b"\xff\xd9"
_ATTRIBUTES = {
    "rows": "Rows",
    "columns": "Columns",
    "samples_per_pixel": "SamplesPerPixel",
    "bits_allocated": "BitsAllocated",
    "bits_stored": "BitsStored",
    "pixel_representation": "PixelRepresentation",
    "planar_configuration": "PlanarConfiguration",
}
_EXPORT = "export the series again, uncompressed if that is offered"


def stored_values(path: Path, dataset: Dataset, frame: int, frames: int, remarks: list[str]) -> np.ndarray:
    """Read the stored values of one frame.

    Args:
        path: The file, for the messages.
        dataset: The elements of the file; Rows and Columns must have been checked.
        frame: The frame, from 0.
        frames: The number of frames that the header states.
        remarks: `lumbar.imaging.scan.EXTRA_BITS` is appended if compressed pixels have bits beyond Bits Stored.

    Returns:
        Integers, (rows, columns); for a colour image RGB, (rows, columns, 3).

    Raises:
        ScanError: If the pixels cannot be decoded, or do not match the header.
    """
    _check_bits(path, dataset)
    syntax = _transfer_syntax(path, dataset)
    compressed = bytes(dataset.PixelData[:4]) == _ITEM
    if syntax.is_encapsulated != compressed:
        raise _wrong_coding(path, "compressed" if compressed else "native", syntax)
    if not syntax.is_encapsulated:
        return _native(path, dataset, frame, syntax)
    if syntax not in decoder.DECODERS:
        raise ScanError(
            "this kind of compression is not supported",
            file=path,
            field="TransferSyntaxUID",
            found=syntax.name,
            remedy=_EXPORT,
        )
    coded = _frame(path, dataset, frame, frames)
    attributes = {name: whole_number(dataset.get(keyword)) or 0 for name, keyword in _ATTRIBUTES.items()}
    attributes["photometric_interpretation"] = str(dataset.PhotometricInterpretation)
    if syntax == RLELossless:
        _check_rle(path, coded, attributes)
    else:
        _check_codestream(path, coded, syntax, attributes)
    try:
        pixels = decoder.decode(coded, str(syntax), attributes)
    except decoder.DecodingError as error:
        raise _undecodable(path, syntax, error) from error
    stored = _without_extra_bits(pixels, attributes["bits_stored"])
    if not np.array_equal(stored, pixels):
        remarks.append(EXTRA_BITS)
    return stored


def _without_extra_bits(pixels: np.ndarray, bits: int) -> np.ndarray:
    """Return what the lower bits hold; the others mean nothing (PS3.5, 8.1.1), and some devices draw an overlay there.

    pydicom does so with native pixels only.

    Args:
        pixels: Integers, signed if the stored values are.
        bits: Bits Stored.
    """
    unused = 8 * pixels.itemsize - bits
    return (pixels << unused) >> unused  # extends the sign where there is one


def _check_bits(path: Path, dataset: Dataset) -> None:
    """Refuse a header that does not state the bit layout of a pixel; every other layout gives another image."""
    keywords = ("SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
    found = [dataset.get(keyword) for keyword in keywords]
    samples, allocated, stored, high, signed = map(whole_number, found)
    fits = samples in (1, 3) and allocated in (8, 16, 32) and stored in range(1, allocated + 1) and signed in (0, 1)
    fits = fits and (high == stored - 1 or found[3] is None)
    if not fits:
        raise ScanError(
            "the bit layout of the pixels is missing or not supported",
            file=path,
            field=", ".join(keywords),
            found=", ".join(map(str, found)),
            expected="1 or 3 samples of 8, 16 or 32 bits; a high bit one below the bits stored; representation 0 or 1",
            remedy="export the series again",
        )


def _transfer_syntax(path: Path, dataset: Dataset) -> UID:
    syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
    if not isinstance(syntax, UID) or syntax not in AllTransferSyntaxes:
        raise ScanError(
            "the transfer syntax is missing or unknown",
            file=path,
            field="TransferSyntaxUID",
            found=syntax,
            remedy=_EXPORT,
        )
    return syntax


def _native(path: Path, dataset: Dataset, frame: int, syntax: UID) -> np.ndarray:
    try:
        pixels = pixel_array(dataset, index=frame)
    except MemoryError:
        raise
    except Exception as error:  # pydicom may raise anything
        raise _undecodable(path, syntax, error) from error
    _check_proportions(path, pixels)
    return pixels


def _check_proportions(path: Path, pixels: np.ndarray) -> None:
    """Refuse an image whose rows and columns were swapped: the pixels fit, but each row begins inside another.

    With the right width, neighbouring rows are similar. In the middle of 140 real images, cropped to be oblong, the
    difference between neighbouring rows was at most 0.62 times the difference with the wrong width, typically 0.07
    times.
    """
    if pixels.ndim != 2 or pixels.shape[0] == pixels.shape[1] or min(pixels.shape) < _FEWEST_ROWS:
        return
    raster = pixels.ravel()
    margin = max(len(raster) - _COMPARED_PIXELS, 0) // 2
    raster = raster[margin : len(raster) - margin].astype(np.float32)
    stated, swapped = (float(np.abs(raster[width:] - raster[:-width]).mean()) for width in pixels.shape[::-1])
    if stated > _UNLIKE * swapped:
        raise ScanError(
            "the picture's rows and columns look swapped",
            file=path,
            field="Rows, Columns",
            found=f"{pixels.shape[0]}, {pixels.shape[1]}",
            remedy="export the series again",
        )


def _undecodable(path: Path, syntax: UID, error: Exception) -> ScanError:
    return ScanError(
        "the pixels cannot be decoded",
        file=path,
        field=f"PixelData ({syntax.name})",
        found=str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__,
        remedy=_EXPORT,
    )


def _wrong_coding(path: Path, found: str, syntax: UID) -> ScanError:
    return ScanError(
        "the pixels are not encoded as the header states",
        file=path,
        field="TransferSyntaxUID",
        found=found,
        expected=syntax.name,
        remedy=_EXPORT,
    )


def _frame(path: Path, dataset: Dataset, frame: int, frames: int) -> bytes:
    try:
        return bytes(get_frame(dataset.PixelData, frame, number_of_frames=frames))
    except Exception as error:  # pydicom may raise anything
        raise ScanError(
            "the compressed pixels are damaged", file=path, field="PixelData", found=error, remedy=_EXPORT
        ) from error


def _check_rle(path: Path, coded: bytes, attributes: dict) -> None:
    planes = attributes["samples_per_pixel"] * attributes["bits_allocated"] // 8
    segments = codestream.rle_segments(coded)
    if segments != planes:
        found = "no valid RLE header" if segments is None else f"RLE with {segments} byte planes, not {planes}"
        raise _wrong_coding(path, found, RLELossless)
    needed = planes * attributes["rows"] * attributes["columns"]
    if len(coded) * codestream.RLE_GAIN < needed:
        raise ScanError(
            "the header states more pixels than the file can hold",
            file=path,
            field="Rows, Columns",
            found=f"{len(coded)} bytes of RLE",
            expected=f"enough for {needed} bytes of pixels",
            remedy="copy or export the file again",
        )


def _check_codestream(path: Path, coded: bytes, syntax: UID, attributes: dict) -> None:
    """Refuse a codestream that does not match the header or is incomplete.

    A truncated codestream decodes to garbage without an error, but it has no end marker.
    """
    found = codestream.examine(coded)
    allowed = codestream.expected_coding(syntax)
    if found is None or found.coding not in allowed:
        raise _wrong_coding(path, found.coding if found else "neither JPEG nor JPEG-LS nor JPEG 2000", syntax)
    described = (found.columns, found.rows, found.components)
    stated = (attributes["columns"], attributes["rows"], attributes["samples_per_pixel"])
    if described != stated or found.bits > attributes["bits_allocated"]:
        raise ScanError(
            "the compressed picture does not match the header",
            file=path,
            field="Columns, Rows, SamplesPerPixel, BitsAllocated",
            found=", ".join(map(str, (*described, found.bits))),
            expected=", ".join(map(str, (*stated, attributes["bits_allocated"]))),
            remedy="export the series again",
        )
    if _END_OF_IMAGE not in coded[-16:]:
        raise ScanError(
            "the compressed picture is cut short",
            file=path,
            field="PixelData",
            found="no end-of-image marker",
            remedy="copy or export the file again",
        )
