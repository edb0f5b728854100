"""The Pixel Data of a DICOM file, native or compressed, as the numbers that are stored; nothing is decoded unseen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import pixel_array
from pydicom.uid import UID, AllTransferSyntaxes, RLELossless

from lumbar.core.errors import ScanError
from lumbar.imaging.dicom import codestream, decoder
from lumbar.imaging.dicom.file import whole

_ITEM = b"\xfe\xff\x00\xe0"  # compressed Pixel Data begins with the tag of its first item
_FEWEST_ROWS = 32  # a smaller picture has too few rows to tell
_LOOKED_AT = 2**16  # pixels in the middle; more would not tell more
_UNLIKE = 3.0
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


def stored_values(path: Path, dataset: Dataset, frame: int, frames: int) -> np.ndarray:
    """The numbers stored for one frame.

    Args:
        path: The file, for the messages.
        dataset: Its elements; Rows and Columns are known to be bounded.
        frame: Which frame, from 0.
        frames: How many the header says there are.

    Returns:
        (rows, columns) integers; (rows, columns, 3) for a picture in colour, as RGB.

    Raises:
        ScanError: If they cannot be had.
    """
    _check_bits(path, dataset)
    syntax = _transfer_syntax(path, dataset)
    compressed = bytes(dataset.PixelData[:4]) == _ITEM
    if syntax.is_encapsulated != compressed:
        raise _coded_otherwise(path, "compressed" if compressed else "native", syntax)
    if not syntax.is_encapsulated:
        return _native(path, dataset, frame, syntax)
    if syntax not in decoder.DECODERS:
        raise ScanError(
            "no package of ours decodes this kind of compression",
            file=path,
            field="TransferSyntaxUID",
            found=syntax.name,
            remedy=_EXPORT,
        )
    coded = _frame(path, dataset, frame, frames)
    attributes = {name: whole(dataset.get(keyword)) or 0 for name, keyword in _ATTRIBUTES.items()}
    attributes["photometric_interpretation"] = str(dataset.PhotometricInterpretation)
    if syntax == RLELossless:
        _check_rle(path, coded, attributes)
    else:
        _check_codestream(path, coded, syntax, attributes)
    try:
        return decoder.decode(coded, str(syntax), attributes)
    except decoder.DecodingError as error:
        raise _undecodable(path, syntax, error) from error


def _check_bits(path: Path, dataset: Dataset) -> None:
    """The header must say how a pixel's bits lie in its word; with each other way it would be another picture."""
    keywords = ("SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
    found = [dataset.get(keyword) for keyword in keywords]
    samples, allocated, stored, high, signed = map(whole, found)
    fits = samples in (1, 3) and allocated in (8, 16, 32) and stored in range(1, allocated + 1) and signed in (0, 1)
    fits = fits and (high == stored - 1 or found[3] is None)
    if not fits:
        raise ScanError(
            "the header does not say in a way we know how a pixel's bits are laid out",
            file=path,
            field=", ".join(keywords),
            found=", ".join(map(str, found)),
            expected="1 or 3 samples of 8, 16 or 32 bits; the high bit one less than those stored; 0 or 1 for the sign",
            remedy="export the series again",
        )


def _transfer_syntax(path: Path, dataset: Dataset) -> UID:
    syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
    if not isinstance(syntax, UID) or syntax not in AllTransferSyntaxes:
        raise ScanError(
            "the header does not say in a way we know how the pixels are coded",
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
    except Exception as error:  # pydicom's may be of any kind
        raise _undecodable(path, syntax, error) from error
    _check_proportions(path, pixels)
    return pixels


def _check_proportions(path: Path, pixels: np.ndarray) -> None:
    """Refuse rows and columns that were exchanged: as many pixels, but each row begins in the middle of another.

    The right width makes neighbouring rows alike: in the middle of 140 real pictures, cut to be oblong, the difference
    from row to row was at most 0.62 of what it is with the other width, and typically 0.07.
    """
    if pixels.ndim != 2 or pixels.shape[0] == pixels.shape[1] or min(pixels.shape) < _FEWEST_ROWS:
        return
    raster = pixels.ravel()
    spare = max(len(raster) - _LOOKED_AT, 0) // 2
    raster = raster[spare : len(raster) - spare].astype(np.float32)
    stated, exchanged = (float(np.abs(raster[width:] - raster[:-width]).mean()) for width in pixels.shape[::-1])
    if stated > _UNLIKE * exchanged:
        raise ScanError(
            "the picture's rows and columns look exchanged",
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


def _coded_otherwise(path: Path, found: str, syntax: UID) -> ScanError:
    return ScanError(
        "the pixels are coded in another way than the header says",
        file=path,
        field="TransferSyntaxUID",
        found=found,
        expected=syntax.name,
        remedy=_EXPORT,
    )


def _frame(path: Path, dataset: Dataset, frame: int, frames: int) -> bytes:
    try:
        return bytes(get_frame(dataset.PixelData, frame, number_of_frames=frames))
    except Exception as error:  # pydicom's may be of any kind
        raise ScanError(
            "the compressed pixels are damaged", file=path, field="PixelData", found=error, remedy=_EXPORT
        ) from error


def _check_rle(path: Path, coded: bytes, attributes: dict) -> None:
    planes = attributes["samples_per_pixel"] * attributes["bits_allocated"] // 8
    segments = codestream.rle_segments(coded)
    if segments != planes:
        found = "no RLE header that fits" if segments is None else f"RLE of {segments} byte planes, not {planes}"
        raise _coded_otherwise(path, found, RLELossless)
    needed = planes * attributes["rows"] * attributes["columns"]
    if len(coded) * codestream.RLE_GAIN < needed:
        raise ScanError(
            "the header promises more pixels than the file can hold",
            file=path,
            field="Rows, Columns",
            found=f"{len(coded)} bytes of RLE",
            expected=f"enough for {needed} bytes of pixels",
            remedy="copy or export the file again",
        )


def _check_codestream(path: Path, coded: bytes, syntax: UID, attributes: dict) -> None:
    """Does the codestream hold the picture that the header describes, and is it there to its end?

    One that was cut short decodes to garbage without a word; its end marker is then missing.
    """
    found = codestream.examine(coded)
    allowed = codestream.expected_coding(syntax)
    if found is None or found.coding not in allowed:
        raise _coded_otherwise(path, found.coding if found else "none of JPEG, JPEG-LS and JPEG 2000", syntax)
    described = (found.columns, found.rows, found.components)
    stated = (attributes["columns"], attributes["rows"], attributes["samples_per_pixel"])
    if described != stated or found.bits > attributes["bits_allocated"]:
        raise ScanError(
            "the compressed picture is another than the header describes",
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
