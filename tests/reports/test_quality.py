"""On the page of points a person judges each picture; what the page saves chooses the pictures that `predict` reads."""

import html
import json
import os
import re
import shutil
import subprocess

import pandas as pd
import pytest
import yaml

from lumbar import reports
from lumbar.cli.main import main
from lumbar.datasets import quality
from lumbar.exports import json_points
from lumbar.prediction import PredictionSettings, predict
from tests.support.noise import noise

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ODD = "é \"x\", 'y' 😀\u2028<b>.png"
"""A name with what CSV, YAML, JSON and HTML quote."""

DRIVER = """<script>addEventListener("load", () => {
  const { contentWindow: inside, contentDocument: page } = document.querySelector("iframe");
  const saved = {}, counts = [];
  let text = "";
  inside.Blob = function (parts) { text = parts.join(""); };
  inside.URL.createObjectURL = () => "#";
  page.addEventListener("click", (event) => { if (event.target.download) saved[event.target.download] = text; }, true);
  const link = page.createElement.bind(page);
  page.createElement = (name) => page.body.appendChild(link(name));
  const count = () => counts.push(page.querySelector("output").textContent);
  const press = (keys) => {
    for (const key of keys) {
      (page.activeElement || page.body).dispatchEvent(new inside.KeyboardEvent("keydown", { key, bubbles: true }));
    }
    count();
  };
  const card = (number) => page.querySelectorAll("article")[number];
  count();
  press(["p"]);
  press(["p", "f", "u"]);
  press(["k", "ArrowLeft", "f"]);
  press(["f"]);
  card(0).querySelector("[value=unsure]").click();
  count();
  const field = card(1).querySelector("input");
  field.focus();
  press(["p", "f"]);
  field.value = 'says "no", twice';
  field.dispatchEvent(new inside.Event("input"));
  card(2).querySelector("[value=fail]").click();
  count();
  const controls = [...page.querySelectorAll("button, input")];
  page.querySelector("[value=csv]").click();
  page.querySelector("[value=yaml]").click();
  document.body.dataset.seen = JSON.stringify({
    saved, counts,
    pressed: [...card(0).querySelectorAll("[aria-pressed=true]")].map((each) => each.value),
    named: controls.every((each) => each.textContent.trim() || each.labels.length),
    hidden: controls.filter((each) => !each.checkVisibility()).length,
    kept: Object.keys(inside.localStorage).filter((key) => key.startsWith("lumbar-quality-")).length,
  });
})</script>"""


@pytest.fixture(scope="module")
def folder(few_patients, tmp_path_factory):
    """Points of three pictures, of which one has a name that needs quotes."""
    folder = tmp_path_factory.mktemp("judged")
    for file, name in zip(sorted(few_patients.glob("*/sagittal-t2/*.dcm"))[:2], ("a.dcm", "b.dcm"), strict=True):
        shutil.copy(file, folder / name)
    noise((300, 240), 60).save(folder / ODD)
    found = predict([folder], PredictionSettings(weights="phantom"), progress=False)
    json_points.write(found, folder / "points.json")
    found.table.to_csv(folder / "points.csv", index=False)
    return folder


def test_each_picture_that_is_shown_can_be_judged(folder, tmp_path):
    page = reports.write(folder / "points.json", tmp_path / "page.html", pictures=2).read_text(encoding="utf-8")
    images = [html.unescape(each) for each in re.findall('data-image="([^"]*)"', page)]
    assert images == pd.read_csv(folder / "points.csv")["image"].unique().tolist(), "the names join with the table"
    assert page.count('class="judge"') == 2, "what is not shown cannot be judged"
    for word in ("Pass", "Fail", "Unsure"):
        assert page.count(f">{word}</button>") == 2


def test_other_points_of_the_same_pictures_are_judged_apart(folder, tmp_path):
    def key(table):
        table.to_csv(folder / "again.csv", index=False)
        page = reports.write(folder / "again.csv", tmp_path / "page.html").read_text(encoding="utf-8")
        return re.search('data-report="([0-9a-f]+)"', page)[1]

    table = pd.read_csv(folder / "points.csv")
    first = key(table)
    from_json = reports.write(folder / "points.json", tmp_path / "page.html").read_text(encoding="utf-8")
    assert f'data-report="{first}"' in from_json, "JSON and CSV of the same points are one report"
    assert key(table.assign(x=table["x"] + 1)) != first


@pytest.fixture(scope="module")
def seen(folder, tmp_path_factory):
    """What the page shows and saves as a script presses its keys and buttons, in a browser, under its own policy."""
    if BROWSER is None:
        pytest.skip("no Chromium or Chrome is installed")
    here = tmp_path_factory.mktemp("browser")
    page = reports.write(folder / "points.json", here / "page.html").read_text(encoding="utf-8")
    foreign = "<script>parent.document.body.dataset.foreign = 'ran'</script></body>"
    framed = html.escape(page.replace("</body>", foreign))
    frame = here / "frame.html"
    frame.write_text(
        f'<meta charset="utf-8"><body><iframe width="390" height="844" srcdoc="{framed}"></iframe>{DRIVER}</body>',
        encoding="utf-8",
    )
    words = [BROWSER, "--headless", "--disable-gpu", "--disable-background-networking", "--dump-dom"]
    words += [f"--user-data-dir={here / 'profile'}"]
    words += ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = [*words, frame.as_uri()]
    dom = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=600).stdout
    assert "data-foreign" not in dom, "a script that is not ours does not run"
    (seen,) = [json.loads(html.unescape(each)) for each in re.findall('data-seen="([^"]*)"', dom)]
    return seen


def test_keys_and_buttons_judge_and_the_counts_follow(seen):
    assert seen["counts"] == [
        "0 of 3 judged: 0 pass, 0 fail, 0 unsure.",
        "0 of 3 judged: 0 pass, 0 fail, 0 unsure.",  # the first key only selects the first picture
        "3 of 3 judged: 1 pass, 1 fail, 1 unsure.",  # each key leads to the next picture
        "3 of 3 judged: 0 pass, 2 fail, 1 unsure.",  # back at the first one
        "2 of 3 judged: 0 pass, 1 fail, 1 unsure.",  # the same key withdraws
        "2 of 3 judged: 0 pass, 0 fail, 2 unsure.",  # a button
        "2 of 3 judged: 0 pass, 0 fail, 2 unsure.",  # letters in a note are no keys
        "2 of 3 judged: 0 pass, 1 fail, 1 unsure.",
    ]
    assert seen["pressed"] == ["unsure"]
    assert seen["named"]
    assert seen["hidden"] == 0
    assert seen["kept"] == 1


def test_what_the_page_saves_is_read_back_and_joins_with_the_points(seen, folder, tmp_path):
    points = pd.read_csv(folder / "points.csv")
    (tmp_path / "quality.csv").write_text(seen["saved"]["quality.csv"], encoding="utf-8")
    (tmp_path / "qc_fail.yml").write_text(seen["saved"]["qc_fail.yml"], encoding="utf-8")
    table = pd.read_csv(tmp_path / "quality.csv", keep_default_na=False)
    assert len(points.merge(table, on="image", validate="many_to_one")) == len(points)
    assert table["note"].tolist()[1] == 'says "no", twice'
    read = quality.read(tmp_path / "quality.csv")
    assert read.judged == dict(zip(table["image"], table["quality"], strict=True))
    assert list(read.judged.values()) == ["unsure", "", "fail"]
    (failed,) = [image for image in read.judged if image.endswith(ODD)]
    assert yaml.safe_load(seen["saved"]["qc_fail.yml"]) == {"FILES_LABEL": [failed]}
    assert quality.read(tmp_path / "qc_fail.yml").judged == {failed: "fail"}


@pytest.mark.parametrize("kind", ["csv", "yml"])
def test_predict_reads_only_what_passed(folder, tmp_path, capsys, kind):
    images = pd.read_csv(folder / "points.csv")["image"].unique().tolist()
    judged = pd.DataFrame({"image": images, "quality": ["fail", "pass", "unsure"], "note": ""})
    judged.to_csv(tmp_path / "qc.csv", index=False)
    (tmp_path / "qc.yml").write_text(yaml.safe_dump({"FILES_LABEL": images[:1]}))
    words = ["predict", folder, "--out", tmp_path / "points.csv", "--quality", tmp_path / f"qc.{kind}"]
    assert main([*map(str, words), "--weights", "phantom"]) == 0
    read = pd.read_csv(tmp_path / "points.csv")["image"].unique().tolist()
    assert read == (images[1:2] if kind == "csv" else images[1:])
    assert f"{3 - len(read)} pictures were not read: they did not pass in" in capsys.readouterr().out


def test_judgements_of_other_pictures_are_an_error(folder, tmp_path, capsys):
    (tmp_path / "qc.csv").write_text("image,quality,note\nelsewhere.dcm,pass,\n")
    words = ["predict", folder, "--out", tmp_path / "points.csv", "--quality", tmp_path / "qc.csv"]
    assert main([*map(str, words)]) == 1
    assert "none of the images passed" in capsys.readouterr().err
    assert not (tmp_path / "points.csv").exists()
