"""Headers state the size of an image; many are read once, cached, and read again only if their files change."""

import warnings
from io import BytesIO

import pandas as pd
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from lumbar.core import paths
from lumbar.core.errors import DatasetError, ScanError
from lumbar.datasets import headers
from lumbar.imaging import header, read
from lumbar.imaging.header import Header, read_header
from tests.support.dicom_files import SHIPPED, dicom


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LUMBAR_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path):
    """Eight DICOM files of growing width, and one PNG."""
    (tmp_path / "set").mkdir()
    for number in range(1, 9):
        dicom(tmp_path / "set" / f"{number}.dcm", Columns=number, Rows=2, PixelData=bytes(4 * number))
    Image.new("L", (30, 20)).save(tmp_path / "set" / "a.png")
    return tmp_path / "set"


IMAGES = [*(f"{number}.dcm" for number in range(1, 9)), "a.png"]


@pytest.fixture
def eager(monkeypatch):
    """Treat a small data set like a large one."""
    for name, value in (("WORTH_KEEPING", 1), ("NOTED_EVERY", 0), ("WORTH_A_PROCESS", 1), ("CHUNK", 2)):
        monkeypatch.setattr(headers, name, value)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    return dicom(tmp_path_factory.mktemp("content") / "a.dcm").read_bytes()


@pytest.fixture
def read_files(monkeypatch):
    """The names of the files whose headers were read."""
    names = []

    def noted(path):
        names.append(path.name)
        return read_header(path)

    monkeypatch.setattr(headers, "read_header", noted)
    return names


def test_a_dicom_header(tmp_path):
    header = read_header(dicom(tmp_path / "a.dcm", ImageOrientationPatient=[1, 0, 0, 0, 0.1, -0.99]))
    assert header == Header(4, 3, pixel_width=0.8, pixel_height=0.5, view="coronal")
    bare = dicom(tmp_path / "b.dcm", PixelSpacing=None, ImageOrientationPatient=None)
    assert read_header(bare) == Header(4, 3)


def test_a_deflated_file_is_read_as_a_whole():
    file = next(file for file in SHIPPED if file.name == "image_dfl.dcm")
    scan = read(file)
    assert read_header(file) == Header(
        scan.pixels.shape[1], scan.pixels.shape[0], scan.pixel_width, scan.pixel_height, scan.view
    )


def test_the_header_agrees_with_the_picture_read_whole():
    compared = 0
    for file in SHIPPED:
        try:
            scan = read(file)
        except ScanError:
            continue
        header = read_header(file)
        assert (header.height, header.width) == scan.pixels.shape, file.name
        if header.pixel_width is not None:
            assert (header.pixel_width, header.pixel_height) == (scan.pixel_width, scan.pixel_height), file.name
        assert None in (header.view, scan.view) or header.view == scan.view, file.name
        compared += 1
    assert compared > 15


def test_a_simple_file_is_read_as_the_parser_reads_it():
    plain = 0
    for file in SHIPPED:
        beginning = file.read_bytes()[: header._BEGINNING]
        found = header._plain(beginning)
        if found is not None:
            assert found == header._parsed(file), file.name
            plain += 1
    assert plain > 40


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_the_simplest_files_need_no_parser(tmp_path, syntax, monkeypatch):
    dataset = pydicom.dcmread(dicom(tmp_path / "a.dcm"))
    dataset.add_new((0x0009, 0x0010), "LO", "SOMEBODY")
    dataset.add_new((0x0009, 0x1001), "UN", b"1234")
    dataset.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(tmp_path / "b.dcm", dataset, implicit_vr=syntax.is_implicit_VR, little_endian=True)
    monkeypatch.setattr(header, "_parsed", lambda *_: pytest.fail("the parser was used"))
    assert read_header(tmp_path / "b.dcm") == Header(4, 3, pixel_width=0.8, pixel_height=0.5, view="sagittal")


@pytest.mark.parametrize(
    "changes",
    [{"PixelSpacing": None}, {"ImageOrientationPatient": None}, {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}],
)
def test_what_a_simple_file_does_not_state(tmp_path, changes):
    file = dicom(tmp_path / "a.dcm", **changes)
    assert header._plain(file.read_bytes()) == header._parsed(file)


@given(st.data())
def test_a_damaged_beginning_gives_nothing_or_what_the_parser_gives(content, data):
    """One byte is changed and the rest cut off: the size is never another than the parser's."""
    place, byte = data.draw(st.integers(132, len(content) - 25)), data.draw(st.integers(0, 255))
    changed = content[:place] + bytes([byte]) + content[place + 1 :]
    found = header._plain(changed[: data.draw(st.integers(place, len(content)))])
    if found is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = pydicom.dcmread(BytesIO(changed), stop_before_pixels=True, specific_tags=["Rows", "Columns"])
        assert (found.height, found.width) == (parsed.Rows, parsed.Columns)


@pytest.mark.parametrize(
    "changes",
    [{"PixelSpacing": [0, 1]}, {"PixelSpacing": [1]}, {"Rows": None}, {"Rows": 0}, {"Columns": 65535, "Rows": 65535}],
)
def test_an_invalid_header_is_refused(tmp_path, changes):
    with pytest.raises(ScanError):
        read_header(dicom(tmp_path / "a.dcm", **changes))


@pytest.mark.parametrize("name", ["a.dcm", "a.png", "a.jpg"])
@pytest.mark.parametrize("content", [b"", b"<html>Sign in</html>", b"\x89PNG\r\n\x1a\n", b"\0" * 128 + b"DICM\2\0"])
def test_a_file_that_is_not_an_image_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ScanError):
        read_header(tmp_path / name)


def test_sizes_of_present_missing_and_unreadable_images(folder):
    (folder / "bad.dcm").write_bytes(b"no")
    table = headers.read_image_headers(folder, ["3.dcm", "gone.dcm", "bad.dcm", "a.png"])
    assert table.index.tolist() == ["3.dcm", "gone.dcm", "bad.dcm", "a.png"]
    assert table["width"].fillna(-1).tolist() == [3, -1, -1, 30]
    assert table["pixel_width"].fillna(-1).tolist() == [0.8, -1, -1, -1]
    assert table["view"].tolist() == ["sagittal", "", "", ""]
    with pytest.raises(DatasetError, match=r"1 picture\(s\) cannot be read"):
        headers.refuse_unreadable(folder, ["bad.dcm", "3.dcm"])


def test_a_small_set_leaves_no_cache(folder):
    headers.read_image_headers(folder, IMAGES)
    assert not paths.data().exists()


def test_kept_headers_are_the_same_and_not_read_again(folder, eager, read_files):
    first = headers.read_image_headers(folder, IMAGES, workers=1, progress=False)
    assert sorted(read_files) == sorted(IMAGES)
    read_files.clear()
    pd.testing.assert_frame_equal(headers.read_image_headers(folder, IMAGES, workers=1, progress=False), first)
    assert read_files == []


def test_a_changed_file_and_one_that_was_bad_are_read_again(folder, eager, read_files):
    (folder / "bad.dcm").write_bytes(b"no")
    headers.read_image_headers(folder, [*IMAGES, "bad.dcm"], workers=1, progress=False)
    read_files.clear()
    Image.new("L", (31, 21)).save(folder / "a.png")
    table = headers.read_image_headers(folder, [*IMAGES, "bad.dcm"], workers=1, progress=False)
    assert sorted(read_files) == ["a.png", "bad.dcm"]
    assert table.loc["a.png", "width"] == 31


def test_an_interrupted_reading_resumes_where_it_stopped(folder, eager, monkeypatch):
    def stops(path):
        if path.name == "6.dcm":
            raise KeyboardInterrupt
        return read_header(path)

    monkeypatch.setattr(headers, "read_header", stops)
    with pytest.raises(KeyboardInterrupt):
        headers.read_image_headers(folder, IMAGES, workers=1, progress=False)
    seen = []
    monkeypatch.setattr(headers, "read_header", lambda path: seen.append(path.name) or read_header(path))
    assert headers.read_image_headers(folder, IMAGES, workers=1, progress=False)["width"].tolist() == [*range(1, 9), 30]
    assert seen == ["6.dcm", "7.dcm", "8.dcm", "a.png"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"image,bytes\n1,2\n", b"a\n" * 10])
def test_a_damaged_cache_is_not_trusted(folder, eager, content):
    first = headers.read_image_headers(folder, IMAGES, workers=1, progress=False)
    (cache,) = (paths.data() / "prepared").iterdir()
    cache.write_bytes(content)
    pd.testing.assert_frame_equal(headers.read_image_headers(folder, IMAGES, workers=1, progress=False), first)


@pytest.mark.slow
def test_processes_find_the_same(folder, eager):
    first = headers.read_image_headers(folder, IMAGES, workers=1, progress=False)
    for cache in (paths.data() / "prepared").iterdir():
        cache.unlink()
    pd.testing.assert_frame_equal(headers.read_image_headers(folder, IMAGES, workers=2, progress=False), first)


def test_a_cache_that_cannot_be_written_is_ignored(folder, eager, tmp_path):
    (tmp_path / "home").write_text("a file where the home should be")
    assert headers.read_image_headers(folder, IMAGES, workers=1, progress=False)["width"].tolist() == [*range(1, 9), 30]
