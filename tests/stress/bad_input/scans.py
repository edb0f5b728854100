"""DICOM files."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.tag import Tag
from pydicom.uid import (
    MPEG4HP41,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEG2000MCLossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from lumbar import imaging
from lumbar.imaging.dicom import file
from tests.stress.bad_input import NAMED, READ, REFUSED, REPAIRED, WARNED, AbsentError, Case, Words
from tests.support.dicom_files import EDGE_CASES, SHIPPED, STORED, dicom
from tests.support.noise import noise

BY_NAME = {path.name: path for path in SHIPPED}


def predict(*paths: Path, folder: Path, flags: Words = ()) -> Words:
    # Some of the files are of other kinds of imaging, which the network would refuse.
    return ["predict", *paths, "--out", folder / "points.csv", "--any-modality", *flags]


def shipped(name: str) -> Callable[[Path], Words]:
    """Predict a file that ships with pydicom, unchanged."""
    return lambda folder: predict(BY_NAME[name] if name in BY_NAME else unnamed(name), folder=folder)


def unnamed(name: str) -> Path:
    return Path(pydicom.data.__file__).parent / "test_files" / name


def edge_case(name: str) -> Callable[[Path], Words]:
    def build(folder: Path) -> Words:
        if not EDGE_CASES.is_dir():
            raise AbsentError(f"the difficult DICOM files are not available ({EDGE_CASES})")
        return predict(EDGE_CASES / name, folder=folder)

    return build


def made(**changes) -> Callable[[Path], Words]:
    """Predict a small file with these attributes; None removes one."""
    return lambda folder: predict(dicom(folder / "made.dcm", **changes), folder=folder)


def altered(name: str, change: Callable[[Dataset], None]) -> Callable[[Path], Words]:
    """Predict a file that ships with pydicom, with changed elements."""

    def build(folder: Path) -> Words:
        dataset = pydicom.dcmread(BY_NAME[name])
        change(dataset)
        dataset.save_as(folder / name)
        return predict(folder / name, folder=folder)

    return build


def bytes_changed(change: Callable[[bytes], bytes], name: str | None = None, **changes) -> Callable[[Path], Words]:
    """Predict a file with changed bytes: one that ships with pydicom, or our own."""

    def build(folder: Path) -> Words:
        source = BY_NAME[name] if name else dicom(folder / "before.dcm", **changes)
        content = change(source.read_bytes())
        source.unlink() if name is None else None
        (folder / "changed.dcm").write_bytes(content)
        return predict(folder / "changed.dcm", folder=folder)

    return build


def in_words(keyword: str, value: bytes, representation: str = "LO") -> Callable[[Path], Words]:
    """Predict a file with an element of a wrong value representation and value."""

    def change(dataset: Dataset) -> None:
        tag = Tag(keyword)
        dataset[tag] = RawDataElement(tag, representation, len(value), value, 0, False, True)

    return altered("MR_small.dcm", change)


def declared(syntax: UID) -> Callable[[Dataset], None]:
    """State another transfer syntax in the header, with unchanged pixels."""

    def change(dataset: Dataset) -> None:
        dataset.file_meta.TransferSyntaxUID = syntax

    return change


def native_called_rle(content: bytes) -> bytes:
    """State RLE in an uncompressed file; both UIDs have the same length."""
    return content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0")


def recoded(change: Callable[[bytearray], None]) -> Callable[[Dataset], None]:
    """Change the codestream of the first frame."""

    def alter(dataset: Dataset) -> None:
        coded = bytearray(get_frame(dataset.PixelData, 0, number_of_frames=1))
        change(coded)
        dataset.PixelData = encapsulate([bytes(coded)])

    return alter


def promise_gigabytes(coded: bytearray) -> None:
    for place in (8, 24):  # Xsiz and Ysiz, XTsiz and YTsiz of the SIZ segment
        coded[place : place + 8] = struct.pack(">2I", 65535, 65535)


def cut(coded: bytearray) -> None:
    del coded[len(coded) // 2 :]


def break_depth(coded: bytearray) -> None:
    coded[42] = 0xC8  # 73 bits per sample: OpenJPEG aborts the process


def jpeg(folder: Path) -> Words:
    """Predict a grey JPEG baseline file; those that ship with pydicom are in colour."""
    buffer = io.BytesIO()
    noise((64, 48), 40).save(buffer, "JPEG")
    path = dicom(folder / "jpeg.dcm", Rows=48, Columns=64, BitsAllocated=8, BitsStored=8, HighBit=7)
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate([buffer.getvalue()])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    return predict(path, folder=folder)


def jpeg_lossless(process: str) -> Callable[[Path], Words]:
    """Predict a grey JPEG lossless file; those that ship with pydicom are in colour."""

    def build(folder: Path) -> Words:
        import gdcm

        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
        reader.SetFileName(str(BY_NAME["MR_small.dcm"]))
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, process)))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        writer.SetFileName(str(folder / "lossless.dcm"))
        assert writer.Write()
        pixels = imaging.read(folder / "lossless.dcm").pixels
        np.testing.assert_array_equal(pixels, pydicom.dcmread(BY_NAME["MR_small.dcm"]).pixel_array)
        return predict(folder / "lossless.dcm", folder=folder)

    return build


def rle_of_nothing(folder: Path) -> Words:
    """Predict a file that states 8192×8192 pixels, encoded in a few bytes."""
    dataset = pydicom.dcmread(BY_NAME["MR_small_RLE.dcm"])
    dataset.Rows = dataset.Columns = 8192
    dataset.save_as(folder / "rle.dcm")
    return predict(folder / "rle.dcm", folder=folder)


def deflated_bomb(folder: Path) -> Words:
    """Predict a file of a few kilobytes that inflates beyond the limit."""
    path = dicom(folder / "bomb.dcm")
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    content = path.read_bytes()
    start = 144 + struct.unpack("<I", content[140:144])[0]
    deflater = zlib.compressobj(9, wbits=-15)
    private = struct.pack("<HH2sHI", 0x7FE1, 0x10, b"OB", 0, 2 * file.LARGEST_INFLATED)
    parts = [content[:start], deflater.compress(zlib.decompress(content[start:], -15) + private)]
    parts += [deflater.compress(bytes(2**24)) for _ in range(2 * file.LARGEST_INFLATED // 2**24)]
    path.write_bytes(b"".join([*parts, deflater.flush()]))
    return predict(path, folder=folder)


def deep_sequences(content: bytes) -> bytes:
    item = struct.pack("<HH2sHI", 0x40, 0x260, b"SQ", 0, 2**32 - 1) + struct.pack("<HHI", 0xFFFE, 0xE000, 2**32 - 1)
    ends = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    place = content.index(b"\xe0\x7f\x10\x00OW")
    return content[:place] + item * 20000 + ends * 20000 + content[place:]


def over_long(content: bytes) -> bytes:
    """State four gigabytes of Pixel Data; all pixels are there."""
    place = content.index(b"\xe0\x7f\x10\x00OW") + 8
    return content[:place] + struct.pack("<I", 2**32 - 16) + content[place + 4 :]


def float_pixels(folder: Path) -> Words:
    path = dicom(folder / "map.dcm", PixelData=None, BitsAllocated=32)
    dataset = pydicom.dcmread(path)
    dataset.FloatPixelData = np.array([[1, np.nan], [np.inf, 2]], np.float32).tobytes()
    dataset.save_as(path)
    return predict(path, folder=folder)


def exchanged(folder: Path) -> Words:
    dataset = pydicom.dcmread(BY_NAME["examples_overlay.dcm"])
    dataset.Rows, dataset.Columns = dataset.Columns, dataset.Rows
    dataset.save_as(folder / "exchanged.dcm")
    return predict(folder / "exchanged.dcm", folder=folder)


def lies(rows: int, columns: int) -> Callable[[Path], Words]:
    """Predict an image of a synthetic patient, and the same image stored with reversed rows or columns."""

    def build(folder: Path) -> Words:
        from lumbar.phantom.study import PhantomSettings, write_study

        study = write_study(folder / "study", PhantomSettings(series=("sagittal-t2",)))
        source = study / "sagittal-t2" / "001.dcm"
        dataset = pydicom.dcmread(source)
        pixels = dataset.pixel_array
        along = np.array(dataset.ImageOrientationPatient, float).reshape(2, 3)
        corner = np.array(dataset.ImagePositionPatient, float)
        corner += (columns < 0) * along[0] * float(dataset.PixelSpacing[1]) * (pixels.shape[1] - 1)
        corner += (rows < 0) * along[1] * float(dataset.PixelSpacing[0]) * (pixels.shape[0] - 1)
        dataset.ImagePositionPatient = corner.round(6).tolist()
        dataset.ImageOrientationPatient = np.concatenate([along[0] * columns, along[1] * rows]).round(6).tolist()
        dataset.PixelData = np.ascontiguousarray(pixels[::rows, ::columns]).tobytes()
        dataset.save_as(folder / "turned.dcm")
        return predict(source, folder / "turned.dcm", folder=folder)

    return build


def same_places(folder: Path) -> None:
    """Check that both images have their points in the same positions in the patient, in millimetres."""
    points = pd.read_csv(folder / "points.csv")
    first, second = (places[["x_mm", "y_mm", "z_mm"]].to_numpy() for _, places in points.groupby("image", sort=False))
    np.testing.assert_allclose(first, second, atol=0.05)
    pixels = [places[["x", "y"]].to_numpy() for _, places in points.groupby("image", sort=False)]
    assert np.abs(pixels[0] - pixels[1]).max() > 20, "each image has its points in its own pixels"


def axial_only_seen_by_sagittal(folder: Path) -> Words:
    from lumbar.core.schema import to_dict
    from lumbar.runs.settings import TrainingSettings
    from lumbar.storage.files import write_json

    run = folder / "run"
    run.mkdir()
    write_json(run / "config.json", {"settings": to_dict(TrainingSettings())})
    (run / "best.keras").touch()
    path = dicom(folder / "axial.dcm", ImageOrientationPatient=AXIAL)
    return predict(path, folder=folder, flags=["--weights", run])


def two_series(folder: Path) -> Words:
    same = {"SeriesInstanceUID": "1.2.3", "StudyInstanceUID": "1.2", "Modality": "MR"}
    paths = []
    for number, description in enumerate(("Sagittal T2", "Sagittal T1")):
        uid = f"1.2.3.{number}"
        paths.append(dicom(folder / f"{number}.dcm", SOPInstanceUID=uid, SeriesDescription=description, **same))
    return predict(*paths, folder=folder)


def twins(folder: Path) -> Words:
    return predict(dicom(folder / "a.dcm"), dicom(folder / "b.dcm", PixelData=STORED[::-1].tobytes()), folder=folder)


def grey_in_colour(folder: Path) -> Words:
    grey = np.arange(12, dtype=np.uint8) * 20
    depth = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "SamplesPerPixel": 3, "PlanarConfiguration": 0}
    colours = np.repeat(grey, 3).tobytes()
    path = dicom(folder / "grey.dcm", PhotometricInterpretation="RGB", PixelData=colours, **depth)
    return predict(path, folder=folder)


def good_and_bad(folder: Path) -> Words:
    (folder / "study").mkdir()
    dicom(folder / "study" / "a.dcm", SOPInstanceUID="1.2.3.1")
    (folder / "study" / "b.dcm").write_bytes(b"not a scan")
    dicom(folder / "study" / "c.dcm", PixelSpacing=[0, 1])
    dicom(folder / "study" / "d.dcm", SOPInstanceUID="1.2.3.2")
    return predict(folder / "study", folder=folder)


def two_were_read(folder: Path) -> None:
    images = pd.read_csv(folder / "points.csv")["image"]
    assert images.map(lambda name: Path(name).name).unique().tolist() == ["a.dcm", "d.dcm"]


def identified(folder: Path) -> Words:
    path = dicom(
        folder / "burned.dcm",
        BurnedInAnnotation="YES",
        PatientName="Somebody^Real",
        PatientID="4711-0815",
        PatientBirthDate="19700101",
        InstitutionName="Saint Elsewhere",
    )
    return predict(path, folder=folder, flags=["--overlay", folder / "drawn"])


def says_nothing_of_them(folder: Path) -> None:
    written = [file for file in folder.rglob("*") if file.is_file() and file.suffix != ".dcm"]
    assert [file.name for file in written] == ["points.csv"], "no overlay is written that would show the text"
    for word in (b"Somebody", b"4711-0815", b"19700101", b"Elsewhere"):
        assert word not in written[0].read_bytes()


def without_millimetres(folder: Path) -> None:
    points = pd.read_csv(folder / "points.csv")
    assert len(points) == 5
    assert points[["x_mm", "y_mm", "z_mm"]].isna().all(axis=None)


def is_axial(folder: Path) -> None:
    """Check that the plane is known without the spacing; as a sagittal image it would get five wrong points."""
    assert pd.read_csv(folder / "points.csv")["side"].tolist() == ["left", "right"]


def pixels_are(expected: np.ndarray) -> Callable[[Path], None]:
    return lambda folder: np.testing.assert_array_equal(imaging.read(folder / "made.dcm").pixels, expected)


def privately_placed() -> Dataset:
    """Return the functional groups of a frame whose only position is in a manufacturer's private sequence."""
    groups, place = Dataset(), Dataset()
    place.ImagePositionPatient = [100, 200, 300]
    groups.private_block(0x2005, "SOMEBODY'S MR 005", create=True).add_new(0x0F, "SQ", [place])
    return groups


def in_its_public_place(folder: Path) -> None:
    assert imaging.read(folder / "made.dcm").plane.position[0] == 1, "the private one is at 100"


def modality_lut(entries: list[int]) -> Dataset:
    """Return a table that maps the values from 0 to 2."""
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [3, 0, 16])
    table.add_new("LUTData", "US", entries)
    return table


def nrrd(folder: Path) -> Words:
    (folder / "a.nrrd").write_bytes(b"NRRD0004\ntype: short\ndimension: 3\nsizes: 2 2 2\nencoding: raw\n\n" + bytes(16))
    return predict(folder / "a.nrrd", folder=folder)


def mixed_folder(folder: Path) -> Words:
    for name in ("picture.tif", "picture.bmp", "scan.dcm.gz", "scan.nrrd"):
        (folder / name).touch()
    return predict(dicom(folder / "a.dcm").parent, folder=folder)


def without_preamble(folder: Path) -> Words:
    (folder / "a.IMA").write_bytes(dicom(folder / "a.dcm").read_bytes()[132:])
    return predict(folder / "a.IMA", folder=folder)


def outside_link(folder: Path) -> Words:
    (folder / "study").mkdir()
    dicom(folder / "private.dcm")
    (folder / "study" / "link.dcm").symlink_to(folder / "private.dcm")
    return predict(folder / "study", folder=folder)


AXIAL = [1, 0, 0, 0, 1, 0]
SIGNED = STORED.astype(np.int16) - 500
BITS = {"BitsStored": 12, "HighBit": 11}
TWELVE = ((STORED.astype(np.int32) % 2048 - 1000) & 0xFFF).astype(np.uint16)

_REFUSED = [
    ("not DICOM", bytes_changed(lambda _: b"not a scan at all" * 20), "this is not a DICOM file"),
    ("an empty file", bytes_changed(lambda _: b""), "this is not a DICOM file"),
    ("no such file", lambda folder: predict(folder / "absent.dcm", folder=folder), "there is no such file"),
    ("a folder without pictures", lambda folder: predict(folder, folder=folder), "there is no picture here"),
    ("cut in the header", bytes_changed(lambda content: content[:300]), "holds no picture|header is damaged"),
    ("pixels cut short", shipped("MR_truncated.dcm"), "cannot be decoded"),
    ("JPEG 2000 cut short", altered("JPEG2000.dcm", recoded(cut)), "cut short"),
    ("JPEG-LS cut short", altered("MR_small_jpeg_ls_lossless.dcm", recoded(cut)), "cut short"),
    ("RLE cut short", altered("MR_small_RLE.dcm", recoded(cut)), "cannot be decoded|not encoded as"),
    ("no pixel data: a plan", shipped("rtplan.dcm"), "holds no picture"),
    ("no pixel data: a report", shipped("test-SR.dcm"), "holds no picture"),
    ("no pixel data: a DICOMDIR", shipped("dicomdirtests/DICOMDIR"), "holds no picture"),
    ("NaN and infinite pixels: a parametric map", float_pixels, "parametric map, not a scan"),
    ("a pixel spacing of zero", made(PixelSpacing=[0, 0.5]), "pixel spacing is not a pair"),
    ("a negative pixel spacing", made(PixelSpacing=[-1, 0.5]), "pixel spacing is not a pair"),
    ("a single pixel spacing", made(PixelSpacing=[0.5]), "pixel spacing is not a pair"),
    (
        "a pixel spacing of NaN",
        bytes_changed(lambda c: c.replace(b"0.5\\0.8 ", b"0.5\\NaN ")),
        "pixel spacing is not a pair",
    ),
    (
        "a decimal comma in the pixel spacing",
        bytes_changed(lambda c: c.replace(b"0.5\\0.8 ", b"0.5\\0,8 ")),
        "pixel spacing is not a pair",
    ),
    ("a slope without intercept", made(RescaleSlope=2), "rescale slope or intercept"),
    ("a slope of zero", made(RescaleSlope=0, RescaleIntercept=1), "rescale slope or intercept"),
    (
        "a slope of NaN",
        bytes_changed(lambda c: c.replace(b"7.25", b"NaN "), RescaleSlope="7.25", RescaleIntercept=0),
        "rescale slope or intercept",
    ),
    ("a slope that makes pixels infinite", made(RescaleSlope="1e38", RescaleIntercept=0), "not finite numbers"),
    ("a colour secondary capture", shipped("SC_rgb_small_odd.dcm"), "in colour"),
    ("palette colour", shipped("examples_palette.dcm"), "indices of palette colours"),
    ("several frames where one is meant", edge_case("emri_small.dcm"), "several frames"),
    ("an invalid number of frames", in_words("NumberOfFrames", b"1A", "IS"), "number of frames"),
    ("an infinite number of frames", in_words("NumberOfFrames", b"inf ", "DS"), "number of frames"),
    ("one bit per pixel", made(BitsAllocated=1), "one-bit mask"),
    ("a segmentation", shipped("liver_1frame.dcm"), "labels .a mask., not a scan"),
    ("a label map", made(SOPClassUID="1.2.840.10008.5.1.4.1.1.66.7"), "labels .a mask., not a scan"),
    ("a dose", shipped("rtdose_1frame.dcm"), "distribution of dose, not a scan"),
    ("bits in words", in_words("BitsStored", b"NaN "), "bit layout of the pixels"),
    ("several high bits", in_words("HighBit", b"15\\15 "), "bit layout of the pixels"),
    ("rows in words", in_words("Rows", b"many"), "not a pair of integers"),
    ("bits shifted in their word", made(BitsStored=12, HighBit=15), "bit layout of the pixels"),
    ("more bits stored than allocated", made(BitsStored=20, HighBit=19), "bit layout of the pixels"),
    ("12 bits allocated", made(BitsAllocated=12, BitsStored=12, HighBit=11), "bit layout of the pixels"),
    ("a video: MPEG-4", altered("JPEG2000.dcm", declared(MPEG4HP41)), "compression is not supported"),
    (
        "JPEG 2000 of several components",
        altered("JPEG2000.dcm", declared(JPEG2000MCLossless)),
        "compression is not supported",
    ),
    (
        "an unknown transfer syntax",
        bytes_changed(lambda c: c.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.99999.1.2.1\0")),
        "transfer syntax is missing or unknown",
    ),
    (
        "JPEG-LS declared, JPEG 2000 coded",
        altered("MR_small_jp2klossless.dcm", declared(JPEGLSLossless)),
        "not encoded as the header states",
    ),
    (
        "JPEG 2000 declared, RLE coded",
        altered("MR_small_RLE.dcm", declared(JPEG2000Lossless)),
        "not encoded as the header states",
    ),
    (
        "RLE declared, JPEG-LS coded",
        altered("MR_small_jpeg_ls_lossless.dcm", declared(RLELossless)),
        "not encoded as the header states",
    ),
    ("RLE declared, not compressed", bytes_changed(native_called_rle), "not encoded as the header states"),
    (
        "native declared, JPEG 2000 coded",
        altered("MR_small_jp2klossless.dcm", declared(ExplicitVRLittleEndian)),
        "not encoded as|damaged",
    ),
    (
        "big endian declared, little coded",
        bytes_changed(lambda c: c.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0")),
        "holds no picture|damaged",
    ),
    ("rows and columns that promise gigabytes", made(Rows=65535, Columns=65535), "out of bounds"),
    (
        "a JPEG 2000 codestream that promises gigabytes",
        altered("MR_small_jp2klossless.dcm", recoded(promise_gigabytes)),
        "does not match the header",
    ),
    ("an RLE file that promises gigabytes", rle_of_nothing, "more pixels than the file can hold"),
    (
        "a JPEG 2000 codestream that ends its decoder",
        altered("MR_small_jp2klossless.dcm", recoded(break_depth)),
        "does not match the header",
    ),
    (
        "an element that claims two gigabytes",
        bytes_changed(lambda content: content.replace(b"LO\x02\x00P1", b"UT\0\0\xf0\xff\xff\x7f")),
        "holds no picture",
    ),
    ("a deflated file that grows without end", deflated_bomb, "too large after inflating"),
    ("sequences 20,000 deep", bytes_changed(deep_sequences), "header is damaged"),
    ("rows and columns swapped", exchanged, "look swapped"),
    ("rows and columns zero", made(Rows=0), "out of bounds"),
    ("a damaged Modality LUT", made(ModalityLUTSequence=[modality_lut(entries=[])]), "Modality LUT is damaged"),
    ("a volume in NRRD form", nrrd, "a volume in this form is not read"),
    ("a constant picture", made(PixelData=bytes(24)), "one grey throughout"),
    (
        "a position of two numbers",
        made(ImagePositionPatient=[1, 2]),
        "position or orientation in the patient is invalid",
    ),
    (
        "directions that are not at right angles",
        made(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]),
        "position or orientation in the patient is invalid",
    ),
    (
        "an orientation rounded to two decimals",
        made(ImageOrientationPatient=[-0.22, 0.97, -0.09, -0.1, -0.11, -0.99]),
        "at least three decimals",
    ),
    ("a plane that the network was not trained on", axial_only_seen_by_sagittal, "not trained on this plane"),
    ("a link that leads out of the folder", outside_link, "leads out of the folder"),
]

_USED = [
    ("no pixel spacing", READ, made(PixelSpacing=None), "1 pictures, 5 points", without_millimetres),
    ("no pixel spacing, axial", READ, made(PixelSpacing=None, ImageOrientationPatient=AXIAL), "2 points", is_axial),
    ("no rescale", READ, made(), "1 pictures", pixels_are(STORED)),
    ("signed pixels", READ, made(PixelData=SIGNED.tobytes(), PixelRepresentation=1), "1 pictures", pixels_are(SIGNED)),
    (
        "12 bits in 16, signed",
        READ,
        made(PixelData=TWELVE.tobytes(), PixelRepresentation=1, **BITS),
        "1 pictures",
        pixels_are(STORED.astype(np.int32) % 2048 - 1000),
    ),
    (
        "12 bits in 16, rubbish in the others",
        READ,
        made(PixelData=(STORED | 0xF000).tobytes(), **BITS),
        "1 pictures",
        pixels_are(STORED),
    ),
    ("no preamble", READ, without_preamble, "1 pictures", None),
    ("pixels that claim four gigabytes", READ, bytes_changed(over_long), "1 pictures", None),
    ("MONOCHROME1", REPAIRED, shipped("dicomdirtests/77654033/CR1/6154"), r"MONOCHROME1\); inverted", None),
    (
        "PresentationLUTShape INVERSE",
        REPAIRED,
        made(PresentationLUTShape="INVERSE"),
        r"PresentationLUTShape INVERSE\); inverted",
        pixels_are(STORED.max() - STORED),
    ),
    (
        "a Modality LUT",
        READ,
        made(ModalityLUTSequence=[modality_lut(entries=[0, 7, 9])]),
        "mapped by the Modality LUT",
        pixels_are(np.where(STORED == 0, 0, 9)),
    ),
    ("grey stored in colour", REPAIRED, grey_in_colour, "stored in colour, but grey throughout", None),
    ("upside down, by its orientation", REPAIRED, lies(-1, 1), "rotated or mirrored", same_places),
    ("mirrored, by its orientation", REPAIRED, lies(1, -1), "rotated or mirrored", same_places),
    ("turned by 180 degrees, by its orientation", REPAIRED, lies(-1, -1), "rotated or mirrored", same_places),
    (
        "an orientation rounded to three decimals",
        REPAIRED,
        made(ImageOrientationPatient=[-0.218, 0.972, -0.087, -0.101, -0.11, -0.989]),
        "made perpendicular again",
        None,
    ),
    (
        "another position in a private sequence",
        READ,
        made(PerFrameFunctionalGroupsSequence=[privately_placed()]),
        "1 pictures",
        in_its_public_place,
    ),
    ("a patient's name in the header", WARNED, made(), "the header names the patient", None),
    ("text burned into the picture", WARNED, identified, "text is burned into the picture", says_nothing_of_them),
    ("two series with one UID", WARNED, two_series, "a different description have the same SeriesInstanceUID", None),
    ("two pictures with one UID", WARNED, twins, "another file has the same SOPInstanceUID", None),
]

_SYNTAXES = [
    ("Implicit VR Little Endian", shipped("MR_small_implicit.dcm")),
    ("Explicit VR Little Endian", shipped("MR_small.dcm")),
    ("Explicit VR Big Endian", shipped("MR_small_bigendian.dcm")),
    ("Deflated Explicit VR Little Endian", shipped("image_dfl.dcm")),
    ("JPEG Baseline", jpeg),
    ("JPEG Extended, 12 bits", shipped("JPGExtended.dcm")),
    ("JPEG Lossless", jpeg_lossless("JPEGLosslessProcess14")),
    ("JPEG Lossless, first-order prediction", jpeg_lossless("JPEGLosslessProcess14_1")),
    ("JPEG-LS Lossless", shipped("MR_small_jpeg_ls_lossless.dcm")),
    ("JPEG-LS Near-Lossless", shipped("JPEGLSNearLossless_16.dcm")),
    ("JPEG 2000 Lossless", shipped("MR_small_jp2klossless.dcm")),
    ("JPEG 2000", shipped("JPEG2000.dcm")),
    ("RLE Lossless", shipped("MR_small_RLE.dcm")),
]

CASES = [
    *(Case("scan", name, build, REFUSED, says, 1) for name, build, says in _REFUSED),
    *(Case("scan", f"coded as {name}", build, READ, "1 pictures", 0) for name, build in _SYNTAXES),
    *(
        Case("scan", name, build, outcome, says, 0, facts, real=build.__qualname__.startswith("lies"))
        for name, outcome, build, says, facts in _USED
    ),
    Case(
        "scan",
        "a folder with files that are not read",
        mixed_folder,
        NAMED,
        r"compressed files: scan.dcm.gz; (.|\n)*: picture.bmp, picture.tif; (.|\n)*: scan.nrrd; ",
        1,
    ),
    Case(
        "scan", "bad files among good ones", good_and_bad, REFUSED, "left out(.|\n)*b.dcm(.|\n)*c.dcm", 1, two_were_read
    ),
]
