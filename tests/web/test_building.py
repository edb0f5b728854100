"""The page that answers in the browser, as far as no browser is needed; `tests.stress.page` uses it with one."""

import base64
import gzip
import json
import os
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from lumbar import imaging, prediction, weights
from lumbar.cli.main import main
from lumbar.core.constants import LEVELS, SIDES, VIEWS
from lumbar.core.errors import SettingsError
from lumbar.core.paths import PACKAGE
from lumbar.engines import pixels_to_points
from lumbar.exports import COUNT_NOT_CHECKED, NOT_FOR_DIAGNOSIS, SYNTHETIC_ONLY
from lumbar.prediction import COLUMNS
from lumbar.reports.page import Script
from lumbar.web import building
from lumbar.web.building import Bundle, Vendored, facts, find_npm, make_bundle, simplified, vendored, write_page
from lumbar.web.samples import make_samples

WEB = PACKAGE / "web"
FREE = {"MIT", "ISC", "Apache-2.0", "BSD-3-Clause", "(MIT AND Zlib)"}
"""Licences of what the page may be made of: as free as our own."""


@pytest.fixture(scope="module")
def graph():
    """A file that says what the real one says, and gives back what it gets."""
    value = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["height", "width"])
    answer = helper.make_tensor_value_info("points", TensorProto.FLOAT, ["height", "width"])
    nodes = [helper.make_node("Neg", ["pixels"], ["less"]), helper.make_node("Neg", ["less"], ["points"])]
    nodes += [helper.make_node("Constant", [], ["nobody"], value_float=1.0)]
    made = helper.make_model(
        helper.make_graph(nodes, "graph", [value], [answer]), opset_imports=[helper.make_opsetid("", 21)], ir_version=10
    )
    about = {"names": [*LEVELS, *SIDES], "views": VIEWS, "resize": "stretch", "doubtful": 0.9, "modalities": ["MR"]}
    helper.set_model_props(made, {"lumbar": json.dumps(about)})
    return made.SerializeToString()


@pytest.fixture(scope="module")
def page(graph, tmp_path_factory):
    """A page with a script of its own in the place of the real one."""
    bundle = Bundle("console.log(1 < 2 && '<b>')", bytes(1000), (Vendored("a<b", "1.0", "MIT", "A licence & more"),))
    out = tmp_path_factory.mktemp("page") / "index.html"
    network = replace(weights.find("phantom"), synthetic=True)
    return write_page(network, "phantom", bundle, graph, make_samples(), out).read_text(encoding="utf-8")


def between(page: str, name: str) -> str:
    return re.search(rf'<script id="{name}"[^>]*>(.*?)</script>', page, re.S)[1]


def test_without_npm_the_command_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(building.shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(building.extras, "require", lambda *_: None)
    assert main(["page", "--out", str(tmp_path / "index.html")]) == 1
    said = capsys.readouterr().err
    assert "npm" in said
    assert "[page]" in said
    assert not (tmp_path / "index.html").exists()


def test_npm_is_also_found_beside_python(tmp_path, monkeypatch):
    program = tmp_path / ("npm.exe" if os.name == "nt" else "npm")
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(building.sysconfig, "get_path", lambda _: str(tmp_path))
    assert Path(find_npm()) == program


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for npm is a shell script")
def test_what_npm_says_when_it_fails_reaches_the_user(tmp_path):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'the network is unreachable' >&2\nexit 3\n")
    npm.chmod(0o755)
    with pytest.raises(SettingsError, match="unreachable"):
        make_bundle(str(npm))


def test_every_package_is_pinned_by_its_content_and_free():
    wanted = json.loads((WEB / "package.json").read_text())
    lock = json.loads((WEB / "package-lock.json").read_text())["packages"]
    for name, version in (wanted["dependencies"] | wanted["devDependencies"]).items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
        assert lock[f"node_modules/{name}"]["version"] == version
    for place, package in lock.items():
        if place:
            assert package["integrity"].startswith("sha512-"), place
            assert package["license"] in FREE, (place, package["license"])


def test_no_registry_is_named():
    assert "omit-lockfile-registry-resolved=true" in (WEB / ".npmrc").read_text()
    for file in sorted(WEB.rglob("*")):
        if file.is_file() and file.suffix != ".pyc":
            text = file.read_text(encoding="utf-8")
            assert "registry" not in text.replace("omit-lockfile-registry-resolved", ""), file
            assert '"resolved"' not in text, file


def test_the_licences_are_those_of_what_is_in_the_page(tmp_path):
    def package(name, licence, **more):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps({"version": "1.2.3", "license": licence, **more}))
        return folder

    (package("reader", "MIT", dependencies={"@some/inner": "1"}) / "LICENSE").write_text("text of reader")
    (package("@some/inner", "ISC") / "License.md").write_text("text of inner")
    (package("unused", "GPL-3.0") / "LICENSE").write_text("text of unused")
    package("onnxruntime-web", "MIT", dependencies={"not-there": "1"})
    inputs = ["page.js", "node_modules/reader/a.js", "node_modules/onnxruntime-web/dist/b.mjs"]
    found = {each.name: each for each in vendored(tmp_path, dict.fromkeys(inputs))}
    assert list(found) == ["@some/inner", "onnxruntime-web", "reader"]
    assert found["@some/inner"] == Vendored("@some/inner", "1.2.3", "ISC", "text of inner")
    assert "Microsoft" in found["onnxruntime-web"].text
    package("secret", "MIT")
    with pytest.raises(SettingsError, match="secret"):
        list(vendored(tmp_path, {"node_modules/secret/a.js": None}))


def test_the_policy_allows_its_own_script_and_no_connection(page):
    policy = dict(
        each.strip().split(" ", 1)
        for each in unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]).split(";")
    )
    (script,) = re.findall(r'<script type="module">(.*?)</script>', page, re.S)
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == f"'{Script(script).digest}' 'wasm-unsafe-eval'"
    assert policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["img-src"] == "data:"
    assert set(policy) == {"default-src", "script-src", "style-src", "img-src", "base-uri", "form-action"}
    markup = re.sub(r"<(script|pre)\b.*?</\1>", "", page, flags=re.S)
    assert re.findall(r'(?:src|href|action)="(?!data:|#)', markup) == []


def test_the_page_holds_what_it_is_given(page, graph):
    assert gzip.decompress(base64.b64decode(between(page, "graph"))) == graph
    assert gzip.decompress(base64.b64decode(between(page, "runtime"))) == bytes(1000)
    stated = json.loads(between(page, "facts"))
    assert stated == json.loads(json.dumps(facts(weights.find("phantom"), graph)))
    assert stated["columns"] == list(COLUMNS)
    assert stated["belongs"] == {"sagittal": list(LEVELS), "coronal": list(LEVELS), "axial": list(SIDES)}
    assert set(stated["about"]["names"]) == set(stated["looks"])
    assert "A licence &amp; more" in page
    assert "a&lt;b 1.0 (MIT)" in page


def test_the_notices_are_those_of_points_elsewhere(page):
    notices = unescape(re.search(r'<ul class="notices".*?</ul>', page, re.S)[0])
    for notice in (SYNTHETIC_ONLY, NOT_FOR_DIAGNOSIS, COUNT_NOT_CHECKED):
        assert notice in notices


def test_each_element_that_the_script_asks_for_is_there(page):
    asked = set(re.findall(r'here\("(\w+)"\)', (WEB / "page.js").read_text(encoding="utf-8")))
    asked |= set(
        re.findall(r'(?:getElementById|unpacked)\("(\w+)"\)', "".join(each.read_text() for each in WEB.glob("*.js")))
    )
    assert len(asked) > 10
    assert {name for name in asked if f'id="{name}"' not in page} == set()


def test_the_facts_that_the_script_takes_are_stated(graph):
    stated = facts(weights.find("phantom"), graph)
    taken = set(
        re.findall(r"\bfacts\.(?!js\b)(\w+)", "".join(each.read_text(encoding="utf-8") for each in WEB.glob("*.js")))
    )
    assert taken == set(stated)


def test_the_samples_are_three_kinds_of_file_and_one_of_them_is_flagged(tmp_path):
    samples = make_samples()
    assert [Path(each.name).suffix for each in samples] == [".dcm", ".png", ".jpg"]
    for sample in samples:
        (file := tmp_path / sample.name).write_bytes(sample.content)
        scan = imaging.read(file)
        assert min(scan.pixels.shape) > 90
        assert (scan.view == "sagittal") == (file.suffix == ".dcm")
        assert sample.name.startswith("synthetic")
    assert [each.content for each in make_samples()] == [each.content for each in samples]
    found = prediction.predict([tmp_path / each.name for each in samples], progress=False)
    assert found.table.groupby("image", sort=False)["flagged"].any().tolist() == [False, False, True]


def test_a_simplified_graph_says_and_answers_the_same(graph, tmp_path):
    import onnxruntime

    (file := tmp_path / "graph.onnx").write_bytes(graph)
    smaller = simplified(file)
    before, after = onnx.load_from_string(graph), onnx.load_from_string(smaller)
    assert len(after.graph.node) < len(before.graph.node)
    assert {each.key: each.value for each in after.metadata_props}["lumbar"] == before.metadata_props[0].value
    assert {each.domain for each in after.graph.node} <= {""}
    pixels = np.arange(6, dtype=np.float32).reshape(2, 3)
    (answer,) = onnxruntime.InferenceSession(smaller).run(None, {"pixels": pixels})
    np.testing.assert_array_equal(answer, pixels)


def test_the_script_asks_the_graph_for_what_it_gives():
    network = (WEB / "network.js").read_text(encoding="utf-8")
    assert set(re.findall(r"\bfound\.(\w+)\[", network)) <= set(pixels_to_points.GIVES)
    assert {"pixels", "view", "pixel_size"} == set(pixels_to_points.TAKES)
    assert all(name in network for name in pixels_to_points.TAKES)
