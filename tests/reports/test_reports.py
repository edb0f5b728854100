"""Report pages are complete, need no internet connection, and execute nothing that a file contains."""

import base64
import hashlib
import html
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import urllib.parse
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image

from lumbar import reports
from lumbar.cli.main import main
from lumbar.core import paths
from lumbar.core.errors import DatasetError, RunError, TableError
from lumbar.course import runner
from lumbar.course.execution import Executed
from lumbar.evaluation import EvaluationSettings, evaluate
from lumbar.exports import json_points
from lumbar.landmarks import LEVELS
from lumbar.prediction import PredictionSettings, predict
from lumbar.reports import page as pages
from lumbar.reports.points import SIDE
from lumbar.reports.tables import as_text
from lumbar.runs.settings import TrainingSettings
from lumbar.training.job import train
from tests.support.noise import noise

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
EVIL = "<script>document.title='ran'<!-- &\"' .png"
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """The elements of a page as (name, attributes), and its text; parsing fails if an element is not closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text, self.style, self.scripts = [], [], "", "", []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.style += data
        elif self.open and self.open[-1] == "script":
            self.scripts.append(data)
        else:
            self.text += data

    def all(self, *names):
        return [attributes for name, attributes in self.elements if name in names]


@pytest.fixture(scope="module")
def run(few_patients):
    """A small run, trained and evaluated."""
    small = {"data": few_patients, "epochs": 2, "width": 2, "depth": 3, "tensorboard": False}
    folder = train(TrainingSettings(**small, name="<b>bold&"), progress=False)
    evaluate(EvaluationSettings(run=folder, bootstrap=20), progress=False)
    return folder


@pytest.fixture(scope="module")
def points(few_patients, tmp_path_factory):
    """Points of two patients and of a noise image with a malicious name, and a file left out; as JSON and CSV."""
    folder = tmp_path_factory.mktemp("points")
    noise((300, 240), 60).save(folder / EVIL)
    (folder / "broken.dcm").write_bytes(b"not a scan")
    pictures = sorted(few_patients.glob("*/sagittal-t2/*.dcm"))[:2]
    found = predict([*pictures, folder], PredictionSettings(weights="phantom"), progress=False)
    json_points.write(found, folder / "points.json")
    found.table.to_csv(folder / "points.csv", index=False)
    return folder


def written(what, **options):
    out = what.parent / "page.html" if what.is_file() else what.parent / "run.html"
    return Page(reports.write(what, out, **options).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["points.json", "points.csv"])
def test_points_are_listed_plotted_and_explained(points, name):
    page = written(points / name)
    table = pd.read_csv(points / "points.csv")
    for row in table.itertuples():
        if np.isfinite(row.x):
            assert f"{row.x:.1f}, {row.y:.1f}" in page.text
        if np.isfinite(row.x_mm):
            assert f"{row.x_mm:.1f}, {row.y_mm:.1f}, {row.z_mm:.1f}" in page.text
    assert page.text.count("not in the picture") == table["x"].isna().sum()
    shown = table.loc[table["level"] == "L5/S1", "x"].notna().sum()
    assert page.text.count("L5/S1") >= 3 + shown >= 5, "in the table and on the image"
    assert "Not for diagnosis." in page.text
    assert "flagged: check before use" in page.text
    assert "synthetic patients only" in page.text
    assert ("this is not a DICOM file" in page.text) == (name == "points.json")
    assert ("Networkunknown" in page.text.replace("\n", "")) == (name == "points.csv")


def test_points_are_plotted_at_their_positions(points):
    """In an 8-bit image with one bright spot, the marker is on the spot."""
    pixels = np.zeros((200, 300), np.uint8)
    pixels[50:53, 90:93] = 255
    Image.fromarray(pixels).save(points / "spot.png")
    row = {"image": "spot.png", "view": "sagittal", "level": "L3/L4", "side": "", "x": 91.0, "y": 51.0}
    row |= {"confidence": 0.999, "flagged": False, "x_mm": np.nan, "y_mm": np.nan, "z_mm": np.nan}
    pd.DataFrame([row]).to_csv(points / "spot.csv", index=False)
    page = written(points / "spot.csv")
    (image,) = page.all("image")
    data = base64.b64decode(image["href"].removeprefix("data:image/jpeg;base64,"))
    shown = np.asarray(Image.open(io.BytesIO(data)), float)
    assert shown.shape == (SIDE, SIDE)
    y, x = (np.average(index, weights=shown**2) for index in np.indices(shown.shape))
    places = [re.fullmatch(r"translate\((\S+) (\S+)\)", each["transform"]).groups() for each in page.all("g")]
    np.testing.assert_allclose(np.array(places, float), [[x, y]], atol=0.5)
    assert "> 0.99" in page.text, "a confidence of 1 is not shown"


def test_an_image_with_burned_in_text_is_not_shown(points, few_patients):
    header = pydicom.dcmread(next(few_patients.glob("*/sagittal-t2/*.dcm")))
    header.BurnedInAnnotation = "YES"
    header.save_as(points / "burned.dcm")
    found = predict([points / "burned.dcm"], PredictionSettings(weights="phantom"), progress=False)
    page = written(json_points.write(found, points / "burned.json"))
    assert not page.all("image")
    assert "The picture is not shown." in page.text
    assert "burned into the picture" in page.text


def test_the_page_of_a_run_has_its_results(run):
    page = written(run)
    metrics = json.loads((run / "metrics.json").read_text())
    words = re.sub(r"\s+", " ", page.text)
    for line in as_text(metrics).splitlines():
        for part in re.split(r"\s{2,}", line.strip()):
            assert part in words or part in ("px [95 %]", "px", "unit", "mm [95 %]", "5 px", "4 mm"), part
    for name in ("mean per landmark", "always zero", *LEVELS):
        assert name in page.text
    assert "The network was trained on synthetic patients only." in page.text
    assert "Not for diagnosis." in page.text
    assert any("Learning curves" in each["alt"] for each in page.all("img"))
    assert any("largest mean errors" in each["alt"] for each in page.all("img"))
    assert "width" in words
    assert "batch_size" in words
    split = pd.read_csv(run / "split.csv")
    assert not any(patient in page.text for patient in split["patient"])


def test_the_page_of_a_run_without_evaluation_says_so(run, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(run, bare, ignore=shutil.ignore_patterns("metrics*", "worst*", "errors*", "predict*"))
    assert "not been evaluated yet" in written(bare).text
    (bare / "metrics.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        written(bare)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The page of a course with two notebooks, of which one failed and has a malicious name and error."""
    folder = tmp_path_factory.mktemp("course")
    lessons = (
        Executed("01_count", True, 1.25, {"double": 42, "error_px": 1.2345, "Exercise 1": False}),
        Executed("02_" + EVIL, False, 0.5, {}, f"cell 3: ValueError: {EVIL}"),
    )
    return pages.write(folder / "index.html", "course.html.j2", runner.content(runner.Summary(folder, lessons)))


def test_the_page_of_the_course_lists_the_notebooks(course):
    page = Page(course.read_text(encoding="utf-8"))
    words = " ".join(page.text.split())
    assert "01_count done 1.2 minutes double 42, error_px 1.23" in words
    assert f"{EVIL} FAILED 0.5 minutes cell 3: ValueError: {EVIL}" in words
    assert not page.all("script")
    links = [urllib.parse.unquote(each["href"]) for each in page.all("a")[1:]]
    assert links == ["01_count.html", f"02_{EVIL}.html"]
    named = [each["aria-labelledby"] for each in page.all("section", "article")]
    assert named == ["notebooks", "lesson-1", "lesson-2"]
    assert set(named) <= {attributes.get("id") for _, attributes in page.elements}


@pytest.fixture(params=["points", "run"])
def page(request, points, run):
    return written(points / "points.json" if request.param == "points" else run)


def test_a_page_loads_nothing_and_has_no_script_but_ours(page):
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster", "background", "xlink:href"):
            assert attributes.get(name, "#").startswith(("data:", "#")), attributes
        assert not any(name.startswith("on") for name in attributes)
        assert "style" not in attributes
    assert not page.all("iframe", "object", "embed", "form", "base")
    assert not re.search(r"url\(|@import|https?:", page.style)
    (policy,) = [each["content"] for each in page.all("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    directives = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    assert directives["default-src"] == "'none'"
    allowed = [f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'" for each in page.scripts]
    assert page.all("script") == [{}] * len(allowed)
    assert directives.get("script-src", "").split() == allowed
    assert len(allowed) == ("Network" in page.text and "Left out" in page.text), "only the page of points has a script"


def test_a_page_is_accessible(page):
    assert page.all("html") == [{"lang": "en"}]
    assert any(each.get("name") == "viewport" for each in page.all("meta"))
    levels = [int(name[1]) for name, _ in page.elements if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert page.all("img", "svg")
    assert all(each["alt"] for each in page.all("img"))
    assert all(each["role"] == "img" and each["aria-label"] for each in page.all("svg"))
    assert len(page.all("caption")) == len(page.all("table")) > 0
    assert all("scope" in each for each in page.all("th"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [each["href"][1:] for each in page.all("a")] + [
        attributes["aria-labelledby"] for _, attributes in page.elements if "aria-labelledby" in attributes
    ]
    assert set(targets) <= set(ids)
    assert "prefers-color-scheme: dark" in page.style
    assert "@media print" in page.style


def test_text_from_files_is_escaped(points, run):
    text = (points / "page.html").read_text() if (points / "page.html").is_file() else ""
    page = written(points / "points.json")
    assert EVIL in page.text
    assert len(page.all("script")) == 1
    assert text.count("<script") <= 1
    assert "<b>bold&" in written(run).text
    assert not written(run).all("b")


def test_a_page_stays_small_and_shows_the_flagged_first(points):
    page = written(points / "points.json", pictures=1)
    assert len(page.all("svg")) == 1
    assert "3, 1 shown" in page.text
    order = page.text.index("left out to keep the page small"), page.text.index("flagged: check before use")
    assert order[0] < order[1]
    full = len(reports.write(points / "points.json", points / "page.html").read_bytes())
    assert full < 3 * 60_000


def test_a_missing_image_is_reported_and_its_points_are_listed(points, tmp_path):
    table = pd.read_csv(points / "points.csv").head(5)
    table.assign(image="gone.dcm").to_csv(tmp_path / "points.csv", index=False)
    page = written(tmp_path / "points.csv")
    assert "The picture cannot be shown: there is no such file." in page.text
    assert f"{table['x'].iloc[0]:.1f}" in page.text
    assert not page.all("svg")


def test_files_without_points_are_errors(tmp_path, few_patients, monkeypatch, capsys):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(DatasetError, match="lacks columns"):
        reports.write(tmp_path / "a.csv", tmp_path / "page.html")
    columns = "image,view,level,side,x,y,confidence,flagged,x_mm,y_mm,z_mm"
    (tmp_path / "b.csv").write_text(f"{columns}\na.png,sagittal,L1/L2,,here,2,,False,,,\n")
    with pytest.raises(TableError, match="not a number"):
        reports.write(tmp_path / "b.csv", tmp_path / "page.html")
    (tmp_path / "c.json").write_text("{}")
    with pytest.raises(TableError, match="not a file of points"):
        reports.write(tmp_path / "c.json", tmp_path / "page.html")
    with pytest.raises(RunError, match="no such file of points"):
        reports.write(tmp_path / "d.csv", tmp_path / "page.html")
    monkeypatch.chdir(tmp_path)
    assert main(["report", "no-such-run"]) == 1
    assert "no such run" in capsys.readouterr().err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.csv", "b.csv", "c.json"]


def test_the_command_writes_the_page(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["report", run.name]) == 0, "a run may be given by its name"
    assert "report.html" in capsys.readouterr().out
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    assert paths.runs() in run.parents


MEASURE = """<script>addEventListener("load", () => {
  const loaded = performance.getEntriesByType("resource").map(each => each.name.slice(0, 5));
  const images = [...document.images].every(each => each.complete && each.naturalWidth > 0);
  parent.document.body.dataset.seen = JSON.stringify({
    loaded, images, wide: document.documentElement.scrollWidth, room: innerWidth, title: document.title });
})</script></body>"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome is installed")
@pytest.mark.parametrize("what", ["points", "run"])
def test_in_a_browser_no_text_of_a_file_runs_nothing_is_loaded_and_the_page_fits_a_phone(what, points, run, tmp_path):
    page = reports.write(points / "points.json" if what == "points" else run, tmp_path / "page.html")
    # A copy without the policy that forbids scripts: the script of this test can measure, and others could run.
    text = re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', "", page.read_text(encoding="utf-8"))
    text = html.escape(text.replace("</body>", MEASURE))
    frame = tmp_path / "frame.html"
    frame.write_text(f'<body><iframe width="390" height="844" srcdoc="{text}"></iframe></body>', encoding="utf-8")
    words = [BROWSER, "--headless", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    words += ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    dom = subprocess.run([*words, frame.as_uri()], capture_output=True, text=True, check=True, timeout=600).stdout
    (seen,) = [json.loads(html.unescape(each)) for each in re.findall('data-seen="([^"]*)"', dom)]
    assert set(seen["loaded"]) <= {"data:"}
    assert seen["images"]
    assert seen["room"] <= 390
    assert seen["wide"] <= seen["room"]
    assert seen["title"] == html.unescape(re.search("<title>(.*?)</title>", page.read_text(encoding="utf-8"))[1])
