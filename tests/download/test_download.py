"""Downloads are complete and correct, or refused with a remedy; all come from a server on this machine."""

import hashlib
import http.server
import io
import json
import random
import shutil
import stat
import sys
import threading
import zipfile

import pytest

from lumbar.cli.main import main
from lumbar.core import paths
from lumbar.core.errors import FetchError, SettingsError
from lumbar.datasets import find_reader
from lumbar.download import catalogue, direct, fetch, refusals
from lumbar.download.archives import unpack
from lumbar.download.catalogue import File, PublicSet
from tests.support import layouts

pytest.importorskip("pooch", reason="downloading needs the extra lumbar[fetch]")
pytest.importorskip("kagglehub", reason="downloading needs the extra lumbar[fetch]")

TABLE = b"image,level,x,y\n" + b"a.png,L1/L2,1,2\n" * 50_000


def zipped(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/"), data)
    return content.getvalue()


PICTURES = zipped(**{f"images__{n}.txt": str(n).encode() * 1000 for n in range(20)})


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`; a file in `cuts` is cut off that many times before it is sent completely."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[str, bytes] = {}
        self.cuts: dict[str, int] = {}
        self.asked: list[tuple[str, str]] = []
        self.refuses = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        name, wanted = self.path.lstrip("/"), self.headers.get("Range", "")
        self.server.asked.append((name, wanted))
        if name not in self.server.files:
            return self.send_error(404)
        content = self.server.files[name]
        first = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        cut = self.server.cuts.get(name, 0) > 0
        self.server.cuts[name] = self.server.cuts.get(name, 0) - 1
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content) - first))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        self.wfile.write(content[first : len(content) // 2] if cut else content[first:])

    def do_POST(self):
        """Answer Kaggle's client, which asks for the version and the address of the archive."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.path, ""))
        if self.server.refuses:
            return self.send_error(self.server.refuses)
        if self.path.endswith("GetDataset"):
            answer = json.dumps({"currentVersionNumber": 3}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
        else:
            self.send_response(302)
            self.send_header("Location", f"{self.server.address}/archive.zip")
            self.send_header("Content-Length", "0")
            self.end_headers()


@pytest.fixture
def server():
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LUMBAR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(direct, "RETRIES", 0)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def small(server, monkeypatch):
    """A set with an archive that has a published checksum and a table that has none."""
    server.files |= {"images.zip": PICTURES, "points.csv": TABLE}
    known = PublicSet(
        name="small",
        title="Small",
        holds="little",
        licence="CC0",
        size="1 MB",
        address=f"{server.address}/page",
        folder="small",
        by_hand="take the files and put them into",
        files=(
            File("images.zip", f"{server.address}/images.zip", hashlib.sha256(PICTURES).hexdigest()),
            File("points.csv", f"{server.address}/points.csv"),
        ),
    )
    monkeypatch.setattr(catalogue, "SETS", (*catalogue.SETS, known))
    return known


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# Files on a server


def test_files_are_complete_and_archives_are_unpacked(small, server, capsys):
    assert main(["fetch", "small"]) == 0
    assert names(small.place) == sorted(["fetched.json", "points.csv", *(f"images/{n}.txt" for n in range(20))])
    assert (small.place / "points.csv").read_bytes() == TABLE
    printed = capsys.readouterr().out
    assert "licence: CC0" in printed
    assert f"Next: python -m lumbar check {small.place}" in printed
    record = json.loads((small.place / "fetched.json").read_text())
    assert record["images.zip"]["compared with"] == "the published checksum"
    assert record["points.csv"]["sha256"] == hashlib.sha256(TABLE).hexdigest()
    assert record["points.csv"]["compared with"] == "nothing at first: no checksum is published"


def test_existing_files_are_not_downloaded_again(small, server):
    fetch("small", progress=False)
    server.asked.clear()
    fetch("small", progress=False)
    assert server.asked == []


def test_deleted_files_are_downloaded_again(small, server):
    fetch("small", progress=False)
    shutil.rmtree(small.place / "images")
    server.asked.clear()
    fetch("small", progress=False)
    assert [name for name, _ in server.asked] == ["images.zip"]
    assert (small.place / "images" / "7.txt").is_file()


def test_only_the_named_files_are_downloaded(small):
    fetch("small", only=("points.csv",), progress=False)
    assert names(small.place) == ["fetched.json", "points.csv"]
    with pytest.raises(FetchError, match="no such file in this set"):
        fetch("small", only=("other.csv",))


def test_a_wrong_checksum_is_refused_and_leaves_nothing(small, server, capsys):
    server.files["images.zip"] = zipped(images__evil=b"other")
    assert main(["fetch", "small"]) == 1
    printed = capsys.readouterr().err
    assert "the file is not the one that was published" in printed
    assert small.files[0].sha256 in printed
    assert names(small.place) == []


def test_a_file_without_published_checksum_must_not_change(small, server):
    fetch("small", progress=False)
    (small.place / "points.csv").unlink()
    server.files["points.csv"] = b"image,level,x,y\nb.png,L1/L2,9,9\n"
    with pytest.raises(FetchError, match="not the one that was published"):
        fetch("small", progress=False)
    assert not (small.place / "points.csv").exists()


def test_a_broken_connection_leaves_no_partial_file_and_the_next_call_resumes(small, server, capsys):
    server.cuts["points.csv"] = 1
    assert main(["fetch", "small"]) == 1
    printed = capsys.readouterr().err
    assert "the connection broke off" in printed
    assert f"curl -L -C - -o {small.place / 'points.csv'}" in printed
    assert "points.csv" not in names(small.place)
    server.asked.clear()
    assert main(["fetch", "small"]) == 0
    assert [name for name, _ in server.asked] == ["points.csv"], "the archive is kept"


def test_a_broken_connection_is_retried_at_once(small, server, monkeypatch):
    monkeypatch.setattr(direct, "RETRIES", 1)
    server.cuts["points.csv"] = 1
    fetch("small", progress=False)
    assert (small.place / "points.csv").read_bytes() == TABLE


def test_a_file_that_the_server_lacks(small, server, capsys):
    del server.files["points.csv"]
    assert main(["fetch", "small"]) == 1
    printed = capsys.readouterr().err
    assert "HTTP 404" in printed
    assert f"by hand: open {small.address}, take the files and put them into {small.place}" in printed


def test_no_network_says_how_to_do_it_by_hand(small, server, capsys):
    server.shutdown()
    server.server_close()
    assert main(["fetch", "small"]) == 1
    printed = capsys.readouterr().err
    assert "the server cannot be reached" in printed
    assert str(small.place) in printed
    assert "Traceback" not in printed


def test_files_put_there_by_hand_are_compared_and_unpacked(small, server):
    small.place.mkdir(parents=True)
    (small.place / "images.zip").write_bytes(PICTURES)
    (small.place / "points.csv").write_bytes(TABLE)
    fetch("small", progress=False)
    assert server.asked == []
    assert (small.place / "images" / "3.txt").is_file()


def test_a_wrong_file_put_there_by_hand_is_replaced(small, server):
    small.place.mkdir(parents=True)
    (small.place / "images.zip").write_bytes(PICTURES[:500])
    fetch("small", progress=False)
    assert ("images.zip", "") in server.asked
    assert (small.place / "images" / "3.txt").is_file()


def test_a_folder_that_cannot_be_written(small):
    paths.data().mkdir(parents=True)
    small.place.write_text("a file where the folder should be")
    with pytest.raises(FetchError, match="cannot be written"):
        fetch("small", progress=False)


def test_a_full_disk_is_an_error_before_anything_is_downloaded(small, server, monkeypatch):
    monkeypatch.setattr(refusals.shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10, 10, 0))
    monkeypatch.setattr(catalogue, "SETS", (PublicSet(**{**vars(small), "gigabytes": 2}),))
    with pytest.raises(FetchError, match="the disk has no room") as raised:
        fetch("small", progress=False)
    assert "about 4 GB" in str(raised.value)
    assert server.asked == []


def test_a_missing_client_is_named(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(SettingsError, match=r"no pooch(.|\n)*extra fetch"):
        fetch("small", progress=False)


def test_a_damaged_record_is_an_error(small):
    small.place.mkdir(parents=True)
    (small.place / "fetched.json").write_text("[]")
    with pytest.raises(FetchError, match="record of what was downloaded is damaged"):
        fetch("small", progress=False)


# Archives


def archive(tmp_path, **members):
    file = tmp_path / "archive.zip"
    file.write_bytes(zipped(**members))
    return file


@pytest.mark.parametrize("name", ["../evil.txt", "a/../../evil.txt", "/etc/evil.txt", "C:\\evil.txt", "..\\evil.txt"])
def test_members_outside_the_folder_are_refused(tmp_path, name):
    file = tmp_path / "archive.zip"
    with zipfile.ZipFile(file, "w") as content:
        content.writestr("good.txt", "good")
        content.writestr(name, "evil")
    with pytest.raises(FetchError, match="outside of its folder"):
        unpack(file, tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.rglob("evil*"))


def test_an_archive_with_members_outside_the_folder_is_refused_by_the_command(small, server, monkeypatch, capsys):
    evil = io.BytesIO()
    with zipfile.ZipFile(evil, "w") as content:
        content.writestr("../evil.txt", "evil")
    server.files["images.zip"] = evil.getvalue()
    checksum = hashlib.sha256(evil.getvalue()).hexdigest()
    files = (File("images.zip", small.files[0].url, checksum),)
    monkeypatch.setattr(catalogue, "SETS", (PublicSet(**{**vars(small), "files": files}),))
    assert main(["fetch", "small"]) == 1
    assert "outside of its folder" in capsys.readouterr().err
    assert not (paths.data() / "evil.txt").exists()


def test_links_and_encrypted_members_are_refused(tmp_path):
    file = tmp_path / "archive.zip"
    link = zipfile.ZipInfo("link")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(file, "w") as content:
        content.writestr(link, "/etc/passwd")
    with pytest.raises(FetchError, match="holds a link"):
        unpack(file, tmp_path / "out", progress=False)
    data = bytearray(zipped(a=b"1"))
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + flags] |= 1
    file.write_bytes(data)
    with pytest.raises(FetchError, match="encrypted"):
        unpack(file, tmp_path / "out", progress=False)


def test_an_archive_larger_than_the_disk_is_refused_before_a_byte_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10, 10, 999))
    with pytest.raises(FetchError, match="no room"):
        unpack(archive(tmp_path, big=b"0" * 1000), tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damage", ["cut", "flipped", "none of it"])
def test_a_damaged_archive_is_an_error(tmp_path, damage):
    file = archive(tmp_path, a=bytes(range(256)) * 100)
    data = bytearray(file.read_bytes())
    if damage == "flipped":
        data[60] ^= 255
    file.write_bytes({"cut": data[:-40], "flipped": data, "none of it": b"<html>Sign in</html>"}[damage])
    with pytest.raises(FetchError, match="archive is damaged"):
        unpack(file, tmp_path / "out", progress=False)


def test_an_interrupted_unpacking_resumes(tmp_path, monkeypatch):
    file = archive(tmp_path, a__1=b"1" * 10, a__2=b"2" * 10, b=b"3" * 10)
    out = tmp_path / "out"
    (out / "a").mkdir(parents=True)
    (out / "a" / "1").write_bytes(b"1" * 10)
    (out / "a" / "2").write_bytes(b"2" * 4)  # a kill left half of it
    written = []
    real = zipfile.ZipFile.extract

    def noted(self, member, path):
        written.append(member.filename)
        return real(self, member, path)

    monkeypatch.setattr(zipfile.ZipFile, "extract", noted)
    assert unpack(file, out, progress=False) == ("a", "b")
    assert written == ["a/2", "b"]
    assert (out / "a" / "2").read_bytes() == b"2" * 10


# Kaggle, with its own client against a server on this machine


@pytest.fixture
def kaggle(server, tmp_path, monkeypatch):
    """Send Kaggle's client to the server, without the credentials of the user who runs the test."""
    from kagglesdk import kaggle_env

    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, server.address)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    for name in ("USERNAME", "KEY", "API_TOKEN", "API_ENVIRONMENT", "KERNEL_RUN_TYPE"):
        monkeypatch.delenv(f"KAGGLE_{name}", raising=False)
    monkeypatch.delenv("KAGGLEHUB_CACHE", raising=False)
    header = b"filename,source,x,y,level,relative_x,relative_y\n"
    picture = random.Random(1).randbytes(3 << 20)
    server.files["archive.zip"] = zipped(**{"coords_pretrain.csv": header, "data__x": picture})
    return server


COORDINATES = catalogue.find("coordinates")


def test_a_set_from_kaggle_is_in_its_folder(kaggle, monkeypatch):
    place = fetch("coordinates")
    assert names(place) == ["coords_pretrain.csv", "data/x"]
    assert place == COORDINATES.place
    assert find_reader(place)[0].layout == "Lumbar Coordinate Pretraining Dataset"
    assert [entry.name for entry in paths.data().iterdir()] == [place.name], "the client's cache is gone"
    kaggle.asked.clear()
    fetch("coordinates")
    assert kaggle.asked == []


def test_kaggles_client_resumes_in_the_middle(kaggle, capsys):
    kaggle.cuts["archive.zip"] = 1
    assert main(["fetch", "coordinates"]) == 1
    assert "the connection broke off" in capsys.readouterr().err
    assert main(["fetch", "coordinates"]) == 0
    assert kaggle.asked[-1] == ("archive.zip", f"bytes={1 << 20}-"), "it writes a whole megabyte at a time"
    assert names(COORDINATES.place) == ["coords_pretrain.csv", "data/x"]


def test_a_competition_without_credentials_explains_them(kaggle, monkeypatch, capsys):
    known = PublicSet(**{**vars(catalogue.find("rsna2024")), "gigabytes": 0})
    monkeypatch.setattr(catalogue, "SETS", (known,))
    assert main(["fetch", "rsna2024"]) == 1
    printed = capsys.readouterr().err
    for words in ("KAGGLE_API_TOKEN", "settings/api", "/rules", "by hand", str(known.place)):
        assert words in printed


@pytest.mark.parametrize(("answer", "words"), [(403, "does not let you"), (404, "refuses"), (500, "refuses")])
def test_a_refusal_by_kaggle_is_explained(kaggle, capsys, answer, words):
    kaggle.refuses = answer
    assert main(["fetch", "coordinates"]) == 1
    printed = capsys.readouterr().err
    assert words in printed
    assert "Traceback" not in printed


def test_no_network_to_kaggle(kaggle, capsys):
    kaggle.shutdown()
    kaggle.server_close()
    assert main(["fetch", "coordinates"]) == 1
    printed = capsys.readouterr().err
    assert "the server cannot be reached" in printed
    assert "unpack the archive into" in printed


# The list


def test_a_set_that_needs_a_signature_is_explained(capsys):
    assert main(["fetch", "buu-lspine"]) == 1
    printed = capsys.readouterr().err
    assert "agree to the terms" in printed
    assert "an agreement with Burapha University" in printed


def test_an_unknown_name_gives_the_known_ones(capsys):
    assert main(["fetch", "everything"]) == 1
    printed = capsys.readouterr().err
    assert all(known.name in printed for known in catalogue.SETS)


def test_the_list_describes_each_set_and_what_exists(tmp_path, capsys):
    layouts.rsna(catalogue.find("rsna2024").place)
    catalogue.find("spider").place.mkdir(parents=True)
    (catalogue.find("spider").place / "overview.csv").write_text("a\n1\n")
    layouts.own_csv(paths.data() / "mine")
    assert main(["datasets"]) == 0
    printed = capsys.readouterr().out
    for known in catalogue.SETS:
        for fact in (known.name, known.title, known.holds, known.licence, known.size, known.address):
            assert fact in printed
    here = [line.split(maxsplit=1)[1] for line in printed.splitlines() if line.strip().startswith("here")]
    assert here[1] == str(catalogue.find("rsna2024").place)
    assert "incomplete" in here[2]
    assert here[0].startswith("no; it belongs in")
    assert "mine: a CSV of your own" in printed


def test_the_table_in_the_data_folder_is_that_of_the_catalogue():
    assert catalogue.markdown() in (paths.REPOSITORY / "data" / "README.md").read_text(encoding="utf-8")


def test_sets_without_an_open_licence_have_no_direct_files():
    for known in catalogue.SETS:
        assert known.by_hand
        assert not known.files or "CC" in known.licence, (
            "only openly licensed files can be downloaded without an account"
        )
        assert all(file.url.startswith("https://") for file in known.files)
