"""A slice of a volume is upright and in the right position, and a volume that leaves something to guess is refused."""

import contextlib
import gzip
import itertools
import struct
import zlib

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from lumbar import imaging
from lumbar.core.errors import ScanError
from lumbar.imaging.scan import UNMEASURED
from lumbar.imaging.volume import reading
from lumbar.imaging.volume.header import LARGEST_BYTES
from tests.support.volume_files import places, write

UPRIGHT = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
ENDINGS = (".mha", ".nii", ".nii.gz")


def turn(axis, degrees):
    """Rotation matrix about x, y or z."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    a, b = ((1, 2), (2, 0), (0, 1))[axis]
    matrix = np.eye(3)
    matrix[a, a] = matrix[b, b] = cos
    matrix[a, b], matrix[b, a] = -sin, sin
    return matrix


angles = st.floats(-30, 30)
blocks = st.fixed_dictionaries(
    {
        "shape": st.tuples(*[st.integers(1, 6)] * 3),
        "spacing": st.tuples(*[st.floats(0.2, 9)] * 3),
        "origin": st.tuples(*[st.floats(-500, 500)] * 3),
        "tilt": st.tuples(angles, angles, angles),
        "order": st.permutations([0, 1, 2]),
        "turned": st.tuples(st.booleans(), st.booleans(), st.booleans()),
        "ending": st.sampled_from(ENDINGS),
    }
)


@settings(max_examples=80)
@given(blocks)
def test_every_voxel_lies_where_simpleitk_says(tmp_path_factory, block):
    """Each voxel holds its own number: the slice shows which voxel a pixel is, and SimpleITK where that voxel lies."""
    rotation = turn(2, block["tilt"][2]) @ turn(1, block["tilt"][1]) @ turn(0, block["tilt"][0])
    steps = (UPRIGHT @ rotation.T) * np.array(block["spacing"])[:, None]
    numbers = np.arange(np.prod(block["shape"]), dtype=np.int16).reshape(block["shape"])
    file = tmp_path_factory.mktemp("block") / f"block{block['ending']}"
    write(file, numbers, block["origin"], steps, block["order"], block["turned"])
    image = sitk.ReadImage(str(file))
    where = {
        image[index]: image.TransformIndexToPhysicalPoint(index)
        for index in itertools.product(*map(range, image.GetSize()))
    }
    seen = []
    for frame in range(block["shape"][0]):
        scan = imaging.read(file, frame=frame)
        rows, columns = np.indices(scan.pixels.shape)
        expected = np.array([where[number] for number in scan.pixels.astype(int).ravel()])
        found = scan.plane.to_patient(np.stack([columns, rows], axis=-1)).reshape(-1, 3)
        np.testing.assert_allclose(found, expected, atol=1e-3)
        assert (scan.pixel_width, scan.pixel_height) == pytest.approx(block["spacing"][:0:-1], rel=1e-6)
        assert scan.plane.along_row[1] > 0.5 < -scan.plane.along_column[2], "the head is up, the face to the left"
        assert scan.view == "sagittal"
        assert scan.plane.normal[0] < -0.5, "out of the picture lies the patient's right"
        seen.append(scan.pixels)
    np.testing.assert_array_equal(seen, numbers)
    grid, labels = reading.read_labels(file)
    np.testing.assert_array_equal(labels, numbers)
    np.testing.assert_allclose(grid.to_patient([0, 0, 0]), block["origin"], atol=1e-3)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("code", ["RAS", "LPS", "PIR", "ASL", "SRP"])
def test_the_known_orientations_give_the_same_pictures(tmp_path, code, ending):
    """The letters are the directions in which the axes of the file increase, as in NIfTI viewers."""
    own = {"L": (0, False), "R": (0, True), "I": (1, False), "S": (1, True), "P": (2, False), "A": (2, True)}
    order = [own[letter][0] for letter in code]
    turned = [next(own[letter][1] for letter in code if own[letter][0] == axis) for axis in range(3)]
    voxels = np.random.default_rng(0).integers(0, 999, (3, 5, 4)).astype(np.int16)
    file = write(tmp_path / f"v{ending}", voxels, (-20, 30, 400), UPRIGHT * [[4], [1], [0.5]], order, turned)
    assert sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(sitk.ReadImage(str(file)).GetDirection()) == (
        "".join(code)
    )
    for frame in range(3):
        np.testing.assert_array_equal(imaging.read(file, frame=frame).pixels, voxels[frame])
    assert imaging.read(file, frame=2).plane.position == pytest.approx((-12, 30, 400))


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64])
@pytest.mark.parametrize("ending", ENDINGS)
def test_every_kind_of_number(tmp_path, kind, ending):
    voxels = np.random.default_rng(0).integers(0, 100, (3, 4, 5)).astype(kind)
    scan = imaging.read(write(tmp_path / f"v{ending}", voxels, (0, 0, 0), UPRIGHT), frame=1)
    np.testing.assert_array_equal(scan.pixels, voxels[1])
    assert scan.pixels.dtype == np.float32


def nifti(path, *, order="<", version=1, scale=(0.0, 0.0), form="sform", **changes):
    """A NIfTI file of 4 × 3 × 2 int16 numbers, written field by field as the standard defines."""
    voxels = np.arange(24, dtype=f"{order}i2")
    affine = np.array([[0, 0, -3.0, 10], [-2.0, 0, 0, 20], [0, -1.0, 0, 30]])
    fields = {"dim": (3, 4, 3, 2, 1, 1, 1, 1), "pixdim": (-1.0, 2.0, 1.0, 3.0, 0, 0, 0, 0), "datatype": 4, "units": 2}
    fields |= {
        "codes": (0, 1) if form == "sform" else (1, 0),
        "rows": affine.ravel(),
        "turn": (0.5, 0.5, -0.5),
    } | changes
    size, at = ((348, (40, 70, 76, 108, 112, 123, 252, 256, 280)), (540, (16, 12, 104, 168, 176, 500, 344, 352, 400)))[
        version - 1
    ]
    kinds = (("8h", "h", "8f", "f", "2f", "B", "2h", "6f", "12f"), ("8q", "h", "8d", "q", "2d", "i", "2i", "6d", "12d"))
    offset = fields.get("offset", size + 4)
    head = bytearray(size + 4)
    values = (
        fields["dim"],
        [fields["datatype"]],
        fields["pixdim"],
        [offset],
        scale,
        [fields["units"]],
        fields["codes"],
    )
    turned = (*fields["turn"], 10.0, 20.0, 30.0)
    for kind, place, value in zip(kinds[version - 1], at, (*values, turned, fields["rows"]), strict=True):
        struct.pack_into(order + kind, head, place, *value)
    struct.pack_into(f"{order}i", head, 0, size)
    magic = fields.get("magic", b"n+1\0" if version == 1 else b"n+2\0\r\n\x1a\n")
    place = 344 if version == 1 else 4
    head[place : place + len(magic)] = magic
    content = bytes(head) + voxels.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("form", ["sform", "qform"])
def test_nifti_as_the_standard_defines_it(tmp_path, order, form):
    file = nifti(tmp_path / "v.nii", order=order, form=form)
    theirs = sitk.ReadImage(str(file))
    grid, labels = reading.read_labels(file)
    for index in itertools.product(range(4), range(3), range(2)):
        voxel = next(iter(np.argwhere(labels == theirs[index])))
        np.testing.assert_allclose(grid.to_patient(voxel), theirs.TransformIndexToPhysicalPoint(index), atol=1e-3)
    # SimpleITK does not read version 2.
    second, same = reading.read_labels(nifti(tmp_path / "w.nii", order=order, form=form, version=2))
    assert second.same_as(grid)
    np.testing.assert_array_equal(same, labels)


def test_nifti_values_are_rescaled(tmp_path):
    scan = imaging.read(nifti(tmp_path / "v.nii.gz", scale=(2.0, -5.0)), frame=0)
    plain = imaging.read(nifti(tmp_path / "w.nii.gz", scale=(float("nan"), 0.0)), frame=0)
    np.testing.assert_array_equal(scan.pixels, plain.pixels * 2 - 5)


def test_no_slice_chosen_says_how_many_there_are(tmp_path):
    file = write(tmp_path / "v.mha", np.zeros((7, 3, 4), np.uint8), (0, 0, 0), UPRIGHT)
    with pytest.raises(ScanError, match=r"7 sagittal slices[\s\S]*the middle one is 3"):
        imaging.read(file)
    with pytest.raises(ScanError, match="0 to 6"):
        imaging.read(file, frame=7)
    single = write(tmp_path / "w.nii.gz", np.zeros((1, 3, 4), np.uint8), (0, 0, 0), UPRIGHT)
    assert imaging.read(single).pixels.shape == (3, 4)


def header(**changes):
    """A MetaImage header and eight bytes of voxels; None removes a field."""
    fields = {
        "ObjectType": "Image", "NDims": "3", "BinaryData": "True", "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False", "TransformMatrix": "1 0 0 0 1 0 0 0 1", "Offset": "0 0 0",
        "ElementSpacing": "1 1 1", "DimSize": "2 2 2", "ElementType": "MET_UCHAR",
    }  # fmt: skip
    fields |= {name: value for name, value in changes.items() if name != "voxels"}
    fields["ElementDataFile"] = fields.pop("ElementDataFile", "LOCAL")  # always the last line
    lines = [f"{name} = {value}\n" for name, value in fields.items() if value is not None]
    return "".join(lines).encode() + changes.get("voxels", bytes(range(8)))


def test_the_plain_header_is_read(tmp_path):
    (tmp_path / "v.mha").write_bytes(header())
    assert imaging.read(tmp_path / "v.mha", frame=1).pixels.ravel().tolist() == [5, 7, 1, 3]


PLACED = {"TransformMatrix": "0 1 0 0 0 -1 -1 0 0", "Offset": "1 2 3", "ElementSpacing": "2 3 4"}
"""Where the voxels lie: columns to the back, rows to the feet, slices to the right."""


@pytest.mark.parametrize(
    ("usual", "other"),
    [
        ("Offset", "Origin"),
        ("Offset", "Position"),
        ("TransformMatrix", "Rotation"),
        ("TransformMatrix", "Orientation"),
        ("ElementSpacing", "ElementSize"),
    ],
)
def test_another_name_of_a_field_is_read_as_simpleitk_reads_it(tmp_path, usual, other):
    fields = PLACED | {other: PLACED[usual], usual: None}
    (tmp_path / "v.mha").write_bytes(header(**fields))
    scan = imaging.read(tmp_path / "v.mha", frame=1)
    assert scan.plane.position.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(scan.orientation, [[0, 1, 0], [0, 0, -1]])
    assert (scan.pixel_width, scan.pixel_height) == (2, 3)
    assert imaging.read(tmp_path / "v.mha", frame=0).plane.position.tolist() == [-3, 2, 3]
    assert scan.warnings == ()
    assert sitk.ReadImage(str(tmp_path / "v.mha")).GetOrigin() == (1, 2, 3)


@pytest.mark.parametrize(("preferred", "other"), [("Origin", "Offset"), ("Origin", "Position"), ("Offset", "Position")])
def test_of_two_positions_itks_is_taken_and_the_contradiction_is_said(tmp_path, preferred, other):
    for fields in ({preferred: "7 8 75", other: "7 8 9"}, {other: "7 8 9", preferred: "7 8 75"}):
        (tmp_path / "v.mha").write_bytes(header(**(PLACED | {"Offset": None} | fields)))
        scan = imaging.read(tmp_path / "v.mha", frame=1)
        assert scan.plane.position.tolist() == [7, 8, 75]
        assert f"{preferred} was used, as ITK and 3D Slicer do, and not {other}" in scan.warnings[0]
    (tmp_path / "v.mha").write_bytes(header(**(PLACED | {preferred: "1 2 3", other: "1.0 2.0 3.0"})))
    assert imaging.read(tmp_path / "v.mha", frame=1).warnings == ()


def test_of_two_directions_itks_are_taken(tmp_path):
    turned = {"Rotation": "1 0 0 0 1 0 0 0 1", "Orientation": "-1 0 0 0 -1 0 0 0 1"}
    (tmp_path / "v.mha").write_bytes(header(**(PLACED | turned)))
    scan = imaging.read(tmp_path / "v.mha", frame=1)
    np.testing.assert_array_equal(scan.orientation, [[0, 1, 0], [0, 0, -1]])
    assert len(scan.warnings) == 2
    (tmp_path / "v.mha").write_bytes(header(**(PLACED | turned | {"Rotation": PLACED["TransformMatrix"]})))
    assert len(imaging.read(tmp_path / "v.mha", frame=1).warnings) == 1


@pytest.mark.parametrize(
    ("binary", "element", "first"),
    [
        ("False", "True", [0, 1]),
        ("True", "False", [0, 256]),
        (None, "True", [0, 256]),
        (None, None, [0, 1]),
        ("True", "True", [0, 256]),
    ],
)
def test_of_two_byte_orders_itks_is_taken_and_the_contradiction_is_said(tmp_path, binary, element, first):
    orders = {"BinaryDataByteOrderMSB": binary, "ElementByteOrderMSB": element, "ElementType": "MET_USHORT"}
    voxels = np.arange(8, dtype="<u2").tobytes()
    (tmp_path / "v.mha").write_bytes(header(**(PLACED | orders), voxels=voxels))
    scan = imaging.read(tmp_path / "v.mha", frame=1)
    assert scan.pixels[0].tolist() == first
    assert len(scan.warnings) == (None not in (binary, element) and binary != element)
    one_byte = orders | {"ElementType": "MET_UCHAR"}
    (tmp_path / "v.mha").write_bytes(header(**(PLACED | one_byte)))
    assert imaging.read(tmp_path / "v.mha", frame=1).warnings == ()


QFORM = np.array([[0, 1.0, 0, 10], [0, 0, 3.0, 20], [-2.0, 0, 0, 30]])
"""The matrix that the quaternion of `nifti` gives."""
ASIDE = QFORM + np.array([[0, 0, 0, 20.0], [0, 0, 0, 0], [0, 0, 0, 0]])
LEANING = QFORM + np.array([[0, np.sqrt(0.99) - 1, 0, 0], [0, 0.1, 0, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize(
    ("codes", "rows", "x", "words"),
    [
        ((1, 2), ASIDE, -30, "20.0 mm apart"),
        ((2, 2), ASIDE, -30, "20.0 mm apart"),
        ((1, 4), ASIDE, -30, "20.0 mm apart"),
        ((1, 1), ASIDE, -30, None),
        ((0, 2), ASIDE, -30, None),
        ((1, 0), ASIDE, -10, None),
        ((1, 2), QFORM, -10, None),
        ((1, 2), QFORM + np.array([[0, 0, 0, 0.05]] * 3), -10, None),
    ],
)
def test_where_itk_takes_the_qform_and_it_differs_the_distance_is_said(tmp_path, codes, rows, x, words):
    """SimpleITK 2.5 puts the first voxel at x = -10 in the first three cases, and where we do in the others."""
    file = nifti(tmp_path / "v.nii", codes=codes, rows=rows.ravel())
    scan = imaging.read(file, frame=2)
    assert scan.plane.position[0] == pytest.approx(x, abs=0.1)
    assert len(scan.warnings) == (words is not None)
    assert all(words in warning for warning in scan.warnings)
    assert sitk.ReadImage(str(file)).GetOrigin()[0] == pytest.approx(-10 if words else x, abs=0.1)


def test_a_shear_of_the_slices_is_said(tmp_path):
    file = nifti(tmp_path / "v.nii", codes=(0, 1), rows=LEANING.ravel())
    first, last = (imaging.read(file, frame=frame) for frame in (2, 0))
    np.testing.assert_allclose(last.plane.position - first.plane.position, [-2 * np.sqrt(0.99), -0.2, 0], atol=1e-6)
    assert "5.7° off a right angle" in first.warnings[0]
    with pytest.raises(RuntimeError, match="orthonormal"):
        sitk.ReadImage(str(file))
    (tmp_path / "v.mha").write_bytes(header(TransformMatrix="0.995 0.099875 0 0 1 0 0 0 1"))
    assert "5.7° off" in imaging.read(tmp_path / "v.mha", frame=0).warnings[0]
    (tmp_path / "v.mha").write_bytes(header(TransformMatrix="1 0.0005 0 0 1 0 0 0 1"))
    assert imaging.read(tmp_path / "v.mha", frame=0).warnings == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a MetaImage"),
        (b"\0" * 5000, "not a MetaImage"),
        (header(ElementDataFile="../secret.raw"), "another file"),
        (header(ElementDataFile="LIST"), "another file"),
        (header(ElementDataFile=None, Comment="x\nElementDataFile: LOCAL"), "not a MetaImage"),
        (header(DimSize="2 2"), "three-dimensional"),
        (header(DimSize="2 2 -2"), "out of bounds"),
        (header(DimSize="2 2 1e400"), "three-dimensional"),
        (header(DimSize="9000 2 2"), "out of bounds"),
        (header(DimSize="8000 8000 8000"), "too large"),
        (header(ElementType="MET_STRING"), "three-dimensional"),
        (header(ElementNumberOfChannels="3"), "three-dimensional"),
        (header(ElementSpacing="1 0 1"), "where the voxels lie"),
        (header(ElementSpacing="1 nan 1"), "where the voxels lie"),
        (header(ElementSpacing=None), "where the voxels lie"),
        (header(TransformMatrix=None), "where the voxels lie"),
        (header(TransformMatrix="0 0 0 0 0 0 0 0 0"), "where the voxels lie"),
        (header(TransformMatrix="1 0 0 1 0 0 0 0 1"), "where the voxels lie"),
        (header(TransformMatrix="1 0 0 0 1 0 0 0.6 0.8"), "where the voxels lie"),
        (header(Offset="here"), "where the voxels lie"),
        (header(ElementSpacing="1 1e300 1"), "where the voxels lie"),
        (header(voxels=b"1234"), "cut short"),
        (header(CompressedData="True"), "damaged"),
        (header(CompressedData="True", voxels=zlib.compress(bytes(8))[:-3]), "damaged"),
        (header(CompressedData="True", voxels=zlib.compress(bytes(4))), "cut short"),
        (header(CompressedData="True", voxels=zlib.compress(bytes(9))), "damaged"),
        (header(CompressedData="True", voxels=zlib.compress(bytes(8))[:-1] + b"x"), "damaged"),
    ],
)
def test_a_metaimage_that_cannot_be_trusted_is_refused(tmp_path, content, words):
    (tmp_path / "v.mha").write_bytes(content)
    with pytest.raises(ScanError, match=words):
        imaging.read(tmp_path / "v.mha", frame=0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dim": (4, 4, 3, 2, 5, 1, 1, 1)}, "three-dimensional"),
        ({"dim": (2, 4, 3, 1, 1, 1, 1, 1)}, "three-dimensional"),
        ({"dim": (3, 4, -3, 2, 1, 1, 1, 1)}, "out of bounds"),
        ({"dim": (3, 4, 3, 2000, 1, 1, 1, 1)}, "cut short"),
        ({"dim": (3, 8000, 8000, 8000, 1, 1, 1, 1)}, "too large"),
        ({"datatype": 32}, "three-dimensional"),
        ({"datatype": 128}, "three-dimensional"),
        ({"codes": (0, 0)}, "where the voxels lie"),
        ({"pixdim": (-1.0, float("nan"), 1.0, 3.0, 0, 0, 0, 0)}, "where the voxels lie"),
        ({"pixdim": (-1.0, 0.0, 1.0, 3.0, 0, 0, 0, 0)}, "where the voxels lie"),
        ({"pixdim": (-1.0, 4.0, 1.0, 3.0, 0, 0, 0, 0)}, "where the voxels lie"),
        ({"units": 1}, "where the voxels lie"),
        ({"rows": np.full(12, np.nan)}, "where the voxels lie"),
        ({"rows": np.array([0, 0.3, -3.0, 10, -2.0, 0.6, 0, 20, 0, -0.74, 0, 30])}, "where the voxels lie"),
        ({"magic": b"ni1\0"}, "not a NIfTI"),
        ({"offset": 3e8}, "damaged"),
        ({"offset": float("nan")}, "damaged"),
    ],
)
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_nifti_file_that_cannot_be_trusted_is_refused(tmp_path, changes, words, ending):
    with pytest.raises(ScanError, match=words):
        imaging.read(nifti(tmp_path / f"v{ending}", **changes), frame=0)


@pytest.mark.parametrize("cut", [0, 1, 50, 360, -1])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_truncated_file_is_refused_and_never_padded(tmp_path, cut, ending):
    """ITK returns zeros or uninitialised memory."""
    voxels = np.random.default_rng(0).integers(0, 999, (9, 30, 20)).astype(np.int16)
    file = write(tmp_path / f"v{ending}", voxels, (0, 0, 0), UPRIGHT)
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(ScanError):
        imaging.read(file, frame=0)


@pytest.mark.parametrize("ending", [".mha", ".nii.gz"])
def test_a_flipped_bit_in_packed_voxels_is_found(tmp_path, ending):
    voxels = np.random.default_rng(0).integers(0, 999, (9, 30, 20)).astype(np.int16)
    file = write(tmp_path / f"v{ending}", voxels, (0, 0, 0), UPRIGHT)
    content = bytearray(file.read_bytes())
    content[len(content) * 2 // 3] ^= 8
    file.write_bytes(content)
    with pytest.raises(ScanError, match=r"damaged|cut short"):
        imaging.read(file, frame=0)


def test_data_after_the_voxels_are_not_decompressed(tmp_path, monkeypatch):
    """A few kilobytes that decompress to 100 million zeros are read to the last voxel and no further."""
    small = nifti(tmp_path / "v.nii").read_bytes()
    (tmp_path / "bomb.nii.gz").write_bytes(gzip.compress(small + bytes(100_000_000), 1))
    taken = []
    read = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size=-1: taken.append(size) or read(self, size))
    assert imaging.read(tmp_path / "bomb.nii.gz", frame=0).pixels.shape == (3, 4)
    assert max(taken) <= 540
    assert min(taken) >= 0


def test_pixels_that_are_not_numbers_are_refused(tmp_path):
    voxels = np.zeros((2, 3, 4), np.float32)
    voxels[1, 1, 1] = np.inf
    file = write(tmp_path / "v.nii.gz", voxels, (0, 0, 0), UPRIGHT)
    assert imaging.read(file, frame=0).pixels.shape == (3, 4)
    with pytest.raises(ScanError, match="not finite"):
        imaging.read(file, frame=1)
    with pytest.raises(ScanError, match="not labels"):
        reading.read_labels(file)


def test_voxels_that_were_not_measured_are_black_and_it_is_said(tmp_path):
    """Some programs write NaN where a resampled volume has no data."""
    voxels = np.arange(24, dtype=np.float32).reshape(2, 3, 4) - 5
    voxels[1, :2, 1:] = np.nan
    file = write(tmp_path / "v.nii.gz", voxels, (0, 0, 0), UPRIGHT)
    assert imaging.read(file, frame=0).warnings == ()
    scan = imaging.read(file, frame=1)
    np.testing.assert_array_equal(scan.pixels, np.where(np.isnan(voxels[1]), 7, voxels[1]))
    assert scan.warnings == (UNMEASURED,)
    with pytest.raises(ScanError, match="not labels"):
        reading.read_labels(file)
    voxels[1] = np.nan
    with pytest.raises(ScanError, match="not finite"):
        imaging.read(write(tmp_path / "w.nii.gz", voxels, (0, 0, 0), UPRIGHT), frame=1)


def test_labels_kept_as_floats_are_labels(tmp_path):
    voxels = np.zeros((2, 3, 4), np.float32)
    voxels[1, 2, 3] = 25
    _, labels = reading.read_labels(write(tmp_path / "v.nii.gz", voxels, (0, 0, 0), UPRIGHT))
    assert np.issubdtype(labels.dtype, np.integer)
    assert np.argwhere(labels == 25).tolist() == [[1, 2, 3]]


def test_a_shifted_grid_is_not_the_same(tmp_path):
    voxels = np.zeros((4, 5, 6), np.uint8)
    one = reading.read_grid(write(tmp_path / "a.mha", voxels, (0, 0, 0), UPRIGHT * 2))
    turned = reading.read_grid(
        write(tmp_path / "b.nii", voxels, (0, 0, 0), UPRIGHT * 2, (1, 0, 2), (True, False, True))
    )
    assert one.same_as(turned)
    assert one.same_as(reading.read_grid(write(tmp_path / "c.mha", voxels, (0.2, 0, 0), UPRIGHT * 2)))
    assert not one.same_as(reading.read_grid(write(tmp_path / "d.mha", voxels, (1.0, 0, 0), UPRIGHT * 2)))
    assert not one.same_as(reading.read_grid(write(tmp_path / "e.mha", voxels[:3], (0, 0, 0), UPRIGHT * 2)))
    np.testing.assert_allclose(one.to_patient(np.stack(np.indices((4, 5, 6)), -1)), places((4, 5, 6), 0, UPRIGHT * 2))


@settings(max_examples=200)
@given(st.sampled_from(ENDINGS), st.data())
def test_damage_anywhere_is_refused_or_harmless(tmp_path_factory, ending, data):
    """Reading a damaged file raises no exception but ScanError."""
    folder = tmp_path_factory.getbasetemp()
    whole = folder / f"whole{ending}"
    if not whole.is_file():
        write(whole, np.arange(60, dtype=np.int16).reshape(3, 4, 5), (1, 2, 3), UPRIGHT)
    content = bytearray(whole.read_bytes())
    if ending == ".nii.gz" and data.draw(st.booleans()):
        content = bytearray(gzip.decompress(content))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, min(len(content), 400) - 1))
        content[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    damaged = folder / f"damaged{ending}"
    damaged.write_bytes(gzip.compress(content) if ending == ".nii.gz" and content[:2] != b"\x1f\x8b" else content)
    for read in (lambda: imaging.read(damaged, frame=0), lambda: reading.read_labels(damaged)):
        with contextlib.suppress(ScanError):
            read()


def test_a_large_volume_is_refused_before_memory_is_allocated(tmp_path, monkeypatch):
    monkeypatch.setattr(np, "empty", lambda *_, **__: pytest.fail("memory was allocated"))
    (tmp_path / "v.mha").write_bytes(header(DimSize="8000 8000 100", CompressedData="True"))
    assert LARGEST_BYTES < 8000 * 8000 * 100
    with pytest.raises(ScanError, match="too large"):
        reading.read_labels(tmp_path / "v.mha")
