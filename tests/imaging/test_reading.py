"""Images are read as the standards define, and the reader refuses to guess and says why."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import pixel_array
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from lumbar import imaging
from lumbar.core.errors import ScanError
from lumbar.geometry import Plane
from lumbar.imaging.dicom import decoder
from lumbar.imaging.dicom.attributes import ROUNDED, position_and_orientation
from lumbar.imaging.dicom.file import begins_as_dicom
from lumbar.imaging.dicom.pixel_data import stored_values
from lumbar.imaging.dicom.slice_header import read_headers
from lumbar.imaging.header import read_header
from lumbar.imaging.scan import EXTRA_BITS, LOOKED_UP, NAMED, PADDED, TRANSPARENT
from tests.support.dicom_files import EDGE_CASES, SHIPPED, STORED, dicom
from tests.support.phantom_studies import header, write_enhanced

needs_edge_cases = pytest.mark.skipif(
    not EDGE_CASES.is_dir(), reason=f"the hard DICOM files are not at hand ({EDGE_CASES})"
)


def test_a_plain_file(tmp_path):
    scan = imaging.read(dicom(tmp_path / "a.dcm", WindowCenter=["600", "40"], WindowWidth=["1200", "80"]))
    np.testing.assert_array_equal(scan.pixels, STORED)
    assert scan.pixels.dtype == np.float32
    assert (scan.pixel_height, scan.pixel_width) == (0.5, 0.8), "Pixel Spacing gives the ROW spacing first"
    np.testing.assert_allclose(scan.plane.to_patient([2, 1]), [1, -20 + 2 * 0.8, 300 - 1 * 0.5])
    assert scan.view == "sagittal"
    assert scan.window == (600, 1200)
    assert scan.identity["patient"] == "P1"
    assert "Somebody" not in str(scan.identity)
    assert scan.warnings == (NAMED,)


@pytest.mark.parametrize(
    ("orientation", "view"),
    [([1, 0, 0, 0, 1, 0], "axial"), ([1, 0, 0, 0, 0, -1], "coronal"), ([0, 1, 0, 0, 0, -1], "sagittal")],
)
def test_the_view_follows_from_the_orientation(tmp_path, orientation, view):
    assert imaging.read(dicom(tmp_path / "a.dcm", ImageOrientationPatient=orientation)).view == view


def test_signed_pixels_and_rescale(tmp_path):
    signed = (STORED.astype(np.int16) - 500).tobytes()
    scan = imaging.read(
        dicom(tmp_path / "a.dcm", PixelData=signed, PixelRepresentation=1, RescaleSlope=2, RescaleIntercept=-3)
    )
    np.testing.assert_array_equal(scan.pixels, (STORED.astype(float) - 500) * 2 - 3)


def test_monochrome1_is_inverted_with_a_warning(tmp_path):
    scan = imaging.read(dicom(tmp_path / "a.dcm", PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(scan.pixels, STORED.max() - STORED)
    assert "MONOCHROME1" in scan.warnings[0]


def test_the_window_is_inverted_with_the_pixels(tmp_path):
    changes = {"WindowCenter": "100", "WindowWidth": "50"}
    scan = imaging.read(dicom(tmp_path / "a.dcm", PhotometricInterpretation="MONOCHROME1", **changes))
    assert scan.window == (STORED.max() - 100, 50)


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME2", "inverse ", True),
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME1", None, True),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", "", False),
    ],
)
def test_an_image_is_inverted_once_whichever_attribute_says_so(tmp_path, photometric, shape, inverted):
    """Digital X-ray images with MONOCHROME1 also state INVERSE (PS3.3, C.8.11.3): both mean the same inversion."""
    changes = {"PhotometricInterpretation": photometric, "PresentationLUTShape": shape}
    scan = imaging.read(dicom(tmp_path / "a.dcm", **changes, WindowCenter="100", WindowWidth="50"))
    np.testing.assert_array_equal(scan.pixels, STORED.max() - STORED if inverted else STORED)
    assert scan.window == ((STORED.max() - 100) if inverted else 100, 50)
    assert any("inverted" in text for text in scan.warnings) == inverted


BLACK = [[True, True, False, False], [False] * 4, [False, False, False, True]]


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize(
    ("padding", "stated"),
    [
        ([-2000] * 3, {"PixelPaddingValue": -2000}),
        ([32767] * 3, {"PixelPaddingValue": 32767}),
        ([-2000, -1999, -1990], {"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1990}),
        ([-2000, -1999, -1990], {"PixelPaddingValue": -1990, "PixelPaddingRangeLimit": -2000}),
    ],
)
def test_padding_is_black_and_it_is_said(tmp_path, padding, stated, photometric):
    """Without this, padding of -32768 would leave a scan hardly any grey levels."""
    stored = STORED.astype(np.int16) - 500
    signal = stored[~np.array(BLACK)]
    stored[np.array(BLACK)] = padding
    changes = {"PixelData": stored.tobytes(), "PixelRepresentation": 1, "RescaleSlope": 2, "RescaleIntercept": -3}
    scan = imaging.read(dicom(tmp_path / "a.dcm", **changes, **stated, PhotometricInterpretation=photometric))
    assert PADDED in scan.warnings
    shown = 2.0 * signal - 3
    if photometric == "MONOCHROME1":
        shown = shown.max() + shown.min() - shown
    np.testing.assert_array_equal(scan.pixels[~np.array(BLACK)], shown)
    assert (scan.pixels[np.array(BLACK)] == shown.min()).all()


def test_padding_may_be_stated_as_an_unsigned_number(tmp_path):
    stored = STORED.astype(np.int16) - 500
    stored[0] = -2000
    changes = {"PixelData": stored.tobytes(), "PixelRepresentation": 1, "PixelPaddingValue": -2000}
    path = dicom(tmp_path / "a.dcm", **changes)
    signed = struct.pack("<2H2s", 0x28, 0x120, b"SS")
    assert signed in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(signed, struct.pack("<2H2s", 0x28, 0x120, b"US")))
    assert pydicom.dcmread(path).PixelPaddingValue == 2**16 - 2000
    np.testing.assert_array_equal(imaging.read(path).pixels, np.where(stored == -2000, stored[1, 0], stored))


def test_padding_of_a_big_endian_file_is_black_too(tmp_path):
    stored = STORED.astype(np.int16) - 500
    stored[0] = -2000
    changes = {"PixelData": stored.tobytes(), "PixelRepresentation": 1, "PixelPaddingValue": -2000}
    dataset = pydicom.dcmread(dicom(tmp_path / "a.dcm", **changes))
    dataset.PixelData = stored.astype(">i2").tobytes()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    pydicom.dcmwrite(tmp_path / "b.dcm", dataset, little_endian=False, implicit_vr=False)
    expected = np.where(stored == -2000, stored[1, 0], stored)
    np.testing.assert_array_equal(imaging.read(tmp_path / "b.dcm").pixels, expected)


@pytest.mark.parametrize("value", [400, 1, 5000, "none"])
def test_padding_that_cannot_be_true_is_signal(tmp_path, value):
    """Some headers state a value amidst the signal, or one that no pixel has."""
    stated = {} if value == "none" else {"PixelPaddingValue": value}
    scan = imaging.read(dicom(tmp_path / "a.dcm", **stated))
    np.testing.assert_array_equal(scan.pixels, STORED)
    assert PADDED not in scan.warnings
    flat = np.full(STORED.shape, 7, np.uint16)
    np.testing.assert_array_equal(
        imaging.read(dicom(tmp_path / "b.dcm", PixelData=flat.tobytes(), PixelPaddingValue=7)).pixels, flat
    )


@pytest.mark.parametrize(
    ("number", "kind"), [("66.4", "labels"), ("66.7", "labels"), ("66.8", "heights"), ("481.2", "dose")]
)
def test_pixels_that_are_no_signal_are_refused_by_their_kind(tmp_path, number, kind):
    """A label map has 8 bits a pixel and would otherwise be taken for a scan."""
    with pytest.raises(ScanError, match=f"{kind}.* not a scan"):
        imaging.read(dicom(tmp_path / "a.dcm", SOPClassUID=f"1.2.840.10008.5.1.4.1.1.{number}"))


def lookup_table(descriptor: list[int], data: bytes | list[int]) -> Dataset:
    item = Dataset()
    if descriptor[1] < 0:  # signed if the stored values are
        item.add_new("LUTDescriptor", "SS", descriptor)
    else:
        item.add_new("LUTDescriptor", "US", descriptor)
    item.add_new("LUTData", "OW" if isinstance(data, bytes) else "US", data)
    item.ModalityLUTType = "US"
    return item


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize("signed", [True, False])
def test_a_modality_lut_maps_the_stored_values(tmp_path, bits, words, signed):
    """Values below the first one mapped get the first entry, those above the last one the last (PS3.3, C.11.1.1)."""
    entries = np.arange(6, dtype="<u2") ** 2 * 100
    stored, first = (STORED.astype(np.int16) // 100 - 9, -7) if signed else (STORED // 100, 2)
    table = lookup_table([6, first, bits], entries.tobytes() if words else entries.tolist())
    changes = {"PixelRepresentation": int(signed), "PixelData": stored.tobytes(), "ModalityLUTSequence": [table]}
    scan = imaging.read(dicom(tmp_path / "a.dcm", **changes))
    expected = [[0, 0, 0, 100], [400, 900, 1600, 2500], [2500, 2500, 2500, 2500]]
    np.testing.assert_array_equal(scan.pixels, expected)
    assert scan.pixels.dtype == np.float32
    assert LOOKED_UP in scan.warnings
    inverted = imaging.read(dicom(tmp_path / "b.dcm", **changes, PresentationLUTShape="INVERSE"))
    np.testing.assert_array_equal(inverted.pixels, 2500 - np.array(expected))


@pytest.mark.parametrize("stored", [np.uint8, np.int8])
def test_a_modality_lut_of_eight_bit_pixels_does_not_overflow(tmp_path, stored):
    """The first value mapped, -1000 or 200, does not fit into the type of the stored values, or its difference."""
    first, depth = (-1000 if stored is np.int8 else 200), {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    values = (np.arange(12) * 20 - (120 if stored is np.int8 else 0)).astype(stored)
    entries = list(range(0, 3000, 2))
    table = lookup_table([len(entries), first, 16], entries)
    changes = {"PixelData": values.tobytes(), "PixelRepresentation": int(stored is np.int8), **depth}
    scan = imaging.read(dicom(tmp_path / "a.dcm", ModalityLUTSequence=[table], **changes))
    np.testing.assert_array_equal(scan.pixels.ravel(), np.maximum(values.astype(int) - first, 0) * 2)


@pytest.mark.parametrize(
    ("descriptor", "data"),
    [([6, 0, 16], b"\0\1" * 5), ([6, 0, 16], [1, 2]), ([6, 0], [1] * 6), ([6, 0, 16], [])],
    ids=str,
)
def test_a_damaged_modality_lut_is_refused(tmp_path, descriptor, data):
    with pytest.raises(ScanError, match="Modality LUT is damaged") as refusal:
        imaging.read(dicom(tmp_path / "bad.dcm", ModalityLUTSequence=[lookup_table(descriptor, data)]))
    assert "bad.dcm" in str(refusal.value)


@pytest.mark.parametrize("syntax", [b"1.2.840.99999.1.2.1\0", b"1.2.840.1\\1.2.840.12"], ids=["unknown", "two"])
def test_an_unknown_transfer_syntax_is_refused(tmp_path, syntax):
    path = dicom(tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", syntax))
    with pytest.raises(ScanError, match="transfer syntax is missing or unknown"):
        imaging.read(path)


def test_a_size_that_is_not_a_number_is_refused(tmp_path):
    with pytest.raises(ScanError, match="not a pair of integers"):
        imaging.read(dicom(tmp_path / "a.dcm", Rows=[3, 3]))


@pytest.mark.parametrize("nothing", [None, []], ids=["absent", "empty"])
@pytest.mark.parametrize("missing", ["PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"])
def test_a_scan_without_a_position_still_has_pixels(tmp_path, missing, nothing):
    scan = imaging.read(dicom(tmp_path / "a.dcm", **{missing: nothing}))
    assert scan.plane is None
    assert (scan.pixel_width is None) == (missing == "PixelSpacing")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"PixelSpacing": [0, 0.5]}, "PixelSpacing"),
        ({"PixelSpacing": [-1, 0.5]}, "PixelSpacing"),
        ({"PixelSpacing": [0.5]}, "PixelSpacing"),
        ({"RescaleSlope": 2}, "Rescale"),
        ({"RescaleSlope": 0, "RescaleIntercept": 1}, "Rescale"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "ImageOrientation"),
        ({"ImagePositionPatient": [1, 2]}, "ImagePosition"),
        ({"PixelData": None}, "PixelData"),
        ({"PixelData": STORED.tobytes()[:-4]}, "PixelData"),
        ({"Rows": None}, "Rows"),
        ({"Rows": 0}, "Rows"),
        ({"Rows": 65535, "Columns": 65535}, "Rows"),
        ({"BitsAllocated": 1}, "BitsAllocated"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "Photometric"),
        ({"NumberOfFrames": 3}, "NumberOfFrames"),
    ],
    ids=str,
)
def test_what_needs_guessing_is_refused_by_name(tmp_path, changes, field):
    path = dicom(tmp_path / "bad.dcm", **changes)
    with pytest.raises(ScanError) as refusal:
        imaging.read(path)
    assert "bad.dcm" in str(refusal.value)
    assert field in refusal.value.field


@pytest.mark.parametrize("text", [b"0.5\\NaN ", b"0.5\\0,8 ", b"half\\0.8"])
def test_text_in_the_spacing(tmp_path, text):
    path = dicom(tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes().replace(b"0.5\\0.8 ", text))
    with pytest.raises(ScanError, match="spacing"):
        imaging.read(path)


def rounded_orientations(decimals: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return random orientations (2, 3) that `Plane` refuses after rounding, unrounded and rounded."""
    found = []
    for turn in np.random.default_rng(0).normal(size=(5000, 3)):
        true = cv2.Rodrigues(turn)[0][:2]
        rounded = true.round(decimals)
        try:
            Plane([0, 0, 0], *rounded, 1, 1)
        except ValueError:
            found.append((true, rounded))
    assert len(found) > 20
    return found


def test_directions_rounded_to_three_decimals_are_made_perpendicular():
    """Points agree with the unrounded orientation better than the rounded numbers themselves do, and are never further
    off than those may be: 5e-4 in each of the three coordinates and for each mm along the row and along the column."""
    corners = np.array([[300, 0], [0, 300], [300, 300]])
    errors = []
    for true, rounded in rounded_orientations(3):
        remarks = []
        groups = [{"ImagePositionPatient": [1, 2, 3], "ImageOrientationPatient": rounded.ravel().tolist()}]
        position, directions = position_and_orientation(Path("a.dcm"), groups, remarks)
        assert position.tolist() == [1, 2, 3]
        assert remarks == [ROUNDED]
        np.testing.assert_allclose(directions @ directions.T, np.eye(2), atol=1e-12)
        found, stated = (np.linalg.norm(corners @ (each - true), axis=1) for each in (directions, rounded))
        assert (found <= 5e-4 * np.sqrt(3) * corners.sum(axis=1)).all()
        errors.append((found.max(), stated.max()))
    found, stated = np.mean(errors, axis=0)
    assert found < stated / 2


def test_a_rounded_orientation_is_read_and_said(tmp_path):
    stated = [-0.218, 0.972, -0.087, -0.101, -0.11, -0.989]
    path = dicom(tmp_path / "a.dcm", ImageOrientationPatient=stated)
    scan, (slice_header,) = imaging.read(path), read_headers(path)
    assert ROUNDED in scan.warnings
    assert slice_header.warnings == (ROUNDED,)
    for plane in (scan.plane, slice_header.plane):
        np.testing.assert_allclose((*plane.along_row, *plane.along_column), stated, atol=7.5e-4)
        assert abs(plane.along_row @ plane.along_column) < 1e-12
        np.testing.assert_allclose(plane.to_patient([2, 1]), [1 - 0.3993, -20 + 1.5002, 300 - 0.6337], atol=2e-3)
    np.testing.assert_array_equal(scan.orientation, [scan.plane.along_row, scan.plane.along_column])


def test_directions_that_are_nearly_perpendicular_stay_as_stated(tmp_path):
    stated = [0.0009, 1, 0, 0, 0, -1.0005]
    scan = imaging.read(dicom(tmp_path / "a.dcm", ImageOrientationPatient=stated))
    np.testing.assert_array_equal(scan.orientation, np.reshape(stated, (2, 3)))
    assert ROUNDED not in scan.warnings


def test_directions_rounded_to_two_decimals_are_refused_with_a_remedy():
    _, rounded = max(rounded_orientations(2), key=lambda pair: abs(pair[1][0] @ pair[1][1]))
    with pytest.raises(ScanError, match=r"perpendicular unit vectors[\s\S]*at least three decimals"):
        position_and_orientation(Path("a.dcm"), [{"ImageOrientationPatient": rounded.ravel().tolist()}], [])


def attempt(path: Path) -> imaging.Scan | ScanError:
    """Return the first frame, or the ScanError; any other exception fails the test."""
    for frame in (None, 0):
        try:
            return imaging.read(path, frame=frame)
        except ScanError as error:
            refusal = error
            if error.field != "NumberOfFrames":
                break
    return refusal


@pytest.mark.parametrize("path", SHIPPED + sorted(EDGE_CASES.glob("*.dcm")), ids=lambda path: path.name)
def test_hard_files_are_read_or_refused(path):
    """A file gives finite pixels of the size that its header states, or a ScanError that names the file."""
    answer = attempt(path)
    if isinstance(answer, ScanError):
        assert path.name in str(answer)
        return
    header = pydicom.dcmread(path, stop_before_pixels=True)
    assert answer.pixels.shape == (header.Rows, header.Columns)
    assert np.isfinite(answer.pixels).all()


def test_most_of_the_grey_files_that_ship_with_pydicom_are_read():
    """A reader that refuses everything would pass the test above, but not this one."""
    assert sum(isinstance(attempt(path), imaging.Scan) for path in SHIPPED) >= 18


def test_each_frame_of_an_enhanced_file_has_its_own_position(tmp_path):
    def item(**attributes) -> Dataset:
        dataset = Dataset()
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
        return dataset

    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=[2, 3])],
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
    )
    frames = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[0, 0, z])],
            PixelValueTransformationSequence=[item(RescaleSlope=1, RescaleIntercept=z)],
        )
        for z in (10, 20)
    ]
    flat = dict.fromkeys(("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"))
    path = dicom(
        tmp_path / "enhanced.dcm",
        **flat,
        NumberOfFrames=2,
        PixelData=np.stack([STORED, STORED + 1]).tobytes(),
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=frames,
    )
    scan = imaging.read(path, frame=1)
    np.testing.assert_array_equal(scan.pixels, STORED + 1 + 20)
    np.testing.assert_allclose(scan.plane.to_patient([1, 1]), [3, 2, 20])
    with pytest.raises(ScanError, match="2"):
        imaging.read(path)
    with pytest.raises(ScanError, match="no such frame"):
        imaging.read(path, frame=2)


def decoy() -> Dataset:
    """What a sequence other than the standard ones may hold: the same attributes with another meaning."""
    dataset = Dataset()
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [100, 200, 300], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness, dataset.SpacingBetweenSlices = [9, 9], 9, 9
    dataset.RescaleSlope, dataset.RescaleIntercept = 9, 9
    dataset.WindowCenter, dataset.WindowWidth = 9, 9
    dataset.EffectiveEchoTime, dataset.EchoTime, dataset.FrameType = 9, 9, "DECOY"
    return dataset


def private(groups: Dataset) -> None:
    """Add a manufacturer's sequence, which stands before the public groups of pixels and shared attributes."""
    groups.private_block(0x2005, "SOMEBODY'S MR 005", create=True).add_new(0x0F, "SQ", [decoy()])


def foreign(groups: Dataset) -> None:
    """Add a public sequence that stands before the groups of position and orientation."""
    groups.ReferencedImageSequence = [decoy()]


@pytest.mark.parametrize("add", [private, foreign])
@pytest.mark.parametrize("level", ["PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"])
@pytest.mark.parametrize("position", ["PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"])
def test_only_the_standard_groups_of_an_enhanced_file_count(tmp_path, add, level, position):
    plane = Plane([-7, -20, 300], [0, 1, 0], [0, 0, -1], 0.8, 0.5)
    path = write_enhanced(tmp_path / "enhanced.dcm", [plane], header("t2"), echo_times=[90])
    dataset = pydicom.dcmread(path)
    place = dataset.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence
    del dataset.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence
    dataset[position][0].PlanePositionSequence = place
    add(dataset[level][0])
    dataset.save_as(path)
    scan, (slice_header,) = imaging.read(path), read_headers(path)
    for found in (scan.plane, slice_header.plane):
        np.testing.assert_array_equal(found.position, [-7, -20, 300])
        np.testing.assert_array_equal((found.along_row, found.along_column), [[0, 1, 0], [0, 0, -1]])
        assert (found.pixel_width, found.pixel_height) == (0.8, 0.5)
    assert (scan.pixels == 1).all()
    assert scan.window is None
    assert (slice_header.thickness, slice_header.spacing, slice_header.echo_time) == (4, None, 90)
    assert slice_header.image_type == ("ORIGINAL", "PRIMARY", "T2", "NONE")


def test_attributes_that_a_converter_could_not_assign_are_found(tmp_path):
    """A legacy converted file keeps them in a functional group of their own (PS3.3, C.7.6.16.2)."""
    plane = Plane([-7, -20, 300], [0, 1, 0], [0, 0, -1], 0.8, 0.5)
    path = write_enhanced(tmp_path / "converted.dcm", [plane], header("t2"))
    dataset = pydicom.dcmread(path)
    dataset.PerFrameFunctionalGroupsSequence[0].UnassignedPerFrameConvertedAttributesSequence = [decoy()]
    dataset.save_as(path)
    (slice_header,) = read_headers(path)
    assert slice_header.echo_time == 9
    assert slice_header.plane.position.tolist() == [-7, -20, 300]
    assert slice_header.thickness == 4


@needs_edge_cases
@pytest.mark.parametrize("name", ["big_endian", "RLE", "jpeg_2k_lossless", "jpeg_ls_lossless"])
def test_the_same_pixels_in_every_transfer_syntax(name):
    plain = imaging.read(EDGE_CASES / "emri_small.dcm", frame=9)
    other = imaging.read(EDGE_CASES / f"emri_small_{name}.dcm", frame=9)
    np.testing.assert_array_equal(other.pixels, plain.pixels)


@needs_edge_cases
def test_a_truncated_codestream_is_refused():
    with pytest.raises(ScanError):
        imaging.read(EDGE_CASES / "emri_small_jpeg_2k_lossless_too_short.dcm", frame=9)


COMPRESSED = [
    *("693_J2KI.dcm", "J2K_pixelrep_mismatch.dcm", "JPEG2000.dcm", "JPEGLSNearLossless_08.dcm", "rtdose_rle.dcm"),
    *("JPEGLSNearLossless_16.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"),
    *("GDCMJ2K_TextGBR.dcm", "SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_jls_lossy_line.dcm"),
    *("SC_rgb_rle_16bit.dcm", "examples_ybr_color.dcm", "SC_rgb_small_odd_jpeg.dcm", "SC_rgb_dcmtk_+eb+cy+s4.dcm"),
]


@pytest.mark.parametrize("name", COMPRESSED)
def test_the_child_process_decodes_like_pydicom_in_this_process(name):
    path = next(path for path in SHIPPED if path.name == name)
    dataset = pydicom.dcmread(path)
    remarks = []
    ours = stored_values(path, dataset, 0, int(dataset.get("NumberOfFrames", 1)), remarks)
    plugin = decoder.DECODERS[dataset.file_meta.TransferSyntaxUID][0]
    np.testing.assert_array_equal(ours, pixel_array(dataset, index=0, decoding_plugin=plugin))
    assert remarks == []


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
def test_bits_beyond_bits_stored_are_ignored_in_compressed_pixels_too(tmp_path, syntax, signed):
    """They mean nothing (PS3.5, 8.1.1); some devices draw an overlay there, which pydicom 3.0 takes for signal."""
    values = np.arange(40 * 48).reshape(40, 48) - (900 if signed else 0)
    words = (values & 0xFFF).astype(np.uint16)
    words[5:9, 7:30] ^= 0xF000
    whole = {"Rows": 40, "Columns": 48, "PixelRepresentation": int(signed), "PixelData": words.tobytes()}
    dataset = pydicom.dcmread(dicom(tmp_path / "native.dcm", **whole))
    dataset.compress(syntax)
    dataset.BitsStored, dataset.HighBit = 12, 11
    dataset.save_as(tmp_path / "compressed.dcm")
    scan = imaging.read(tmp_path / "compressed.dcm")
    np.testing.assert_array_equal(scan.pixels, values)
    assert (EXTRA_BITS in scan.warnings) == (syntax != RLELossless), "pydicom itself ignores them in RLE"
    native = imaging.read(dicom(tmp_path / "native.dcm", **whole, BitsStored=12, HighBit=11))
    np.testing.assert_array_equal(native.pixels, values)


MR = {"rows": 64, "columns": 64, "samples_per_pixel": 1, "bits_allocated": 16, "bits_stored": 16}
MR |= {"pixel_representation": 1, "photometric_interpretation": "MONOCHROME2", "planar_configuration": 0}


def mr_codestream() -> bytes:
    dataset = pydicom.dcmread(next(path for path in SHIPPED if path.name == "MR_small_jp2klossless.dcm"))
    return get_frame(dataset.PixelData, 0, number_of_frames=1)


def test_a_codestream_that_crashes_its_decoder_crashes_nothing_else():
    """73 bits per sample abort OpenJPEG. The reader refuses such a header; this test sends it to the decoder."""
    hostile = bytearray(mr_codestream())
    hostile[42] = 0xC8
    with pytest.raises(decoder.DecodingError):
        decoder.decode(bytes(hostile), JPEG2000Lossless, MR)
    assert decoder.decode(mr_codestream(), JPEG2000Lossless, MR).shape == (64, 64)


def test_a_decoder_that_takes_too_long_is_stopped(monkeypatch):
    monkeypatch.setattr(decoder, "SECONDS", 0)
    with pytest.raises(decoder.DecodingError, match="longer than 0 seconds"):
        decoder.decode(mr_codestream() * 200, JPEG2000Lossless, MR)
    monkeypatch.undo()
    assert decoder.decode(mr_codestream(), JPEG2000Lossless, MR).shape == (64, 64)


def test_a_damaged_rle_file_is_an_error_not_a_panic(tmp_path):
    source = next(path for path in SHIPPED if path.name == "MR_small_RLE.dcm")
    dataset = pydicom.dcmread(source)
    dataset.PixelData = dataset.PixelData[:20] + b"\xff" * 60 + dataset.PixelData[80:]
    dataset.save_as(tmp_path / "damaged.dcm")
    with pytest.raises(ScanError, match="damaged"):
        imaging.read(tmp_path / "damaged.dcm")


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_pictures(tmp_path, suffix):
    picture = np.add.outer(np.arange(20), np.arange(30)).astype(np.uint8) * 4
    Image.fromarray(picture).save(tmp_path / f"a.{suffix}", quality=100)
    Image.fromarray(np.dstack([picture] * 3)).save(tmp_path / f"colour.{suffix}", quality=100)
    grey, colour = imaging.read(tmp_path / f"a.{suffix}"), imaging.read(tmp_path / f"colour.{suffix}")
    np.testing.assert_allclose(grey.pixels, picture, atol=0 if suffix == "png" else 3)
    np.testing.assert_allclose(colour.pixels, picture, atol=0 if suffix == "png" else 3)
    assert grey.warnings == ()
    assert "colour" in colour.warnings[0]


def transparent(mode: str, folder: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    """Save a picture whose first two columns are transparent, and white underneath; return it and what is hidden."""
    picture = np.add.outer(np.arange(20), np.arange(30)).astype(np.uint8) * 4
    hidden = np.zeros(picture.shape, bool)
    hidden[:, :2] = True
    picture[hidden] = 255
    saved, options = Image.fromarray(picture), {"transparency": 255}
    if mode == "I;16":
        saved, options = Image.fromarray(picture.astype(np.uint16) * 257), {"transparency": 65535}
    elif mode in ("LA", "RGBA"):
        saved.putalpha(Image.fromarray(np.where(hidden, 0, 255).astype(np.uint8)))
        saved, options = saved.convert(mode), {}
    elif mode in ("RGB", "P"):
        saved = saved.convert(mode)
        options = {"transparency": (255, 255, 255)} if mode == "RGB" else options
    saved.save(folder / "a.png", **options)
    return folder / "a.png", picture.astype(np.float32) * (257 if mode == "I;16" else 1), hidden


@pytest.mark.parametrize("mode", ["L", "I;16", "P", "LA", "RGB", "RGBA"])
def test_transparent_pixels_are_black_and_it_is_said(tmp_path, mode):
    path, picture, hidden = transparent(mode, tmp_path)
    scan = imaging.read(path)
    np.testing.assert_array_equal(scan.pixels, np.where(hidden, 0, picture))
    assert TRANSPARENT in scan.warnings


def test_half_transparent_pixels_are_darkened(tmp_path):
    alpha = Image.fromarray(np.repeat(np.uint8([0, 51, 128, 255]), 5).reshape(4, 5))
    picture = Image.new("L", alpha.size, 200)
    picture.putalpha(alpha)
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(imaging.read(tmp_path / "a.png").pixels[:, 0], [0, 40, 100, 200])


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_an_opaque_picture_stays_as_it_is(tmp_path, mode):
    picture = np.random.default_rng(0).integers(0, 255, (20, 30), np.uint8)
    Image.fromarray(picture).convert(mode).save(tmp_path / "a.png")
    scan = imaging.read(tmp_path / "a.png")
    np.testing.assert_array_equal(scan.pixels, picture)
    assert TRANSPARENT not in scan.warnings


def test_a_picture_that_is_transparent_throughout_is_refused(tmp_path):
    Image.new("LA", (30, 20), (255, 0)).save(tmp_path / "a.png")
    with pytest.raises(ScanError, match="every pixel of the picture is transparent"):
        imaging.read(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.nrrd", "a.seg.nrrd", "A.MHD", "a.nhdr", "a.mgz", "a.img.gz"])
def test_a_volume_in_another_form_is_refused_with_the_forms_that_are_read(tmp_path, name):
    (tmp_path / name).write_bytes(b"NRRD0004\ntype: short\ndimension: 3\n")
    with pytest.raises(ScanError, match=r"a volume in this form is not read[\s\S]*\.mha, \.nii, \.nii\.gz"):
        imaging.read(tmp_path / name)
    imaging.read(dicom(tmp_path / name))


def test_sixteen_bits_of_a_png_are_kept(tmp_path):
    picture = (np.arange(20, dtype=np.uint16) * 3000).reshape(4, 5)
    Image.fromarray(picture).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(imaging.read(tmp_path / "deep.png").pixels, picture)


def test_a_coloured_picture_is_refused(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)).save(tmp_path / "photo.png")
    with pytest.raises(ScanError, match="colour"):
        imaging.read(tmp_path / "photo.png")


@pytest.mark.parametrize("name", ["text.dcm", "text.png", "empty.dcm", "empty.jpg"])
def test_a_file_that_is_not_an_image_is_named(tmp_path, name):
    (tmp_path / name).write_text("not a picture at all" * 20 if name.startswith("text") else "")
    with pytest.raises(ScanError, match=name):
        imaging.read(tmp_path / name)
    with pytest.raises(ScanError, match="no such file"):
        imaging.read(tmp_path / "absent.dcm")


def test_a_truncated_picture_is_refused(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "short.png").write_bytes((tmp_path / "a.png").read_bytes()[:2000])
    with pytest.raises(ScanError, match="damaged"):
        imaging.read(tmp_path / "short.png")


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("begins_with", ["meta information", "first element"])
def test_a_file_without_preamble_is_read_as_with_it(tmp_path, syntax, begins_with):
    whole = dicom(tmp_path / "whole.dcm")
    dataset = pydicom.dcmread(whole)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(whole, implicit_vr=syntax == ImplicitVRLittleEndian, enforce_file_format=True)
    content = whole.read_bytes()
    start = 132 if begins_with == "meta information" else 144 + int.from_bytes(content[140:144], "little")
    bare = tmp_path / "bare.IMA"
    bare.write_bytes(content[start:])
    assert begins_as_dicom(bare)
    one, other = imaging.read(whole), imaging.read(bare)
    np.testing.assert_array_equal(other.pixels, one.pixels)
    assert other.identity == one.identity
    np.testing.assert_array_equal(other.plane.position, one.plane.position)
    assert read_header(bare) == read_header(whole)
    assert read_headers(bare)[0].identity == read_headers(whole)[0].identity


@pytest.mark.parametrize("content", [b"", b"\x08\0\x05", b"\x08\0\x05\0" + b"\xff" * 20, b"P5 3 4 255 " * 9])
def test_other_content_is_not_taken_for_a_file_without_preamble(tmp_path, content):
    (tmp_path / "a.bin").write_bytes(content)
    assert not begins_as_dicom(tmp_path / "a.bin")
    with pytest.raises(ScanError, match="not a DICOM file"):
        imaging.read(tmp_path / "a.bin")
