"""Use the page that answers in the browser as a person does: ``python -m tests.stress.page``.

The page is built, served on loopback and opened in a headless Chromium. It gets ten DICOM files of synthetic patients
and ten pictures, and must answer as `lumbar.predict` does: the points within half a pixel, the same flags and reasons.
A point is dragged, and the CSV that the page saves is read back. Files that it cannot read must get a sentence each and
cost no point. No request may leave after the page is loaded, neither from a server nor from a file. The command prints
a line a step, keeps screenshots in ``--out``, and exits with 1 if anything differs. It needs Chromium, npm and the
package playwright.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import io
import shutil
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from lumbar import imaging, prediction
from lumbar.cli.main import main as lumbar
from lumbar.exports import csv_points
from lumbar.phantom import PhantomSettings, write_dataset
from lumbar.preprocess import windowed
from tests.stress.editor import FLAGS, Reader, report

NEAR = 0.5
"""Largest difference of two points, native pixels."""
MILLIMETRES, OTHER_COUNT = ("x_mm", "y_mm", "z_mm"), ("x_higher", "y_higher", "x_lower", "y_lower")
LARGEST = 25 * 2**20
"""Largest size of the page, bytes."""
LONGEST = 3.0
"""Longest time to the first answer, s."""


# -- the files ---------------------------------------------------------------------------------------------------------
def turned(data: pydicom.Dataset) -> None:
    """Store an image with rows for columns."""
    pixels = data.pixel_array.T
    row, column = data.ImageOrientationPatient[:3], data.ImageOrientationPatient[3:]
    data.ImageOrientationPatient = [*column, *row]
    data.PixelSpacing = data.PixelSpacing[::-1]
    data.Rows, data.Columns = pixels.shape
    data.PixelData = np.ascontiguousarray(pixels).tobytes()


def mirrored(data: pydicom.Dataset) -> None:
    """Store an image with its columns in the reverse order, and its rows too."""
    pixels = data.pixel_array[::-1, ::-1]
    last = (np.array(pixels.shape) - 1) * np.array(data.PixelSpacing, float)
    along = np.array(data.ImageOrientationPatient, float).reshape(2, 3)
    position = np.array(data.ImagePositionPatient, float) + last[1] * along[0] + last[0] * along[1]
    data.ImagePositionPatient = [f"{value:.6f}" for value in position]
    data.ImageOrientationPatient = [f"{-value:.9f}" for value in along.ravel()]
    data.PixelData = np.ascontiguousarray(pixels).tobytes()


def inverted(data: pydicom.Dataset) -> None:
    """Store an image with black as the highest value."""
    data.PhotometricInterpretation = "MONOCHROME1"
    data.PixelData = (data.pixel_array.max() - data.pixel_array).tobytes()


def rescaled(data: pydicom.Dataset) -> None:
    """Store signed values that the header maps to others."""
    data.RescaleSlope, data.RescaleIntercept, data.PixelRepresentation = "0.37", "-412.5", 1
    data.BitsStored, data.HighBit = 16, 15
    data.PixelData = (data.pixel_array.astype(np.int16) - 700).tobytes()


def padded(data: pydicom.Dataset) -> None:
    """Store padding around the image."""
    pixels = data.pixel_array.astype(np.int16)
    pixels[:, :40] = -2000
    data.PixelRepresentation, data.BitsStored, data.HighBit, data.PixelPaddingValue = 1, 16, 15, -2000
    data["PixelPaddingValue"].VR = "SS"
    data.PixelData = pixels.tobytes()


def packed(data: pydicom.Dataset) -> None:
    """Compress an image by RLE."""
    data.compress(RLELossless)


def as_jpeg(data: pydicom.Dataset) -> None:
    """Compress an image of eight bits by JPEG baseline."""
    file = io.BytesIO()
    Image.fromarray(windowed(data.pixel_array)).save(file, format="JPEG", quality=95)
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit = 7
    data.PixelData = encapsulate([file.getvalue()], fragments_per_frame=2, has_bot=True)
    data["PixelData"].VR = "OB"
    data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit


CHANGES = (None, turned, mirrored, inverted, rescaled, padded, packed, as_jpeg, None, None)
"""How the ten DICOM files differ from those of the synthetic scanner."""


def write_dicoms(files: list[Path], folder: Path) -> list[Path]:
    """Write ten DICOM files."""
    written = []
    for number, (file, change) in enumerate(zip(files, CHANGES, strict=True), start=1):
        data = pydicom.dcmread(file)
        if change:
            change(data)
        written.append(folder / f"{number:02d}-{change.__name__ if change else 'plain'}-{file.parent.name}.dcm")
        data.save_as(written[-1], enforce_file_format=True)
    return written


def write_pictures(files: list[Path], folder: Path) -> list[Path]:
    """Write ten pictures, PNG and JPEG, of several depths and colours, four of them not as they should lie."""
    scans = [imaging.read(file).pixels for file in files]
    grey = [windowed(scan) for scan in scans]
    clear = np.dstack([grey[3]] * 3 + [np.where(np.arange(grey[3].shape[1]) < 30, 0, 255) + 0 * grey[3]])
    wanted = {
        "11-grey.png": Image.fromarray(grey[0]),
        "12-sixteen-bits.png": Image.fromarray(scans[1].astype(np.uint16)),
        "13-colour.png": Image.fromarray(np.dstack([grey[2]] * 3)),
        "14-transparent.png": Image.fromarray(clear.astype(np.uint8)),
        "15-palette.png": Image.fromarray(grey[4]).convert("RGB").quantize(256),
        "16-grey.jpg": Image.fromarray(grey[5]),
        "17-colour.jpg": Image.fromarray(grey[6]).convert("RGB"),
        "18-upside-down.png": Image.fromarray(grey[7][::-1]),
        "19-mirrored.jpg": Image.fromarray(grey[8][:, ::-1]),
        "20-cut-off.png": Image.fromarray(grey[9][len(grey[9]) // 2 :]),
    }
    for name, image in wanted.items():
        image.save(folder / name, **({"quality": 90} if name.endswith("jpg") else {}))
    return [folder / name for name in wanted]


def write_bad(file: Path, folder: Path) -> dict[Path, str]:
    """Write files that the page cannot read, each with a word of what it must say."""
    folder.mkdir()
    (folder / "notes.txt").write_text("no picture\n" * 100)
    (folder / "notes.png").write_text("no picture\n" * 100)
    (folder / "cut.png").write_bytes(bytes.fromhex("89504e470d0a1a0a0000000d49484452") + bytes([0, 0, 1, 0] * 2))
    (folder / "empty.dcm").write_bytes(b"")
    with (folder / "large.dcm").open("wb") as large:
        large.truncate(200 * 2**20)
    data = pydicom.dcmread(file)
    data.compress(JPEG2000Lossless)
    data.save_as(folder / "jpeg-2000.dcm", enforce_file_format=True)
    data = pydicom.dcmread(file)
    data.Modality = "CT"
    data.save_as(folder / "ct.dcm", enforce_file_format=True)
    data.Modality, data.PixelData = "MR", data.PixelData[:1000]
    data.save_as(folder / "short.dcm", enforce_file_format=True)
    whole = file.read_bytes()
    (folder / "header.dcm").write_bytes(whole[:900])
    colours = np.zeros((64, 64, 3), np.uint8)
    colours[..., 0] = 200
    Image.fromarray(colours).save(folder / "colour.jpg")
    turned_exif = Image.Exif()
    turned_exif[0x0112] = 6
    Image.fromarray(colours[..., 0]).save(folder / "turned.jpg", exif=turned_exif)
    Image.fromarray(colours[..., 0]).save(folder / "one-grey.png")
    return {
        folder / "notes.txt": "not a PNG, JPEG or DICOM",
        folder / "notes.png": "not a PNG, JPEG or DICOM",
        folder / "cut.png": "damaged",
        folder / "empty.dcm": "not a PNG, JPEG or DICOM",
        folder / "large.dcm": "too large",
        folder / "jpeg-2000.dcm": "JPEG 2000",
        folder / "ct.dcm": "CT",
        folder / "short.dcm": "cut short",
        folder / "header.dcm": "header is damaged",
        folder / "colour.jpg": "in colour",
        folder / "turned.jpg": "rotated",
        folder / "one-grey.png": "one grey",
    }


# -- the browser -------------------------------------------------------------------------------------------------------
@contextmanager
def served(folder: Path):
    """Yield the address of a plain server of a folder on loopback, and the paths that were asked of it."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words) -> None:
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/index.html", asked
    finally:
        server.shutdown()
        server.server_close()


class Visitor:
    """A person in front of the page, who notes every request and every message of the browser."""

    def __init__(self, chromium, address: str, **options):
        self.page = chromium.new_page(**({"viewport": {"width": 1100, "height": 1300}} | options))
        self.requests, self.messages = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.set_default_timeout(60_000)
        self.page.goto(address)
        self.editor = Reader(self.page)

    def ready(self) -> None:
        """Wait until the network has started."""
        self.page.locator("#ready:text-is('Ready.')").wait_for()

    def give(self, file: Path) -> None:
        """Choose a file, and wait until it is answered or refused."""
        self.page.locator("#file").set_input_files(file)
        while self.page.locator("#progress").inner_text().startswith("Reading"):
            time.sleep(0.02)

    def drop_text(self, text: str) -> str:
        """Drop text on the page, as from another window; return what the page says."""
        transfer = self.page.evaluate_handle("new DataTransfer()")
        transfer.evaluate("(each, text) => each.setData('text/plain', text)", text)
        self.page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
        return self.page.locator("#refused li").last.inner_text()

    def drop_file(self, file: Path) -> None:
        """Drop a file on the page, beside the box."""
        transfer = self.page.evaluate_handle("new DataTransfer()")
        add = "(each, [letters, name]) => each.items.add(new File([Uint8Array.from(letters)], name))"
        transfer.evaluate(add, [list(file.read_bytes()), file.name])
        self.page.dispatch_event("h1", "drop", {"dataTransfer": transfer})

    def reasons(self) -> set[str]:
        """Return why the image in view is flagged."""
        return set(self.page.locator("#reasons li").all_inner_texts())

    def save(self, file: Path) -> pd.DataFrame:
        """Save the CSV, and read it as the package reads it."""
        with self.page.expect_download() as coming:
            self.page.locator("#save").click()
        coming.value.save_as(file)
        return csv_points.read(file)


# -- the steps ---------------------------------------------------------------------------------------------------------
def compare(visitor: Visitor, files: list[Path], out: Path) -> bool:
    """Give the files to the page and to `predict`; return whether the answers agree."""
    expected = prediction.predict(files, progress=False)
    assert not expected.refused, expected.refused
    right = []
    for file, picture in zip(files, expected.pictures, strict=True):
        visitor.give(file)
        why = {
            each.removesuffix("; flagged").replace("looks", "the picture looks")
            for each in picture.warnings
            if "; flagged" in each
        }
        missing = {each.lower() for each in why} - {each.rstrip(".").lower() for each in visitor.reasons()}
        if missing:
            right.append(report(f"{file.name}: the page does not say {missing}", False))
        flagged = visitor.page.locator("#verdict").inner_text().startswith("Flagged")
        if flagged != bool(visitor.reasons()):
            right.append(report(f"{file.name}: the page says why it flags an image, and only then", False))
    ours = expected.table.assign(image=[Path(each).name for each in expected.table["image"]])
    theirs = visitor.save(out / "all.csv")
    right.append(report("the CSV has the columns of predict --out", list(ours.columns) == list(theirs.columns)))
    keys = ["image", "view", "level", "side"]
    same = ours[keys].equals(theirs[keys])
    right.append(report(f"the CSV has its {len(ours)} rows", same))
    if same:
        right += [compare_image(image, rows, theirs.loc[rows.index]) for image, rows in ours.groupby("image")]
    return all(right)


def compare_image(image: str, ours: pd.DataFrame, theirs: pd.DataFrame) -> bool:
    """Return whether the points of an image agree."""

    def gap(*names: str) -> np.ndarray:
        return np.abs(ours[list(names)].to_numpy(float) - theirs[list(names)].to_numpy(float))

    away = float(np.nanmax(np.hypot(*gap("x", "y").T), initial=0))
    mm, other = (float(np.nanmax(gap(*names), initial=0)) for names in (MILLIMETRES, OTHER_COUNT))
    sure = float(np.nanmax(gap("confidence", "absent", "one_higher", "one_lower"), initial=0))
    columns = ["x", "x_mm", "x_higher", "x_lower", "confidence"]
    same = ours[columns].isna().equals(theirs[columns].isna()) and list(ours["flagged"]) == list(theirs["flagged"])
    flag = "flagged" if ours["flagged"].any() else "not flagged"
    found = f"{image}: {ours['x'].notna().sum()} points, {flag}"
    differ = f"{away:.3f} px, {mm:.3f} mm, those of another count by {other:.3f} px, probabilities by {sure:.4f}"
    return report(f"{found}; they differ by at most {differ}", same and max(away, mm, other) <= NEAR and sure <= 0.01)


def correct(visitor: Visitor, out: Path) -> bool:
    """Drag a point of the image in view, undo and redo, and read the CSV back."""
    before = visitor.save(out / "before.csv")
    visitor.page.locator(".stage").scroll_into_view_if_needed()
    visitor.editor.drag("L4/L5", 25, -10)
    shown = [float(each) for each in visitor.editor.shown("L4/L5").split(", ")]
    visitor.editor.keys("z")
    undone = visitor.save(out / "undone.csv")
    visitor.editor.editor.focus()
    visitor.editor.keys("Shift+Z")
    after = visitor.save(out / "corrected.csv")
    moved = after.index == after.index[after["level"] == "L4/L5"][-1]  # of the last image, which is in view
    xy = after.loc[moved, ["x", "y"]].to_numpy(float)[0]
    right = [
        report("a dragged point moves", bool(np.abs(xy - before.loc[moved, ["x", "y"]].to_numpy(float)[0]).max() > 2)),
        report("undo brings the point back", undone.equals(before)),
        report("a dragged point is saved where the page shows it", bool(np.abs(xy - shown).max() <= 0.06)),
        report("it has no confidence any more", bool(after.loc[moved, "confidence"].isna().all())),
        report("all other points are as they were", after[~moved].equals(before[~moved])),
    ]
    return all(right)


def refuse(visitor: Visitor, bad: dict[Path, str], out: Path) -> bool:
    """Give files that the page cannot read; return whether each gets a sentence, and no point is lost."""
    before, right = visitor.save(out / "before.csv"), []
    for file, word in bad.items():
        visitor.give(file)
        said = visitor.page.locator("#refused li").last.inner_text()
        right.append(report(f"{said}", said.startswith(file.name) and word in said))
    right.append(report("dropped text gets a sentence", "not a file" in visitor.drop_text("no file")))
    right.append(report("no point was lost", visitor.save(out / "after.csv").equals(before)))
    return all(right)


def drop(visitor: Visitor, file: Path, out: Path) -> bool:
    """Drop a file beside the box that invites to; return whether it becomes one image more."""
    before = visitor.save(out / "before.csv")
    visitor.drop_file(file)
    visitor.page.locator(".lumbar-editor .heading", has_text="21 of 21").wait_for()
    after = visitor.save(out / "after.csv")
    rows = after[len(before) :].reset_index(drop=True)
    first = before[before["image"] == file.name].reset_index(drop=True)
    return report("a file that is dropped is answered as one that is chosen", rows.equals(first))


def look(chromium, address: str, file: Path, out: Path) -> None:
    """Keep screenshots: light and dark, wide and narrow, before and after an answer."""
    for scheme in ("light", "dark"):
        for width in (1100, 390):
            visitor = Visitor(chromium, address, viewport={"width": width, "height": 900}, color_scheme=scheme)
            visitor.ready()
            visitor.page.screenshot(path=out / f"{scheme}-{width}-empty.png", full_page=True)
            visitor.give(file)
            visitor.page.screenshot(path=out / f"{scheme}-{width}.png", full_page=True)
            visitor.page.close()


def first_answer(chromium, address: str) -> bool:
    """Take a sample with the keyboard as soon as the page is there, and measure the time to its points."""
    began = time.perf_counter()
    visitor = Visitor(chromium, address)
    loaded = time.perf_counter()
    visitor.page.locator("[data-sample]").first.focus()
    visitor.page.keyboard.press("Enter")
    visitor.page.locator(".lumbar-editor g.point").first.wait_for()
    answered = time.perf_counter()
    visitor.page.close()
    after, whole = answered - loaded, answered - began
    return report(
        f"the first answer comes {after:.1f} s after the page is there, {whole:.1f} s after opening it",
        after <= LONGEST,
    )


def work(home: Path, browser: str, page: Path, out: Path) -> bool:
    """Do all steps; return whether everything was as it should be."""
    from playwright.sync_api import sync_playwright

    settings = PhantomSettings(patients=5, seed=41, random_contrast=0.3, field_of_view=0.2)
    made = write_dataset(home / "patients", settings, workers=1, progress=False)
    files = sorted(made.rglob("*.dcm"))
    sagittal = [file for file in files if file.parent.name.startswith("sagittal")]
    others = [next(file for file in files if file.parent.name.startswith(view)) for view in ("coronal", "axial")]
    given = home / "given"
    given.mkdir()
    asked = [*write_dicoms([*sagittal[:8], *others], given), *write_pictures(sagittal, given)]
    bad = write_bad(sagittal[0], home / "bad")
    right = [report(f"the page has {page.stat().st_size / 2**20:.1f} MB", page.stat().st_size <= LARGEST)]
    with sync_playwright() as driver, served(page.parent) as (address, paths):
        chromium = driver.chromium.launch(executable_path=browser, args=list(FLAGS))
        right.append(first_answer(chromium, address))
        right.append(first_answer(chromium, page.as_uri()))
        paths.clear()
        visitor = Visitor(chromium, address)
        visitor.ready()
        right.append(compare(visitor, asked, out))
        right.append(refuse(visitor, bad, out))
        right.append(drop(visitor, asked[0], out))
        right.append(correct(visitor, out))
        right.append(report(f"the server was asked once: {paths}", paths == ["/index.html"]))
        right.append(report(f"the browser asked once: {visitor.requests}", visitor.requests == [address]))
        right.append(report(f"the browser has no complaint: {visitor.messages}", not visitor.messages))
        tried = visitor.page.evaluate("fetch('https://example.org/').then(() => 'sent', () => 'refused')")
        right.append(report(f"a request that the page tried would be {tried}", tried == "refused"))
        look(chromium, address, asked[0], out)
        chromium.close()
    return all(right)


def main() -> None:
    """Do the work, and exit with 1 if anything was not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.page", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--browser", default=shutil.which("chromium") or shutil.which("google-chrome"))
    parser.add_argument("--page", type=Path, help="a page that is built already")
    parser.add_argument("--out", type=Path, default=Path("runs/page-check"), help="screenshots (default: %(default)s)")
    arguments = parser.parse_args()
    if not arguments.browser:
        parser.error("no Chromium was found; install one, or name it with --browser")
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page = arguments.page or Path(folder) / "page" / "index.html"
        if not arguments.page and lumbar(["page", "--out", str(page)]):
            sys.exit(1)
        sys.exit(not work(Path(folder), arguments.browser, page.resolve(), arguments.out))


if __name__ == "__main__":
    main()
