"""Use the editor of points as a person does, in a headless Chromium: ``python -m tests.stress.editor``.

The notebook is open in JupyterLab, or with ``--interface notebook`` in Jupyter Notebook 7.

Eight synthetic images are opened with the points of a network. In the first, a point is dragged, moved with the keys,
removed, placed by a click, undone and redone, and a level is declared absent; each of the others gets one point dragged
by a known distance. The kernel is restarted in the middle: the editor must say so, and the work must come back. What
is saved at the end must equal what the screen showed, pass `check`, and teach a released network. The command prints a
line a step, keeps screenshots in ``--out``, and exits with 1 if anything differs. It needs Chromium and the packages
playwright and, for its interface, notebook.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import pandas as pd

from lumbar.core.paths import REPOSITORY
from lumbar.phantom import PhantomSettings, write_dataset

IMAGES = 8
OPEN = """import lumbar
from pathlib import Path
found = lumbar.predict(sorted(Path("data/patients").glob("*/sagittal-t2/*.dcm")))
found.to_csv("points.csv", index=False)
session = lumbar.annotate("points.csv", rater="a reader")
session"""
SAVE = 'session.save("corrected")'
ADDRESSES = {"lab": "lab/tree", "notebook": "notebooks"}
"""Interface → where it opens a file."""

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


@contextmanager
def notebook(home: Path, browser: str, interface: str):
    """Yield a page that shows a notebook of two cells, in a Jupyter server whose files are in `home`."""
    from playwright.sync_api import sync_playwright

    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [nbformat.v4.new_code_cell(source) for source in (OPEN, SAVE)]
    nbformat.write(nbformat.v4.new_notebook(metadata={"kernelspec": kernel}, cells=cells), home / "points.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {name: str(home / "jupyter" / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR")}
    own |= {"JUPYTERLAB_WORKSPACES_DIR": str(home / "jupyter" / "workspaces"), "PYTHONPATH": str(REPOSITORY)}
    words = [
        "-m",
        f"jupyter{interface}" if interface == "lab" else interface,
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--allow-root",
    ]
    words += ["--IdentityProvider.token=once", f"--ServerApp.root_dir={home}"]
    with (home / "server.log").open("w") as log:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LUMBAR")}
        environment |= own | {"LUMBAR_HOME": str(home)}
        server = subprocess.Popen([sys.executable, *words], env=environment, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}/{ADDRESSES[interface]}/points.ipynb?token=once"
        for _ in range(120):
            try:
                urllib.request.urlopen(address, timeout=2)
                break
            except OSError:
                time.sleep(0.5)
        with sync_playwright() as driver:
            chromium = driver.chromium.launch(executable_path=browser, args=list(FLAGS))
            page = chromium.new_page(viewport={"width": 1300, "height": 1100})
            page.set_default_timeout(120_000)
            page.goto(address)
            page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
            yield page
            chromium.close()
    finally:
        server.terminate()
        server.wait(30)


class Reader:
    """A person in front of the editor."""

    def __init__(self, page):
        self.page = page
        self.editor = page.locator(".lumbar-editor")

    def run(self, cell: int, until: str) -> None:
        """Execute a cell until a selector finds something; JupyterLab forgets requests made while a kernel connects."""
        from playwright.sync_api import TimeoutError

        for _ in range(10):
            self.page.locator(".jp-Cell .cm-content").nth(cell).click()
            self.page.keyboard.press("Shift+Enter")
            with suppress(TimeoutError):
                self.page.wait_for_selector(until, timeout=20_000)
                return

    def wait(self) -> None:
        """Wait until the image is there."""
        self.page.wait_for_function(
            "/pixels|Click|Restored/.test(document.querySelector('.lumbar-editor .status')?.textContent)"
        )

    def keys(self, *names: str) -> None:
        """Press keys."""
        for name in names:
            self.page.keyboard.press(name)

    def shown(self, level: str) -> str:
        """Return what the editor says of a level."""
        return self.editor.locator(f'[role="radio"]:has(b:text-is("{level}")) > span').inner_text()

    def heading(self) -> str:
        """Return the line above the image."""
        return " ".join(self.editor.locator(".heading").inner_text().split())

    def drag(self, level: str, dx: float, dy: float) -> None:
        """Drag a point by CSS pixels."""
        mark = self.editor.locator(f'g.point[data-name="{level}"]').get_attribute("transform")
        x, y = map(float, re.findall(r"[-\d.]+", mark))
        box = self.editor.locator(".stage").bounding_box()
        self.page.mouse.move(box["x"] + x, box["y"] + y)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + x + dx, box["y"] + y + dy, steps=4)
        self.page.mouse.up()

    def click(self, x: float, y: float) -> None:
        """Click on the image, at CSS pixels of its box."""
        box = self.editor.locator(".stage").bounding_box()
        self.page.mouse.click(box["x"] + x, box["y"] + y)

    def restart_kernel(self) -> None:
        """Restart the kernel by the menu."""
        self.page.locator('.lm-MenuBar-itemLabel:text-is("Kernel")').click()
        self.page.locator('.lm-Menu-itemLabel:text-is("Restart Kernel…")').click()
        self.page.locator(".jp-Dialog button.jp-mod-accept").click()
        self.page.wait_for_selector(".jp-Dialog", state="detached")


def report(what: str, right: bool) -> bool:
    """Print a line about a step."""
    print(f"{'yes' if right else 'NO '}  {what}", flush=True)
    return right


def work(page, home: Path, out: Path) -> bool:
    """Mark the images; return whether everything was as it should be."""
    reader, seen, right = Reader(page), {}, []
    reader.run(0, until=".lumbar-editor")
    reader.wait()
    before = reader.shown("L3/L4")
    reader.drag("L3/L4", 30, 20)
    right.append(report("a dragged point moves", reader.shown("L3/L4") != before))
    x, y = map(float, reader.shown("L3/L4").split(", "))
    reader.keys("ArrowRight", "Shift+ArrowDown")
    right.append(report("keys move it by pixels", reader.shown("L3/L4") == f"{x + 1:.1f}, {y + 10:.1f}"))
    reader.keys("5", "a")
    right.append(report("a level can be absent", reader.shown("L5/S1") == "not in the image"))
    reader.keys("1", "Delete")
    right.append(report("a point can be removed", reader.shown("L1/L2") == "not marked"))
    reader.click(150, 120)
    placed = reader.shown("L1/L2")
    reader.keys("z")
    right.append(report("undo", reader.shown("L1/L2") == "not marked"))
    reader.keys("Shift+Z")
    right.append(report("redo", reader.shown("L1/L2") == placed))
    page.screenshot(path=out / "first.png")
    heading = reader.heading()
    time.sleep(1)  # let Python acknowledge before it is gone
    reader.restart_kernel()
    time.sleep(3)
    reader.click(60, 60)
    page.wait_for_selector(".lumbar-editor .alarm:not([hidden])")
    page.screenshot(path=out / "restarted.png")
    right.append(report("a restarted kernel is noticed", True))
    reader.run(0, until='.lumbar-editor .status:has-text("Restored")')
    restored = reader.shown("L1/L2") == placed and reader.shown("L5/S1") == "not in the image"
    right.append(report("the work comes back", restored and reader.heading() == heading))
    reader.editor.focus()
    for number in range(IMAGES):
        reader.wait()
        if number:
            reader.drag("L2/L3", -7, 5)
        name = re.search(r"\S+\.dcm", reader.heading())[0]
        seen[name] = {level: reader.shown(level) for level in ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")}
        reader.keys("Enter")
    right.append(report("all are done", f"{IMAGES} of {IMAGES} done" in reader.heading()))
    time.sleep(1)
    reader.run(1, until='.jp-OutputArea-output:has-text("saved to")')
    page.screenshot(path=out / "saved.png")
    return all([*right, compare(home, seen), retrain(home)])


def compare(home: Path, seen: dict[str, dict[str, str]]) -> bool:
    """Return whether the saved table holds what the screen showed."""
    saved = pd.read_csv(home / "corrected" / "points.csv", keep_default_na=False)
    texts = [
        "not in the image" if absent else f"{float(x):.1f}, {float(y):.1f}" if x != "" else "not marked"
        for x, y, absent in zip(saved["x"], saved["y"], saved["absent"], strict=True)
    ]
    there = saved.assign(text=texts).groupby("patient")["text"].agg(list).to_dict()
    shown = {name.split("/")[0]: list(points.values()) for name, points in seen.items()}
    words = [sys.executable, "-m", "lumbar", "check", str(home / "corrected")]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    equal = report(f"what is saved equals what was shown, in {len(shown)} images", there == shown)
    return report("the saved folder passes check", done.returncode == 0) and equal


def retrain(home: Path) -> bool:
    """Return whether what was saved teaches a released network."""
    words = ["train", "--weights", "phantom", "--data", str(home / "corrected"), "--epochs", "2", "--batch-size", "4"]
    environment = os.environ | {"LUMBAR_HOME": str(home)}
    command = [sys.executable, "-m", "lumbar", *words, "--name", "corrected"]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    taught = (home / "runs" / "corrected" / "best.keras").is_file()
    print(done.stdout[-600:] if taught else done.stderr[-2000:])
    return report("what was saved teaches a released network", done.returncode == 0 and taught)


def main() -> None:
    """Do the work, and exit with 1 if anything was not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.editor", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--browser", default=shutil.which("chromium") or shutil.which("google-chrome"))
    parser.add_argument(
        "--interface", choices=list(ADDRESSES), default="lab", help="program that shows the notebook (default: lab)"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/editor"), help="screenshots (default: runs/editor)")
    arguments = parser.parse_args()
    if not arguments.browser:
        parser.error("no Chromium was found; install one, or name it with --browser")
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        patients = PhantomSettings(patients=IMAGES, seed=3, series=("sagittal-t2",))
        write_dataset(home / "data" / "patients", patients, workers=1, progress=False)
        with notebook(home, arguments.browser, arguments.interface) as page:
            try:
                right = work(page, home, arguments.out)
            finally:
                page.screenshot(path=arguments.out / "last.png")
    sys.exit(not right)


if __name__ == "__main__":
    main()
